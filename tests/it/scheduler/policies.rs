//! How a schedule's own policy decides about a backlog, about failures and about the line before
//! the prompt. The numbers are those of the table in `docs/delivery.md`.

use jiff::{SignedDuration, Timestamp};
use promptyoself::error::Code;
use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::{CatchUp, EnvelopeStyle, Lifecycle, Policy, ScheduleType, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::Changes;
use rstest::rstest;

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::{Running, World};

const POLICIES: [CatchUp; 3] = [CatchUp::Latest, CatchUp::All, CatchUp::Skip];

fn at(time: &str) -> Timestamp {
    format!("2026-02-02T{time}:00Z").parse().unwrap()
}

fn catching_up(catch_up: CatchUp) -> Policy {
    Policy {
        catch_up: Some(catch_up),
        ..Policy::default()
    }
}

/// A schedule on `*/5 * * * *` whose next run is 09:00, at 08:58.
async fn every_five_minutes(policy: Policy) -> (World, i64) {
    let world = World::new().await;
    world.advance(at("08:58").duration_since(world.now()).as_secs());
    let mut wish = world.wish("agent-a", "hello", ScheduleType::Cron, "*/5 * * * *");
    wish.policy = policy;
    let id = world.service.register(&wish).await.unwrap().id;
    (world, id)
}

/// Moves the clock to a time of that day.
fn wait_until(world: &World, time: &str) {
    world.advance(at(time).duration_since(world.now()).as_secs());
}

/// The account once the backlog is worked off at 12:00: state, first and last instant, count.
async fn worked_off(world: &World, running: &mut Running) -> Vec<(State, String, String, i64)> {
    while is_due_or_in_flight(world).await {
        running.outcome().await;
    }
    let time = |t: Timestamp| t.strftime("%H:%M").to_string();
    world
        .occurrences()
        .await
        .into_iter()
        .map(|o| (o.state, time(o.first_at), time(o.intended_at), o.count))
        .collect()
}

async fn is_due_or_in_flight(world: &World) -> bool {
    let db = &world.service.db;
    let due = db.get_due_schedules(world.now()).await.unwrap();
    let open = db.list_open_occurrences().await.unwrap();
    !due.is_empty() || open.iter().any(|o| o.state != State::Waiting)
}

fn row(state: State, first: &str, last: &str, count: i64) -> (State, String, String, i64) {
    (state, first.into(), last.into(), count)
}

/// What the table says of a backlog that begins at `first` and is worked off at 12:00.
fn promised(catch_up: CatchUp, first: &str) -> Vec<(State, String, String, i64)> {
    let first_at = at(first);
    let passed = at("12:00").duration_since(first_at).as_secs() / 300;
    let newest = row(State::Delivered, "12:00", "12:00", 1);
    match catch_up {
        CatchUp::Latest => vec![row(State::Coalesced, first, "11:55", passed), newest],
        CatchUp::All => (0..=passed)
            .map(|n| {
                let at = first_at + SignedDuration::from_secs(300 * n);
                let time = at.strftime("%H:%M").to_string();
                row(State::Delivered, &time, &time, 1)
            })
            .collect(),
        CatchUp::Skip => vec![
            row(State::Missed, first, "11:45", passed - 2),
            row(State::Coalesced, "11:50", "11:55", 2),
            newest,
        ],
    }
}

#[tokio::test]
async fn three_hours_asleep_give_for_each_policy_what_the_documents_say() {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        wait_until(&world, "12:00");
        let mut running = world.start();
        let account = worked_off(&world, &mut running).await;
        running.stop().await;
        assert_eq!(account, promised(catch_up, "09:00"), "{catch_up}");
        let sent: Vec<i64> = account
            .iter()
            .map(|(_, _, _, count)| count)
            .copied()
            .collect();
        assert_eq!(sent.iter().sum::<i64>(), 37, "{catch_up}");
    }
}

#[tokio::test]
async fn three_hours_in_a_turn_of_ours_are_like_sleep() {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        world.once("agent-a", "a long turn", 60).await;
        world.target.hold("agent-a");
        let mut running = world.start();
        wait_until(&world, "08:59");
        world.target.wait_for_sent(1).await;
        wait_until(&world, "12:00");
        world.target.release("agent-a");
        let account = worked_off(&world, &mut running).await;
        running.stop().await;
        assert_eq!(account[1..], promised(catch_up, "09:00"), "{catch_up}");
    }
}

#[rstest]
#[case::a_busy_agent(FakeTarget::busy())]
#[case::an_absent_server(absent())]
#[tokio::test]
async fn what_was_claimed_before_the_three_hours_is_sent_first(#[case] refusal: Answer) {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        let is_absence = refusal == absent();
        match (&refusal, is_absence) {
            (Answer::Refused(refusal), true) => world.target.set_down(Some(refusal.clone())),
            _ => world.target.script("agent-a", Act::Answer(refusal.clone())),
        }
        let mut running = world.start();
        wait_until(&world, "09:00");
        running.until(State::Waiting).await;
        world.target.set_down(None);
        wait_until(&world, "12:00");
        running.until(State::Delivered).await;
        let account = worked_off(&world, &mut running).await;
        running.stop().await;
        assert_eq!(account[0], row(State::Delivered, "09:00", "09:00", 1));
        assert_eq!(account[1..], promised(catch_up, "09:05"), "{catch_up}");
    }
}

#[tokio::test]
async fn a_halt_of_three_hours_is_like_sleep() {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        world.service.halt(Some("maintenance")).await.unwrap();
        wait_until(&world, "12:00");
        world.start_on(&world.service, Mode::Once).ended().await;
        assert_eq!(world.occurrences().await.len(), 0, "nothing while halted");
        world.service.lift_halt().await.unwrap();
        let mut running = world.start();
        let account = worked_off(&world, &mut running).await;
        running.stop().await;
        assert_eq!(account, promised(catch_up, "09:00"), "{catch_up}");
    }
}

#[tokio::test]
async fn a_clock_set_ahead_by_three_hours_and_believed_is_like_sleep() {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        world.once("agent-b", "for now", 1).await;
        let mut running = world.start();
        world.advance(1);
        running.until(State::Delivered).await;
        world.clock.set(at("11:58"));
        world.advance(1);
        while world.service.status().await.unwrap().warning().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.target.sent().len(), 1, "held while it is doubted");
        wait_until(&world, "12:00");
        let account = worked_off(&world, &mut running).await;
        running.stop().await;
        assert_eq!(account[1..], promised(catch_up, "09:00"), "{catch_up}");
    }
}

#[tokio::test]
async fn a_clock_set_back_sends_nothing_a_second_time() {
    for catch_up in POLICIES {
        let (world, _) = every_five_minutes(catching_up(catch_up)).await;
        wait_until(&world, "09:00");
        let mut running = world.start();
        running.until(State::Delivered).await;
        world.clock.set(at("06:00"));
        for time in ["06:05", "08:00", "09:00", "09:04", "09:05"] {
            wait_until(&world, time);
        }
        running.until(State::Delivered).await;
        running.stop().await;
        let instants: Vec<Timestamp> = world
            .occurrences()
            .await
            .iter()
            .map(|o| o.intended_at)
            .collect();
        assert_eq!(instants, [at("09:00"), at("09:05")], "{catch_up}");
    }
}

#[tokio::test]
async fn a_backlog_that_is_missed_as_a_whole_makes_the_next_instant_no_later() {
    let skip = Policy {
        grace: Some(SignedDuration::from_secs(60)),
        ..catching_up(CatchUp::Skip)
    };
    let (world, _) = every_five_minutes(skip).await;
    world.once("agent-b", "a long turn", 60).await;
    world.target.hold("agent-b");
    wait_until(&world, "09:04");
    let running = world.start();
    // What wakes it at 09:05 is neither the end of the other turn nor the poll, which is a minute
    // after the last look.
    world.target.wait_for_sent(1).await;
    let db = &world.service.db;
    while !db.get_due_schedules(world.now()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    world.advance(59);
    world.advance(1);
    let sent = world.target.wait_for_sent(2).await;
    assert_eq!(sent[1].agent, "agent-a");
    running.kill().await;
}

#[tokio::test]
async fn an_update_changes_the_policy_of_the_next_claim() {
    let (world, id) = every_five_minutes(Policy::default()).await;
    let changes = Changes {
        policy: catching_up(CatchUp::All),
        ..Changes::default()
    };
    world.service.update(id, &changes).await.unwrap();
    wait_until(&world, "09:10");
    let mut running = world.start();
    let account = worked_off(&world, &mut running).await;
    running.stop().await;
    assert_eq!(account.len(), 3);
    assert!(account.iter().all(|(state, ..)| *state == State::Delivered));
}

#[tokio::test]
async fn a_grace_without_skip_is_refused_and_ends_with_it() {
    let (world, id) = every_five_minutes(catching_up(CatchUp::Skip)).await;
    let change = |policy| Changes {
        policy,
        ..Changes::default()
    };
    let grace = Policy {
        grace: Some(SignedDuration::from_secs(30)),
        ..Policy::default()
    };
    world.service.update(id, &change(grace)).await.unwrap();
    let latest = change(catching_up(CatchUp::Latest));
    world.service.update(id, &latest).await.unwrap();
    let refused = world.service.update(id, &change(grace)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PolicyInvalid);
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.policy, catching_up(CatchUp::Latest));
}

#[tokio::test]
async fn retries_end_at_the_schedules_own_maximum_age() {
    let policy = Policy {
        max_age: Some(SignedDuration::from_secs(120)),
        ..Policy::default()
    };
    let (world, _) = every_five_minutes(policy).await;
    for _ in 0..100 {
        world
            .target
            .script("agent-a", Act::Answer(FakeTarget::busy()));
    }
    wait_until(&world, "09:00");
    let mut running = world.start();
    running.until(State::Waiting).await;
    wait_until(&world, "09:02");
    let outcome = running.until(State::Dead).await;
    assert_eq!(outcome.intended_at, at("09:00"));
    running.stop().await;
}

#[tokio::test]
async fn a_schedule_that_fails_again_and_again_is_paused_with_the_reason() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(2);
    let id = world.service.register(&wish).await.unwrap().id;
    let dead = || Act::Answer(permanent());
    // One that arrives begins the count anew.
    for act in [
        dead(),
        Act::Answer(FakeTarget::delivered("yes")),
        dead(),
        dead(),
    ] {
        world.target.script("agent-a", act);
    }
    let mut running = world.start();
    for _ in 0..4 {
        world.advance(60);
        running.outcome().await;
    }
    let paused = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(paused.lifecycle, Lifecycle::Paused);
    let note = paused.pause_note.unwrap();
    assert!(
        note.starts_with("2 prompts in a row were given up"),
        "{note}"
    );
    assert!(note.contains("no such agent"), "{note}");

    // Whoever resumes it gives it all its tries again.
    world.service.resume(id, false).await.unwrap();
    world.target.script("agent-a", dead());
    world.advance(60);
    running.until(State::Dead).await;
    running.stop().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Active);
}

#[tokio::test]
async fn a_schedule_paused_by_hand_gets_all_its_tries_again() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(2);
    let id = world.service.register(&wish).await.unwrap().id;
    let mut running = world.start();
    for _ in 0..2 {
        world.target.script("agent-a", Act::Answer(permanent()));
        world.advance(60);
        running.until(State::Dead).await;
        world.service.pause(id, None).await.ok();
        world.service.resume(id, false).await.unwrap();
    }
    running.stop().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Active);
}

#[tokio::test]
async fn what_another_program_ended_is_not_paused_by_its_last_failure() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(1);
    let id = world.service.register(&wish).await.unwrap().id;
    world.target.hold("agent-a");
    world.target.script("agent-a", Act::Answer(permanent()));
    let mut running = world.start();
    world.advance(60);
    world.target.wait_for_sent(1).await;
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign.run("UPDATE schedules SET active = 0").await;
    world.target.release("agent-a");
    running.until(State::Dead).await;
    running.stop().await;
    world.start_on(&world.service, Mode::Once).ended().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Cancelled);
}

#[tokio::test]
async fn a_schedule_that_may_fail_for_ever_is_never_paused() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(0);
    let id = world.service.register(&wish).await.unwrap().id;
    let mut running = world.start();
    for _ in 0..8 {
        world.target.script("agent-a", Act::Answer(permanent()));
        world.advance(60);
        running.until(State::Dead).await;
    }
    running.stop().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Active);
}

#[tokio::test]
async fn a_full_envelope_numbers_every_firing_and_a_retry_tells_what_it_stands_for() {
    let full = Policy {
        envelope: Some(EnvelopeStyle::Full),
        ..Policy::default()
    };
    let (world, _) = every_five_minutes(full).await;
    wait_until(&world, "09:00");
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    // Two pass unsent; the third is sent twice.
    wait_until(&world, "09:15");
    let later = Refusal::new(RefusalKind::Later, ErrorClass::RateLimited, "try later");
    world
        .target
        .script("agent-a", Act::Answer(Answer::Refused(later)));
    let mut running = world.start();
    running.until(State::Waiting).await;
    world.advance(30);
    running.until(State::Delivered).await;
    running.stop().await;
    let texts: Vec<String> = world.target.sent().into_iter().map(|s| s.text).collect();
    assert!(texts[0].starts_with("[promptyoself: schedule 1, run 1; scheduled for"));
    assert!(
        texts[1].contains("run 4;") && !texts[1].contains("try"),
        "{}",
        texts[1]
    );
    assert!(texts[2].contains("run 4;") && texts[2].contains("stands for 3 runs"));
}

#[tokio::test]
async fn without_an_envelope_even_a_late_prompt_arrives_as_written() {
    let none = Policy {
        envelope: Some(EnvelopeStyle::None),
        ..Policy::default()
    };
    let (world, _) = every_five_minutes(none).await;
    wait_until(&world, "12:00");
    world.start_on(&world.service, Mode::Once).ended().await;
    assert_eq!(world.target.sent()[0].text, "hello");
}

fn absent() -> Answer {
    let text = "nothing answers";
    Answer::Refused(Refusal::new(
        RefusalKind::TargetTrouble,
        ErrorClass::Unreachable,
        text,
    ))
}

fn permanent() -> Answer {
    let text = "no such agent";
    Answer::Refused(Refusal::new(
        RefusalKind::Permanent,
        ErrorClass::AgentUnknown,
        text,
    ))
}
