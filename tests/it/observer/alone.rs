//! The observer by itself, told by a test what to follow.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{AppServer, Target, observe};
use promptyoself::models::AgentId;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{is_alive, signal, until_gone};
use crate::app_server::settings;
use crate::client::waits::timing;
use crate::fake_app_server::{FakeAppServer, Scope};

struct Observer {
    child: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Observer {
    fn start(url: &str, token: Option<&str>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_promptyoself"))
            .arg("observe-turns")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut observer = Observer {
            orders: child.stdin.take(),
            reports: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        observer.say(json!({"connect": {"url": url, "token": token}}));
        observer
    }

    fn say(&mut self, order: Value) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    fn watch(&mut self, scope: &Scope) -> Value {
        let id = uuid::Uuid::new_v4().to_string();
        self.say(json!({"watch": {"scope": scope.json(), "ids": [id]}}));
        self.report()
    }

    fn report(&mut self) -> Value {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with a turn that another client began, which has left, and an observer that is told to
/// follow it.
async fn scene() -> (FakeAppServer, Observer) {
    let fake = FakeAppServer::start().await;
    let agent = fake.add_agent();
    let scope = Scope::new(&agent, "default");
    fake.hold("default", true);
    let mut observer = Observer::start(&fake.url(), None);
    let observer = tokio::task::spawn_blocking(move || {
        assert_eq!(observer.watch(&scope)["error"], Value::Null);
        observer
    });
    let observer = observer.await.unwrap();
    begin_and_leave(&fake, &agent, Clock::system()).await;
    (fake, observer)
}

/// Begins a turn as a client that is gone in the middle of it.
async fn begin_and_leave(fake: &FakeAppServer, agent: &AgentId, clock: Clock) {
    let client = AppServer::new(settings(&fake.url(), None), clock).unwrap();
    let prompt = crate::client::prompt(agent, 1, "hi");
    tokio::select! {
        answer = client.send(&prompt, &|_| ()) => panic!("{answer:?}"),
        () = fake.wait_for_begun(1) => {}
    }
    drop(client);
    fake.wait_for_clients(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_ends_the_turn_in_order_once_its_process_is_gone() {
    let (fake, mut observer) = scene().await;
    for name in ["INT", "HUP", "TERM"] {
        signal(name, &observer.pid().to_string());
    }
    // Its process is there and may want to see the end of the turn.
    tokio::task::yield_now().await;
    assert!(is_alive(observer.pid()));
    assert_eq!(fake.asked("abort_message"), 0);
    observer.orders = None;
    fake.wait_for_clients(0).await;
    until_gone(observer.pid()).await;
    assert_eq!(fake.asked("abort_message"), 1);
    assert!(!fake.is_wedged("default"));
}

#[tokio::test]
async fn a_server_that_stands_still_is_waited_for() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    fake.hold("default", true);
    let (orders, lines) = mpsc::channel(2);
    let (told, mut reports) = mpsc::unbounded_channel();
    let tell = move |line: &str| drop(told.send(line.to_owned()));
    let stop = CancellationToken::new();
    let observing = tokio::spawn(observe(lines, Arc::new(tell), stop, clock.clone()));
    let connect = json!({"connect": {"url": fake.url()}});
    let scope = Scope::new(&agent, "default").json();
    let watch = json!({"watch": {"scope": scope, "ids": [uuid::Uuid::from_u128(1).to_string()]}});
    for order in [connect, watch] {
        orders.send(order.to_string()).await.unwrap();
    }
    reports.recv().await.unwrap();
    begin_and_leave(&fake, &agent, clock.clone()).await;

    fake.freeze(true);
    drop(orders);
    let step = SignedDuration::from_secs(1);
    for _ in 0..600 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        clock.advance(step);
    }
    assert!(!observing.is_finished());
    fake.freeze(false);
    fake.hold("default", false);
    let limit = SignedDuration::from_mins(2);
    timing(&clock, step, limit, observing)
        .await
        .0
        .unwrap()
        .unwrap();
    assert!(!fake.is_wedged("default"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_keeps_it_no_longer_than_its_process() {
    let (mut fake, mut observer) = scene().await;
    fake.start_again().await;
    let over = tokio::task::spawn_blocking(move || {
        assert_ne!(observer.report()["error"], Value::Null);
        observer
    });
    let mut observer = over.await.unwrap();
    assert!(is_alive(observer.pid()));
    // It starts no conversation again by itself: that is what makes the server run a prompt again.
    assert_eq!(fake.begun().len(), 1);
    observer.orders = None;
    until_gone(observer.pid()).await;
    assert_eq!(fake.begun().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_why_it_does_not_follow() {
    let fake = FakeAppServer::start().await;
    fake.set_token(Some("right"));
    let agent = fake.add_agent();
    for (token, conversation, why) in [
        (Some("right"), "default", None),
        (Some("right"), "local-conv-9", Some("not found")),
        (Some("wrong"), "default", Some("401")),
        (None, "default", Some("401")),
    ] {
        let mut observer = Observer::start(&fake.url(), token);
        let scope = Scope::new(&agent, conversation);
        let report = tokio::task::spawn_blocking(move || observer.watch(&scope));
        let error = report.await.unwrap()["error"].clone();
        match why {
            None => assert_eq!(error, Value::Null),
            Some(why) => assert!(error.as_str().unwrap().contains(why), "{error}"),
        }
    }
}

#[test]
fn it_does_nothing_for_people() {
    let program = env!("CARGO_BIN_EXE_promptyoself");
    let help = Command::new(program).arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("observe"));
    let mut child = Command::new(program)
        .arg("observe-turns")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    assert!(!child.wait_with_output().unwrap().status.success());
}
