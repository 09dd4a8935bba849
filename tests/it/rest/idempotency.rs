//! A repeated request is carried out once.

use promptyoself::error::Code;
use promptyoself::models::RequestKey;
use promptyoself::service::Service;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::api::{Answer, Api, send};
use crate::foreign_writers::raw::Foreign;

const SCHEDULES: &str = "/api/v1/schedules";

fn keyed(api: &Api, path: &str, body: &Value, key: &str) -> RequestBuilder {
    let request = api
        .request(Method::POST, path)
        .header("idempotency-key", key);
    request.json(body)
}

async fn create(api: &Api, prompt: &str, key: &str) -> Answer {
    let body = json!({ "agent_id": "agent-a", "prompt": prompt, "every": "1h" });
    send(keyed(api, SCHEDULES, &body, key)).await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_also_after_a_restart_and_for_a_day() {
    let mut api = Api::new().await;
    let first = create(&api, "p", "k1").await;
    assert_eq!(first.status, 201);
    api.world.advance(60);
    assert_eq!(create(&api, "p", "k1").await, first);
    api.restart().await;
    assert_eq!(create(&api, "p", "k1").await, first);
    assert_eq!(api.world.active().await, 1);
    api.world.advance(86_400);
    assert_eq!(create(&api, "p", "k1").await.status, 201);
    assert_eq!(api.world.active().await, 2);
}

#[tokio::test]
async fn two_requests_that_arrive_at_once_create_one_schedule() {
    let api = Api::new().await;
    let made = futures_util::future::join_all((0..16).map(|_| create(&api, "p", "k1"))).await;
    assert!(made.iter().all(|answer| *answer == made[0]), "{made:?}");
    assert_eq!(made[0].status, 201);
    assert_eq!(api.world.active().await, 1);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let api = Api::new().await;
    let first = create(&api, "p", "k1").await;
    create(&api, "q", "k1")
        .await
        .is_problem(422, Code::IdempotencyConflict);
    let id = &first.json["id"];
    let run = format!("{SCHEDULES}/{id}/run");
    let other = send(keyed(&api, &run, &json!({}), "k1")).await;
    other.is_problem(422, Code::IdempotencyConflict);
    assert_eq!(create(&api, "q", "k2").await.status, 201);
    assert_eq!(api.world.active().await, 2);
}

#[tokio::test]
async fn the_keys_of_different_callers_have_nothing_to_do_with_each_other() {
    let api = Api::new().await;
    let (a, b) = (
        api.key(Some("agent-a")).await,
        api.key(Some("agent-b")).await,
    );
    let body = json!({ "prompt": "p", "every": "1h" });
    let ask = async |key: &str| send(keyed(&api, SCHEDULES, &body, "k1").bearer_auth(key)).await;
    let (of_a, of_b) = (ask(&a).await.is(201), ask(&b).await.is(201));
    assert_ne!(of_a["id"], of_b["id"]);
    assert_eq!(ask(&a).await.is(201), of_a);
}

#[tokio::test]
async fn a_run_that_is_asked_for_again_after_it_was_delivered_is_not_run_again() {
    let api = Api::new().await;
    create(&api, "p", "k0").await;
    let run = format!("{SCHEDULES}/1/run");
    let first = send(keyed(&api, &run, &json!({}), "k1")).await;
    let mut running = api.world.start();
    running.outcome().await;
    running.stop().await;
    assert_eq!(send(keyed(&api, &run, &json!({}), "k1")).await, first);
    assert_eq!(api.world.occurrences().await.len(), 1);
    let second = send(keyed(&api, &run, &json!({}), "k2")).await.is(202);
    assert_ne!(second["occurrence_id"], first.json["occurrence_id"]);
}

#[tokio::test]
async fn a_refusal_is_remembered_too_in_the_words_that_the_caller_wants() {
    let api = Api::new().await;
    let body = json!({ "agent_id": "agent-a", "prompt": "p", "every": "1d12h" });
    let first = send(keyed(&api, SCHEDULES, &body, "k1")).await;
    first.is_problem(400, Code::IntervalInvalid);
    assert_eq!(send(keyed(&api, SCHEDULES, &body, "k1")).await, first);
    let flags = keyed(&api, SCHEDULES, &body, "k1").header("x-promptyoself-wording", "flags");
    let flags = send(flags).await;
    let example = flags.json["example"].as_str().unwrap();
    assert!(example.starts_with("--every"), "{flags:?}");
}

#[tokio::test]
async fn an_invalid_key_is_refused() {
    let api = Api::new().await;
    for key in ["", " ", &"k".repeat(256)] {
        create(&api, "p", key)
            .await
            .is_problem(400, Code::RequestInvalid);
    }
    let body = json!({ "agent_id": "agent-a", "prompt": "p", "every": "1h" });
    let twice = keyed(&api, SCHEDULES, &body, "k1").header("idempotency-key", "k2");
    send(twice).await.is_problem(400, Code::RequestInvalid);
    assert_eq!(api.world.active().await, 0);
}

/// The process dies after the schedule was made and before the answer was kept.
#[tokio::test]
async fn what_was_made_before_a_crash_is_found_by_the_request_that_comes_again() {
    let api = Api::new().await;
    let request = RequestKey {
        caller: "operator".into(),
        key: "k1".into(),
    };
    let first = create(&api, "p", "k1").await.is(201);
    let run = format!("{SCHEDULES}/1/run");
    let queued = send(keyed(&api, &run, &json!({}), "k2")).await.is(202);
    crash_before_the_answer(&api).await;
    let again = create(&api, "p", "k1").await.is(201);
    assert_eq!(
        (&again["id"], &again["next_run"]),
        (&first["id"], &first["next_run"])
    );
    let mut running = api.world.start();
    running.outcome().await;
    running.stop().await;
    let again = send(keyed(&api, &run, &json!({}), "k2")).await.is(202);
    assert_eq!(again["occurrence_id"], queued["occurrence_id"]);
    assert_eq!(
        (
            api.world.active().await,
            api.world.occurrences().await.len()
        ),
        (1, 1)
    );

    // The same without HTTP: whoever carries the request out finds what was made.
    let service = Service {
        request: Some(request.into()),
        ..api.world.service.clone()
    };
    let wish = api.world.wish(
        "agent-a",
        "p",
        promptyoself::models::ScheduleType::Interval,
        "1h",
    );
    let found = service.register(&wish).await.unwrap();
    assert_eq!(json!(found.id), first["id"]);
}

/// Leaves the database as a process does that dies before it has kept the answers.
async fn crash_before_the_answer(api: &Api) {
    let mut db = Foreign::connect(&api.world.path()).await;
    db.run("UPDATE requests SET status = NULL, body = NULL")
        .await;
}
