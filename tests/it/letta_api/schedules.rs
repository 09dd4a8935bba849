//! Creating schedules, and what happens to them.

use promptyoself::models::State;
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Scene, millis};

#[tokio::test]
async fn a_one_time_message_is_shown_until_it_was_sent_and_is_in_the_history_after() {
    let scene = Scene::new().await;
    let body = json!({
        "messages": [{"role": "user", "content": "hello"}],
        "schedule": {"scheduled_at": millis(60)},
    });
    let made = scene.call("POST", &scene.schedules(), Some(body)).await;
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(
        made.body,
        json!({"id": id, "next_scheduled_at": "2026-02-01T12:01:00Z"})
    );
    let one = format!("{}/{id}", scene.schedules());
    let shown = scene.call("GET", &one, None).await;
    assert_eq!(shown.status, 200);
    assert_eq!(
        shown.body,
        json!({
            "id": id,
            "agent_id": scene.agent.as_str(),
            "message": {"messages": [{"role": "user", "content": "hello"}]},
            "next_scheduled_time": "2026-02-01T12:01:00Z",
            "schedule": {"type": "one-time", "scheduled_at": millis(60)},
            "name": null, "description": null, "conversation_id": "default", "timezone": "UTC",
            "created_at": "2026-02-01T12:00:00Z",
        })
    );

    let mut running = scene.world.start();
    scene.fake.hold(&scene.agent);
    scene.world.advance(60);
    scene.fake.wait_for(1).await;
    // On its way: it is still there, and could be deleted.
    let shown = scene.call("GET", &one, None).await;
    assert_eq!(
        (shown.status, &shown.body["next_scheduled_time"]),
        (200, &Value::Null)
    );
    scene.fake.release(&scene.agent);
    running.until(State::Delivered).await;
    running.stop().await;

    let gone = scene.call("GET", &one, None).await;
    gone.refused(StatusCode::NOT_FOUND, "schedule_not_found");
    let list = scene.call("GET", &scene.schedules(), None).await;
    assert_eq!(
        list.body,
        json!({"has_next_page": false, "scheduled_messages": []})
    );
    let history = scene.call("GET", &format!("{one}/history"), None).await;
    let run = &history.body["history"][0];
    assert_eq!(run["status"], "success");
    assert_eq!(run["scheduled_message_id"], id);
    assert_eq!(run["response"], "fake: hello");
    assert_eq!(run["run_id"], scene.fake.received()[0].run_id);
    assert_eq!(run["sent_at"], "2026-02-01T12:01:00Z");
    assert_eq!(history.body["has_next_page"], false);
    scene.world.assert_balanced().await;
}

#[tokio::test]
async fn a_recurring_message_runs_by_its_pattern_until_it_is_deleted() {
    let scene = Scene::new().await;
    let schedule = json!({"type": "recurring", "cron_expression": "30 * * * *"});
    let id = scene.create(schedule.clone()).await;
    let one = format!("{}/{id}", scene.schedules());
    let shown = scene.call("GET", &one, None).await;
    assert_eq!(shown.body["schedule"], schedule);
    assert_eq!(shown.body["next_scheduled_time"], "2026-02-01T12:30:00Z");
    let mut running = scene.world.start();
    for _ in 0..2 {
        scene.world.advance(3_600);
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let path = format!("{one}/history?limit=1");
    let first = scene.call("GET", &path, None).await;
    assert_eq!(
        (&first.body["has_next_page"], &first.body["next_offset"]),
        (&json!(true), &json!(1))
    );
    let second = scene.call("GET", &format!("{path}&offset=1"), None).await;
    assert_eq!(
        (&second.body["has_next_page"], &second.body["next_offset"]),
        (&json!(false), &Value::Null)
    );
    assert_ne!(
        first.body["history"][0]["id"],
        second.body["history"][0]["id"]
    );
    // TypeScript sends an empty object, Python nothing.
    let deleted = scene.call("DELETE", &one, Some(json!({}))).await;
    assert_eq!(
        (deleted.status, deleted.body),
        (200, json!({"success": true}))
    );
    let again = scene.call("DELETE", &one, None).await;
    let text = again.refused(StatusCode::NOT_FOUND, "schedule_not_found");
    assert!(text.contains(&id), "{text}");
    assert_eq!(again.headers["x-should-retry"], "false");
    assert_eq!(scene.world.active().await, 0);
}

#[tokio::test]
async fn what_could_not_be_delivered_is_in_the_history_as_failed() {
    let scene = Scene::new().await;
    let id = scene.create(json!({"scheduled_at": millis(1)})).await;
    scene.fake.remove_agent(&scene.agent);
    let mut running = scene.world.start();
    scene.world.advance(1);
    running.until(State::Dead).await;
    running.stop().await;
    // Letta shows the agent to nobody any more, so a key has to do.
    let key = scene.key(None).await;
    let path = format!("{}/{id}/history", scene.schedules());
    let request = scene.served.request("GET", &path);
    let history = super::read(request.header("x-promptyoself-key", key)).await;
    let run = &history.body["history"][0];
    assert_eq!(run["status"], "failed", "{history:?}");
    let told = run["response"].as_str().unwrap();
    assert!(told.contains("not found"), "{told}");
}

#[tokio::test]
async fn what_callers_add_to_letta_s_fields_is_kept_and_told() {
    let scene = Scene::new().await;
    let body = json!({
        "messages": [{"role": "user", "content": "hello", "otid": "mine", "name": "Ann"}],
        "schedule": {"type": "recurring", "cron_expression": "0 9 * * *"},
        "timezone": "Europe/Berlin", "name": "morning", "description": "says hello",
        "conversation_id": "default", "max_steps": 3.0,
        "include_return_message_types": ["assistant_message"], "callback_url": null,
    });
    let made = scene
        .call("POST", &scene.schedules(), Some(body.clone()))
        .await;
    assert_eq!(made.body["next_scheduled_at"], "2026-02-02T08:00:00Z");
    // Whoever got no answer asks twice: the name tells that it is the same.
    let again = scene
        .call("POST", &scene.schedules(), Some(body.clone()))
        .await;
    assert_eq!(again.body, made.body);
    let list = scene.call("GET", &scene.schedules(), None).await;
    let [shown] = list.body["scheduled_messages"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("{list:?}");
    };
    for key in [
        "timezone",
        "name",
        "description",
        "conversation_id",
        "schedule",
    ] {
        assert_eq!(shown[key], body[key], "{key}");
    }
    let message = json!({
        "messages": body["messages"], "max_steps": 3,
        "include_return_message_types": ["assistant_message"],
    });
    assert_eq!(shown["message"], message);

    let mut other = body;
    other["messages"][0]["content"] = "something else".into();
    let taken = scene.call("POST", &scene.schedules(), Some(other)).await;
    taken.refused(StatusCode::CONFLICT, "name_taken");
    assert_eq!(taken.headers["x-should-retry"], "false");
    assert_eq!(taken.body["example"], r#"{"name": "another-name"}"#);
}

#[tokio::test]
async fn a_fraction_of_a_millisecond_is_kept() {
    let scene = Scene::new().await;
    let at: Value = serde_json::from_str(&format!("{}.5", millis(60))).unwrap();
    let id = scene
        .create(json!({"type": "one-time", "scheduled_at": at}))
        .await;
    let shown = scene
        .call("GET", &format!("{}/{id}", scene.schedules()), None)
        .await;
    assert_eq!(shown.body["schedule"]["scheduled_at"], at);
    assert_eq!(
        shown.body["next_scheduled_time"],
        "2026-02-01T12:01:00.0005Z"
    );
}

#[tokio::test]
async fn an_interval_is_told_as_every_and_taken_as_that() {
    let scene = Scene::new().await;
    let schedule = json!({"type": "recurring", "cron_expression": "@every 90m"});
    let id = scene.create(schedule).await;
    let shown = scene
        .call("GET", &format!("{}/{id}", scene.schedules()), None)
        .await;
    assert_eq!(shown.body["next_scheduled_time"], "2026-02-01T13:30:00Z");
    let told = shown.body["schedule"]["cron_expression"].as_str().unwrap();
    assert!(told.starts_with("@every "), "{told}");
}

#[rstest]
#[case::no_json("nonsense".into(), "request_invalid", "not JSON")]
#[case::a_list("[]".into(), "request_invalid", "must be an object")]
#[case::no_messages(with(json!({"messages": null})), "request_invalid", "messages must be a list")]
#[case::empty_messages(with(json!({"messages": []})), "prompt_missing", "nothing to send")]
#[case::bad_role(with(json!({"messages": [{"role": "tool", "content": "x"}]})), "request_invalid",
    "messages[0].role")]
#[case::no_schedule(with(json!({"schedule": null})), "request_invalid", "schedule is missing")]
#[case::empty_schedule(with(json!({"schedule": {}})), "request_invalid", "needs scheduled_at")]
#[case::both(with(json!({"schedule": {"scheduled_at": 1, "cron_expression": "* * * * *"}})),
    "request_invalid", "no cron_expression")]
#[case::no_pattern(with(json!({"schedule": {"type": "recurring"}})), "request_invalid",
    "needs cron_expression")]
#[case::other_type(with(json!({"schedule": {"type": "hourly"}})), "request_invalid", "\"hourly\"")]
#[case::text_time(with(json!({"schedule": {"scheduled_at": "tomorrow"}})), "request_invalid",
    "must be a number")]
#[case::endless_time(with(json!({"schedule": {"scheduled_at": 1e300}})), "request_invalid",
    "must be a number")]
#[case::past(with(json!({"schedule": {"scheduled_at": millis(-1)}})), "time_past",
    "it is now 2026-02-01T12:00:00Z")]
#[case::now(with(json!({"schedule": {"scheduled_at": millis(0)}})), "time_past", "has passed")]
#[case::seconds(with(json!({"schedule": {"scheduled_at": millis(60) / 1_000}})), "time_past",
    "looks like seconds")]
#[case::several(with(json!({"schedule": {"type": "recurring", "cron_expression": "0 9 * * *; 0 17 * * *"}})),
    "request_invalid", "is one pattern")]
#[case::bad_cron(with(json!({"schedule": {"type": "recurring", "cron_expression": "99 * * * *"}})),
    "cron_invalid", "99")]
#[case::never(with(json!({"schedule": {"type": "recurring", "cron_expression": "0 0 31 2 *"}})),
    "cron_never", "31 2")]
#[case::bad_zone(with(json!({"timezone": "Mars/Base"})), "timezone_unknown", "Mars/Base")]
#[case::odd_name(with(json!({"name": 5})), "request_invalid", "name is 5")]
#[case::callback(with(json!({"callback_url": "http://example.org"})), "request_invalid",
    "callback_url is not supported")]
#[case::conversation(with(json!({"conversation_id": "a b"})), "request_invalid",
    "the id of a conversation")]
#[case::steps(with(json!({"max_steps": 0})), "request_invalid", "max_steps is 0")]
#[case::slip_of_a_field(with(json!({"timzone": "Europe/Berlin"})), "request_invalid",
    "Did you mean timezone?")]
#[case::unknown_field(with(json!({"colour": "red"})), "request_invalid", "\"colour\"")]
#[case::slip_in_the_schedule(with(json!({"schedule": {"type": "recurring", "cron": "0 9 * * *"}})),
    "request_invalid", "schedule.\"cron\"")]
#[case::zone_in_the_schedule(with(json!({"schedule": {"type": "recurring",
    "cron_expression": "0 9 * * *", "timezone": "Europe/Berlin"}})), "request_invalid",
    "schedule.\"timezone\"")]
#[case::two_zones(with(json!({"timezone": "UTC", "schedule": {"type": "recurring",
    "cron_expression": "CRON_TZ=Europe/Paris 0 9 * * *"}})), "spec_conflict", "Europe/Paris")]
#[tokio::test]
async fn what_can_not_be_done_is_refused_with_the_reason(
    #[case] body: String,
    #[case] code: &str,
    #[case] says: &str,
) {
    let scene = Scene::new().await;
    let request = scene.served.request("POST", &scene.schedules());
    let request = request.bearer_auth(super::PASSWORD).body(body);
    let refused = super::read(request).await;
    let text = refused.refused(StatusCode::BAD_REQUEST, code);
    assert!(text.contains(says), "{text}");
    if let Some(example) = refused.body.get("example") {
        assert!(
            serde_json::from_str::<Value>(example.as_str().unwrap()).is_ok(),
            "{example}"
        );
    }
    assert_eq!(scene.world.active().await, 0);
}

#[rstest]
#[case::zone_before(json!({"schedule": {"type": "recurring",
    "cron_expression": "CRON_TZ=Europe/Paris 0 9 * * *"}}), None, "0 9 * * *", "Europe/Paris")]
#[case::seconds(json!({"schedule": {"type": "recurring", "cron_expression": "0 30 6 * * 1-5"}}),
    None, "30 6 * * 1-5", "UTC")]
#[case::words(json!({"schedule": {"type": "recurring", "cron_expression": "every 2 hours"}}),
    Some(json!({"schedule": {"type": "recurring", "cron_expression": "@every 2h"}})),
    "@every 2h", "UTC")]
#[case::zone(json!({"timezone": "GMT+8"}), Some(json!({"timezone": "Etc/GMT-8"})), "0 9 * * *",
    "Etc/GMT-8")]
#[tokio::test]
async fn what_is_meant_is_understood_or_the_example_asks_for_it(
    #[case] fields: Value,
    #[case] example: Option<Value>,
    #[case] pattern: &str,
    #[case] zone: &str,
) {
    let scene = Scene::new().await;
    let mut body: Value = serde_json::from_str(&with(fields)).unwrap();
    let mut answer = scene
        .call("POST", &scene.schedules(), Some(body.clone()))
        .await;
    if let Some(wanted) = example {
        let told = answer.body["example"].as_str().unwrap();
        let told: Value = serde_json::from_str(told).unwrap();
        assert_eq!(told, wanted);
        for (key, value) in told.as_object().unwrap() {
            body[key] = value.clone();
        }
        answer = scene.call("POST", &scene.schedules(), Some(body)).await;
    }
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    let shown = scene
        .call("GET", &format!("{}/{id}", scene.schedules()), None)
        .await;
    assert_eq!(shown.body["schedule"]["cron_expression"], pattern);
    assert_eq!(shown.body["timezone"], zone);
}

#[tokio::test]
async fn every_field_that_a_client_of_lettas_sends_is_taken() {
    let scene = Scene::new().await;
    let body = json!({
        "messages": [{"role": "user", "content": "hello", "name": "ada", "otid": "o",
            "sender_id": "s", "type": "message"}],
        "schedule": {"type": "one-time", "scheduled_at": millis(60)},
        "callback_url": null, "include_return_message_types": ["assistant_message"],
        "max_steps": 3, "name": "n", "description": "d", "conversation_id": "default",
        "created_at": "2026-02-01T12:00:00Z", "timezone": "UTC", "some_day": null,
    });
    let made = scene.call("POST", &scene.schedules(), Some(body)).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
}

/// A request that is accepted but for these fields.
fn with(fields: Value) -> String {
    let mut body = json!({
        "messages": [{"role": "user", "content": "hello"}],
        "schedule": {"type": "recurring", "cron_expression": "0 9 * * *"},
    });
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}
