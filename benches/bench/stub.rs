//! A Letta stub in a process of its own: it answers what promptyoself asks of a V1 server, and
//! records when each prompt was read.
//!
//! It is controlled over HTTP, by the routes under `/bench/`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::io::Read;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

/// Where prompts are posted to.
pub const PROMPTS: &str = "/v1/conversations/default/messages";

/// How often a turn that does not end gives a sign of life, as Letta does.
const BETWEEN_PINGS: Duration = Duration::from_secs(20);

/// How turns go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Behaviour {
    /// How long a turn takes.
    pub answer_ms: u64,
    /// The agents whose turns never end.
    pub hanging: HashSet<String>,
}

/// A prompt that was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Whom it was for.
    pub agent: String,
    /// Its otid.
    pub otid: String,
    /// When its last byte was read, in microseconds since 1970.
    pub at: i64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// How many prompts were read.
    pub accepted: usize,
    /// How many turns have ended.
    pub ended: usize,
}

/// All that happened since it was last told how turns go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The prompts, in the order in which they were read.
    pub accepted: Vec<Accepted>,
    /// How many requests came to each route.
    pub routes: BTreeMap<String, u64>,
}

const ROUTES: [&str; 8] = [
    "POST a prompt",
    "GET the runs of an agent",
    "GET a run",
    "GET an agent",
    "GET the messages of an agent",
    "GET the agents",
    "GET the health",
    "something else",
];

#[derive(Default)]
struct State {
    behaviour: RwLock<Behaviour>,
    accepted: Mutex<Vec<Accepted>>,
    ended: AtomicUsize,
    runs: AtomicU64,
    routes: [AtomicU64; ROUTES.len()],
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Deserialize)]
struct Prompt<'a> {
    #[serde(borrow)]
    agent_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    otid: Option<Cow<'a, str>>,
}

/// Serves until standard input ends; the first line on standard output is the address.
pub fn serve() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State::default());
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            // Otherwise the other end's delayed acknowledgement, 40 ms, is what is measured.
            let _ = stream.set_nodelay(true);
            let state = state.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let state = state.clone();
                    async move { Ok::<_, Infallible>(answer(&state, request).await) }
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                let _ = serving.await;
            });
        }
    });
}

async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    if let Some(asked) = path.strip_prefix("/bench/") {
        let body = body
            .collect()
            .await
            .map(|b| b.to_bytes())
            .unwrap_or_default();
        return steer(state, asked, &body);
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (route, response) = match (&head.method, &parts[..]) {
        (&Method::POST, ["v1", "conversations", "default", "messages"]) => {
            (0, take(state, None, body).await)
        }
        (&Method::POST, ["v1", "agents", agent, "messages", "stream"]) => {
            (0, take(state, Some(agent), body).await)
        }
        (&Method::GET, ["v1", "runs"]) => (1, runs(state, query)),
        (&Method::GET, ["v1", "runs", run]) => {
            let status = json!({"id": run, "status": "created", "created_at": now_text()});
            (2, json_answer(StatusCode::OK, &status))
        }
        (&Method::GET, ["v1", "agents", agent]) => {
            let body = json!({"id": agent, "name": "bench", "created_at": now_text()});
            (3, json_answer(StatusCode::OK, &body))
        }
        (&Method::GET, ["v1", "agents", _, "messages"]) => {
            (4, json_answer(StatusCode::OK, &json!([])))
        }
        (&Method::GET, ["v1", "agents"]) => (5, json_answer(StatusCode::OK, &json!([]))),
        (&Method::GET, ["v1", "health"]) => {
            let body = json!({"version": "0.16.8", "status": "ok"});
            (6, json_answer(StatusCode::OK, &body))
        }
        _ => {
            let body = json!({"detail": "Not Found"});
            (7, json_answer(StatusCode::NOT_FOUND, &body))
        }
    };
    state.routes[route].fetch_add(1, Ordering::Relaxed);
    response
}

fn steer(state: &State, asked: &str, body: &[u8]) -> Response<Body> {
    let accepted = || state.accepted.lock().expect("no panic");
    match asked {
        "begin" => {
            let behaviour = serde_json::from_slice(body).expect("a behaviour");
            *state.behaviour.write().expect("no panic") = behaviour;
            accepted().clear();
            state.ended.store(0, Ordering::Relaxed);
            state
                .routes
                .iter()
                .for_each(|n| n.store(0, Ordering::Relaxed));
            json_answer(StatusCode::OK, &json!({}))
        }
        "progress" => {
            let progress = Progress {
                accepted: accepted().len(),
                ended: state.ended.load(Ordering::Relaxed),
            };
            json_answer(StatusCode::OK, &progress)
        }
        _ => {
            let counts = state.routes.iter().map(|n| n.load(Ordering::Relaxed));
            let record = Record {
                accepted: accepted().clone(),
                routes: ROUTES.iter().map(|r| (*r).to_owned()).zip(counts).collect(),
            };
            json_answer(StatusCode::OK, &record)
        }
    }
}

/// Takes a prompt and tells of its turn as a stream.
async fn take(state: &Arc<State>, agent: Option<&str>, body: Incoming) -> Response<Body> {
    let Ok(body) = body.collect().await else {
        return json_answer(StatusCode::BAD_REQUEST, &json!({"detail": "cut"}));
    };
    let at = now();
    let body = body.to_bytes();
    let Ok(prompt) = serde_json::from_slice::<Prompt>(&body) else {
        return json_answer(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({"detail": "no prompt"}),
        );
    };
    let agent = agent
        .map(str::to_owned)
        .or(prompt.agent_id.map(Cow::into_owned));
    let agent = agent.unwrap_or_default();
    let otid = prompt.messages.into_iter().find_map(|m| m.otid);
    let (answer_ms, hangs) = {
        let behaviour = state.behaviour.read().expect("no panic");
        (behaviour.answer_ms, behaviour.hanging.contains(&agent))
    };
    let accepted = Accepted {
        agent,
        otid: otid.unwrap_or_default().into_owned(),
        at,
    };
    state.accepted.lock().expect("no panic").push(accepted);

    let n = state.runs.fetch_add(1, Ordering::Relaxed);
    let run = format!("run-00000000-0000-4000-8000-{n:012}");
    let begins =
        format!("data: {{\"id\":\"ping-1\",\"message_type\":\"ping\",\"run_id\":\"{run}\"}}\n\n");
    if hangs {
        let pings = stream::unfold(
            begins,
            |ping| async move { Some((frame(ping.clone()), ping)) },
        );
        let paced = futures_util::StreamExt::then(
            futures_util::StreamExt::enumerate(pings),
            |(n, ping)| async move {
                if n > 0 {
                    tokio::time::sleep(BETWEEN_PINGS).await;
                }
                ping
            },
        );
        return events(StreamBody::new(paced).boxed_unsync());
    }
    let ends = format!(
        "data: {{\"id\":\"message-{n}\",\"date\":\"{}\",\"message_type\":\"assistant_message\",\
         \"otid\":null,\"run_id\":\"{run}\",\"content\":\"done\"}}\n\n\
         data: {{\"message_type\":\"stop_reason\",\"stop_reason\":\"end_turn\"}}\n\n\
         data: {{\"message_type\":\"usage_statistics\",\"total_tokens\":15,\"step_count\":1}}\n\n\
         data: [DONE]\n\n",
        now_text()
    );
    if answer_ms == 0 {
        state.ended.fetch_add(1, Ordering::Relaxed);
        return events(Full::new(Bytes::from(begins + &ends)).boxed_unsync());
    }
    let state = state.clone();
    let turn = stream::unfold(0, move |step| {
        let (state, begins, ends) = (state.clone(), begins.clone(), ends.clone());
        async move {
            match step {
                0 => Some((frame(begins), 1)),
                1 => {
                    tokio::time::sleep(Duration::from_millis(answer_ms)).await;
                    state.ended.fetch_add(1, Ordering::Relaxed);
                    Some((frame(ends), 2))
                }
                _ => None,
            }
        }
    });
    events(StreamBody::new(turn).boxed_unsync())
}

/// The runs that an agent is in: of a hanging one the turn that it was sent.
fn runs(state: &State, query: &str) -> Response<Body> {
    let of = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("agent_id="));
    let agent = of.unwrap_or_default();
    let hangs = state
        .behaviour
        .read()
        .expect("no panic")
        .hanging
        .contains(agent);
    let began = match hangs {
        true => state
            .accepted
            .lock()
            .expect("no panic")
            .iter()
            .any(|a| a.agent == agent),
        false => false,
    };
    let runs = match began {
        true => json!([{"id": format!("run-of-{agent}"), "status": "created", "agent_id": agent,
                        "created_at": now_text()}]),
        false => json!([]),
    };
    json_answer(StatusCode::OK, &runs)
}

fn frame(text: String) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from(text)))
}

fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(body).expect("JSON");
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Now, in microseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970");
    since.as_micros() as i64
}

fn now_text() -> String {
    jiff::Timestamp::from_microsecond(now())
        .expect("a time")
        .to_string()
}
