//! Manual runs, and the halt.

use promptyoself::error::Code;
use promptyoself::models::{Lifecycle, ScheduleType, State, TargetName, Trigger};
use promptyoself::scheduler::Mode;
use promptyoself::service::Registration;

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

#[tokio::test]
async fn a_run_by_hand_shifts_no_instant_and_uses_no_repetition() {
    let world = World::new().await;
    let made = world.every("agent-a", "tick", "1m").await;
    let mut running = world.start();
    world.advance(17);
    let run = world.service.run(made.id).await.unwrap();
    assert!(!run.existed);
    assert_eq!(
        running.until(State::Delivered).await.occurrence_id,
        run.occurrence_id
    );
    let schedule = world
        .service
        .db
        .get_schedule(made.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(schedule.next_run, Some(made.next_run));
    assert_eq!(schedule.repetitions, 0);
    world.advance(43);
    running.until(State::Delivered).await;
    running.stop().await;
    let triggers: Vec<Trigger> = world
        .occurrences()
        .await
        .iter()
        .map(|o| o.trigger)
        .collect();
    assert_eq!(triggers, [Trigger::Manual, Trigger::Schedule]);
    let texts: Vec<String> = world.target.sent().into_iter().map(|s| s.text).collect();
    assert_eq!(texts, ["tick", "tick"], "nothing is out of the ordinary");
}

#[tokio::test]
async fn asking_twice_for_a_run_that_waits_makes_one() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1m").await.id;
    let first = world.service.run(id).await.unwrap();
    let second = world.service.run(id).await.unwrap();
    assert_eq!(
        (first.occurrence_id, true),
        (second.occurrence_id, second.existed)
    );
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 1);
    // A run that was sent is another matter, even in the same microsecond.
    let third = world.service.run(id).await.unwrap();
    assert_ne!(third.occurrence_id, first.occurrence_id);
    deliver(&world).await;
    let otids: std::collections::HashSet<_> =
        world.target.sent().into_iter().map(|s| s.otid).collect();
    assert_eq!(otids.len(), 2);
}

#[tokio::test]
async fn a_run_by_hand_waits_for_its_lane_and_its_retry_is_its_own() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1m").await.id;
    world.target.hold("agent-a");
    let mut running = world.start();
    world.advance(60);
    world.target.wait_for_sent(1).await;
    world.service.run(id).await.unwrap();
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.target.release("agent-a");
    running.until(State::Delivered).await;
    running.until(State::Waiting).await;
    world.advance(5);
    let by_hand = running.until(State::Delivered).await;
    running.stop().await;
    assert!(!world.target.overlapped());
    let sent = world.target.sent();
    assert_eq!(
        sent[1].otid, sent[2].otid,
        "a busy agent gets the same otid again"
    );
    let stored = world.occurrences().await;
    let stored = stored
        .iter()
        .find(|o| o.id == by_hand.occurrence_id)
        .unwrap();
    assert_eq!(stored.trigger, Trigger::Manual);
}

#[tokio::test]
async fn a_paused_or_finished_schedule_can_be_run_by_hand_and_an_ended_one_cannot() {
    let world = World::new().await;
    let paused = world.every("agent-a", "paused", "1m").await.id;
    world.service.pause(paused, None).await.unwrap();
    let finished = world.once("agent-b", "finished", 1).await.id;
    world.advance(1);
    deliver(&world).await;
    let cancelled = world.every("agent-c", "cancelled", "1m").await.id;
    world.service.cancel(cancelled).await.unwrap();
    for id in [paused, finished] {
        world.service.run(id).await.unwrap();
    }
    let refused = world.service.run(cancelled).await.unwrap_err();
    assert_eq!(refused.code(), Code::ScheduleNotActive);
    assert_eq!(
        world.service.run(77).await.unwrap_err().code(),
        Code::ScheduleNotFound
    );
    deliver(&world).await;
    let texts: Vec<String> = world.target.sent().into_iter().map(|s| s.text).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let lifecycle = |id| {
        let db = world.service.db.clone();
        async move { db.get_schedule(id).await.unwrap().unwrap().lifecycle }
    };
    assert_eq!(lifecycle(paused).await, Lifecycle::Paused);
    assert_eq!(lifecycle(finished).await, Lifecycle::Finished);
}

#[tokio::test]
async fn cancelling_a_schedule_ends_its_run_that_waits_and_resuming_it_does_not() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1m").await.id;
    world.service.pause(id, None).await.unwrap();
    world.service.run(id).await.unwrap();
    world.service.resume(id, false).await.unwrap();
    assert_eq!(world.account().await, [(State::Waiting, 1)]);
    world.service.cancel(id).await.unwrap();
    assert_eq!(world.account().await, [(State::Cancelled, 1)]);
}

#[tokio::test]
async fn a_run_by_hand_sends_the_prompt_as_it_was_when_it_was_asked_for() {
    let world = World::new().await;
    let id = world.every("agent-a", "old", "1m").await.id;
    world.service.run(id).await.unwrap();
    let changes = promptyoself::service::Changes {
        prompt: Some("new".into()),
        ..Default::default()
    };
    world.service.update(id, &changes).await.unwrap();
    deliver(&world).await;
    assert_eq!(world.target.sent()[0].text, "old");
}

#[tokio::test]
async fn a_halt_lets_what_is_on_its_way_end_and_sends_nothing_else() {
    let world = World::new().await;
    world.once("agent-a", "on its way", 10).await;
    world.once("agent-b", "due later", 20).await;
    world.target.hold("agent-a");
    let mut running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    world.service.halt(Some("moving house")).await.unwrap();
    world.advance(20);
    world.target.release("agent-a");
    running.until(State::Delivered).await;
    let warning = world.service.status().await.unwrap().warning().unwrap();
    assert!(warning.contains("moving house"), "{warning}");
    assert!(warning.contains("halt --off"), "{warning}");
    // A scheduler that has not heard of it can't claim either.
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 1);
    for told in ["it had been halted since", "was not halted"] {
        let lifted = world.service.lift_halt().await.unwrap();
        assert!(lifted.message.contains(told), "{lifted:?}");
    }
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(world.target.sent()[1].text, "due later");
}

#[tokio::test]
async fn nothing_that_waits_grows_older_while_delivery_is_halted() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    let mut running = world.start();
    world.advance(1);
    running.until(State::Waiting).await;
    running.stop().await;
    world.service.halt(None).await.unwrap();
    world.advance(48 * 3_600);
    world.service.lift_halt().await.unwrap();
    let mut running = world.start();
    // Over the maximum age by the clock, yet a refusal does not end it.
    running.until(State::Waiting).await;
    world.advance(60);
    running.until(State::Delivered).await;
    running.stop().await;
}

#[tokio::test]
async fn a_halted_target_gets_nothing_and_what_waits_for_it_grows_no_older() {
    let work = FakeTarget::named("work");
    let world = World::new().await.beside(work.clone());
    let at_work = |prompt: &str| Registration {
        target: Some(TargetName::new("work")),
        ..world.wish(
            "agent-a",
            prompt,
            ScheduleType::Once,
            "2026-02-01T12:00:01Z",
        )
    };
    let name = TargetName::new("work");
    let states = async || -> Vec<State> {
        let all = world.occurrences().await;
        all.iter().map(|o| o.state).collect()
    };
    world.service.register(&at_work("first")).await.unwrap();
    work.script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(1);
    deliver(&world).await;
    assert_eq!(states().await, [State::Waiting]);
    world
        .service
        .halt_target(&name, Some("moving"))
        .await
        .unwrap();
    // Over the maximum age by the clock.
    world.advance(48 * 3_600);
    world.once("agent-a", "at home", 1).await;
    world.advance(1);
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 1);
    assert_eq!(states().await, [State::Waiting, State::Delivered]);
    let lifted = world.service.lift_target(&name).await.unwrap();
    assert!(lifted.message.contains("it had been halted since"));
    deliver(&world).await;
    assert_eq!(states().await, [State::Delivered, State::Delivered]);
    assert_eq!(work.sent().last().unwrap().text, "first");
}

#[tokio::test]
async fn halting_twice_keeps_the_time_of_the_first() {
    let world = World::new().await;
    let first = world.service.halt(Some("one")).await.unwrap();
    world.advance(60);
    let second = world.service.halt(None).await.unwrap();
    assert_eq!((first.since, first.note), (second.since, second.note));
    let third = world.service.halt(Some("two")).await.unwrap();
    assert_eq!(
        (third.since, third.note.as_deref()),
        (first.since, Some("two"))
    );
}

#[tokio::test]
async fn a_schedule_whose_prompt_was_purged_cannot_be_run() {
    let world = World::new().await;
    let id = world.once("agent-a", "forget me", 1).await.id;
    world.advance(1);
    deliver(&world).await;
    let finished = world.service.db.get_schedule(id).await.unwrap().unwrap();
    let whose = promptyoself::models::PurgeScope::Schedule(finished.uid.unwrap());
    world
        .service
        .db
        .purge(&whose, None, world.now())
        .await
        .unwrap();
    let refused = world.service.run(id).await.unwrap_err();
    assert_eq!(refused.code(), Code::PromptMissing);
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn a_halt_is_told_even_while_no_scheduler_runs() {
    let world = World::new().await;
    world.service.halt(Some("moving house")).await.unwrap();
    let warning = world.service.status().await.unwrap().warning().unwrap();
    assert!(warning.contains("no scheduler is running"), "{warning}");
    assert!(warning.contains("moving house"), "{warning}");
}

#[tokio::test]
async fn what_is_registered_during_a_pass_by_hand_is_on_time() {
    const MANY: usize = 200;
    let world = World::new().await;
    world.target.hold("slow");
    world.once("slow", "x", 1).await;
    world.advance(1);
    let pass = world.start_on(&world.service, Mode::Once);
    world.target.wait_for_sent(1).await;
    // It begins while the pass goes on, and hears of every change beside it.
    let mut running = world.start();
    for n in 0..MANY {
        world.once(&format!("agent-{n}"), "x", 2).await;
    }
    world.advance(2);
    for _ in 0..MANY {
        let outcome = running.until(State::Delivered).await;
        assert_eq!(outcome.sent_at, Some(outcome.intended_at));
    }
    world.target.release("slow");
    pass.ended().await;
    running.stop().await;
}
