//! Whole requests instead of prompts: stored, sent as they are, found again.

use jiff::SignedDuration;
use promptyoself::models::{
    EnvelopeStyle, Lifecycle, Payload, Policy, PurgeScope, ScheduleType, State,
};
use promptyoself::service::{Changes, Registration};
use rstest::rstest;
use serde_json::{Value, json};

use super::Scene;
use crate::fake_letta::Script;
use crate::foreign_writers::raw::Foreign;
use crate::passing_time::while_time_passes;
use crate::world::World;

fn request() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "Ann", "otid": "her-own", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image",
                 "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}},
            ]},
            {"role": "user", "content": "And what is it for?"},
        ],
        "max_steps": 4,
        "include_return_message_types": ["assistant_message"],
        "description": "not for the agent",
    })
}

fn payload() -> Payload {
    Payload::read(request().as_object().unwrap()).unwrap()
}

/// Schedules the request, once an hour.
async fn hourly<T: promptyoself::letta_client::Letta + 'static>(
    world: &World<T>,
    agent: &str,
) -> i64 {
    let asked = Registration {
        payload: Some(payload()),
        ..world.wish(agent, "", ScheduleType::Interval, "1h")
    };
    world.service.register(&asked).await.unwrap().id
}

/// Messages without their otids.
fn without_otids(messages: &Value) -> Value {
    let mut messages = messages.clone();
    for message in messages.as_array_mut().unwrap() {
        message.as_object_mut().unwrap().remove("otid");
    }
    messages
}

#[rstest]
#[case::heard(None, 1)]
#[case::cut_in_the_middle(Some(Script::CutMidStream), 1)]
#[case::cut_before_it_was_read(Some(Script::CutBefore), 1)]
#[case::failed_at_first(Some(Script::Ends {
    stop_reason: "llm_api_error".into(), kept: false,
    error_type: Some("llm_error".into()), detail: "overloaded".into() }), 2)]
#[tokio::test]
async fn a_request_is_delivered_once_as_it_was_given_whatever_happens(
    #[case] script: Option<Script>,
    #[case] taken: usize,
) {
    let scene = Scene::new().await;
    hourly(&scene.world, scene.agent.as_str()).await;
    if let Some(script) = script {
        scene.fake.script(&scene.agent, script);
    }
    let mut running = scene.world.start();
    scene.world.advance(3_600);
    let mut settled = running.outcome().await;
    while settled.state != State::Delivered {
        // Until the next try, or the next look for it. A minute at once would end what is being asked:
        // the client's limits are timed by the same clock.
        let (clock, db) = (&scene.world.clock, &scene.world.service.db);
        let step = SignedDuration::from_secs(1);
        settled = while_time_passes(clock, step, &[db], running.outcome()).await;
    }
    running.stop().await;
    let received = scene.fake.received();
    assert_eq!(received.len(), taken, "{received:#?}");
    let last = &received[taken - 1];
    assert_eq!(
        without_otids(&last.body["messages"]),
        without_otids(&request()["messages"])
    );
    assert_eq!(last.body["max_steps"], 4);
    assert_eq!(
        last.body["include_return_message_types"],
        json!(["assistant_message"])
    );
    assert_eq!(last.body.get("description"), None);
    // Ours stands on the first thing that the user says, and hers would make every firing the same.
    let occurrence = &scene.world.occurrences().await[0];
    let attempts = scene
        .world
        .service
        .db
        .list_attempts(occurrence.id)
        .await
        .unwrap();
    let otids: Vec<&str> = last.body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["otid"].as_str().unwrap())
        .collect();
    assert_eq!(otids[1], attempts.last().unwrap().otid.to_string());
    assert!(otids[0] != otids[1] && otids[1] != otids[2] && !otids.contains(&"her-own"));
    let kept = scene.fake.messages(&scene.agent);
    let ours = kept.iter().filter(|m| m["otid"] == otids[1]).count();
    assert_eq!((ours, scene.fake.repeats()), (1, 0));
    scene.world.assert_balanced().await;
}

#[tokio::test]
async fn lists_show_what_a_request_says() {
    let world = World::new().await;
    let id = hourly(&world, "agent-a").await;
    let stored = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(
        stored.prompt_text,
        "[system] Be brief.\n\n[user] What is this?\n(image/png)\n\n[user] And what is it for?"
    );
    assert_eq!(stored.payload, Some(payload().hash()));
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_however_late_unless_its_schedule_asks_for_a_line() {
    let scene = Scene::new().await;
    let id = hourly(&scene.world, scene.agent.as_str()).await;
    let shown = scene.world.service.show(id).await.unwrap();
    assert_eq!(shown.schedule.policy.envelope, EnvelopeStyle::None);
    scene.world.advance(3_600 + 1_800);
    let mut running = scene.world.start();
    running.until(State::Delivered).await;
    let first = scene.fake.received()[0].body["messages"].clone();
    assert_eq!(without_otids(&first), without_otids(&request()["messages"]));

    let full = Changes {
        policy: Policy {
            envelope: Some(EnvelopeStyle::Full),
            ..Policy::default()
        },
        ..Changes::default()
    };
    scene.world.service.update(id, &full).await.unwrap();
    scene.world.advance(1_800);
    running.until(State::Delivered).await;
    running.stop().await;
    let second = &scene.fake.received()[1].body["messages"];
    let line = second[1]["content"][0]["text"].as_str().unwrap();
    assert!(line.starts_with("[promptyoself: schedule"), "{line}");
    assert_eq!(second[1]["content"][1]["text"], "What is this?");
    assert_eq!(second[0]["content"], "Be brief.");
}

#[tokio::test]
async fn a_run_by_hand_sends_the_whole_request_too() {
    let scene = Scene::new().await;
    let id = hourly(&scene.world, scene.agent.as_str()).await;
    scene.world.service.run(id).await.unwrap();
    let mut running = scene.world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    let body = scene.fake.received()[0].body.clone();
    assert_eq!(
        without_otids(&body["messages"]),
        without_otids(&request()["messages"])
    );
    assert_eq!(body["max_steps"], 4);
}

#[rstest]
#[case::another_text("Just this")]
#[case::the_very_text_that_lists_show("")]
#[tokio::test]
async fn a_new_prompt_makes_it_a_plain_prompt_again(#[case] prompt: &str) {
    let world = World::new().await;
    let id = hourly(&world, "agent-a").await;
    let prompt = match prompt {
        "" => payload().render(),
        text => text.to_owned(),
    };
    let changes = Changes {
        prompt: Some(prompt.clone()),
        ..Changes::default()
    };
    world.service.update(id, &changes).await.unwrap();
    let stored = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(stored.payload, None);
    // The request is not kept for nothing.
    let kept = world
        .service
        .db
        .get_payload(&payload().hash())
        .await
        .unwrap();
    assert_eq!(kept, None);
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(world.target.sent()[0].text, prompt);
}

#[tokio::test]
async fn another_program_that_changes_the_prompt_means_that_prompt() {
    let world = World::new().await;
    let (changed, only_moved) = (
        hourly(&world, "agent-a").await,
        hourly(&world, "agent-b").await,
    );
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET prompt_text = 'theirs' WHERE id = {changed}"
        ))
        .await;
    foreign
        .run(&format!(
            "UPDATE schedules SET schedule_value = '30m' WHERE id = {only_moved}"
        ))
        .await;
    assert_eq!(foreign.column(changed, "touched").await, "1");
    assert_eq!(foreign.column(changed, "payload").await, "NULL");
    assert_eq!(
        foreign.column(only_moved, "payload").await,
        payload().hash()
    );
    let zone = &world.service.zone;
    world
        .service
        .db
        .adopt_touched(zone, world.now())
        .await
        .unwrap();
    world.advance(3_600);
    let mut running = world.start();
    for _ in 0..2 {
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let mut sent: Vec<String> = world.target.sent().into_iter().map(|s| s.text).collect();
    sent.sort();
    assert_eq!(sent, ["Be brief.", "theirs"]);
    world.assert_balanced().await;
}

#[tokio::test]
async fn what_is_on_its_way_stays_as_it_was_claimed() {
    let scene = Scene::new().await;
    let id = hourly(&scene.world, scene.agent.as_str()).await;
    scene.fake.script(
        &scene.agent,
        Script::Answer {
            status: 503,
            body: json!({"detail": "The database is temporarily unavailable."}),
            headers: std::collections::BTreeMap::new(),
        },
    );
    let mut running = scene.world.start();
    scene.world.advance(3_600);
    running.until(State::Waiting).await;
    let changes = Changes {
        prompt: Some("another".into()),
        ..Changes::default()
    };
    scene.world.service.update(id, &changes).await.unwrap();
    scene.world.advance(60);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = &scene.fake.received()[0].body;
    assert_eq!(sent["max_steps"], 4, "{sent}");
}

#[tokio::test]
async fn pruning_and_purging_leave_what_is_still_to_be_sent_and_take_what_is_over() {
    let world = World::new().await;
    let id = hourly(&world, "agent-a").await;
    let mut running = world.start();
    world.advance(3_600);
    running.until(State::Delivered).await;
    running.stop().await;
    let hash = payload().hash();
    world.advance(10);
    world
        .service
        .db
        .prune(world.now(), world.now(), |_| ())
        .await
        .unwrap();
    let whose = PurgeScope::Agent(promptyoself::models::NamedAgent::parse("agent-a").unwrap());
    world
        .service
        .db
        .purge(&whose, None, world.now())
        .await
        .unwrap();
    assert!(world.service.db.get_payload(&hash).await.unwrap().is_some());

    world.service.cancel(id).await.unwrap();
    let purged = world
        .service
        .db
        .purge(&whose, None, world.now())
        .await
        .unwrap();
    assert_eq!((purged.schedules, purged.payloads), (1, 1));
    assert_eq!(world.service.db.get_payload(&hash).await.unwrap(), None);
    let stored = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!((stored.payload, stored.prompt_text.as_str()), (None, ""));
    world.assert_balanced().await;
}

#[tokio::test]
async fn a_schedule_that_another_program_deletes_takes_its_request_along() {
    let world = World::new().await;
    let (first, second) = (
        hourly(&world, "agent-a").await,
        hourly(&world, "agent-b").await,
    );
    let mut foreign = Foreign::connect(&world.path()).await;
    let hash = payload().hash();
    foreign
        .run(&format!("DELETE FROM schedules WHERE id = {first}"))
        .await;
    assert!(world.service.db.get_payload(&hash).await.unwrap().is_some());
    foreign
        .run(&format!("DELETE FROM schedules WHERE id = {second}"))
        .await;
    assert_eq!(world.service.db.get_payload(&hash).await.unwrap(), None);
}

#[tokio::test]
async fn a_schedule_whose_request_was_taken_away_is_broken_and_stops_no_other() {
    let world = World::new().await;
    let id = hourly(&world, "agent-a").await;
    world.every("agent-b", "plain", "1h").await;
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run("PRAGMA foreign_keys = OFF; DELETE FROM payloads")
        .await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    let stored = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(stored.lifecycle, Lifecycle::Broken);
    assert!(stored.broken_reason.unwrap().contains("gone"));
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn a_copy_of_the_database_has_its_requests() {
    let world = World::new().await;
    let id = hourly(&world, "agent-a").await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    world.service.db.back_up(&copy).await.unwrap();
    let zone = promptyoself::schedule::Zone::utc();
    let (db, _) = promptyoself::db::Db::open(&copy, &zone, world.now())
        .await
        .unwrap();
    let stored = db.get_schedule(id).await.unwrap().unwrap();
    let body = db.get_payload(&stored.payload.unwrap()).await.unwrap();
    assert_eq!(Payload::from_stored(&body.unwrap()).unwrap(), payload());
}
