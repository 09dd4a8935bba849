use super::*;
use crate::clock::Clock;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn reading(now: &str, boot: &str, uptime: i64) -> Reading {
    Reading {
        moment: Moment {
            now: at(now),
            uptime: SignedDuration::from_secs(uptime),
        },
        boot: Some(boot.into()),
    }
}

/// A database whose clock was last trusted at noon of 1 February, in the first run of the machine.
fn known() -> KnownTimes {
    KnownTimes {
        trusted: Some(reading("2026-02-01T12:00:00Z", "first", 1_000)),
        doubted: None,
        newest: Some(at("2026-02-01T12:00:10Z")),
    }
}

fn kernel(synchronised: bool) -> ReferenceClocks {
    ReferenceClocks {
        synchronised: Some(synchronised),
        target: None,
    }
}

fn target(synchronised: bool, at_: &str, is_ours: bool) -> ReferenceClocks {
    let target = TargetTime {
        at: at(at_),
        is_ours,
    };
    ReferenceClocks {
        target: Some(target),
        ..kernel(synchronised)
    }
}

fn why(now: &str, references: &ReferenceClocks) -> Option<Why> {
    assess_clock(&reading(now, "second", 5), &known(), references).map(|doubt| doubt.why)
}

#[test]
fn a_machine_that_was_off_for_days_is_believed_if_its_kernel_vouches_for_its_clock() {
    for now in [
        "2026-02-01T12:04:00Z",
        "2026-02-04T12:00:00Z",
        "2026-03-02T12:00:00Z",
    ] {
        assert_eq!(why(now, &kernel(true)), None, "{now}");
        assert_eq!(why(now, &ReferenceClocks::default()), None, "{now}");
    }
    let known = at("2026-02-01T12:00:00Z");
    let far = Some(Why::FarAhead { known });
    assert_eq!(why("2026-03-04T12:00:00Z", &kernel(true)), far);
    assert_eq!(why("2036-02-01T12:00:00Z", &kernel(true)), far);
}

#[test]
fn a_clock_that_nobody_vouches_for_may_be_ahead_by_five_minutes() {
    let known = at("2026-02-01T12:00:00Z");
    assert_eq!(why("2026-02-01T12:04:59Z", &kernel(false)), None);
    let unsynchronised = Some(Why::Unsynchronised { known });
    assert_eq!(why("2026-02-01T12:05:01Z", &kernel(false)), unsynchronised);
}

#[test]
fn a_target_with_the_same_time_settles_it_unless_it_has_the_same_clock() {
    let march = "2026-03-09T12:00:00Z";
    for (references, settles) in [
        (target(true, "2026-03-09T12:04:00Z", true), true),
        (target(false, "2026-03-09T11:56:00Z", false), true),
        // Both clocks are this machine's, which nobody has set.
        (target(false, march, true), false),
        (target(true, "2026-03-09T12:06:00Z", false), false),
    ] {
        assert_eq!(why(march, &references).is_none(), settles, "{references:?}");
    }
    let tomorrow = "2026-02-02T12:00:00Z";
    assert_eq!(why(tomorrow, &target(false, tomorrow, true)), None);
    let an_hour_off = target(true, "2026-02-02T11:00:00Z", false);
    assert!(matches!(
        why(tomorrow, &an_hour_off),
        Some(Why::TargetDiffers { .. })
    ));
    // If our own clock is unchanged, the target's doesn't matter.
    assert_eq!(why("2026-02-01T12:03:00Z", &an_hour_off), None);
}

#[test]
fn a_clock_behind_what_is_recorded_is_doubted_until_somebody_vouches_for_it() {
    let newest = at("2026-02-01T12:00:10Z");
    let behind = Some(Why::Behind { newest });
    let now = "2026-02-01T10:00:00Z";
    assert_eq!(why(now, &kernel(false)), behind);
    assert_eq!(why(now, &ReferenceClocks::default()), behind);
    assert_eq!(why(now, &kernel(true)), None);
    assert_eq!(why(now, &target(false, now, true)), None);
    assert_eq!(why("2026-02-01T11:56:00Z", &kernel(false)), None);
    // Nothing can vouch for a time before this program was written.
    for early in ["1970-01-01T00:00:09Z", "2000-01-01T00:00:09Z"] {
        assert_eq!(why(early, &target(true, early, true)), behind, "{early}");
    }
}

#[test]
fn what_the_boot_clock_confirms_is_believed_whoever_says_otherwise() {
    let now = reading("2026-06-01T12:00:00Z", "first", 1_000 + 120 * 86_400);
    assert_eq!(assess_clock(&now, &known(), &kernel(false)), None);
    // Not after a reboot, and not if the two clocks disagree.
    for now in [
        reading("2026-06-01T12:00:00Z", "second", 1_000 + 120 * 86_400),
        reading("2026-06-01T12:10:00Z", "first", 1_000 + 120 * 86_400),
    ] {
        assert!(
            assess_clock(&now, &known(), &kernel(false)).is_some(),
            "{now:?}"
        );
    }
}

#[test]
fn a_doubt_is_settled_by_a_minute_without_a_jump() {
    let known = KnownTimes {
        doubted: Some(reading("2036-02-01T12:00:00Z", "second", 5)),
        ..known()
    };
    let soon = reading("2036-02-01T12:00:59Z", "second", 64);
    assert!(assess_clock(&soon, &known, &kernel(false)).is_some());
    let later = reading("2036-02-01T12:01:00Z", "second", 65);
    assert_eq!(assess_clock(&later, &known, &kernel(false)), None);
    let jumped = reading("2036-02-01T13:01:00Z", "second", 65);
    assert!(assess_clock(&jumped, &known, &kernel(false)).is_some());
}

#[test]
fn a_database_that_knows_nothing_doubts_nothing() {
    let now = Clock::manual(at("2036-02-01T12:00:00Z")).reading();
    assert_eq!(
        assess_clock(&now, &KnownTimes::default(), &kernel(false)),
        None
    );
}
