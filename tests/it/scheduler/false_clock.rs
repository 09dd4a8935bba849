//! A wrong clock that was believed: once it is right, everything is replanned and the account is
//! balanced.

use jiff::{SignedDuration, Timestamp};
use promptyoself::models::{
    Channel, IncidentKind, Lifecycle, NextMessage, PromptSchedule, ScheduleType, State,
};
use promptyoself::service::{Changes, Wish};

use crate::foreign_writers::raw::Foreign;
use crate::world::{Running, World};

const YEARS: i64 = 3_653 * 24 * 3_600;

fn set(world: &World, seconds: i64) {
    let by = SignedDuration::from_secs(seconds);
    world.clock.set(world.now() + by);
}

fn after(world: &World, seconds: i64) -> Timestamp {
    world.now() + SignedDuration::from_secs(seconds)
}

async fn get(world: &World, id: i64) -> PromptSchedule {
    world.service.db.get_schedule(id).await.unwrap().unwrap()
}

/// Lets tasks go on until this holds.
macro_rules! until {
    ($condition:expr) => {
        while !$condition {
            tokio::task::yield_now().await;
        }
    };
}

mod foreign;

/// Starts a scheduler on a machine whose clock is ahead by `ahead`, and lets it believe that.
async fn believe(world: &World, ahead: i64) -> Running {
    world.clock.reboot();
    set(world, ahead);
    let running = world.start();
    // If Letta's clock bears it out, it holds no longer than the asking takes.
    until!(has_looked(world).await);
    world.advance(60);
    until!(!is_held(world).await);
    running
}

async fn is_held(world: &World) -> bool {
    let status = world.service.status().await.unwrap();
    status.schedulers.is_empty() || status.schedulers.iter().any(|s| s.holding.is_some())
}

/// Whether a scheduler has looked at the clock.
async fn has_looked(world: &World) -> bool {
    !world.service.db.list_schedulers().await.unwrap().is_empty()
}

/// Waits until nothing is due or open.
async fn at_rest(world: &World) {
    let db = &world.service.db;
    until!(
        db.get_due_schedules(world.now()).await.unwrap().is_empty()
            && db.list_open_occurrences().await.unwrap().is_empty()
    );
}

/// Waits until what the false clock has planned is planned anew.
async fn planned_anew(world: &World) {
    until!(world.service.db.latest_past().await.unwrap() <= Some(world.now()));
}

/// A world whose database knows what time it is.
async fn known_world() -> World {
    let world = World::new().await;
    let running = world.start();
    until!(
        world
            .service
            .db
            .known_times()
            .await
            .unwrap()
            .trusted
            .is_some()
    );
    running.stop().await;
    world
}

/// The open incidents are the one of the clock.
async fn assert_told_once(world: &World) {
    let incidents = world.service.db.list_open_incidents().await.unwrap();
    let kinds: Vec<IncidentKind> = incidents.iter().map(|i| i.kind).collect();
    assert_eq!(kinds, [IncidentKind::Clock], "{incidents:?}");
}

#[tokio::test]
async fn every_schedule_runs_at_its_next_real_instant_once_the_clock_is_right() {
    let world = known_world().await;
    let every = world.every("agent-a", "every", "10m").await.id;
    let cron = world
        .register("agent-b", "cron", ScheduleType::Cron, "0 * * * *")
        .await
        .id;
    let once = world.once("agent-c", "once", 1_800).await.id;
    let mut limited = world.wish("agent-d", "limited", ScheduleType::Interval, "20m");
    limited.when.max_repetitions = Some(3);
    let limited = world.service.register(&limited).await.unwrap().id;
    let mut ending = world.wish("agent-e", "ending", ScheduleType::Interval, "30m");
    ending.when.end_at = Some("2026-02-01T14:00:00Z".into());
    let ending = world.service.register(&ending).await.unwrap().id;
    let paused = world.every("agent-f", "paused", "15m").await.id;
    world.service.pause(paused, None).await.unwrap();
    let started = world.now();

    let mut running = believe(&world, YEARS).await;
    // By the false clock everything is due: of the recurring ones the newest is sent, the one-shot
    // is too late.
    world.target.wait_for_answered(4).await;
    until!(get(&world, once).await.lifecycle == Lifecycle::Finished);
    until!(world.active().await == 2);
    at_rest(&world).await;
    set(&world, -YEARS);
    planned_anew(&world).await;
    world.assert_balanced().await;
    assert_told_once(&world).await;
    for (id, minutes) in [
        (every, 10),
        (cron, 60),
        (once, 30),
        (limited, 20),
        (ending, 30),
    ] {
        let schedule = get(&world, id).await;
        let due = started + SignedDuration::from_mins(minutes);
        assert_eq!(
            (schedule.next_run, schedule.lifecycle),
            (Some(due), Lifecycle::Active),
            "{schedule:?}"
        );
    }
    assert_eq!(get(&world, paused).await.lifecycle, Lifecycle::Paused);
    // What was sent by the false clock was of instants that are years away, or of the last ones.
    let before = world.target.sent().len();
    let already: Vec<i64> = (world.occurrences().await.iter())
        .filter(|o| o.state == State::Delivered)
        .map(|o| o.id)
        .collect();
    let mut sent = Vec::new();
    while world.now() < started + SignedDuration::from_hours(3) {
        world.advance(60);
        at_rest(&world).await;
    }
    // What is settled is told a moment later.
    running.begin_stop();
    while let Some(outcome) = running.reports.recv().await {
        if outcome.state == State::Delivered && !already.contains(&outcome.occurrence_id) {
            sent.push((outcome.schedule_id.unwrap(), outcome.intended_at));
        }
    }
    running.ended().await;
    assert!(world.target.sent().len() > before);
    let of = |id: i64| sent.iter().filter(|(i, _)| *i == id).count();
    assert_eq!((of(every), of(cron), of(once)), (18, 3, 1), "{sent:?}");
    world.assert_balanced().await;
    let mut otids: Vec<_> = world.target.sent().iter().map(|s| s.otid).collect();
    otids.sort_unstable();
    otids.dedup();
    assert_eq!(otids.len(), world.target.sent().len());
    // Three were asked for, and the last one was sent by the false clock before its time.
    assert_eq!(of(limited) + already_of(&world, limited, &already).await, 3);
    assert_eq!(get(&world, limited).await.lifecycle, Lifecycle::Finished);
    assert_eq!(get(&world, ending).await.lifecycle, Lifecycle::Finished);
    assert_told_once(&world).await;
}

async fn already_of(world: &World, id: i64, already: &[i64]) -> usize {
    let uid = get(world, id).await.uid.unwrap();
    (world.occurrences().await.iter())
        .filter(|o| o.uid == uid && o.state == State::Delivered)
        .filter(|o| already.contains(&o.id))
        .count()
}

#[tokio::test]
async fn a_false_clock_corrected_while_no_scheduler_ran_is_noticed_by_the_next_one() {
    let world = known_world().await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    let due = get(&world, id).await.next_run.unwrap();
    let running = believe(&world, YEARS).await;
    world.target.wait_for_answered(1).await;
    until!(get(&world, id).await.next_run.unwrap() > after(&world, 0));
    at_rest(&world).await;
    running.kill().await;
    world.clock.reboot();
    set(&world, -YEARS);
    let mut running = world.start();
    planned_anew(&world).await;
    assert_eq!(get(&world, id).await.next_run, Some(due));
    world.assert_balanced().await;
    assert_told_once(&world).await;
    world.advance(600);
    assert_eq!(running.until(State::Delivered).await.intended_at, due);
    running.stop().await;
    world.assert_balanced().await;
    // It is over, and told of for a day.
    let running = world.start();
    world.advance(25 * 3_600);
    until!(
        world
            .service
            .db
            .list_open_incidents()
            .await
            .unwrap()
            .is_empty()
    );
    running.stop().await;
}

#[tokio::test]
async fn what_was_made_resumed_and_changed_by_a_false_clock_is_counted_from_the_right_one() {
    let world = known_world().await;
    let resumed = world.every("agent-a", "resumed", "10m").await.id;
    world.service.pause(resumed, None).await.unwrap();
    let due = get(&world, resumed).await.next_run.unwrap();
    let changed = world.every("agent-a", "changed", "1h").await.id;
    world.clock.reboot();
    set(&world, YEARS);
    let made = world.every("agent-b", "made", "30m").await.id;
    let once = world.once("agent-b", "in 20 minutes", 1_200).await.id;
    world.service.resume(resumed, false).await.unwrap();
    let changes = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Interval),
            value: "2h".into(),
        }),
        ..Changes::default()
    };
    world.service.update(changed, &changes).await.unwrap();
    let paused = world.every("agent-c", "paused", "10m").await.id;
    world.service.pause(paused, None).await.unwrap();
    set(&world, -YEARS);
    let mut running = world.start();
    planned_anew(&world).await;
    world.assert_balanced().await;
    for (id, at) in [
        (resumed, due),
        (changed, after(&world, 7_200)),
        (made, after(&world, 1_800)),
        (once, after(&world, 1_200)),
        (paused, after(&world, 600)),
    ] {
        assert_eq!(get(&world, id).await.next_run, Some(at), "{id}");
    }
    assert_eq!(get(&world, paused).await.paused_at, Some(world.now()));
    assert_told_once(&world).await;
    world.advance(1_200);
    for _ in 0..2 {
        running.until(State::Delivered).await;
    }
    running.stop().await;
    world.assert_balanced().await;
}

#[tokio::test]
async fn an_instant_that_was_sent_too_early_is_not_sent_again_when_its_time_comes() {
    let world = known_world().await;
    let id = world.every("agent-a", "tick", "1h").await.id;
    let started = world.now();
    world.clock.set_synchronised(Some(false));
    // A day ahead: the instants up to tomorrow are coalesced, and tomorrow's is sent today.
    let mut running = believe(&world, 24 * 3_600).await;
    let early = running.until(State::Delivered).await.intended_at;
    assert_eq!(early, started + SignedDuration::from_hours(24));
    set(&world, -24 * 3_600);
    planned_anew(&world).await;
    let mut sent = Vec::new();
    for _ in 0..26 {
        world.advance(3_600);
        until!(get(&world, id).await.next_run.unwrap() > world.now());
        while let Ok(outcome) = running.reports.try_recv() {
            sent.push(outcome.intended_at);
        }
        world.assert_balanced().await;
    }
    world.target.wait_for_answered(26).await;
    running.stop().await;
    assert!(!sent.contains(&early), "{sent:?}");
    assert_eq!(world.target.sent().len(), 26);
    assert!(
        world
            .occurrences()
            .await
            .iter()
            .all(|o| o.state == State::Delivered)
    );
}

#[tokio::test]
async fn no_time_of_the_database_is_left_in_the_future_by_a_false_clock() {
    let world = known_world().await;
    let service = &world.service;
    world.every("agent-a", "tick", "10m").await;
    let by_hand = world.every("agent-b", "by hand", "10m").await.id;
    let mut foreign = Foreign::connect(&world.path()).await;
    set(&world, YEARS);
    service.halt(Some("by the false clock")).await.unwrap();
    service.run(by_hand).await.unwrap();
    foreign
        .run(
            "INSERT INTO held_targets (target, held_since, code, reason) VALUES ('letta', '2036-01-01 00:00:00.000000', 'x', 'y'); \
             INSERT INTO incidents (kind, subject, reason, opened_at, closed_at) \
             VALUES ('dead', 's', 'r', '2036-01-01 00:00:00.000000', '2036-01-01 00:00:00.000000'); \
             INSERT INTO channels VALUES ('url', '2036-01-01 00:00:00.000000'); \
             INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, \
                 expires_at, lease_until, given_up_at) \
             VALUES ('url', 'l', 'dead', 'opened', '{}', '2036-01-01 00:00:00.000000', \
                 '2036-01-01 00:00:00.000000', '2036-01-04 00:00:00.000000', \
                 '2036-01-01 00:00:00.000000', '2036-01-05 00:00:00.000000'); \
             INSERT INTO requests (caller, key, hash, created_at) \
             VALUES ('c', 'k', 'h', '2036-01-01 00:00:00.000000'); \
             INSERT INTO keys (name, hash, created_at, revoked_at) \
             VALUES ('n', 'h', '2036-01-01 00:00:00.000000', '2036-01-01 00:00:00.000000'); \
             INSERT INTO former_installs VALUES ('i', '2036-01-01 00:00:00.000000'); \
             INSERT INTO upgrades VALUES ('u', '2036-01-01 00:00:00.000000'); \
             INSERT INTO schedulers (owner, pid, started_at, heartbeat_at) VALUES \
                 ('x', 1, '2036-01-01 00:00:00.000000', '2036-01-01 00:00:00.000000'); \
             UPDATE clock_readings SET at = '2036-01-01 00:00:00.000000'; \
             UPDATE schedules SET last_run = '2036-01-01 00:00:00.000000', \
                ended_at = '2036-01-01 00:00:00.000000', \
                 created_at = '2036-01-01 00:00:00.000000', row_version = row_version + 1",
        )
        .await;
    set(&world, -YEARS);
    service.db.replan(world.now()).await.unwrap().unwrap();
    // What lies in the future by right: wishes and what is planned, and how long a channel is wanted.
    const FUTURE: [&str; 11] = [
        "next_run",
        "planned_next_run",
        "start_at",
        "end_at",
        "anchor",
        "first_instant",
        "ends_before",
        "first_at",
        "intended_at",
        "stands_since",
        "wanted_until",
    ];
    let columns = foreign
        .text(
            "SELECT group_concat(m.name || '.' || c.name) FROM sqlite_master m \
             JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'DATETIME'",
        )
        .await;
    let mut looked_at = 0;
    for column in columns.split(',') {
        let (table, name) = column.split_once('.').unwrap();
        let latest = foreign
            .text(&format!("SELECT coalesce(max({name}), '') FROM {table}"))
            .await;
        let bound = match name {
            _ if FUTURE.contains(&name) => "2026-02-04 12:00:00.000000",
            "expires_at" => "2026-02-04 12:00:00.000000",
            _ => "2026-02-01 12:00:00.000000",
        };
        // A run by hand keeps the instant under whose name it may have been sent.
        let is_identity = table == "occurrences" && ["first_at", "intended_at"].contains(&name);
        assert!(
            is_identity || latest.as_str() <= bound,
            "{column}: {latest}"
        );
        looked_at += 1;
    }
    assert!(looked_at > 40, "{looked_at}");
    // A notice that was given up too early is to be sent.
    let pending = service.db.outbox_status(world.now()).await.unwrap().pending;
    assert!(pending >= 1);
}

#[tokio::test]
async fn a_clock_in_1970_plans_nothing_anew() {
    let world = known_world().await;
    world.every("agent-a", "tick", "10s").await;
    let mut running = world.start();
    world.advance(35);
    running.until(State::Delivered).await;
    running.stop().await;
    let before = world.account().await;
    assert_eq!(before, [(State::Coalesced, 2), (State::Delivered, 1)]);
    let right = world.now();
    world.clock.reboot();
    world.clock.set(Timestamp::from_second(9).unwrap());
    let running = world.start();
    until!(has_looked(&world).await);
    world.advance(60);
    until!(!is_held(&world).await);
    world.clock.set(right);
    running.stop().await;
    assert_eq!(world.account().await, before);
}

#[tokio::test]
async fn of_instants_that_were_given_up_together_those_that_have_passed_stay_so() {
    let world = known_world().await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    let made = world.now();
    // The machine is off for 35 minutes and starts a year ahead.
    world.advance(35 * 60);
    let running = believe(&world, 365 * 24 * 3_600).await;
    world.target.wait_for_answered(1).await;
    at_rest(&world).await;
    running.kill().await;
    set(&world, -365 * 24 * 3_600);
    let mut running = world.start();
    planned_anew(&world).await;
    assert_eq!(
        world.account().await,
        [(State::Coalesced, 3), (State::Delivered, 1)]
    );
    let due = made + SignedDuration::from_mins(40);
    assert_eq!(get(&world, id).await.next_run, Some(due));
    world.advance(240);
    assert_eq!(running.until(State::Delivered).await.intended_at, due);
    running.stop().await;
    world.assert_balanced().await;
}

#[tokio::test]
async fn a_schedule_that_an_older_version_left_silent_for_years_runs_again() {
    for kind in [
        (ScheduleType::Interval, "10m"),
        (ScheduleType::Cron, "*/10 * * * *"),
    ] {
        let world = known_world().await;
        let id = world.register("agent-a", "tick", kind.0, kind.1).await.id;
        let due = get(&world, id).await.next_run.unwrap();
        let mut foreign = Foreign::connect(&world.path()).await;
        foreign
            .run(
                "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, count, \
                     state, finished_at) SELECT uid, agent_id, 'schedule', next_run, \
                     '2036-02-01 11:50:00.000000', 525600, 'coalesced', \
                     '2036-02-01 12:00:00.000000' FROM schedules; \
                 UPDATE schedules SET next_run = '2036-02-01 12:00:00.000000', \
                     planned_next_run = '2036-02-01 12:00:00.000000', repetitions = 525600, \
                     row_version = row_version + 1; \
                 DELETE FROM clock_readings",
            )
            .await;
        let mut running = world.start();
        planned_anew(&world).await;
        assert_eq!(get(&world, id).await.next_run, Some(due));
        assert_eq!(get(&world, id).await.repetitions, 0);
        world.advance(600);
        assert_eq!(running.until(State::Delivered).await.intended_at, due);
        running.stop().await;
        world.assert_balanced().await;
    }
}

#[tokio::test]
async fn a_schedule_whose_first_instant_is_far_off_by_right_stays_as_it_is() {
    let world = known_world().await;
    let mut later = world.wish("agent-a", "later", ScheduleType::Cron, "0 9 * * *");
    later.when.start_at = Some("2031-01-01T00:00:00Z".into());
    let later = world.service.register(&later).await.unwrap();
    let weekly = world.every("agent-b", "weekly", "1w").await;
    let tick = world.every("agent-c", "tick", "10m").await.id;
    let running = believe(&world, 365 * 24 * 3_600).await;
    world.target.wait_for_answered(2).await;
    at_rest(&world).await;
    running.kill().await;
    set(&world, -365 * 24 * 3_600);
    let running = world.start();
    planned_anew(&world).await;
    for made in [&later, &weekly] {
        assert_eq!(get(&world, made.id).await.next_run, Some(made.next_run));
    }
    assert!(get(&world, tick).await.next_run.unwrap() < after(&world, 600));
    let incidents = world.service.db.list_open_incidents().await.unwrap();
    assert!(
        incidents[0]
            .text
            .contains("2 schedules were replanned (2, 3)"),
        "{incidents:?}"
    );
    running.stop().await;
    world.assert_balanced().await;
}

#[tokio::test]
async fn a_notice_tells_that_the_clock_was_wrong() {
    let world = known_world().await;
    let db = &world.service.db;
    db.listen(&[Channel::Url], world.now()).await.unwrap();
    world.every("agent-a", "tick", "10m").await;
    let running = believe(&world, YEARS).await;
    world.target.wait_for_answered(1).await;
    at_rest(&world).await;
    running.kill().await;
    set(&world, -YEARS);
    let running = world.start();
    planned_anew(&world).await;
    running.stop().await;
    let taken = db.lease_message(Channel::Url, &[], world.now()).await;
    let NextMessage::Due(message) = taken.unwrap() else {
        panic!("nothing is told");
    };
    assert_eq!(
        (message.kind.as_str(), message.event.as_str()),
        ("clock", "opened")
    );
    assert!(
        message
            .body
            .contains("this machine's clock was wrong: it showed 2036-"),
        "{message:?}"
    );
}
