//! What follows from a verdict.

use jiff::ToSpan;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn seconds(n: i64) -> Timestamp {
    NOW + n.seconds()
}

/// A prompt of an active schedule, being sent since the first second.
fn held() -> Held {
    Held {
        uid: Uuid::nil().to_string(),
        agent_id: "agent-a".into(),
        lane: "letta/agent-a".into(),
        trigger: Some(Trigger::Schedule),
        sent_at: Some(seconds(1)),
        schedule: Some(HeldSchedule {
            id: 7,
            lifecycle: Some(Lifecycle::Active),
            last_run: None,
            dead_in_row: 0,
            pause_on_failure: Some(3),
            is_touched: false,
            ping_url: PingUrl::parse("http://127.0.0.1:9/ping").ok(),
        }),
    }
}

/// The same with another schedule.
fn held_with(change: impl FnOnce(&mut HeldSchedule)) -> Held {
    let mut held = held();
    change(held.schedule.as_mut().unwrap());
    held
}

fn standing(lifecycle: Lifecycle) -> Held {
    held_with(|s| s.lifecycle = Some(lifecycle))
}

fn delivered(turn: Turn) -> Verdict {
    Verdict::Delivered {
        run_id: None,
        stop_reason: None,
        turn,
        tokens: None,
        reply: None,
        error: None,
    }
}

fn dead() -> Verdict {
    let fault = Fault::new("agent_unknown", "there is no such agent");
    Verdict::Dead { fault }
}

fn waiting(counts: bool, fresh_otid: bool) -> Verdict {
    Verdict::Waiting {
        not_before: seconds(60),
        fault: Fault::new("busy", "the agent is busy"),
        counts,
        fresh_otid,
    }
}

fn unknown() -> Verdict {
    Verdict::Unknown {
        not_before: seconds(60),
        reconcile_until: seconds(600),
        fault: Fault::new("cut", "the connection ended"),
        run_id: Some("run-1".into()),
    }
}

fn each() -> [Verdict; 4] {
    [delivered(Turn::Ok), waiting(true, false), unknown(), dead()]
}

fn of_schedule<'a>(held: &'a Held, verdict: &'a Verdict) -> OfSchedule<'a> {
    decide(held, verdict, NOW).schedule.unwrap()
}

#[test]
fn as_many_prompts_given_up_in_a_row_as_the_policy_says_pause_the_schedule() {
    for (before, pauses) in [(0, false), (1, false), (2, true), (5, true)] {
        let held = held_with(|s| s.dead_in_row = before);
        let verdict = dead();
        let schedule = of_schedule(&held, &verdict);
        assert_eq!(schedule.dead_in_row, Some(before + 1));
        assert_eq!(schedule.pause.is_some(), pauses, "after {before}");
    }
}

#[test]
fn the_note_of_a_pause_says_how_many_were_given_up_and_why_the_last_one_was() {
    let held = held_with(|s| s.dead_in_row = 2);
    let verdict = dead();
    let note = of_schedule(&held, &verdict).pause.unwrap().note;
    let expected = "3 prompts in a row were given up; the last: there is no such agent";
    assert_eq!(note, expected);
}

#[test]
fn a_prompt_given_up_by_hand_does_not_count_towards_the_pause() {
    let mut held = held_with(|s| s.dead_in_row = 2);
    held.trigger = Some(Trigger::Manual);
    for verdict in each() {
        let schedule = of_schedule(&held, &verdict);
        assert_eq!(schedule.dead_in_row, None, "{verdict:?}");
        assert!(schedule.pause.is_none(), "{verdict:?}");
    }
}

#[test]
fn a_delivery_begins_the_count_anew() {
    let verdict = delivered(Turn::Ok);
    let held = held_with(|s| s.dead_in_row = 2);
    assert_eq!(of_schedule(&held, &verdict).dead_in_row, Some(0));
    let held = held_with(|s| s.dead_in_row = 0);
    assert_eq!(of_schedule(&held, &verdict).dead_in_row, None);
}

#[test]
fn what_is_still_open_counts_for_nothing() {
    let held = held_with(|s| s.dead_in_row = 2);
    for verdict in [waiting(true, true), unknown()] {
        assert_eq!(of_schedule(&held, &verdict).dead_in_row, None);
    }
}

#[test]
fn only_an_active_schedule_is_paused() {
    for lifecycle in Lifecycle::ALL {
        let held = held_with(|s| {
            s.dead_in_row = 2;
            s.lifecycle = Some(*lifecycle);
        });
        let verdict = dead();
        let schedule = of_schedule(&held, &verdict);
        assert_eq!(schedule.dead_in_row, Some(3));
        assert_eq!(schedule.pause.is_some(), *lifecycle == Lifecycle::Active);
    }
}

#[test]
fn what_another_program_changed_is_not_paused_before_its_adoption() {
    let held = held_with(|s| {
        s.dead_in_row = 2;
        s.is_touched = true;
    });
    let verdict = dead();
    let schedule = of_schedule(&held, &verdict);
    assert_eq!(schedule.dead_in_row, Some(3));
    assert!(schedule.pause.is_none());
}

#[test]
fn a_schedule_may_never_be_paused_for_its_failures() {
    let held = held_with(|s| {
        s.dead_in_row = 1000;
        s.pause_on_failure = Some(0);
    });
    assert!(of_schedule(&held, &dead()).pause.is_none());
}

#[test]
fn the_usual_number_holds_where_a_policy_names_none() {
    let usual = Policy::default().pause_on_failure().unwrap();
    for (before, pauses) in [(usual - 2, false), (usual - 1, true)] {
        let held = held_with(|s| {
            s.dead_in_row = before;
            s.pause_on_failure = None;
        });
        assert_eq!(of_schedule(&held, &dead()).pause.is_some(), pauses);
    }
}

#[test]
fn a_count_that_can_grow_no_more_pauses_nothing_again() {
    let held = held_with(|s| s.dead_in_row = i64::MAX);
    let verdict = dead();
    let schedule = of_schedule(&held, &verdict);
    assert!(schedule.dead_in_row.is_none() && schedule.pause.is_none());
}

#[test]
fn only_a_delivery_sets_the_last_run_and_to_the_time_it_was_sent() {
    let held = held();
    for verdict in each() {
        let last_run = of_schedule(&held, &verdict).last_run;
        let expected = matches!(verdict, Verdict::Delivered { .. }).then(|| seconds(1));
        assert_eq!(last_run, expected, "{verdict:?}");
    }
}

#[test]
fn an_older_prompt_that_is_found_delivered_late_does_not_set_the_last_run_back() {
    let verdict = delivered(Turn::Ok);
    for (last_run, expected) in [(0, Some(seconds(1))), (1, None), (2, None)] {
        let held = held_with(|s| s.last_run = Some(seconds(last_run)));
        assert_eq!(of_schedule(&held, &verdict).last_run, expected);
    }
}

#[test]
fn what_would_be_sent_again_is_cancelled_once_its_schedule_has_ended() {
    let again = waiting(true, false);
    for held in [
        standing(Lifecycle::Cancelled),
        standing(Lifecycle::Broken),
        Held {
            schedule: None,
            ..held()
        },
    ] {
        let settling = decide(&held, &again, NOW);
        assert_eq!(settling.state, State::Cancelled);
        assert_eq!(settling.columns.not_before, None);
        assert_eq!(settling.columns.finished_at, Some(NOW));
        assert_eq!(settling.columns.failures, 0);
        // Any other end is the one it had.
        for verdict in [delivered(Turn::Ok), unknown(), dead()] {
            assert_ne!(decide(&held, &verdict, NOW).state, State::Cancelled);
        }
    }
}

#[test]
fn the_last_instant_of_a_finished_schedule_and_that_of_a_paused_one_are_tried_again() {
    let again = waiting(true, false);
    for lifecycle in [Lifecycle::Active, Lifecycle::Paused, Lifecycle::Finished] {
        let held = standing(lifecycle);
        let settling = decide(&held, &again, NOW);
        assert_eq!(settling.state, State::Waiting, "{lifecycle}");
        assert_eq!(settling.columns.not_before, Some(seconds(60)));
    }
}

#[test]
fn a_schedule_ends_with_the_last_that_was_to_come_of_it() {
    for verdict in each() {
        let is_open = matches!(verdict, Verdict::Waiting { .. } | Verdict::Unknown { .. });
        for lifecycle in [Lifecycle::Active, Lifecycle::Paused] {
            let held = standing(lifecycle);
            assert!(!decide(&held, &verdict, NOW).is_last);
            assert!(!of_schedule(&held, &verdict).ends, "{verdict:?}");
        }
        let held = standing(Lifecycle::Finished);
        assert!(decide(&held, &verdict, NOW).is_last);
        assert_eq!(of_schedule(&held, &verdict).ends, !is_open, "{verdict:?}");
    }
}

#[test]
fn nothing_more_comes_of_a_deleted_schedule_and_nothing_is_written_of_it() {
    let held = Held {
        schedule: None,
        ..held()
    };
    for verdict in each() {
        let settling = decide(&held, &verdict, NOW);
        assert!(settling.is_last && settling.schedule.is_none());
    }
}

#[test]
fn a_dead_man_service_is_told_of_each_end_and_of_nothing_else() {
    let held = held();
    let told = |verdict: &Verdict| {
        let ping = of_schedule(&held, verdict).ping;
        ping.map(|p| (p.ping, p.reason))
    };
    let success = Some((Ping::Success, String::new()));
    assert_eq!(told(&delivered(Turn::Ok)), success);
    for turn in Turn::ALL.iter().filter(|turn| **turn != Turn::Ok) {
        let (ping, reason) = told(&delivered(*turn)).unwrap();
        assert_eq!(ping, Ping::Fail);
        assert!(reason.contains(turn.as_str()), "{reason}");
    }
    let reason = "agent_unknown: there is no such agent".to_owned();
    assert_eq!(told(&dead()), Some((Ping::Fail, reason)));
    assert_eq!(told(&waiting(true, false)), None);
    assert_eq!(told(&unknown()), None);
}

#[test]
fn who_has_no_dead_man_service_tells_none() {
    let held = held_with(|s| s.ping_url = None);
    assert!(of_schedule(&held, &delivered(Turn::Ok)).ping.is_none());
}

#[test]
fn a_try_is_used_up_unless_it_counts_for_nothing_and_keeps_its_otid() {
    let held = held();
    for (counts, fresh_otid, used_no_try) in [
        (false, false, true),
        (true, false, false),
        (false, true, false),
        (true, true, false),
    ] {
        let verdict = waiting(counts, fresh_otid);
        let settling = decide(&held, &verdict, NOW);
        assert_eq!(settling.attempt.used_no_try, used_no_try);
        assert_eq!(settling.columns.failures, i64::from(counts));
        assert_eq!(settling.columns.generations, i64::from(fresh_otid));
    }
    for verdict in [delivered(Turn::Ok), unknown(), dead()] {
        assert!(!decide(&held, &verdict, NOW).attempt.used_no_try);
    }
}

#[test]
fn every_fault_is_kept_with_its_class() {
    let held = held();
    for verdict in each() {
        let settling = decide(&held, &verdict, NOW);
        let expected = fault_of(&verdict).map(|f| format!("{}: {}", f.code, f.text));
        assert_eq!(settling.columns.error, expected);
        assert_eq!(settling.attempt.fault, fault_of(&verdict));
    }
}
