//! The account stays balanced.

use jiff::SignedDuration;
use promptyoself::models::{Account, Lifecycle, ScheduleType, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, Wish};

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

async fn adopt(world: &World) {
    let zone = &world.service.zone;
    world
        .service
        .db
        .adopt_touched(zone, world.now())
        .await
        .unwrap();
}

/// The account of a schedule, proved.
async fn account_of(world: &World, id: i64) -> Account {
    world.assert_balanced().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    world
        .service
        .db
        .account(schedule.uid.unwrap())
        .await
        .unwrap()
}

/// How many instants were planned, and how many of them came to each state.
async fn sums(world: &World, id: i64) -> (i64, Vec<(String, i64)>) {
    let account = account_of(world, id).await;
    let states = account.states.clone().into_iter().collect();
    (account.expected.unwrap(), states)
}

fn states(states: &[(&str, i64)]) -> Vec<(String, i64)> {
    states.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect()
}

async fn limited(world: &World, interval: &str, most: i64) -> i64 {
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, interval);
    wish.when.max_repetitions = Some(most);
    world.service.register(&wish).await.unwrap().id
}

#[tokio::test]
async fn what_is_not_yet_due_or_taken_is_nobodys() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    assert_eq!(sums(&world, id).await, (0, vec![]));
    world.advance(35);
    assert_eq!(sums(&world, id).await, (0, vec![]));
    deliver(&world).await;
    let taken = states(&[("coalesced", 2), ("delivered", 1)]);
    assert_eq!(sums(&world, id).await, (3, taken));
}

#[tokio::test]
async fn what_is_open_is_counted_and_keeps_its_place_when_it_is_settled() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(10);
    deliver(&world).await;
    assert_eq!(sums(&world, id).await, (1, states(&[("waiting", 1)])));
    world.service.cancel(id).await.unwrap();
    assert_eq!(sums(&world, id).await, (1, states(&[("cancelled", 1)])));
}

#[tokio::test]
async fn the_last_instant_of_a_finished_schedule_is_counted() {
    let world = World::new().await;
    let once = world.once("agent-a", "hello", 10).await.id;
    let twice = limited(&world, "10s", 2).await;
    world.advance(60);
    deliver(&world).await;
    assert_eq!(sums(&world, once).await, (1, states(&[("delivered", 1)])));
    let both = states(&[("coalesced", 1), ("delivered", 1)]);
    assert_eq!(sums(&world, twice).await, (2, both));
}

#[tokio::test]
async fn a_cancelled_schedule_accounts_for_what_was_due_and_for_nothing_after_it() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(25);
    world.service.cancel(id).await.unwrap();
    world.advance(100);
    assert_eq!(sums(&world, id).await, (2, states(&[("cancelled", 2)])));
}

#[tokio::test]
async fn what_passes_during_a_pause_is_accounted_for_however_the_pause_ends() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = limited(&world, "10s", 2).await;
        world.service.pause(id, None).await.unwrap();
        ids.push(id);
    }
    world.advance(100);
    let [resumed, replayed, cancelled, updated, ended] = ids[..] else {
        unreachable!()
    };
    world.service.resume(resumed, false).await.unwrap();
    world.service.resume(replayed, true).await.unwrap();
    world.service.cancel(cancelled).await.unwrap();
    let time = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Cron),
            value: "* * * * *".into(),
        }),
        ..Changes::default()
    };
    world.service.update(updated, &time).await.unwrap();
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 1 WHERE id = {ended}"
        ))
        .await;
    adopt(&world).await;
    world.assert_balanced().await;
    world.advance(20);
    deliver(&world).await;
    for (id, counts) in [
        (
            resumed,
            &[("coalesced", 1), ("delivered", 1), ("skipped", 10)][..],
        ),
        (replayed, &[("coalesced", 1), ("delivered", 1)]),
        (cancelled, &[("cancelled", 10)]),
        (updated, &[("skipped", 10)]),
        (
            ended,
            &[("coalesced", 1), ("delivered", 1), ("skipped", 10)],
        ),
    ] {
        let planned = counts.iter().map(|(_, n)| n).sum();
        assert_eq!(sums(&world, id).await, (planned, states(counts)), "{id}");
    }
}

#[tokio::test]
async fn what_was_due_before_a_pause_uses_up_repetitions_and_nothing_follows_the_last() {
    let world = World::new().await;
    let id = limited(&world, "10s", 3).await;
    world.advance(35);
    world.service.pause(id, None).await.unwrap();
    world.advance(100);
    let resumed = world.service.resume(id, false).await.unwrap();
    assert_eq!(resumed.next_run, None);
    assert_eq!(sums(&world, id).await, (3, states(&[("skipped", 3)])));
}

#[tokio::test]
async fn another_time_skips_what_was_due_under_the_old_one() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(25);
    let time = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Interval),
            value: "7s".into(),
        }),
        ..Changes::default()
    };
    world.service.update(id, &time).await.unwrap();
    world.advance(15);
    deliver(&world).await;
    let counts = states(&[("coalesced", 1), ("delivered", 1), ("skipped", 2)]);
    assert_eq!(sums(&world, id).await, (4, counts));
}

#[tokio::test]
async fn another_end_or_number_leaves_what_is_due_as_it_is() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(25);
    let number = Changes {
        max_repetitions: Some(3),
        ..Changes::default()
    };
    world.service.update(id, &number).await.unwrap();
    world.advance(100);
    deliver(&world).await;
    let counts = states(&[("coalesced", 2), ("delivered", 1)]);
    assert_eq!(sums(&world, id).await, (3, counts));
}

#[tokio::test]
async fn a_change_of_clocks_makes_no_instant_and_loses_none() {
    let world = World::new().await;
    for (kind, value) in [
        (ScheduleType::Cron, "30 2 * * *"),
        (ScheduleType::Cron, "*/30 * * * *"),
        (ScheduleType::Interval, "1d"),
        (ScheduleType::Interval, "90m"),
    ] {
        let mut wish = world.wish("agent-a", "tick", kind, value);
        wish.when.timezone = Some("Europe/Berlin".into());
        world.service.register(&wish).await.unwrap();
    }
    // Through both changes of the year, in steps that fall on no instant.
    for _ in 0..40 {
        world.advance(7 * 86_400 + 1_234);
        deliver(&world).await;
        world.assert_balanced().await;
    }
    let sums: Vec<Option<i64>> = (world.service.db.accounts().await.unwrap().iter())
        .map(|account| account.expected)
        .collect();
    assert_eq!(sums, [Some(281), Some(13_467), Some(280), Some(4_489)]);
}

#[tokio::test]
async fn an_instant_set_back_by_another_program_counts_once() {
    let world = World::new().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    let back = |time: &str| format!("UPDATE schedules SET next_run = '2026-02-01 {time}'");
    for _ in 0..3 {
        world.advance(600);
        deliver(&world).await;
    }
    assert_eq!(sums(&world, id).await, (3, states(&[("delivered", 3)])));

    // Onto an instant that is settled, with two others that are and one that is due.
    world.advance(600);
    foreign.run(&back("12:10:00")).await;
    deliver(&world).await;
    assert_eq!(sums(&world, id).await, (4, states(&[("delivered", 4)])));

    // Onto one that was never planned, in the old phase from there on.
    foreign.run(&back("12:00:00")).await;
    deliver(&world).await;
    let counts = states(&[("coalesced", 1), ("delivered", 4)]);
    assert_eq!(sums(&world, id).await, (5, counts));

    // In another phase: 12:05, 12:15, 12:25 and 12:35 are new.
    foreign.run(&back("12:05:00")).await;
    deliver(&world).await;
    let counts = states(&[("coalesced", 4), ("delivered", 5)]);
    assert_eq!(sums(&world, id).await, (9, counts));

    // Into a range that was not sent one by one: it has its outcome.
    foreign.run(&back("12:15:00")).await;
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 5);
    assert_eq!(sums(&world, id).await.0, 9);
}

#[tokio::test]
async fn whatever_another_program_does_to_a_row_the_account_is_balanced() {
    let world = World::new().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    let id = foreign
        .insert("interval", "10m", "2026-02-01 11:30:00")
        .await;
    for change in [
        "schedule_value = '7m'",
        "active = 0",
        "next_run = '2026-02-01 12:11:00'",
        "active = 1",
        "next_run = '2026-02-01 12:20:00', schedule_value = '3m'",
        "schedule_type = 'cron', schedule_value = '*/4 * * * *'",
        "schedule_value = 'nonsense'",
        "schedule_value = '*/5 * * * *'",
        "max_repetitions = repetitions + 4",
        "timezone = 'Asia/Kathmandu'",
        "next_run = '2026-02-01 13:00:00', active = 0",
        "active = 1, max_repetitions = NULL",
        "schedule_type = 'once'",
        "schedule_type = 'interval', schedule_value = '20m'",
        "end_at = '2026-02-01 15:00:00'",
    ] {
        for _ in 0..2 {
            world.advance(421);
            deliver(&world).await;
            world.assert_balanced().await;
        }
        world.advance(1_000);
        foreign.run(&format!("UPDATE schedules SET {change}")).await;
        adopt(&world).await;
        world.assert_balanced().await;
    }
    world.advance(86_400);
    deliver(&world).await;
    let account = account_of(&world, id).await;
    assert!(account.expected.unwrap() > 30, "{account:?}");
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Finished);
}

#[tokio::test]
async fn a_deleted_schedule_accounts_for_what_was_due_of_it() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(10);
    deliver(&world).await;
    let uid = account_of(&world, id).await.uid;
    world.advance(25);
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign.run("DELETE FROM schedules").await;
    world.assert_balanced().await;
    deliver(&world).await;
    let account = world.service.db.account(uid).await.unwrap();
    assert_eq!(account.schedule_id, None);
    assert_eq!(account.expected, Some(3));
    assert_eq!(
        world.account().await,
        [(State::Delivered, 1), (State::Cancelled, 2)]
    );
}

#[tokio::test]
async fn a_deleted_schedule_that_was_paused_or_over_leaves_nothing_unaccounted_for() {
    let world = World::new().await;
    let paused = world.every("agent-a", "tick", "10s").await.id;
    let finished = world.once("agent-b", "hello", 5).await.id;
    let cancelled = world.every("agent-c", "tick", "10s").await.id;
    world.service.pause(paused, None).await.unwrap();
    world.advance(15);
    deliver(&world).await;
    world.service.cancel(cancelled).await.unwrap();
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign.run("DELETE FROM schedules").await;
    world.advance(SignedDuration::from_hours(1).as_secs());
    deliver(&world).await;
    let accounts = world.service.db.accounts().await.unwrap();
    let mut sums: Vec<_> = accounts.iter().map(|a| a.expected).collect();
    sums.sort();
    let _ = finished;
    assert_eq!(sums, [Some(1), Some(1), Some(361)]);
    world.assert_balanced().await;
}
