//! Paused schedules are shown on every face, without a run in the past.

use promptyoself::service::ListQuery;
use serde_json::Value;

use crate::program::{Answer, World};

/// Every instant that is called a next run, anywhere in an answer.
fn next_runs(answer: &Value, found: &mut Vec<String>) {
    match answer {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if key.starts_with("next_") => found.push(text.to_owned()),
                    _ => next_runs(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| next_runs(item, found)),
        _ => {}
    }
}

/// A world with one schedule that is paused and whose run has passed.
async fn world() -> (World, i64) {
    let world = World::new().await;
    let id = world.register("p", &["--every", "1h", "--name", "n"]);
    let text = id.to_string();
    world.run(&["pause", &text]).succeeded();
    world.make_due(id, 90).await;
    (world, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_is_listed_by_every_face_and_shows_no_run_that_has_passed() {
    let (world, id) = world().await;
    let url = world.serve();
    let get = |path: String| {
        let url = format!("{url}{path}");
        async move {
            let client = crate::rest::client();
            let answer = client.get(url).send().await.unwrap();
            answer.json::<Value>().await.unwrap()
        }
    };
    let text = id.to_string();
    let mut peer = crate::mcp::Peer::over_stdio(crate::mcp::NEWEST, &world, &[]);
    for (face, listed) in [
        ("shell", world.run(&["list"]).succeeded()),
        (
            "plugin",
            Answer::read(world.plugin(&["list"]).output().unwrap()).succeeded(),
        ),
        ("rest", get("/api/v1/schedules".into()).await),
        (
            "mcp",
            peer.succeed("promptyoself_list", serde_json::json!({})),
        ),
    ] {
        assert_eq!(listed["total"], 1, "{face}: {listed}");
        assert_eq!(listed["schedules"][0]["id"], id, "{face}");
        assert_eq!(listed["schedules"][0]["lifecycle"], "paused", "{face}");
        let mut shown = Vec::new();
        next_runs(&listed, &mut shown);
        assert_eq!(shown, [] as [String; 0], "{face}: {listed}");
    }
    for (face, one) in [
        ("shell", world.run(&["show", &text]).succeeded()),
        ("rest", get(format!("/api/v1/schedules/{id}")).await),
        (
            "mcp",
            peer.succeed("promptyoself_get", serde_json::json!({ "schedule_id": id })),
        ),
        (
            "letta",
            get(format!("/v1/agents/{}/schedule", world.agent)).await,
        ),
    ] {
        let mut shown = Vec::new();
        next_runs(&one, &mut shown);
        assert_eq!(shown, [] as [String; 0], "{face}: {one}");
    }
    peer.close();
    // A table for people shows it as well.
    let counted = world.run(&["list", "--agent-id", world.agent.as_str()]);
    assert_eq!(counted.succeeded()["count"], 1);
}

#[tokio::test]
async fn a_run_of_a_paused_schedule_that_is_still_to_come_is_shown() {
    let world = crate::world::World::new().await;
    let made = world.every("agent-a", "p", "1h").await;
    world.service.pause(made.id, None).await.unwrap();
    let all = ListQuery {
        agent: None,
        all: false,
        full: false,
        limit: 10,
        offset: 0,
    };
    let next_run = async || {
        let listed = world.service.list(&all).await.unwrap();
        assert_eq!(listed.count, 1);
        listed.schedules[0].next_run
    };
    assert_eq!(next_run().await, Some(made.next_run));
    world.advance(3_600);
    assert_eq!(next_run().await, None);
    // Over and cancelled ones are shown only if they are asked for.
    world.service.cancel(made.id).await.unwrap();
    let listed = world.service.list(&all).await.unwrap();
    assert_eq!((listed.count, listed.total), (0, 0));
}
