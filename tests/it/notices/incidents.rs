//! What is an incident, and what ends it.

use promptyoself::letta_client::{ErrorClass, Evidence, Refusal, RefusalKind};
use promptyoself::models::{IncidentKind, ScheduleType, State};
use serde_json::Value;

use super::recorder::Recorder;
use super::{Telling, final_refusal, posting_to, refused, until_outbox};
use crate::fake_target::FakeTarget;
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// A world whose operator is told by a recorder.
async fn told() -> (World, Recorder, Telling) {
    let (world, recorder) = (World::new().await, Recorder::start().await);
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    (world, recorder, telling)
}

fn events(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(own).collect()
}

/// Waits until everything has arrived: no time may pass while something is on its way.
async fn all_told(world: &World) {
    until_outbox(world, |o| o.pending == 0).await;
}

async fn open_kinds(world: &World) -> Vec<IncidentKind> {
    let open = world.service.db.list_open_incidents().await.unwrap();
    open.iter().map(|i| i.kind).collect()
}

#[tokio::test]
async fn five_dead_prompts_in_a_row_are_one_incident_which_the_next_delivery_ends() {
    let (world, recorder, telling) = told().await;
    let mut wish = world.wish("agent-a", "SECRET PROMPT", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(0);
    world.service.register(&wish).await.unwrap();
    let mut running = world.start();
    for n in 1..=5 {
        world.target.script("agent-a", final_refusal());
        world.advance(60);
        running.until(State::Dead).await;
        let open = world.service.status().await.unwrap().incidents;
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].count, n);
        all_told(&world).await;
    }
    world.advance(60);
    running.until(State::Delivered).await;
    all_told(&world).await;
    // Dead again: another incident.
    world.target.script("agent-a", final_refusal());
    world.advance(60);
    running.until(State::Dead).await;
    running.stop().await;
    let told = recorder.wait_for(3).await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "dead"), ("closed", "dead"), ("opened", "dead")])
    );
    let opened = told[0].json();
    assert_eq!(opened["code"], "agent_unknown");
    assert_eq!(opened["agent_id"], "agent-a");
    assert_eq!(opened["schedule_id"], 1);
    assert_eq!(opened["intended_at"], "2026-02-01T12:01:00Z");
    assert_eq!(opened["outcome"], Value::Null);
    let closed = told[1].json();
    assert_eq!(closed["incident"], opened["incident"]);
    assert_eq!(closed["count"], 5);
    assert_eq!(closed["outcome"], "a prompt was delivered again");
    assert!(told.iter().all(|r| !r.body.contains("SECRET PROMPT")));
    assert_ne!(told[2].json()["id"], opened["id"]);
}

#[tokio::test]
async fn a_dead_prompt_after_which_nothing_comes_is_told_and_over() {
    let (world, recorder, telling) = told().await;
    world.target.script("agent-a", final_refusal());
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let mut running = world.start();
    running.until(State::Dead).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(recorder.events(), events(&[("opened", "dead")]));
    assert!(open_kinds(&world).await.is_empty());
}

#[tokio::test]
async fn a_fate_that_stays_unknown_is_told_with_its_own_code() {
    let (mut world, recorder, telling) = told().await;
    world.settings.reconcile_deadline = jiff::SignedDuration::from_secs(1);
    let doubt = promptyoself::letta_client::Doubt {
        class: ErrorClass::Cut,
        text: "the connection ended".into(),
        run_id: None,
    };
    let cut = promptyoself::letta_client::Answer::Unknown(doubt);
    world
        .target
        .script("agent-a", crate::fake_target::Act::Answer(cut));
    let unclear = Evidence::Unclear { text: "fog".into() };
    world.target.evidence("agent-a", unclear);
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Unknown).await;
    assert!(open_kinds(&world).await.is_empty());
    world.advance(1);
    running.until(State::Dead).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(recorder.all()[0].json()["code"], "delivery_unknown");
}

#[tokio::test]
async fn a_prompt_that_waits_for_a_person_is_told_once_however_often_it_is_tried() {
    let (world, recorder, telling) = told().await;
    for _ in 0..3 {
        let waits = refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval);
        world.target.script("agent-a", waits);
    }
    // Being busy in between is no end of it.
    world.target.script(
        "agent-a",
        crate::fake_target::Act::Answer(FakeTarget::busy()),
    );
    world.every("agent-a", "hello", "1d").await;
    world.advance(86_400);
    let mut running = world.start();
    for _ in 0..4 {
        running.until(State::Waiting).await;
        assert_eq!(open_kinds(&world).await, [IncidentKind::NeedsHuman]);
        all_told(&world).await;
        world.advance(60);
    }
    running.until(State::Delivered).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "needs_human"), ("closed", "needs_human")])
    );
    assert_eq!(recorder.all()[0].json()["code"], "pending_approval");
    let outcome = recorder.all()[1].json()["outcome"].clone();
    assert_eq!(outcome, "its prompt was delivered");
}

#[tokio::test]
async fn a_prompt_that_waited_for_a_person_and_is_cancelled_waits_no_more() {
    let (world, recorder, telling) = told().await;
    let waits = refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval);
    world.target.script("agent-a", waits);
    let made = world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Waiting).await;
    world.another().await.cancel(made.id).await.unwrap();
    running.stop().await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "needs_human"), ("closed", "needs_human")])
    );
}

#[tokio::test]
async fn a_cancelled_schedule_leaves_no_incident_open() {
    let (world, recorder, telling) = told().await;
    world.target.script("agent-a", final_refusal());
    let made = world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Dead).await;
    running.stop().await;
    world.service.cancel(made.id).await.unwrap();
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "dead"), ("closed", "dead")])
    );
    let outcome = recorder.all()[1].json()["outcome"].clone();
    assert_eq!(outcome, "the schedule is cancelled");
}

#[tokio::test]
async fn a_target_is_told_of_when_it_has_been_away_for_a_minute_and_not_before() {
    let (world, recorder, telling) = told().await;
    let down = Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Unreachable, "down");
    world.every("agent-a", "hello", "1h").await;
    world.target.set_down(Some(down));
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Waiting).await;
    world
        .service
        .db
        .review_incidents(world.now())
        .await
        .unwrap();
    world.advance(59);
    world
        .service
        .db
        .review_incidents(world.now())
        .await
        .unwrap();
    assert!(open_kinds(&world).await.is_empty());
    world.advance(11);
    let opened = recorder.wait_for(1).await[0].json();
    assert_eq!(opened["target"], "letta");
    assert_eq!(opened["code"], "unreachable");
    assert_eq!(opened["schedule_id"], Value::Null);
    all_told(&world).await;
    world.advance(600);
    world.target.set_down(None);
    while !world
        .service
        .db
        .list_held_targets()
        .await
        .unwrap()
        .is_empty()
    {
        world.advance(1);
    }
    recorder.wait_for(2).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "held"), ("closed", "held")])
    );
}

#[tokio::test]
async fn a_schedule_that_failures_have_paused_is_told_until_it_is_resumed() {
    let (world, recorder, telling) = told().await;
    let mut wish = world.wish("agent-a", "hello", ScheduleType::Interval, "1h");
    wish.policy.pause_on_failure = Some(1);
    let made = world.service.register(&wish).await.unwrap();
    world.target.script("agent-a", final_refusal());
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Dead).await;
    recorder.wait_for(2).await;
    all_told(&world).await;
    world.service.resume(made.id, false).await.unwrap();
    recorder.wait_for(3).await;
    all_told(&world).await;
    // A pause by hand is nobody's trouble.
    world.service.pause(made.id, None).await.unwrap();
    world.service.resume(made.id, false).await.unwrap();
    running.stop().await;
    telling.stop().await;
    let mut told = recorder.events();
    // Two incidents that begin together may be told in any order.
    told[..2].sort();
    assert_eq!(
        told,
        events(&[
            ("opened", "dead"),
            ("opened", "paused"),
            ("closed", "paused")
        ])
    );
    let outcome = recorder.all()[2].json()["outcome"].clone();
    assert_eq!(outcome, "it was resumed");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_until_it_can() {
    let (world, recorder, telling) = told().await;
    let made = world.every("agent-a", "hello", "1h").await;
    let mut other = Foreign::connect(&world.path()).await;
    let mut write = async |value: &str| {
        let sql = "UPDATE schedules SET schedule_value = ?1, schedule_type = 'interval'";
        other.run_with(sql, [value]).await;
        let zone = &world.service.zone;
        let now = world.now();
        world.service.db.adopt_touched(zone, now).await.unwrap();
    };
    write("soon").await;
    write("sooner").await;
    assert_eq!(open_kinds(&world).await, [IncidentKind::Broken]);
    write("2h").await;
    recorder.wait_for(2).await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "broken"), ("closed", "broken")])
    );
    let opened = recorder.all()[0].json();
    assert_eq!(opened["schedule_id"], made.id);
    assert!(opened["reason"].as_str().unwrap().contains("soon"));
}

#[tokio::test]
async fn incidents_of_a_schedule_that_another_program_deletes_are_over() {
    let (world, recorder, telling) = told().await;
    world.target.script("agent-a", final_refusal());
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Dead).await;
    let mut other = Foreign::connect(&world.path()).await;
    other.run("DELETE FROM schedules").await;
    // The next heartbeat.
    world.advance(10);
    recorder.wait_for(2).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(
        recorder.events(),
        events(&[("opened", "dead"), ("closed", "dead")])
    );
}

#[tokio::test]
async fn without_a_listener_no_notice_is_written_and_a_later_one_hears_what_is_still_open() {
    let world = World::new().await;
    world.target.script("agent-a", final_refusal());
    world.target.script("agent-b", final_refusal());
    world.every("agent-a", "hello", "1h").await;
    world.every("agent-b", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Dead).await;
    running.until(State::Dead).await;
    // One recovers before anybody listens.
    world.target.script("agent-a", final_refusal());
    world.advance(3_600);
    running.until(State::Delivered).await;
    running.stop().await;
    let db = &world.service.db;
    assert_eq!(db.outbox_status(world.now()).await.unwrap().pending, 0);
    assert_eq!(open_kinds(&world).await, [IncidentKind::Dead]);

    let recorder = Recorder::start().await;
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    telling.stop().await;
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    telling.stop().await;
    assert_eq!(recorder.events(), events(&[("opened", "dead")]));
    assert_eq!(recorder.all()[0].json()["agent_id"], "agent-a");
}
