//! When others change thousands of rows at once, nobody has to wait: the rows are adopted in parts,
//! and what is due is sent in between.

use std::collections::VecDeque;

use promptyoself::clock::Clock;
use promptyoself::db::AT_ONCE;
use promptyoself::scheduler::core::{Action, Core, Event, Mode, StoreAction, Write};
use promptyoself::scheduler::store::{SchedulerStore, StoreReply};

use crate::daemon::Program;
use crate::fake_letta::FakeLetta;
use crate::foreign_writers::raw::Foreign;
use crate::world::World;
use promptyoself::models::Claim;

/// How many rows each change is about.
const ROWS: i64 = 250;

/// A change of many rows, and how many of them are still to be put in order.
struct Change {
    name: &'static str,
    sql: &'static str,
    left: &'static str,
}

/// Everything that a scheduler puts in order. The schedules of [`fill`] are numbered from 1001 on.
const CHANGES: [Change; 8] = [
    Change {
        name: "changed schedules",
        sql: "UPDATE schedules SET prompt_text = 'other' WHERE id > 1000",
        left: "SELECT count(*) FROM schedules WHERE touched = 1",
    },
    Change {
        name: "schedules that can't be read any more",
        sql: "UPDATE schedules SET schedule_value = 'nonsense' WHERE id > 1000",
        left: "SELECT count(*) FROM schedules WHERE touched = 1",
    },
    Change {
        name: "deleted schedules",
        sql: "DELETE FROM schedules WHERE id > 1000",
        left: "SELECT count(*) FROM deleted_schedules",
    },
    Change {
        name: "waiting prompts of schedules that were replaced",
        sql: "UPDATE occurrences SET state = 'waiting', finished_at = NULL; \
              DROP TRIGGER schedules_deleted; DELETE FROM schedules WHERE id > 1000",
        left: "SELECT count(*) FROM occurrences WHERE state = 'waiting'",
    },
    Change {
        name: "prompts of a dead scheduler",
        sql: "UPDATE occurrences SET state = 'sending', finished_at = NULL, \
              owner = '11111111-1111-4111-8111-111111111111'",
        left: "SELECT count(*) FROM occurrences WHERE state = 'sending' \
               AND owner = '11111111-1111-4111-8111-111111111111'",
    },
    Change {
        name: "prompts that wait for a time counted from a later now",
        sql: "UPDATE occurrences SET state = 'unknown', finished_at = NULL, \
              not_before = '2030-01-01 00:00:00.000000'",
        left: "SELECT count(*) FROM occurrences WHERE not_before > '2027-01-01'",
    },
    Change {
        name: "waiting prompts that can't be read",
        sql: "UPDATE occurrences SET state = 'waiting', finished_at = NULL, generation = 'x'",
        left: "SELECT count(*) FROM occurrences WHERE state = 'waiting'",
    },
    Change {
        name: "incidents of deleted schedules",
        sql: "INSERT INTO incidents (kind, subject, reason, opened_at) \
              SELECT 'dead', uid || 'x', 'x', created_at FROM schedules WHERE id > 1000",
        left: "SELECT count(*) FROM incidents WHERE closed_at IS NULL",
    },
];

/// Schedules that are not due for long, each with a prompt that was sent.
async fn fill(foreign: &mut Foreign) {
    let uid = "printf('%08x-0000-4000-8000-%012x', i, i)";
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 1000 + {ROWS})"
    );
    let (past, future) = (
        "'2026-01-20 00:00:00.000000'",
        "'2029-01-01 00:00:00.000000'",
    );
    foreign
        .run(&format!(
            "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, uid, timezone, anchor, lifecycle, planned_next_run, \
             row_version, touched) {rows} SELECT i, 'agent-' || i, 'x', 'interval', '1h', {future}, \
             {past}, 1, {uid}, 'UTC', {past}, 'active', {future}, 1, 0 FROM n; \
             INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, \
             anchor, first_instant) {rows} SELECT {uid}, {past}, 'interval', '1h', 'UTC', {past}, \
             {future} FROM n; \
             INSERT INTO payloads (hash, body) VALUES ('h', '{{\"messages\": []}}'); \
             INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, lane, \
             payload, finished_at) {rows} SELECT {uid}, 'agent-' || i, 'schedule', {past}, {past}, \
             'delivered', 'letta/agent-' || i, 'h', {past} FROM n;"
        ))
        .await;
}

/// A scheduler whose steps are made one by one.
struct Steps {
    core: Core,
    store: SchedulerStore,
    clock: Clock,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
}

impl Steps {
    fn new(world: &World) -> Self {
        Steps {
            core: Core::new(world.settings.clone(), Mode::Forever),
            store: SchedulerStore::new(&world.scheduler(&world.service)).unwrap(),
            clock: world.clock.clone(),
            events: VecDeque::from([Event::Tick]),
            actions: VecDeque::new(),
        }
    }

    /// Carries out the next action; `None` if there is none. Nothing is sent or looked for.
    async fn next(&mut self) -> Option<&'static str> {
        while self.actions.is_empty() {
            let event = self.events.pop_front()?;
            let moment = self.clock.moment();
            self.store.begin_step(moment);
            self.actions.extend(self.core.step(moment, event));
        }
        let action = self.actions.pop_front()?;
        let name = match &action {
            Action::Store(StoreAction::TakeSnapshot | StoreAction::TakeLargerSnapshot) => "look",
            Action::Write(Write::Claim(..)) => "claim",
            Action::Store(StoreAction::Beat(_)) => "beat",
            Action::Finish => "finish",
            _ => "other",
        };
        let carried = match action {
            Action::Write(write) => self.store.write(vec![write]).await.remove(0),
            Action::Store(action) => self.store.execute(action).await,
            Action::Talk(_) | Action::Finish => StoreReply::Done,
        };
        match carried {
            StoreReply::Event(Event::Claimed(candidate, claim)) => {
                let is_sent = matches!(claim, Claim::Job(_));
                self.events.push_back(Event::Claimed(candidate, claim));
                return Some(if is_sent { "send" } else { "claim" });
            }
            StoreReply::Event(event) => self.events.push_back(event),
            StoreReply::Done => {}
            StoreReply::RetrySettle(settling) => panic!("{settling:?}"),
        }
        Some(name)
    }
}

async fn left(foreign: &mut Foreign, change: &Change) -> i64 {
    foreign.text(change.left).await.parse().unwrap()
}

#[tokio::test]
async fn what_is_due_comes_between_the_parts_of_any_change_of_many_rows() {
    let at_once = i64::try_from(AT_ONCE).unwrap();
    for change in CHANGES {
        let name = change.name;
        let world = World::new().await;
        let mut foreign = Foreign::connect(&world.path()).await;
        for n in 0..5 {
            world.once(&format!("other-{n}"), "hello", 1).await;
        }
        fill(&mut foreign).await;
        world.advance(1);
        foreign.run(change.sql).await;
        assert_eq!(left(&mut foreign, &change).await, ROWS, "{name}");
        let mut steps = Steps::new(&world);
        let (mut before, mut claimed) = (ROWS, 0);
        while let Some(action) = steps.next().await {
            let after = left(&mut foreign, &change).await;
            assert!(
                before - after <= at_once,
                "{name}: {} at once",
                before - after
            );
            if action == "send" {
                claimed += 1;
                assert!(
                    claimed > 1 || after > 0,
                    "{name}: nothing was sent until all was in order"
                );
            }
            before = after;
        }
        assert_eq!((before, claimed), (0, 5), "{name}");
    }
}

#[tokio::test]
async fn a_stop_is_heard_between_the_parts() {
    for change in CHANGES {
        let name = change.name;
        let world = World::new().await;
        let mut foreign = Foreign::connect(&world.path()).await;
        fill(&mut foreign).await;
        foreign.run(change.sql).await;
        let mut steps = Steps::new(&world);
        while left(&mut foreign, &change).await == ROWS {
            steps.next().await.unwrap();
        }
        steps.events.push_front(Event::Stop);
        let mut last = None;
        while let Some(action) = steps.next().await {
            last = Some(action);
        }
        assert_eq!(last, Some("finish"), "{name}");
        assert!(left(&mut foreign, &change).await > 0, "{name}");
    }
}

#[tokio::test]
async fn a_scheduler_that_runs_once_puts_everything_in_order_first() {
    // Incidents are reviewed with each beat, and it does not stay for another one.
    for change in CHANGES
        .into_iter()
        .filter(|c| !c.name.starts_with("incidents"))
    {
        let world = World::new().await;
        let mut foreign = Foreign::connect(&world.path()).await;
        fill(&mut foreign).await;
        foreign.run(change.sql).await;
        world.start_on(&world.service, Mode::Once).ended().await;
        let left = left(&mut foreign, &change).await;
        assert_eq!(left, 0, "{}", change.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_many_rows_is_told_in_few_lines() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let mut foreign = Foreign::connect(&database).await;
    fill(&mut foreign).await;
    foreign
        .run(
            "UPDATE schedules SET schedule_value = iif(id <= 1030, 'nonsense', '2h') \
             WHERE id > 1000",
        )
        .await;
    while foreign
        .text("SELECT count(*) FROM schedules WHERE touched = 1")
        .await
        != "0"
    {
        crate::daemon::pause().await;
    }
    let log = daemon.stop();
    let lines = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(lines("adopted"), 1, "{log}");
    assert_eq!(lines("adopted 220 schedules"), 1, "{log}");
    assert_eq!(lines("can't be read"), 11, "{log}");
    assert_eq!(lines("20 more schedules"), 1, "{log}");
}

#[tokio::test]
async fn a_thousand_due_at_once_are_not_read_with_each_look_and_none_is_left_out() {
    let world = World::new().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    // The oldest are all one agent's, whose turn goes on: the others are not behind it.
    foreign
        .run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, \
             active) SELECT iif(i <= 2200, 'slow', 'agent-' || i), 'x' || i, 'once', 'x', \
             '2026-02-01 11:00:00.' || printf('%06d', i), 1 FROM n",
        )
        .await;
    world.target.hold("slow");
    let mut running = world.start();
    let sent = world.target.wait_for_sent(301).await;
    assert_eq!(sent.iter().filter(|s| s.agent == "slow").count(), 1);
    world.target.release("slow");
    for _ in 0..2_500 {
        running.outcome().await;
    }
    running.stop().await;
    let slow: Vec<String> = (world.target.sent().into_iter())
        .filter(|s| s.agent == "slow")
        .filter_map(|s| s.text.rsplit('x').next().map(str::to_owned))
        .collect();
    let in_order: Vec<String> = (1..=2_200).map(|n| n.to_string()).collect();
    assert_eq!(slow, in_order);
}

#[tokio::test]
async fn a_snapshot_reads_a_bounded_number_of_due_schedules() {
    let world = World::new().await;
    for n in 0..3 {
        world.once(&format!("agent-{n}"), "x", 60 + n).await;
    }
    world.advance(120);
    let (due, unreadable) = world
        .service
        .db
        .list_oldest_due(world.now(), 2)
        .await
        .unwrap();
    let whose: Vec<&str> = due.iter().map(|d| d.agent_id.as_str()).collect();
    assert_eq!((whose, unreadable.len()), (vec!["agent-0", "agent-1"], 0));
}
