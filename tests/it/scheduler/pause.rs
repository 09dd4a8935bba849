//! Pausing, resuming and changing schedules.

use jiff::SignedDuration;
use promptyoself::error::Code;
use promptyoself::models::{Lifecycle, ScheduleType, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, Wish};

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

#[tokio::test]
async fn a_paused_schedule_sends_nothing_and_skips_what_passed_when_it_is_resumed() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(5);
    world.service.pause(id, Some("holidays")).await.unwrap();
    world.advance(30);
    deliver(&world).await;
    assert!(world.target.sent().is_empty());
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(
        (schedule.lifecycle, schedule.active),
        (Lifecycle::Paused, false)
    );
    assert_eq!(schedule.pause_note.as_deref(), Some("holidays"));

    let resumed = world.service.resume(id, false).await.unwrap();
    // Its phase stays: 40 s after it was made.
    assert_eq!(
        resumed.next_run,
        Some(world.now() + SignedDuration::from_secs(5))
    );
    assert_eq!(world.account().await, [(State::Skipped, 3)]);
    world.advance(5);
    deliver(&world).await;
    assert_eq!(
        world.account().await,
        [(State::Skipped, 3), (State::Delivered, 1)]
    );
}

#[tokio::test]
async fn with_replay_what_passed_during_the_pause_is_caught_up_with() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.service.pause(id, None).await.unwrap();
    world.advance(35);
    world.service.resume(id, true).await.unwrap();
    deliver(&world).await;
    assert_eq!(
        world.account().await,
        [(State::Coalesced, 2), (State::Delivered, 1)]
    );
}

#[tokio::test]
async fn a_pause_freezes_what_waits_and_lets_what_is_on_its_way_end() {
    let world = World::new().await;
    let [a, b] = [
        world.every("agent-a", "waits", "10s").await.id,
        world.every("agent-b", "on its way", "10s").await.id,
    ];
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.target.hold("agent-b");
    let mut running = world.start();
    world.advance(10);
    running.until(State::Waiting).await;
    world.target.wait_for_sent(2).await;
    for id in [a, b] {
        world.service.pause(id, None).await.unwrap();
    }
    world.target.release("agent-b");
    running.until(State::Delivered).await;
    running.stop().await;
    world.advance(5);
    deliver(&world).await;
    assert_eq!(
        world.target.sent().len(),
        2,
        "nothing more while it is paused"
    );
    world.service.resume(a, false).await.unwrap();
    let mut states: Vec<State> = world.occurrences().await.iter().map(|o| o.state).collect();
    states.sort_by_key(|s| s.as_str());
    assert_eq!(states, [State::Delivered, State::Skipped]);
}

#[tokio::test]
async fn instants_during_a_pause_use_up_no_repetition() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "10s");
    wish.when.max_repetitions = Some(2);
    let id = world.service.register(&wish).await.unwrap().id;
    world.service.pause(id, None).await.unwrap();
    world.advance(100);
    world.service.resume(id, false).await.unwrap();
    for _ in 0..2 {
        world.advance(10);
        deliver(&world).await;
    }
    assert_eq!(world.target.sent().len(), 2);
    assert_eq!(world.active().await, 0);
}

#[tokio::test]
async fn a_one_shot_that_passed_while_paused_is_refused_with_the_ways_out() {
    let world = World::new().await;
    let id = world.once("agent-a", "hello", 10).await.id;
    world.service.pause(id, None).await.unwrap();
    world.advance(60);
    let error = world.service.resume(id, false).await.unwrap_err();
    assert_eq!(error.code(), Code::TimePast);
    assert!(error.to_string().contains("update --id"), "{error}");
    assert_eq!(
        error.corrected().as_deref(),
        Some(format!("promptyoself resume --id {id} --replay").as_str())
    );
    world.service.resume(id, true).await.unwrap();
    deliver(&world).await;
    assert_eq!(world.account().await, [(State::Delivered, 1)]);
}

#[tokio::test]
async fn only_what_is_active_is_paused_and_only_what_is_paused_is_resumed() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    let code = |e: promptyoself::error::Error| e.code();
    assert_eq!(
        world
            .service
            .resume(id, false)
            .await
            .map(drop)
            .map_err(code),
        Err(Code::ScheduleNotActive)
    );
    world.service.pause(id, None).await.unwrap();
    assert_eq!(
        world.service.pause(id, None).await.map(drop).map_err(code),
        Err(Code::ScheduleNotActive)
    );
    world.service.cancel(id).await.unwrap();
    assert_eq!(
        world.service.pause(id, None).await.map(drop).map_err(code),
        Err(Code::ScheduleNotActive)
    );
    assert_eq!(
        world.service.pause(99, None).await.map(drop).map_err(code),
        Err(Code::ScheduleNotFound)
    );
}

#[tokio::test]
async fn a_changed_time_is_counted_from_now_and_a_changed_prompt_moves_nothing() {
    let world = World::new().await;
    let first = world.every("agent-a", "old", "10s").await;
    world.advance(4);
    let prompt = Changes {
        prompt: Some("new".into()),
        ..Changes::default()
    };
    let same = world.service.update(first.id, &prompt).await.unwrap();
    assert_eq!(same.next_run, first.next_run);
    let time = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Interval),
            value: "1m".into(),
        }),
        ..Changes::default()
    };
    let moved = world.service.update(first.id, &time).await.unwrap();
    assert_eq!(moved.next_run, world.now() + SignedDuration::from_secs(60));
    world.advance(60);
    deliver(&world).await;
    assert_eq!(world.target.sent()[0].text, "new");
    assert_eq!(world.account().await, [(State::Delivered, 1)]);
}

#[tokio::test]
async fn a_changed_end_or_number_keeps_the_phase() {
    let world = World::new().await;
    let first = world.every("agent-a", "tick", "10s").await;
    world.advance(4);
    let end = (world.now() + SignedDuration::from_secs(20)).to_string();
    let changes = Changes {
        end_at: Some(end),
        ..Changes::default()
    };
    let changed = world.service.update(first.id, &changes).await.unwrap();
    assert_eq!(changed.next_run, first.next_run);
    assert_eq!(changed.next_runs.len(), 2);
    let too_soon = Changes {
        end_at: Some(world.now().to_string()),
        ..Changes::default()
    };
    let error = world.service.update(first.id, &too_soon).await.unwrap_err();
    assert_eq!(error.code(), Code::EndBeforeFirst);
    let nothing = world
        .service
        .update(first.id, &Changes::default())
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), Code::Usage);
}

#[tokio::test]
async fn a_paused_schedule_stays_paused_when_its_time_is_changed() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.service.pause(id, None).await.unwrap();
    let time = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Cron),
            value: "* * * * *".into(),
        }),
        ..Changes::default()
    };
    world.service.update(id, &time).await.unwrap();
    world.advance(120);
    deliver(&world).await;
    assert!(world.target.sent().is_empty());
    assert_eq!(world.active().await, 0);
}

#[tokio::test]
async fn a_pause_with_an_end_ends_by_itself_and_skips_only_what_passed_before() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    let mut running = world.start();
    // 25 s from now; the runs at 10 and 20 s are before it, the one at 30 s is after.
    let until = world.now() + SignedDuration::from_secs(25);
    let text = until.to_string();
    let paused = world.service.pause_until(id, Some("holidays"), &text).await;
    assert_eq!(paused.unwrap().resume_at, Some(until));
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Paused);
    assert_eq!(schedule.resume_at, Some(until));
    world.advance(30);
    running.until(State::Delivered).await;
    assert_eq!(
        world.account().await,
        [(State::Skipped, 2), (State::Delivered, 1)]
    );
    running.stop().await;
    world.assert_balanced().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(
        (schedule.lifecycle, schedule.resume_at),
        (Lifecycle::Active, None)
    );
}

#[tokio::test]
async fn a_run_at_the_end_of_its_pause_is_sent() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    let until = world.now() + SignedDuration::from_secs(20);
    let paused = world
        .service
        .pause_until(id, None, &until.to_string())
        .await;
    paused.unwrap();
    world.advance(20);
    deliver(&world).await;
    assert_eq!(
        world.account().await,
        [(State::Skipped, 1), (State::Delivered, 1)]
    );
    world.assert_balanced().await;
}

#[tokio::test]
async fn a_pause_ends_at_its_time_even_if_nobody_was_there() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    let until = world.now() + SignedDuration::from_secs(25);
    let paused = world
        .service
        .pause_until(id, None, &until.to_string())
        .await;
    paused.unwrap();
    // The runs at 30, 40 and 50 s are a backlog like any other.
    world.advance(55);
    deliver(&world).await;
    assert_eq!(
        world.account().await,
        [
            (State::Skipped, 2),
            (State::Coalesced, 2),
            (State::Delivered, 1)
        ]
    );
    world.assert_balanced().await;
}

#[tokio::test]
async fn the_end_of_a_pause_can_be_changed_and_given_in_words() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1h").await.id;
    let now = world.now();
    let resume_at = || async {
        let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
        (schedule.lifecycle, schedule.resume_at)
    };
    world.service.pause(id, Some("first")).await.unwrap();
    assert_eq!(resume_at().await, (Lifecycle::Paused, None));
    let later = world
        .service
        .pause_until(id, None, "in 3 hours")
        .await
        .unwrap();
    let in_three = now + SignedDuration::from_hours(3);
    assert_eq!(
        later.resume_at.map(|at| at.as_second()),
        Some(in_three.as_second())
    );
    let shown = world.service.show(id).await.unwrap().schedule;
    assert_eq!(shown.resume_at, later.resume_at);
    assert_eq!(shown.pause_note.as_deref(), Some("first"));
    // Resumed by hand, it does not resume again.
    world.service.resume(id, false).await.unwrap();
    world.service.pause(id, None).await.unwrap();
    assert_eq!(resume_at().await, (Lifecycle::Paused, None));
    for (until, code) in [
        ("2020-01-01 09:00", Code::TimePast),
        ("every monday at 9am", Code::TimeInvalid),
        ("soon", Code::TimeInvalid),
        ("0 9 * * *", Code::TimeInvalid),
    ] {
        let error = world
            .service
            .pause_until(id, None, until)
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{until}: {error}");
        assert!(error.to_string().contains("--until"), "{until}: {error}");
    }
}

#[tokio::test]
async fn a_once_is_not_paused_beyond_its_time() {
    let world = World::new().await;
    let id = world.once("agent-a", "tick", 60).await.id;
    let until = (world.now() + SignedDuration::from_secs(120)).to_string();
    let error = world
        .service
        .pause_until(id, None, &until)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::SpecConflict);
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Active);
    let until = (world.now() + SignedDuration::from_secs(60)).to_string();
    world.service.pause_until(id, None, &until).await.unwrap();
    world.advance(60);
    deliver(&world).await;
    assert_eq!(world.account().await, [(State::Delivered, 1)]);
}

#[tokio::test]
async fn a_pause_that_ends_uses_no_repetitions_and_a_schedule_without_more_finishes() {
    let world = World::new().await;
    let mut asked = world.wish("agent-a", "tick", ScheduleType::Interval, "10s");
    asked.when.max_repetitions = Some(2);
    let id = world.service.register(&asked).await.unwrap().id;
    let until = (world.now() + SignedDuration::from_secs(45)).to_string();
    world.service.pause_until(id, None, &until).await.unwrap();
    world.advance(50);
    deliver(&world).await;
    world.advance(10);
    deliver(&world).await;
    assert_eq!(
        world.account().await,
        [
            (State::Skipped, 4),
            (State::Delivered, 1),
            (State::Delivered, 1)
        ]
    );
    world.assert_balanced().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Finished);
}
