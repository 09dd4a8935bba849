//! What each operation does.

use promptyoself::error::Code;
use promptyoself::models::State;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use crate::fake_target::FakeTarget;
use crate::world::World;

fn hourly(prompt: &str) -> Value {
    json!({ "agent_id": "agent-a", "prompt": prompt, "every": "1h" })
}

#[tokio::test]
async fn a_schedule_is_made_shown_changed_paused_resumed_run_and_ended() {
    let api = Api::new().await;
    let body = json!({
        "agent_id": "agent-a", "prompt": "p", "cron": "0 9 * * *", "timezone": "Europe/Berlin",
        "name": "daily", "catch_up": "skip", "grace": "2h", "pause_on_failure": 0,
        "envelope": "full", "max_age": "90", "max_repetitions": 3,
        "start_at": "2026-03-01 09:00", "end_at": "2027-01-01 00:00", "ping_url": "https://hc-ping.com/abc",
    });
    let made = api.post("/api/v1/schedules", body.clone()).await.is(201);
    assert_eq!((&made["id"], &made["existed"]), (&json!(1), &json!(false)));
    assert_eq!(made["next_run"], "2026-03-01T08:00:00Z");
    let again = api.post("/api/v1/schedules", body).await.is(200);
    assert_eq!((&again["id"], &again["existed"]), (&json!(1), &json!(true)));

    let shown = api.get("/api/v1/schedules/1").await.is(200);
    let schedule = &shown["schedule"];
    assert_eq!(schedule["policy"]["grace_seconds"], 7_200);
    assert_eq!(schedule["policy"]["max_age_seconds"], 90);
    assert_eq!(schedule["policy"]["pause_on_failure"], 0);
    assert_eq!(schedule["max_repetitions"], 3);
    assert_eq!(shown["next_runs"].as_array().unwrap().len(), 3);

    let changes = json!({ "every": "2h", "prompt": "q", "start_at": "2026-02-02T00:00:00Z" });
    let changed = api
        .send(Method::PATCH, "/api/v1/schedules/1", changes)
        .await
        .is(200);
    assert_eq!(changed["next_run"], "2026-02-02T00:00:00Z");
    let note = json!({ "note": "holiday" });
    api.post("/api/v1/schedules/1/pause", note).await.is(200);
    let shown = api.get("/api/v1/schedules/1").await.is(200);
    assert_eq!(shown["schedule"]["pause_note"], "holiday");
    let resumed = super::api::send(api.request(Method::POST, "/api/v1/schedules/1/resume")).await;
    assert_eq!(resumed.is(200)["resumed_id"], 1);
    let queued = super::api::send(api.request(Method::POST, "/api/v1/schedules/1/run")).await;
    assert_eq!(queued.is(202)["occurrence_id"], 1);
    let ended = super::api::send(api.request(Method::DELETE, "/api/v1/schedules/1")).await;
    assert_eq!(ended.is(200)["cancelled_id"], 1);
    let ended = super::api::send(api.request(Method::DELETE, "/api/v1/schedules/1")).await;
    ended.is_problem(409, Code::ScheduleNotActive);
}

#[tokio::test]
async fn a_list_comes_in_pages_that_hold_everything_once() {
    let api = Api::new().await;
    for n in 0..5 {
        api.post("/api/v1/schedules", hourly(&"x".repeat(150 + n)))
            .await
            .is(201);
    }
    let mut ids = Vec::new();
    for offset in [0, 2, 4] {
        let path = format!("/api/v1/schedules?limit=2&offset={offset}");
        let page = api.get(&path).await.is(200);
        assert_eq!(page["total"], 5);
        let schedules = page["schedules"].as_array().unwrap();
        assert_eq!(page["count"], schedules.len());
        ids.extend(schedules.iter().map(|s| s["id"].as_i64().unwrap()));
    }
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    let text = |page: &Value| page["schedules"][0]["prompt_text"].as_str().unwrap().len();
    assert_eq!(
        text(&api.get("/api/v1/schedules?full=true").await.is(200)),
        150
    );
    assert_eq!(text(&api.get("/api/v1/schedules").await.is(200)), 103);
    super::api::send(api.request(Method::DELETE, "/api/v1/schedules/1"))
        .await
        .is(200);
    assert_eq!(api.get("/api/v1/schedules").await.is(200)["total"], 4);
    assert_eq!(
        api.get("/api/v1/schedules?all=true").await.is(200)["total"],
        5
    );
    let none = api.get("/api/v1/schedules?agent_id=agent-b").await.is(200);
    assert_eq!(none["total"], 0);
}

#[tokio::test]
async fn occurrences_and_the_account_tell_what_became_of_every_instant() {
    let api = Api::new().await;
    for _ in 0..2 {
        api.post("/api/v1/schedules", hourly("p")).await.is(201);
    }
    let mut running = api.world.start();
    for _ in 0..3 {
        api.world.advance(3_600);
        for _ in 0..2 {
            running.until(State::Delivered).await;
        }
    }
    running.stop().await;
    let all = api.get("/api/v1/occurrences").await.is(200);
    assert_eq!(all["count"], 6);
    let newest = all["occurrences"][0]["occurrence_id"].clone();
    let page = api
        .get("/api/v1/occurrences?limit=1&offset=1")
        .await
        .is(200);
    assert_eq!(page["count"], 1);
    assert_ne!(page["occurrences"][0]["occurrence_id"], newest);
    for (query, count) in [
        ("schedule_id=2", 3),
        ("state=dead", 0),
        ("state=delivered", 6),
        ("since=90m", 4),
        ("agent_id=agent-b", 0),
    ] {
        let found = api
            .get(&format!("/api/v1/occurrences?{query}"))
            .await
            .is(200);
        assert_eq!(found["count"], count, "{query}");
    }
    let account = api.get("/api/v1/account?limit=1").await.is(200);
    assert_eq!(
        (&account["count"], &account["total"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(account["accounts"][0]["states"], json!({ "delivered": 3 }));
    assert_eq!(account["accounts"][0]["schedule_id"], 1);
    assert_eq!(account["sum"]["states"], json!({ "delivered": 6 }));
    assert_eq!(account["sum"]["expected"], 6);
    assert_eq!(account["sum"]["balanced"], true);
    let one = api.get("/api/v1/account?schedule_id=2").await.is(200);
    assert_eq!(
        (&one["total"], &one["accounts"][0]["schedule_id"]),
        (&json!(1), &json!(2))
    );
    let none = api.get("/api/v1/account?schedule_id=9").await;
    none.is_problem(404, Code::ScheduleNotFound);
}

#[tokio::test]
async fn a_preview_shows_the_runs_and_makes_nothing() {
    let api = Api::new().await;
    let body = json!({ "cron": "0 9 * * *", "timezone": "Asia/Tokyo", "count": 2 });
    let shown = api.post("/api/v1/preview", body).await.is(200);
    assert_eq!(shown["runs"][1]["utc"], "2026-02-03T00:00:00Z");
    assert_eq!(shown["runs"].as_array().unwrap().len(), 2);
    assert_eq!(
        api.get("/api/v1/schedules?all=true").await.is(200)["total"],
        0
    );
}

#[tokio::test]
async fn a_halt_is_shown_until_it_is_lifted() {
    let api = Api::new().await;
    let note = json!({ "note": "upgrade" });
    let halted = api.send(Method::PUT, "/api/v1/halt", note).await.is(200);
    assert_eq!(halted["halted"], true);
    let status = api.get("/api/v1/status").await.is(200);
    assert_eq!(
        (&status["halted"], &status["halt_note"]),
        (&json!(true), &json!("upgrade"))
    );
    assert!(status["warning"].as_str().unwrap().contains("upgrade"));
    let lifted = super::api::send(api.request(Method::DELETE, "/api/v1/halt")).await;
    assert_eq!(lifted.is(200)["halted"], false);
    assert_eq!(api.get("/api/v1/status").await.is(200)["halted"], false);
}

#[tokio::test]
async fn a_halt_of_a_target_is_shown_there_and_to_no_agent_of_another() {
    let world = World::new().await.beside(FakeTarget::named("work"));
    let api = Api::on(world, promptyoself::operations::ALL).await;
    let halt = json!({ "target": "work", "note": "upgrade" });
    let halted = api.send(Method::PUT, "/api/v1/halt", halt).await.is(200);
    assert_eq!(halted["target"], "work");
    let status = api.get("/api/v1/status").await.is(200);
    assert_eq!(status["halted"], false);
    let targets = status["targets"].as_array().unwrap();
    let names: Vec<&str> = targets
        .iter()
        .map(|t| t["target"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["letta", "work"]);
    assert_eq!(targets[0]["halted_since"], Value::Null);
    assert_eq!(
        (&targets[1]["halted_since"], &targets[1]["halt_note"]),
        (&halted["since"], &json!("upgrade"))
    );
    for (agent, is_told) in [("agent-a", false), ("work/agent-a", true)] {
        let request = api.request(Method::GET, "/api/v1/status");
        let request = request.header("x-agent-id", agent);
        let seen = super::api::send(request).await.is(200);
        let targets = seen["targets"].as_array().unwrap();
        assert_eq!(targets.len(), 1, "{seen}");
        assert_eq!(targets[0]["halted_since"].is_null(), !is_told, "{seen}");
        assert_eq!(targets[0]["halt_note"], Value::Null);
        let warning = seen["warning"].as_str().unwrap_or_default();
        assert_eq!(warning.contains("halted"), is_told, "{warning}");
    }
    let request = api.request(Method::DELETE, "/api/v1/halt");
    let request = request.json(&json!({ "target": "work" }));
    let lifted = super::api::send(request).await.is(200);
    assert_eq!(lifted["halted"], false);
    let status = api.get("/api/v1/status").await.is(200);
    assert_eq!(status["targets"][1]["halted_since"], Value::Null);
}
