//! The decisions of the core, event by event; each of these laws was once broken in a simulation.

mod order;
mod targets;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Moment;
use promptyoself::letta_client::{ErrorClass, Evidence, Refusal, RefusalKind};
use promptyoself::models::{
    AgentId, Claim, ClaimTerms, DueSchedule, Fault, Job, Lane, Lifecycle, OpenOccurrence, State,
    Trigger, Verdict,
};
use promptyoself::scheduler::Settings;
use promptyoself::scheduler::core::{
    Action, Core, Event, Mode, Snapshot, StoreAction, TargetAction, Write,
};
use promptyoself::scheduler::queue::Source;
use uuid::Uuid;

use crate::fake_target::FakeTarget;
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

fn at(seconds: i64) -> Moment {
    Moment {
        now: Timestamp::from_second(1_000_000 + seconds).unwrap(),
        uptime: SignedDuration::from_secs(seconds),
    }
}

fn lane() -> Lane {
    Lane::new("letta/agent-a")
}

fn agent() -> AgentId {
    AgentId::parse("agent-a").unwrap()
}

/// An occurrence that was sent at 0.
fn open(id: u8, state: State) -> OpenOccurrence {
    OpenOccurrence {
        id: id.into(),
        fence: 1,
        uid: Uuid::from_u128(id.into()),
        agent_id: agent(),
        conversation: None,
        lane: lane(),
        state,
        trigger: Trigger::Schedule,
        intended_at: at(0).now,
        not_before: Some(at(0).now),
        owner: None,
        first_sent_at: Some(at(0).now),
        sent_at: Some(at(0).now),
        doubted_at: None,
        run_id: None,
        failures: 0,
        generation: 0,
        expires_at: Some(at(86_400).now),
        reconcile_until: Some(at(1_800).now),
        paused: false,
        otids: vec![Uuid::from_u128(id.into())],
    }
}

/// A schedule that is due a second after what was sent at 0.
fn due(id: u8) -> (DueSchedule, Lane) {
    let due = DueSchedule {
        id: id.into(),
        uid: Uuid::from_u128(id.into()),
        agent_id: agent(),
        target: None,
        conversation: None,
        next_run: at(1).now,
    };
    (due, lane())
}

/// A core that has looked at second 5 and seen this, with what it wants to do about it.
fn looked(snapshot: Snapshot) -> (Core, Vec<Action>) {
    let mut core = Core::new(Settings::default(), Mode::Forever);
    core.step(at(5), Event::Tick);
    let actions = core.step(at(5), Event::SnapshotTaken(snapshot));
    (core, actions)
}

/// It is proved that its run has failed.
fn failed() -> Evidence {
    let (kind, class) = (RefusalKind::Later, ErrorClass::LlmError);
    Evidence::Absent {
        failed: Some(Refusal::new(kind, class, "the model failed")),
    }
}

fn claims(actions: &[Action]) -> usize {
    let is_claim = |a: &&Action| matches!(a, Action::Write(Write::Claim(_, _)));
    actions.iter().filter(is_claim).count()
}

#[test]
fn what_another_scheduler_lets_wait_is_not_overtaken() {
    let (mut core, actions) = looked(Snapshot {
        open: vec![open(1, State::Waiting)],
        due: vec![due(2)],
        ..Snapshot::default()
    });
    let Some(Action::Write(Write::Claim(oldest, _))) = actions
        .into_iter()
        .find(|a| matches!(a, Action::Write(Write::Claim(_, _))))
    else {
        panic!("the oldest is not claimed");
    };
    // Another scheduler has tried it meanwhile, and its agent is busy.
    let actions = core.step(at(5), Event::Claimed(oldest, Claim::Gone));
    assert_eq!(claims(&actions), 0, "{actions:?}");
    // The next look tells.
    let actions = core.step(at(6), Event::Tick);
    assert!(
        matches!(actions[..], [Action::Store(StoreAction::TakeSnapshot)]),
        "{actions:?}"
    );
}

/// Whether an absence that was asked for and heard at these moments leads to another try.
fn absence_is_proof(asked: Moment, heard: Moment) -> bool {
    let mut core = Core::new(Settings::default(), Mode::Forever);
    core.step(at(0), Event::Tick);
    let snapshot = Snapshot {
        open: vec![open(1, State::Unknown)],
        ..Snapshot::default()
    };
    let actions = core.step(asked, Event::SnapshotTaken(snapshot));
    let asks = actions
        .iter()
        .any(|a| matches!(a, Action::Talk(TargetAction::Find(_))));
    assert!(asks, "{actions:?}");
    let absent = Evidence::Absent { failed: None };
    let found = Event::Found(Box::new(open(1, State::Unknown)), absent);
    is_sent_again(&core.step(heard, found))
}

#[test]
fn a_clock_set_ahead_makes_no_proof_of_absence() {
    // A second by the clock that never jumps, two minutes by the other.
    let set_ahead = Moment {
        now: at(120).now,
        ..at(1)
    };
    assert!(!absence_is_proof(set_ahead, set_ahead));
    assert!(absence_is_proof(at(40), at(41)));
}

#[test]
fn an_absence_tells_of_the_time_at_which_it_was_asked_for() {
    assert!(!absence_is_proof(at(5), at(66)));
    assert!(absence_is_proof(at(40), at(66)));
}

fn is_sent_again(actions: &[Action]) -> bool {
    actions.iter().any(|action| match action {
        Action::Write(Write::Settle(settling)) => {
            matches!(settling.verdict, Verdict::Waiting { .. })
        }
        _ => false,
    })
}

#[test]
fn what_is_proved_absent_is_not_looked_for_again() {
    let (mut core, _) = looked(Snapshot {
        open: vec![open(1, State::Unknown)],
        ..Snapshot::default()
    });
    let found = Event::Found(Box::new(open(1, State::Unknown)), failed());
    let actions = core.step(at(66), found);
    let Some(Action::Write(Write::Settle(settling))) = actions.into_iter().next() else {
        panic!("nothing is settled");
    };
    let actions = core.step(at(66), Event::Settled(settling, Some(State::Waiting)));
    let asks = actions
        .iter()
        .any(|a| matches!(a, Action::Talk(TargetAction::Find(_))));
    assert!(!asks, "{actions:?}");
}

#[tokio::test]
async fn a_clock_that_was_set_back_while_nobody_looked_keeps_nothing_waiting() {
    let mut world = World::new().await;
    world.settings.orphaned_run_age = SignedDuration::from_hours(1);
    world.once("agent-a", "hello", 1).await;
    world.target.hold("agent-a");
    world.advance(1);
    let first = world.start();
    world.target.wait_for_sent(1).await;
    first.kill().await;
    world
        .clock
        .set(world.now() - SignedDuration::from_hours(25));
    let mut second = world.start();
    // Nothing shows a trace of it, and half a minute by the clock as it stands is proof enough.
    second.until(State::Unknown).await;
    let open = world.service.db.list_open_occurrences().await.unwrap();
    assert!(
        open[0].sent_at <= Some(world.now()),
        "{:?}",
        open[0].sent_at
    );
    assert!(open[0].not_before <= Some(world.now() + SignedDuration::from_mins(10)));
    world.advance(40);
    second.until(State::Waiting).await;
}

#[tokio::test]
async fn a_prompt_of_a_schedule_that_broke_meanwhile_is_not_tried_again() {
    let world = World::new().await;
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let (db, now) = (&world.service.db, world.now());
    let due = db.get_due_schedules(now).await.unwrap().remove(0);
    let terms = ClaimTerms {
        owner: Uuid::from_u128(7),
        max_age: SignedDuration::from_hours(24),
        once_max_lateness: SignedDuration::from_hours(24),
    };
    let claim = db.claim_due(&due, &lane(), &terms, now).await.unwrap();
    let Claim::Job(job) = claim else {
        panic!("{claim:?}");
    };
    let mut other = Foreign::connect(&world.path()).await;
    other
        .run("UPDATE schedules SET schedule_value = 'nonsense'")
        .await;
    db.adopt_touched(&world.service.zone, now).await.unwrap();
    let refused = Verdict::Waiting {
        not_before: now,
        fault: Fault::new("busy", "in another turn"),
        counts: false,
        fresh_otid: false,
    };
    let settled = db.settle(job.occurrence_id, job.fence, &refused, now).await;
    assert_eq!(settled.unwrap().unwrap().state, State::Cancelled);
}

#[tokio::test]
async fn a_paused_schedule_that_another_program_replans_is_replayed_by_the_new_plan() {
    let world = World::new().await;
    let id = world.every("agent-a", "hello", "50s").await.id;
    let service = &world.service;
    service.pause(id, None).await.unwrap();
    world.advance(100);
    let mut other = Foreign::connect(&world.path()).await;
    other
        .run("UPDATE schedules SET schedule_value = '1h'")
        .await;
    let adopted = service.db.adopt_touched(&service.zone, world.now()).await;
    assert_eq!(adopted.unwrap()[0].lifecycle, Lifecycle::Paused);
    let replanned_at = world.now();
    world.advance(3_700);
    service.resume(id, true).await.unwrap();
    let mut running = world.start();
    let outcome = running.until(State::Delivered).await;
    assert_eq!(
        outcome.intended_at,
        replanned_at + SignedDuration::from_hours(1)
    );
    running.stop().await;
    let accounts = service.db.accounts().await.unwrap();
    assert!(accounts[0].balanced, "{accounts:?}");
}

/// A core of which the database refuses the claim of the older of two schedules of one lane, again
/// and again, a look before each try.
fn refused_times(times: u32) -> (Core, Vec<Action>, i64) {
    let mut core = Core::new(Settings::default(), Mode::Forever);
    core.step(at(0), Event::Tick);
    let mut now = 5;
    for n in 0..times {
        let snapshot = Snapshot {
            due: vec![due(1), due(2)],
            ..Snapshot::default()
        };
        let actions = core.step(at(now), Event::SnapshotTaken(snapshot));
        let claimed = actions.into_iter().find_map(|action| match action {
            Action::Write(Write::Claim(candidate, _)) => Some(candidate),
            _ => None,
        });
        let refused = Claim::Failed("not this one".into());
        let actions = core.step(at(now), Event::Claimed(claimed.unwrap(), refused));
        if n + 1 == times {
            return (core, actions, now);
        }
        now += 1 << n;
    }
    panic!("it was never refused");
}

#[test]
fn a_refused_claim_keeps_its_place_at_first() {
    let (mut core, actions, now) = refused_times(1);
    assert_eq!(claims(&actions), 0, "{actions:?}");
    // And it is not tried again at once, nor for ever at the same pace.
    assert_eq!(core.wake_at(at(now).now), at(now + 1).now);
    let actions = core.step(at(now + 1), Event::Tick);
    assert_eq!(claims(&actions), 1, "{actions:?}");
    let (core, _, now) = refused_times(2);
    assert_eq!(core.wake_at(at(now).now), at(now + 2).now);
}

#[test]
fn a_claim_that_is_refused_again_and_again_is_overtaken() {
    let (_, actions, _) = refused_times(4);
    let Some(Action::Write(Write::Claim(next, _))) = actions
        .iter()
        .find(|a| matches!(a, Action::Write(Write::Claim(_, _))))
    else {
        panic!("the next one is not claimed: {actions:?}");
    };
    let Source::Due(next) = &next.source else {
        panic!("{next:?}");
    };
    assert_eq!(next.uid, Uuid::from_u128(2));
}

#[test]
fn a_snapshot_continues_only_if_nothing_it_showed_can_be_claimed() {
    let snapshot = || Snapshot {
        due: vec![due(1)],
        more_due: true,
        ..Snapshot::default()
    };
    let is_look = |a: &&Action| {
        matches!(
            a,
            Action::Store(StoreAction::TakeSnapshot | StoreAction::TakeLargerSnapshot)
        )
    };
    let (mut core, actions) = looked(snapshot());
    assert_eq!(actions.iter().filter(is_look).count(), 0, "{actions:?}");
    let claimed = actions.into_iter().find_map(|action| match action {
        Action::Write(Write::Claim(candidate, _)) => Some(candidate),
        _ => None,
    });
    // Its lane is busy, and there is no other: what comes after it may be for another lane.
    let busy = Event::Claimed(claimed.unwrap(), Claim::LaneBusy);
    let actions = core.step(at(5), busy);
    assert!(
        matches!(
            actions[..],
            [Action::Store(StoreAction::TakeLargerSnapshot)]
        ),
        "{actions:?}"
    );
    // Now all is known.
    let all = Snapshot {
        more_due: false,
        ..snapshot()
    };
    let actions = core.step(at(5), Event::SnapshotTaken(all));
    assert_eq!(actions.iter().filter(is_look).count(), 0, "{actions:?}");
}

/// So many prompts of unknown fate, each in a lane of its own.
fn unknown(ids: std::ops::Range<u8>) -> Vec<OpenOccurrence> {
    let of_lane = |id: u8| OpenOccurrence {
        lane: Lane::new(format!("letta/agent-{id}")),
        ..open(id, State::Unknown)
    };
    ids.map(of_lane).collect()
}

fn searched(actions: &[Action]) -> Vec<OpenOccurrence> {
    let found = actions.iter().filter_map(|action| match action {
        Action::Talk(TargetAction::Find(open)) => Some((**open).clone()),
        _ => None,
    });
    found.collect()
}

#[test]
fn however_many_searches_hang_those_that_could_be_settled_are_made_soon() {
    let (hang, clear) = (1..41, 41..44);
    let (mut core, actions) = looked(Snapshot {
        open: unknown(hang.start..clear.end),
        ..Snapshot::default()
    });
    let mut under_way = searched(&actions);
    let mut cleared = 0;
    // Each search that hangs is given up after half a minute.
    for round in 1..=2 {
        let now = at(5 + 30 * round);
        for search in std::mem::take(&mut under_way) {
            let evidence = if clear.contains(&u8::try_from(search.id).unwrap()) {
                cleared += 1;
                failed()
            } else {
                let (kind, class) = (RefusalKind::TargetTrouble, ErrorClass::Timeout);
                Evidence::Refused(Refusal::new(kind, class, "silent"))
            };
            let mut actions = core.step(now, Event::Found(Box::new(search), evidence));
            if actions
                .iter()
                .any(|a| matches!(a, Action::Talk(TargetAction::Probe(_))))
            {
                actions.extend(core.step(now, Event::Probed(lane().target(), Ok(()))));
            }
            under_way.extend(searched(&actions));
            for action in actions {
                if let Action::Write(Write::Settle(settling)) = action {
                    let state = match settling.verdict {
                        Verdict::Unknown { .. } => State::Unknown,
                        _ => State::Waiting,
                    };
                    let next = core.step(now, Event::Settled(settling, Some(state)));
                    under_way.extend(searched(&next));
                }
            }
        }
    }
    assert_eq!(cleared, 3);
    // And of those that hang, no more than half of the places are taken again.
    assert!(under_way.len() <= 32, "{}", under_way.len());
}

/// Schedules that are due, each in a lane of its own.
fn due_in_lanes(ids: impl Iterator<Item = u8>) -> Vec<(DueSchedule, Lane)> {
    let in_lane = |id| (due(id).0, Lane::new(format!("letta/agent-{id}")));
    ids.map(in_lane).collect()
}

/// That what is claimed has been claimed, and was answered. Returns what is done then.
fn answer(core: &mut Core, actions: Vec<Action>) -> Vec<Action> {
    let mut jobs = Vec::new();
    for action in actions {
        let Action::Write(Write::Claim(candidate, _)) = action else {
            continue;
        };
        let Source::Due(due) = &candidate.source else {
            panic!("{candidate:?}");
        };
        let job = Box::new(job_of(due, &candidate.lane));
        jobs.push(job.clone());
        core.step(at(5), Event::Claimed(candidate, Claim::Job(job)));
    }
    let answered = |job| Event::Answered(job, FakeTarget::delivered("done"));
    jobs.into_iter()
        .flat_map(|job| core.step(at(5), answered(job)))
        .collect()
}

fn job_of(due: &DueSchedule, lane: &Lane) -> Job {
    Job {
        occurrence_id: due.id,
        fence: 1,
        uid: due.uid,
        schedule_id: Some(due.id),
        agent_id: due.agent_id.clone(),
        conversation: None,
        lane: lane.clone(),
        intended_at: due.next_run,
        otid: due.uid,
        messages: Vec::new(),
        options: serde_json::Map::new(),
        failures: 0,
        sent_at: at(5).now,
        first_sent_at: at(5).now,
        not_found_since: None,
        expires_at: at(86_400).now,
        next_run: None,
    }
}

#[test]
fn a_place_is_free_once_its_prompt_is_answered_and_what_is_not_written_yet_is_bounded() {
    let settings = Settings {
        concurrency: 2,
        ..Settings::default()
    };
    let mut core = Core::new(settings, Mode::Forever);
    core.step(at(5), Event::Tick);
    let snapshot = Snapshot {
        due: due_in_lanes(1..=9),
        ..Snapshot::default()
    };
    let mut actions = core.step(at(5), Event::SnapshotTaken(snapshot));
    // The database writes nothing.
    let mut unwritten = 0;
    while claims(&actions) > 0 {
        assert!(claims(&actions) <= 2, "{actions:?}");
        unwritten += claims(&actions);
        actions = answer(&mut core, actions);
    }
    assert_eq!(unwritten, 3);
}
