//! Accepting a prompt, running its turn, and reporting it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use promptyoself::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

use super::Inner;
use super::load::{Load, Moment};
use super::net::Conn;
use super::routes::{detail, events, json_answer, unknown_agent};
use super::state::{Received, Script, content, event};

/// The time between two signs of life of a stream without end; 20 seconds with a real server.
const BETWEEN_PINGS: Duration = Duration::from_millis(5);

/// Takes a prompt by one of the four ways. What was read is acted on, whether or not whoever sent
/// it still waits.
pub async fn send(
    inner: Arc<Inner>,
    conn: Conn,
    way: &'static str,
    agent: String,
    body: &Value,
) -> Response {
    let (done, answer) = oneshot::channel();
    let (acting, body) = (inner.clone(), body.clone());
    inner.spawn(async move {
        let _ = done.send(act(acting, conn, way, agent, &body).await);
    });
    match answer.await {
        Ok(response) => response,
        // The server was stopped.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn act(
    inner: Arc<Inner>,
    conn: Conn,
    way: &'static str,
    agent: String,
    body: &Value,
) -> Response {
    let messages: Vec<Value> = body["messages"].as_array().cloned().unwrap_or_default();
    inner.pass(Moment::Read).await;
    inner.take_time(Load::before).await;
    let taken = take(&inner, way, &agent, &messages, body);
    inner.changed();
    let (run, script) = match taken {
        Taken::Answer(response) => return *response,
        Taken::Cut => {
            conn.cut();
            return StatusCode::OK.into_response();
        }
        // For a run that goes on as many signs of life as make a client ask after it: those of
        // some minutes with a real server.
        Taken::Attached(run) => {
            let goes_on = inner.state().runs[&run].stop_reason.is_none();
            (
                run,
                if goes_on {
                    Script::Pings(20)
                } else {
                    Script::Turn
                },
            )
        }
        Taken::Run(run, script) => {
            let turn = run_turn(inner.clone(), agent, run.clone(), messages, script.clone());
            inner.spawn(turn);
            (run, script)
        }
    };
    inner.pass(Moment::Begun).await;
    if way == "async" {
        let run = json!({"id": run, "status": "created", "background": true});
        return json_answer(StatusCode::OK, &run);
    }
    match script {
        Script::CutAfter => {
            inner.wait_for_end(&run).await;
            conn.cut();
            StatusCode::OK.into_response()
        }
        Script::GarbledAnswer => {
            inner.wait_for_end(&run).await;
            (StatusCode::OK, "<html>hello</html>").into_response()
        }
        Script::AnswerAfter { status, body } => {
            inner.wait_for_end(&run).await;
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        script => {
            let (sender, receiver) = unbounded_channel();
            let (response, taken) = events(receiver);
            let told = Told {
                sender,
                taken,
                n: 0,
            };
            // The telling ends with its connection; the turn does not.
            tokio::spawn(tell(inner, conn, run, script, told));
            response
        }
    }
}

enum Taken {
    Answer(Box<Response>),
    Cut,
    Attached(String),
    Run(String, Script),
}

fn take(inner: &Inner, way: &str, agent: &str, messages: &[Value], body: &Value) -> Taken {
    let answer = |response| Taken::Answer(Box::new(response));
    let mut state = inner.state();
    if !state.agents.iter().any(|a| a == agent) {
        return answer(unknown_agent(agent));
    }
    if messages.is_empty() {
        return answer(detail(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Messages must not be empty",
        ));
    }
    let otids: Vec<String> = messages
        .iter()
        .filter_map(|m| m["otid"].as_str().map(str::to_owned))
        .collect();
    let token = otids.join("|");
    if way == "background" {
        if !state.redis {
            let text = "Background streaming requires Redis to be running.";
            return answer(detail(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        // Letta knows a repetition by all its otids together.
        if let Some(run) = state.runs_by_otid.get(&token).cloned() {
            let known = &state.runs[&run];
            let of = &state.received[known.received.unwrap()];
            let worked = of.kept || known.stop_reason.is_none() && !known.dead;
            state.repeats += usize::from(worked);
            return Taken::Attached(run);
        }
        let now = state.clock.now();
        let lock = state.locks.get(agent);
        if let Some((run, _)) = lock.filter(|(_, at)| now.duration_since(*at) < state.lock) {
            let text = format!(
                "CONFLICT: Cannot send a new message: Another request (run_id={run}) is currently \
                 being processed for this conversation. Please wait for it to complete."
            );
            let body = json!({"detail": text, "run_id": run});
            return answer(json_answer(StatusCode::CONFLICT, &body));
        }
    }
    let script = state.take_script(agent);
    match &script {
        Script::CutBefore => return Taken::Cut,
        Script::Answer {
            status,
            body,
            headers,
        } => return answer(scripted(*status, body, headers)),
        _ => {}
    }
    let now = state.clock.now();
    let at = state.received.len();
    let run = state.begin_run(agent, now, Some(at));
    let dead = matches!(script, Script::Orphan | Script::Endless);
    state.runs.get_mut(&run).unwrap().dead = dead;
    if way == "background" {
        state.locks.insert(agent.into(), (run.clone(), now));
        state.runs_by_otid.insert(token, run.clone());
    }
    let received = state.next();
    state.received.push(Received {
        agent: agent.into(),
        otid: otids.first().cloned(),
        text: content(&messages[0]),
        body: body.clone(),
        way: way.into(),
        run_id: run.clone(),
        received,
        ended: None,
        kept: false,
        dead,
    });
    Taken::Run(run, script)
}

/// An answer as a script tells it.
pub fn scripted(status: u16, body: &Value, headers: &BTreeMap<String, String>) -> Response {
    let text = match body {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    for (name, value) in headers {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A turn: it goes on whether or not somebody listens, and ends when its agent is not held.
async fn run_turn(
    inner: Arc<Inner>,
    agent: String,
    run: String,
    messages: Vec<Value>,
    script: Script,
) {
    if matches!(script, Script::Orphan | Script::Silence | Script::Endless) {
        return;
    }
    inner.take_time(Load::turn).await;
    inner
        .wait(|s| !s.held.contains(&agent) && !s.hold_all)
        .await;
    inner.state().end_run(&run, &messages, &script);
    inner.changed();
}

/// What a connection is told, and how much of it it has taken.
struct Told {
    sender: UnboundedSender<String>,
    taken: watch::Receiver<usize>,
    n: usize,
}

impl Told {
    fn tell(&mut self, text: impl Into<String>) {
        self.n += 1;
        let _ = self.sender.send(text.into());
    }

    /// Tells something once everything before it was taken.
    async fn tell_when_taken(&mut self, text: &str) {
        let n = self.n;
        let _ = self.taken.wait_for(|taken| *taken >= n).await;
        self.tell(text);
    }

    /// Cuts the connection once it has passed on everything that it was told.
    async fn cut(mut self, conn: &Conn) {
        let n = self.n;
        let _ = self.taken.wait_for(|taken| *taken >= n).await;
        // What was taken is written before the connection's task rests again.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        conn.cut();
    }
}

/// Tells a turn to whoever sent its prompt.
async fn tell(inner: Arc<Inner>, conn: Conn, run: String, script: Script, mut told: Told) {
    let ping = event(&json!({"id": "ping-1", "message_type": "ping", "run_id": run}));
    if matches!(script, Script::Stall) {
        return told.sender.closed().await;
    }
    told.tell(ping.clone());
    match script {
        Script::CutMidStream | Script::Orphan => return told.cut(&conn).await,
        Script::Garbage => return told.tell("data: {\"message_type\": \n\ndata: <html>\n\n"),
        Script::Silence => return told.sender.closed().await,
        Script::Pings(n) => (0..n).for_each(|_| told.tell(ping.clone())),
        Script::Endless => {
            while !told.sender.is_closed() {
                told.tell_when_taken(&ping).await;
                Clock::system().sleep(BETWEEN_PINGS).await;
            }
            return;
        }
        _ => {}
    }
    inner.wait_for_end(&run).await;
    inner.pass(Moment::Ended).await;
    let events = inner.state().runs.get(&run).map(|r| r.events.clone());
    let mut events = events.unwrap_or_default();
    let cut = matches!(script, Script::CutBeforeDone);
    if cut {
        events.pop();
    }
    events.into_iter().for_each(|event| told.tell(event));
    if cut {
        told.cut(&conn).await;
    }
}
