//! Who goes first in a lane.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use promptyoself::models::{
    Claim, ClaimTerms, DueSchedule, Fault, Job, Lane, OpenOccurrence, State, TargetName, Turn,
    Verdict,
};
use promptyoself::scheduler::core::{Action, Event, Settling, Snapshot, StoreAction, Write};
use uuid::Uuid;

use super::{agent, at, claims, due, lane, looked, open};
use crate::world::World;

/// The job of a schedule that was due at second 1 and is due again at second 7.
fn job_due_again() -> Job {
    let (schedule, lane) = due(1);
    Job {
        occurrence_id: 1,
        fence: 1,
        uid: schedule.uid,
        schedule_id: Some(1),
        agent_id: agent(),
        conversation: None,
        lane,
        intended_at: schedule.next_run,
        otid: Uuid::from_u128(9),
        messages: Vec::new(),
        options: serde_json::Map::new(),
        failures: 0,
        sent_at: at(8).now,
        first_sent_at: at(8).now,
        not_found_since: None,
        expires_at: at(86_400).now,
        next_run: Some(at(7).now),
    }
}

fn delivered(job: Job) -> Event {
    let settling = Settling {
        occurrence_id: job.occurrence_id,
        uid: job.uid,
        fence: job.fence,
        verdict: Verdict::Delivered {
            run_id: None,
            stop_reason: None,
            turn: Turn::Ok,
            tokens: None,
            reply: None,
            error: None,
        },
        lane: job.lane.clone(),
        intended_at: job.intended_at,
        job: Some(Box::new(job)),
    };
    Event::Settled(settling, Some(State::Delivered))
}

fn due_at(id: u8, second: i64) -> (DueSchedule, Lane) {
    let (schedule, lane) = due(id);
    let next_run = at(second).now;
    (
        DueSchedule {
            next_run,
            ..schedule
        },
        lane,
    )
}

/// The instant of what is claimed.
fn claimed(actions: &[Action]) -> Option<Timestamp> {
    actions.iter().find_map(|a| match a {
        Action::Write(Write::Claim(candidate, _)) => Some(candidate.intended_at),
        _ => None,
    })
}

#[test]
fn a_schedule_that_is_due_again_does_not_overtake_what_no_snapshot_has_shown_yet() {
    let (mut core, mut actions) = looked(Snapshot {
        due: vec![due(1)],
        ..Snapshot::default()
    });
    let Some(Action::Write(Write::Claim(candidate, _))) = actions.pop() else {
        panic!("{actions:?}");
    };
    // The claim takes a while, and its schedule is due again when it is made.
    let job = job_due_again();
    let made = Event::Claimed(candidate, Claim::Job(Box::new(job.clone())));
    let actions = core.step(at(8), made);
    assert!(
        actions
            .iter()
            .any(|a| matches!(a, Action::Store(StoreAction::TakeSnapshot))),
        "{actions:?}"
    );
    let actions = core.step(at(9), delivered(job));
    assert_eq!(claims(&actions), 0, "{actions:?}");
    // Another one of the lane has become due before it.
    let actions = core.step(
        at(9),
        Event::SnapshotTaken(Snapshot {
            due: vec![due_at(2, 6), due_at(1, 7)],
            ..Snapshot::default()
        }),
    );
    assert_eq!(claimed(&actions), Some(at(6).now), "{actions:?}");
}

#[test]
fn a_snapshot_from_before_a_claim_gives_a_schedule_that_is_due_again_no_earlier_place() {
    let (mut core, mut actions) = looked(Snapshot {
        due: vec![due(1)],
        ..Snapshot::default()
    });
    let Some(Action::Write(Write::Claim(candidate, _))) = actions.pop() else {
        panic!("{actions:?}");
    };
    let actions = core.step(at(8), Event::Changed);
    assert!(
        matches!(actions[..], [Action::Store(StoreAction::TakeSnapshot)]),
        "{actions:?}"
    );
    // It was made before the claim, and is heard of before it.
    let seen = Snapshot {
        due: vec![due(1), due_at(2, 6)],
        ..Snapshot::default()
    };
    core.step(at(8), Event::SnapshotTaken(seen));
    let job = job_due_again();
    let made = Event::Claimed(candidate, Claim::Job(Box::new(job.clone())));
    core.step(at(8), made);
    let actions = core.step(at(9), delivered(job));
    assert_eq!(claimed(&actions), Some(at(6).now), "{actions:?}");
}

#[test]
fn while_lanes_of_a_target_cannot_be_named_a_retry_overtakes_nothing_that_is_older() {
    let retry = OpenOccurrence {
        intended_at: at(3).now,
        ..open(1, State::Waiting)
    };
    let (mut core, actions) = looked(Snapshot {
        open: vec![retry.clone()],
        preparing: BTreeSet::from([TargetName::new("letta")]),
        ..Snapshot::default()
    });
    assert_eq!(claims(&actions), 0, "{actions:?}");
    let actions = core.step(at(6), Event::Tick);
    assert!(
        matches!(actions[..], [Action::Store(StoreAction::TakeSnapshot)]),
        "{actions:?}"
    );
    let named = Event::SnapshotTaken(Snapshot {
        due: vec![due_at(2, 2)],
        open: vec![retry],
        ..Snapshot::default()
    });
    let actions = core.step(at(6), named);
    assert_eq!(claimed(&actions), Some(at(2).now), "{actions:?}");
}

#[test]
fn a_failing_database_lets_nothing_that_is_due_again_overtake() {
    let (other, _) = due(3);
    let (mut core, actions) = looked(Snapshot {
        due: vec![due_at(1, 1), (other, Lane::new("letta/agent-b"))],
        ..Snapshot::default()
    });
    let mut actions = actions.into_iter();
    let (
        Some(Action::Write(Write::Claim(candidate, _))),
        Some(Action::Write(Write::Claim(of_another_lane, _))),
    ) = (actions.next(), actions.next())
    else {
        panic!("they are not both claimed");
    };
    let job = Job {
        next_run: Some(at(4).now),
        ..job_due_again()
    };
    let made = Event::Claimed(candidate, Claim::Job(Box::new(job.clone())));
    core.step(at(8), made);
    // What else waits is forgotten until the next look.
    core.step(at(8), Event::ClaimFailed(of_another_lane));
    let busy = Verdict::Waiting {
        not_before: at(8).now,
        fault: Fault::new("busy", "in another turn"),
        counts: false,
        fresh_otid: false,
    };
    let settling = Settling {
        occurrence_id: 1,
        uid: job.uid,
        fence: 1,
        verdict: busy,
        lane: lane(),
        intended_at: job.intended_at,
        job: Some(Box::new(job.clone())),
    };
    let mut actions = core.step(at(8), Event::Settled(settling, Some(State::Waiting)));
    let Some(Action::Write(Write::Claim(again, _))) = actions.pop() else {
        panic!("{actions:?}");
    };
    core.step(
        at(8),
        Event::Claimed(again, Claim::Job(Box::new(job.clone()))),
    );
    let actions = core.step(at(8), delivered(job));
    assert_eq!(claimed(&actions), None, "{actions:?}");
}

#[tokio::test]
async fn a_schedule_is_claimed_with_the_instant_that_it_was_seen_with_or_not_at_all() {
    let world = World::new().await;
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let db = &world.service.db;
    let seen = db.get_due_schedules(world.now()).await.unwrap().remove(0);
    let terms = ClaimTerms {
        owner: Uuid::from_u128(7),
        max_age: SignedDuration::from_hours(24),
        once_max_lateness: SignedDuration::from_hours(24),
    };
    let claim = db.claim_due(&seen, &lane(), &terms, world.now()).await;
    let Claim::Job(job) = claim.unwrap() else {
        panic!("it was not claimed");
    };
    let given_up = Verdict::Dead {
        fault: Fault::new("refused", "it was refused"),
    };
    let settled = db.settle(job.occurrence_id, job.fence, &given_up, world.now());
    settled.await.unwrap().unwrap();
    world.advance(3_600);
    // It is due again, but with another place than it was seen with.
    let claim = db.claim_due(&seen, &lane(), &terms, world.now()).await;
    assert!(matches!(claim.unwrap(), Claim::Gone));
    let seen = db.get_due_schedules(world.now()).await.unwrap().remove(0);
    let claim = db.claim_due(&seen, &lane(), &terms, world.now()).await;
    assert!(matches!(claim.unwrap(), Claim::Job(_)));
}
