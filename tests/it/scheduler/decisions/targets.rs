//! No target delays another.

use std::collections::{BTreeMap, BTreeSet};

use promptyoself::models::{
    DueSchedule, ErrorClass, Lane, Refusal, RefusalKind, State, TargetName,
};
use promptyoself::scheduler::Settings;
use promptyoself::scheduler::core::{
    Action, Core, Event, HoldKind, Mode, Snapshot, StoreAction, TargetAction, Write,
};

use super::{agent, at, due, looked, open};

fn here() -> TargetName {
    TargetName::new("letta")
}

fn there() -> TargetName {
    TargetName::new("other")
}

/// A schedule that is due for the same agent of another target.
fn due_there(id: u8) -> (DueSchedule, Lane) {
    (due(id).0, Lane::of(&there(), agent()))
}

fn both() -> BTreeSet<TargetName> {
    BTreeSet::from([here(), there()])
}

/// The lanes in which something is claimed.
fn claimed(actions: &[Action]) -> Vec<&str> {
    let lane = |action| match action {
        &Action::Write(Write::Claim(ref candidate, _)) => Some(candidate.lane.as_str()),
        _ => None,
    };
    actions.iter().filter_map(lane).collect()
}

fn unreachable() -> Refusal {
    let (kind, class) = (RefusalKind::TargetTrouble, ErrorClass::Unreachable);
    Refusal::new(kind, class, "cannot connect")
}

#[test]
fn a_target_that_is_held_keeps_no_other_waiting() {
    let (mut core, actions) = looked(Snapshot {
        due: vec![due(1), due_there(2)],
        targets: both(),
        held: BTreeMap::from([(here(), HoldKind::Unwell)]),
        ..Snapshot::default()
    });
    assert_eq!(claimed(&actions), ["other/agent-a"]);
    let probed = |a: &&Action| matches!(a, Action::Talk(TargetAction::Probe(t)) if *t == here());
    assert!(actions.iter().any(|a| probed(&a)), "{actions:?}");
    // It is released by itself, and goes on.
    let actions = core.step(at(5), Event::Probed(here(), Ok(())));
    let released = |a: &Action| matches!(a, Action::Store(StoreAction::Release(t)) if *t == here());
    assert!(actions.iter().any(released), "{actions:?}");
    assert_eq!(claimed(&actions), ["letta/agent-a"]);
}

#[test]
fn each_target_is_held_and_released_by_its_own_answer() {
    let (mut core, _) = looked(Snapshot {
        targets: both(),
        held: BTreeMap::from([(here(), HoldKind::Unwell), (there(), HoldKind::Unwell)]),
        ..Snapshot::default()
    });
    core.step(at(5), Event::Probed(there(), Ok(())));
    core.step(at(5), Event::Probed(here(), Err(unreachable())));
    let snapshot = Snapshot {
        due: vec![due(1), due_there(2)],
        targets: both(),
        held: BTreeMap::from([(here(), HoldKind::Unwell)]),
        ..Snapshot::default()
    };
    let actions = core.step(at(6), Event::SnapshotTaken(snapshot));
    assert_eq!(claimed(&actions), ["other/agent-a"]);
}

#[test]
fn what_is_lost_at_a_held_target_is_not_looked_for_while_another_is_asked() {
    let mut lost_there = open(2, State::Unknown);
    lost_there.lane = Lane::of(&there(), agent());
    let (_, actions) = looked(Snapshot {
        open: vec![open(1, State::Unknown), lost_there],
        targets: both(),
        held: BTreeMap::from([(here(), HoldKind::Unwell)]),
        ..Snapshot::default()
    });
    let searched = |action: &Action| match action {
        Action::Talk(TargetAction::Find(open)) => Some(open.id),
        _ => None,
    };
    let searched: Vec<i64> = actions.iter().filter_map(searched).collect();
    assert_eq!(searched, [2]);
}

#[test]
fn what_is_due_for_a_target_that_is_not_in_the_settings_waits_and_is_told_once() {
    let mut core = Core::new(Settings::default(), Mode::Forever);
    core.step(at(5), Event::Tick);
    let mut told = 0;
    for second in 5..8 {
        let snapshot = Snapshot {
            due: vec![due(1), due_there(2)],
            targets: BTreeSet::from([here()]),
            missing_targets: BTreeSet::from([there()]),
            ..Snapshot::default()
        };
        let actions = core.step(at(second), Event::SnapshotTaken(snapshot));
        assert!(!claimed(&actions).contains(&"other/agent-a"), "{actions:?}");
        for action in &actions {
            match action {
                Action::Store(StoreAction::Hold {
                    target, refusal, ..
                }) => {
                    assert_eq!(*target, there());
                    assert!(refusal.text.contains("other"), "{refusal}");
                    told += 1;
                }
                Action::Store(StoreAction::Beat(holding)) => {
                    let holding = holding.as_deref().unwrap_or_default();
                    assert!(holding.contains("other"), "{holding:?}");
                }
                Action::Talk(TargetAction::Probe(target)) => panic!("{target} is asked"),
                _ => {}
            }
        }
    }
    assert_eq!(told, 1);
}
