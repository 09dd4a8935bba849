//! SQLAlchemy next to a running scheduler, with a clock that stands still.

use jiff::{SignedDuration, Timestamp};
use promptyoself::models::State;
use serde_json::{Value, json};

use super::raw::Foreign;
use crate::fake_target::{Act, FakeTarget};
use crate::python::{Peer, utc};
use crate::world::{Running, World};

struct Shared {
    world: World,
    running: Running,
    peer: Peer,
}

impl Shared {
    async fn new() -> Self {
        let world = World::new().await;
        let running = world.start();
        let peer = Peer::start("paper.py", &world.path());
        Shared {
            world,
            running,
            peer,
        }
    }

    fn after(&self, seconds: i64) -> Timestamp {
        self.world.now() + SignedDuration::from_secs(seconds)
    }

    fn columns(&self, agent: &str, kind: &str, value: &str, seconds: i64) -> Value {
        json!({
            "agent_id": agent, "prompt_text": format!("for {agent}"), "schedule_type": kind,
            "schedule_value": value, "next_run": utc(self.after(seconds)),
        })
    }

    fn add(&mut self, agent: &str, kind: &str, value: &str, seconds: i64) -> i64 {
        let columns = self.columns(agent, kind, value, seconds);
        self.peer.ask("add", columns).as_i64().unwrap()
    }

    fn update(&mut self, id: i64, mut columns: Value) {
        columns["id"] = json!(id);
        assert_eq!(self.peer.ask("update", columns), true);
    }

    fn get(&mut self, id: i64) -> Value {
        self.peer.ask("get", json!({ "id": id }))
    }

    /// Has the scheduler look, and waits until it has adopted every change.
    async fn adopted(&self) {
        self.world.service.db.notify_all();
        let mut foreign = Foreign::connect(&self.world.path()).await;
        for _ in 0..600 {
            let touched = foreign.text("SELECT count(*) FROM schedules WHERE touched = 1");
            if touched.await == "0" {
                return foreign.check().await;
            }
            crate::daemon::pause().await;
        }
        panic!("the scheduler did not adopt the changes");
    }

    /// Moves the clock, and waits until so many prompts were sent in all; gives whom they were for.
    async fn sent_after(&self, seconds: i64, n: usize) -> Vec<String> {
        self.adopted().await;
        self.world.advance(seconds);
        self.world.service.db.notify_all();
        let sent = self.world.target.wait_for_sent(n).await;
        assert_eq!(sent.len(), n);
        sent.into_iter().map(|s| s.agent).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlalchemy_inserts_is_delivered_at_its_time() {
    let mut shared = Shared::new().await;
    shared.add("past", "once", "x", -3_600);
    shared.add("now", "cron", "0 * * * *", 0);
    shared.add("soon", "interval", "1h", 5);
    let mut first = shared.sent_after(0, 2).await;
    first.sort();
    assert_eq!(first, ["now", "past"]);
    assert_eq!(shared.sent_after(5, 3).await[2], "soon");
    assert_eq!(shared.sent_after(3_595, 4).await[3], "now");
    assert_eq!(shared.sent_after(5, 5).await[4], "soon");
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_each_column_takes_effect() {
    let mut shared = Shared::new().await;
    let in_hour = |shared: &mut Shared, agent: &str| shared.add(agent, "interval", "1h", 3_600);
    let [text, agent, spec, value, next, both, dates] =
        ["text", "agent", "spec", "value", "next", "both", "dates"]
            .map(|name| in_hour(&mut shared, name));
    shared.adopted().await;
    shared.update(text, json!({ "prompt_text": "another text" }));
    shared.update(agent, json!({ "agent_id": "another-agent" }));
    let cron = json!({ "schedule_type": "cron", "schedule_value": "20 * * * *" });
    shared.update(spec, cron);
    shared.update(value, json!({ "schedule_value": "10m" }));
    let soon = utc(shared.after(5 * 60));
    shared.update(next, json!({ "next_run": soon }));
    let soon = utc(shared.after(15 * 60));
    shared.update(both, json!({ "schedule_value": "2h", "next_run": soon }));
    let long_ago = utc(shared.after(-86_400));
    shared.update(
        dates,
        json!({ "created_at": long_ago, "last_run": long_ago }),
    );
    shared.adopted().await;

    for (id, minutes) in [
        (text, 60),
        (agent, 60),
        (spec, 20),
        (value, 10),
        (next, 5),
        (both, 15),
        (dates, 60),
    ] {
        let stored = shared.get(id);
        let wanted = utc(shared.after(minutes * 60))["utc"]
            .as_str()
            .unwrap()
            .to_owned();
        let seen = stored["next_run"]["utc"].as_str().unwrap().to_owned();
        assert_eq!(seen, wanted.trim_end_matches(".000000"), "{stored}");
    }
    let mut order = Vec::new();
    for (seconds, n) in [(300, 1), (300, 2), (300, 3), (300, 5)] {
        order = shared.sent_after(seconds, n).await;
    }
    order[3..].sort();
    assert_eq!(order, ["next", "value", "both", "spec", "value"]);
    shared.sent_after(39 * 60, 6).await;
    let all = shared.sent_after(60, 10).await;
    for whom in ["another-agent", "text", "dates"] {
        assert!(all.iter().any(|a| a == whom), "{all:?}");
    }
    assert!(!all.iter().any(|a| a == "agent"));
    let sent = shared.world.target.sent();
    assert!(sent.iter().any(|s| s.text == "another text"), "{sent:?}");
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlalchemy_cancels_and_resumes() {
    let mut shared = Shared::new().await;
    let busy = Act::Answer(FakeTarget::busy());
    shared.world.target.script("agent", busy);
    let id = shared.add("agent", "interval", "10m", 0);
    shared.sent_after(0, 1).await;
    shared.running.until(State::Waiting).await;
    assert_eq!(shared.peer.ask("cancel", json!({ "id": id })), true);
    shared.adopted().await;
    assert_eq!(shared.world.account().await, [(State::Cancelled, 1)]);
    shared.world.advance(3_000);

    shared.update(id, json!({ "active": true }));
    shared.adopted().await;
    let stored = shared.get(id);
    assert_eq!(stored["next_run"]["utc"], "2026-02-01T13:00:00");
    assert_eq!(stored["active"], true);
    shared.sent_after(600, 2).await;
    shared.running.until(State::Delivered).await;
    assert_eq!(shared.get(id)["last_run"]["utc"], "2026-02-01T13:00:00");
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_and_inserting_under_the_same_number_is_another_schedule() {
    let mut shared = Shared::new().await;
    let busy = Act::Answer(FakeTarget::busy());
    shared.world.target.script("old", busy);
    let id = shared.add("old", "once", "x", 0);
    shared.sent_after(0, 1).await;
    shared.running.until(State::Waiting).await;
    let mut columns = shared.columns("new", "once", "x", 0);
    columns["id"] = json!(id);
    shared.peer.ask("replace", columns);
    assert_eq!(shared.sent_after(0, 2).await, ["old", "new"]);
    shared.running.until(State::Delivered).await;
    assert_eq!(
        shared.world.account().await,
        [(State::Cancelled, 1), (State::Delivered, 1)]
    );
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_once_that_finished_is_sent_again_at_the_time_it_is_given() {
    let mut shared = Shared::new().await;
    let id = shared.add("agent", "once", "x", 0);
    shared.sent_after(0, 1).await;
    shared.running.until(State::Delivered).await;
    assert_eq!(shared.get(id)["active"], false);
    let again = json!({ "active": true, "next_run": utc(shared.after(60)) });
    shared.update(id, again);
    shared.sent_after(60, 2).await;
    shared.running.until(State::Delivered).await;
    let stored = shared.get(id);
    assert_eq!(stored["active"], false);
    assert_eq!(stored["last_run"]["utc"], "2026-02-01T12:01:00");
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_stops_nothing_and_runs_once_mended() {
    let mut shared = Shared::new().await;
    let broken = shared.add("agent", "cron", "0 0 31 2 *", 0);
    shared.add("other", "once", "x", 0);
    assert_eq!(shared.sent_after(0, 1).await, ["other"]);
    assert_eq!(shared.get(broken)["active"], false);
    shared.update(broken, json!({ "schedule_value": "0 * * * *" }));
    assert_eq!(shared.sent_after(3_600, 2).await, ["other", "agent"]);
    shared.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlalchemy_reads_what_we_write() {
    let mut shared = Shared::new().await;
    let late = shared.world.every("agent-a", "later", "2h").await.id;
    let id = shared
        .world
        .once("agent-a", "ünïcode 👋\n'--", 3_600)
        .await
        .id;
    shared.world.once("agent-b", "x", 60).await;
    let stored = shared.get(id);
    assert_eq!(stored["prompt_text"], "ünïcode 👋\n'--");
    assert_eq!(stored["schedule_type"], "once");
    assert_eq!(stored["schedule_value"], "2026-02-01T13:00:00+00:00");
    assert_eq!(stored["next_run"], json!({ "utc": "2026-02-01T13:00:00" }));
    assert_eq!(
        stored["created_at"],
        json!({ "utc": "2026-02-01T12:00:00" })
    );
    assert_eq!(stored["active"], true);
    assert_eq!(stored["last_run"], Value::Null);
    let ids = |answer: Value| -> Vec<i64> {
        let rows = answer.as_array().unwrap();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let of_agent = json!({ "agent_id": "agent-a" });
    assert_eq!(ids(shared.peer.ask("list", of_agent)), [id, late]);
    // By the machine's clock all of them are due.
    assert_eq!(
        shared.peer.ask("due", json!({})).as_array().unwrap().len(),
        3
    );
    shared.world.service.cancel(id).await.unwrap();
    assert_eq!(shared.get(id)["active"], false);
    assert_eq!(ids(shared.peer.ask("list", json!({}))).len(), 2);
    let all = json!({ "active_only": false });
    assert_eq!(ids(shared.peer.ask("list", all)).len(), 3);
    assert_eq!(shared.get(99), Value::Null);
    shared.running.stop().await;
}
