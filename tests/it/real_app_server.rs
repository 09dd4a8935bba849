//! The client against a real App Server, started by `scripts/app-server/up.sh` for each test. It is
//! stopped and its data removed when the test process ends, however it ends.

mod own_schedules;
mod program;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{
    AnyLetta, AppServer, ErrorClass, Evidence, Letta, Outgoing, RefusalKind, Target,
};
use promptyoself::models::{AgentId, Turn};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

use crate::app_server::{lookup_of, prompt_in, send, settings};
use crate::client::{delivered, recipient, refused, unknown};
use crate::program::{Answer as Printed, World};

use ErrorClass as C;
use RefusalKind as K;

/// A real App Server.
pub struct RealAppServer {
    pub url: String,
    token: Option<String>,
    pub agent: AgentId,
    pub other: AgentId,
    llm_url: String,
    /// The name of its folder.
    state: String,
    folder: PathBuf,
    /// Ends the server when this process ends, however it does: it waits for its input to close.
    _watchdog: Child,
}

impl RealAppServer {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    pub async fn start_with(token: Option<&str>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let state = format!("test-{}-app-server-{n}", std::process::id());
        let watchdog = Command::new("sh")
            .arg("-c")
            .arg("trap '' INT TERM HUP; cat >/dev/null; exec \"$0\" \"$1\" --wipe")
            .arg(script("down.sh"))
            .arg(&state)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let up = bring_up(&state, token).await;
        RealAppServer {
            url: up["APP_SERVER_URL"].clone(),
            token: token.map(str::to_owned),
            agent: AgentId::parse(&up["AGENT_ID"]).unwrap(),
            other: AgentId::parse(&up["OTHER_AGENT_ID"]).unwrap(),
            llm_url: up["LLM_URL"].clone(),
            folder: up["STATE"].clone().into(),
            state,
            _watchdog: watchdog,
        }
    }

    fn client(&self) -> AppServer {
        let settings = settings(&self.url, self.token.as_deref());
        AppServer::new(settings, Clock::system()).unwrap()
    }

    /// The folder with everything that it keeps.
    fn folder(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(".peers")
            .join(&self.state)
    }

    /// Kills it as a crash would, and starts it again with the same data.
    pub async fn restart(&self) {
        self.kill().await;
        bring_up(&self.state, None).await;
    }

    pub async fn kill(&self) {
        let state = self.state.clone();
        let down = move || run(Command::new(script("down.sh")).arg(state).arg("--letta"));
        tokio::task::spawn_blocking(down).await.unwrap();
    }

    /// Sends a signal to the server's process.
    fn signal(&self, name: &str) {
        let pid = self.folder.join("letta.pid");
        crate::observer::signal(name, std::fs::read_to_string(pid).unwrap().trim());
    }

    /// The otids under which a prompt with this text is stored in a conversation, one for each copy.
    async fn stored(&self, agent: &AgentId, conversation: &str, text: &str) -> Vec<String> {
        let messages = self.messages(agent, conversation).await;
        let holds = |m: &&Value| {
            m["message_type"] == "user_message" && m["content"].to_string().contains(text)
        };
        let ids = messages.iter().filter(holds).map(|m| m["otid"].to_string());
        ids.collect()
    }

    /// The newest messages of a conversation.
    pub async fn messages(&self, agent: &AgentId, conversation: &str) -> Vec<Value> {
        let address = self.url.trim_start_matches("http://");
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        if let Some(token) = &self.token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        let request = json!({
            "type": "conversation_messages_list", "request_id": "stored",
            "conversation_id": conversation, "query": {"agent_id": agent.as_str(), "limit": 100},
        });
        socket
            .send(Message::text(request.to_string()))
            .await
            .unwrap();
        loop {
            let Message::Text(said) = socket.next().await.unwrap().unwrap() else {
                continue;
            };
            let said: Value = serde_json::from_str(&said).unwrap();
            if said["request_id"] == "stored" {
                return said["messages"].as_array().unwrap().clone();
            }
        }
    }

    /// How often the model was asked something that contains `text`.
    async fn asked_model(&self, text: &str) -> usize {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/__calls", self.llm_url);
        let calls: Vec<serde_json::Value> = {
            let text = http.get(url).send().await.unwrap().text().await.unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let holds = |call: &&serde_json::Value| {
            let last = call["messages"]
                .as_array()
                .and_then(|all| all.last())
                .cloned();
            last.is_some_and(|message| message.to_string().contains(text))
        };
        calls.iter().filter(holds).count()
    }

    /// Waits until the model has been asked something that contains `text`.
    pub async fn wait_for_model(&self, text: &str) {
        self.until(async || self.asked_model(text).await > 0).await;
    }

    /// Asks again and again, as only a real peer makes necessary.
    async fn until(&self, mut is_so: impl AsyncFnMut() -> bool) {
        for _ in 0..600 {
            if is_so().await {
                return;
            }
            Clock::system().sleep(Duration::from_millis(100)).await;
        }
        panic!("it did not come to that within a minute");
    }

    /// Looks for a prompt until no turn goes on.
    async fn find(&self, server: &AppServer, outgoing: &Outgoing) -> Evidence {
        let mut found = None;
        self.until(async || {
            let lookup = lookup_of(outgoing, &Clock::system(), SignedDuration::from_mins(1));
            found = Some(server.find(&lookup).await);
            !matches!(found, Some(Evidence::Running { .. }))
        })
        .await;
        found.unwrap()
    }
}

async fn bring_up(state: &str, token: Option<&str>) -> HashMap<String, String> {
    let mut up = Command::new(script("up.sh"));
    up.arg(state)
        .envs(token.map(|token| ("APP_SERVER_TOKEN", token)));
    let printed = tokio::task::spawn_blocking(move || run(&mut up))
        .await
        .unwrap();
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("scripts/app-server")
        .join(name)
}

/// A fresh otid for every prompt, since the server remembers them.
fn otid() -> u128 {
    Uuid::new_v4().as_u128()
}

#[tokio::test]
async fn prompts_arrive_in_the_default_a_new_and_an_existing_conversation() {
    let real = RealAppServer::start().await;
    let server = real.client();
    assert_eq!(
        server.check().await.unwrap().version.as_deref(),
        Some("0.34.12")
    );
    let mut ids: Vec<_> = server
        .list_agents()
        .await
        .unwrap()
        .into_iter()
        .map(|a| a.id)
        .collect();
    let mut made = [real.agent.to_string(), real.other.to_string()];
    ids.sort();
    made.sort();
    assert_eq!(ids, made);
    assert_eq!(
        server.get_agent(&real.agent).await.unwrap().name.as_deref(),
        Some("first")
    );

    let named = server.create_conversation(&real.agent).await.unwrap();
    for (n, conversation) in ["default", &named, &named, "default"].iter().enumerate() {
        let text = format!("prompt {n}");
        let outgoing = prompt_in(&real.agent, conversation, otid(), &text);
        let (answer, runs) = send(&server, &outgoing).await;
        let delivery = delivered(answer);
        assert_eq!(delivery.turn, Turn::Ok, "{conversation}");
        assert_eq!(delivery.reply, Some(format!("stub: {text}")));
        assert_eq!(delivery.run_id.as_deref(), runs.last().map(String::as_str));
        // What was delivered is found, and not run again.
        assert!(matches!(
            real.find(&real.client(), &outgoing).await,
            Evidence::Found(_)
        ));
        delivered(send(&real.client(), &outgoing).await.0);
        assert_eq!(real.asked_model(&text).await, 1);
    }
}

#[tokio::test]
async fn what_the_server_does_not_know_is_permanent_and_its_models_errors_are_the_turns() {
    let real = RealAppServer::start().await;
    let server = real.client();
    let named = server.create_conversation(&real.agent).await.unwrap();
    let nobody = AgentId::parse("agent-local-none").unwrap();
    for (agent, conversation, class) in [
        (&nobody, "default", C::AgentUnknown),
        (&real.agent, "local-conv-99", C::ConversationUnknown),
        (&real.other, named.as_str(), C::ConversationUnknown),
    ] {
        let said = refused(
            send(&server, &prompt_in(agent, conversation, otid(), "hi"))
                .await
                .0,
        );
        assert_eq!(
            (said.kind, said.class),
            (K::Permanent, class),
            "{}",
            said.text
        );
    }
    assert_eq!(
        server.get_agent(&nobody).await.unwrap_err().class,
        C::AgentUnknown
    );
    for status in [400, 401, 429, 500] {
        let text = format!("[[status {status}]]");
        let outgoing = prompt_in(&real.agent, &named, otid(), &text);
        assert_eq!(
            delivered(send(&server, &outgoing).await.0).turn,
            Turn::Error,
            "{status}"
        );
        assert!(
            matches!(real.find(&server, &outgoing).await, Evidence::Found(_)),
            "{status}"
        );
    }
}

#[tokio::test]
async fn its_token_is_checked() {
    let real = RealAppServer::start_with(Some("right")).await;
    for token in [None, Some("hunter2")] {
        let server = AppServer::new(settings(&real.url, token), Clock::system()).unwrap();
        let outgoing = crate::client::prompt(&real.agent, otid(), "hi");
        let said = refused(send(&server, &outgoing).await.0);
        assert_eq!(
            (said.kind, said.class),
            (K::TargetTrouble, C::Unauthorized),
            "{}",
            said.text
        );
        assert_eq!(server.check().await.unwrap_err().class, C::Unauthorized);
    }
    let letta = AnyLetta::new(settings(&real.url, Some("right")), None, Clock::system()).unwrap();
    _ = letta.check().await;
    assert_eq!(
        letta.lane(&recipient(&real.agent), Uuid::nil()).as_str(),
        "letta/default"
    );
    delivered(
        send(&letta, &crate::client::prompt(&real.agent, otid(), "hi"))
            .await
            .0,
    );
}

#[tokio::test]
async fn a_server_that_was_killed_in_a_turn_finishes_it_once_after_its_restart() {
    let real = RealAppServer::start().await;
    let server = real.client();
    let named = server.create_conversation(&real.agent).await.unwrap();
    let outgoing = prompt_in(&real.agent, &named, otid(), "[[sleep 3]] survive");
    let answer = {
        let mut sending = pin!(send(&server, &outgoing));
        tokio::select! {
            answer = &mut sending => panic!("{answer:?}"),
            () = real.wait_for_model("survive") => {}
        }
        real.kill().await;
        sending.await.0
    };
    assert_eq!(unknown(answer).class, C::Cut);
    real.restart().await;
    assert_eq!(real.asked_model("survive").await, 1);
    match real.find(&server, &outgoing).await {
        Evidence::Found(delivery) => assert_eq!(delivery.turn, Turn::Ok),
        other => panic!("{other:?}"),
    }
    delivered(send(&server, &outgoing).await.0);
    assert_eq!(real.asked_model("survive").await, 2);
}

#[tokio::test]
async fn two_defaults_and_another_client_are_waited_for_and_named_conversations_are_not() {
    let real = RealAppServer::start().await;
    let (server, another) = (real.client(), real.client());
    let named = server.create_conversation(&real.agent).await.unwrap();
    let slow = crate::client::prompt(&real.agent, otid(), "[[sleep 4]] slow");
    let mut slow = pin!(send(&another, &slow));
    tokio::select! {
        answer = &mut slow => panic!("{answer:?}"),
        () = real.wait_for_model("slow") => {}
    }
    let beside = async {
        let busy = crate::client::prompt(&real.agent, otid(), "same agent");
        let said = refused(send(&server, &busy).await.0);
        assert_eq!(
            (said.kind, said.otid_spent),
            (K::Busy, false),
            "{}",
            said.text
        );
        let blocked = crate::client::prompt(&real.other, otid(), "other agent");
        let said = refused(send(&server, &blocked).await.0);
        assert_eq!(
            (said.kind, said.otid_spent),
            (K::Busy, true),
            "{}",
            said.text
        );
        let free = prompt_in(&real.agent, &named, otid(), "side by side");
        delivered(send(&server, &free).await.0);
    };
    let ((answer, _), ()) = tokio::join!(slow, beside);
    delivered(answer);
    assert_eq!(real.asked_model("other agent").await, 0);
    delivered(
        send(&server, &crate::client::prompt(&real.other, otid(), "now"))
            .await
            .0,
    );
}

#[tokio::test]
async fn who_leaves_in_order_blocks_nothing_and_who_just_leaves_is_recognised() {
    let real = RealAppServer::start().await;
    let observer = real.client();
    let named = observer.create_conversation(&real.agent).await.unwrap();
    for in_order in [true, false] {
        let server = real.client();
        let text = format!("[[sleep 4]] leaving {in_order}");
        let outgoing = prompt_in(&real.agent, &named, otid(), &text);
        {
            let mut sending = pin!(send(&server, &outgoing));
            tokio::select! {
                answer = &mut sending => panic!("{answer:?}"),
                () = real.wait_for_model(&text) => {}
            }
        }
        if in_order {
            server.leave().await;
        }
        drop(server);
        let next = prompt_in(&real.agent, &named, otid(), "next");
        let mut answer = None;
        real.until(async || {
            answer = Some(send(&real.client(), &next).await.0);
            !matches!(&answer, Some(promptyoself::letta_client::Answer::Refused(r)) if r.kind == K::Busy)
        })
        .await;
        match in_order {
            true => drop(delivered(answer.unwrap())),
            false => {
                let said = refused(answer.unwrap());
                assert_eq!(
                    (said.kind, said.class),
                    (K::NeedsHuman, C::Busy),
                    "{}",
                    said.text
                );
            }
        }
    }
    real.restart().await;
    let after = prompt_in(&real.agent, &named, otid(), "after the restart");
    delivered(send(&real.client(), &after).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_delivers_to_the_default_conversations_of_two_agents() {
    let real = RealAppServer::start().await;
    let world = World::new().await;
    let url = real.url.replace("http://", "ws://");
    let with_url = |argv: &[&str]| {
        let mut command = world.command(argv);
        command
            .env("LETTA_BASE_URL", &url)
            .env_remove("LETTA_API_KEY");
        Printed::read(command.output().unwrap())
    };
    assert_eq!(with_url(&["test"]).succeeded()["letta_version"], "0.34.12");
    for agent in [&real.agent, &real.other] {
        let registered = with_url(&[
            "register",
            "--agent-id",
            agent.as_str(),
            "--prompt",
            "scheduled",
            "--every",
            "1s",
            "--max-repetitions",
            "1",
        ]);
        assert_eq!(registered.status, 0, "{}", registered.stderr);
    }
    real.until(async || {
        let executed = with_url(&["execute"]);
        assert_eq!(executed.status, 0, "{}", executed.stderr);
        let history = with_url(&["history", "--state", "delivered"]).succeeded();
        history["occurrences"].as_array().unwrap().len() == 2
    })
    .await;
    assert_eq!(real.asked_model("scheduled").await, 2);
    let delivered = with_url(&["history"]).succeeded();
    for occurrence in delivered["occurrences"].as_array().unwrap() {
        assert_eq!(occurrence["turn"], "ok", "{occurrence}");
        assert_eq!(occurrence["reply"], "stub: scheduled", "{occurrence}");
    }
}
