//! The laws of patterns, each with literal instants.

use jiff::Timestamp;

use super::*;

/// The first `n` instants in UTC, to the minute.
fn utc(pattern: &str, after: &str, n: usize) -> Vec<String> {
    let after: Timestamp = after.parse().unwrap();
    CronSpec::read(pattern)
        .unwrap()
        .instants(&Zone::utc(), after)
        .take(n)
        .map(|at| at.to_string().trim_end_matches(":00Z").to_owned())
        .collect()
}

#[test]
fn sunday_is_both_0_and_7() {
    for pattern in ["0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * Sunday"] {
        assert_eq!(
            utc(pattern, "2026-11-20T00:00:00Z", 2),
            ["2026-11-22T09:00", "2026-11-29T09:00"],
            "{pattern}"
        );
    }
}

#[test]
fn either_day_field_may_match_when_both_are_restricted() {
    assert_eq!(
        utc("0 0 13 * 5", "2026-11-10T00:00:00Z", 4),
        [
            "2026-11-13T00:00",
            "2026-11-20T00:00",
            "2026-11-27T00:00",
            "2026-12-04T00:00"
        ]
    );
    assert_eq!(
        utc("0 0 1-31 * 1", "2026-11-10T00:00:00Z", 2),
        ["2026-11-11T00:00", "2026-11-12T00:00"]
    );
}

#[test]
fn both_day_fields_must_match_when_one_begins_with_a_star() {
    // 2026-11-23 and -30 are Mondays; only the first has an odd number.
    assert_eq!(
        utc("0 0 */2 * 1", "2026-11-20T00:00:00Z", 2),
        ["2026-11-23T00:00", "2026-12-07T00:00"]
    );
    // Days of the week 0, 2, 4, 6.
    assert_eq!(
        utc("0 0 13 * */2", "2026-11-20T00:00:00Z", 2),
        ["2026-12-13T00:00", "2027-02-13T00:00"]
    );
    // A star that is not the first in its list sets no flag in vixie-cron.
    assert_eq!(
        utc("0 0 1,* * 1", "2026-11-20T00:00:00Z", 1),
        ["2026-11-21T00:00"]
    );
    assert_eq!(
        utc("0 0 *,1 * 1", "2026-11-20T00:00:00Z", 1),
        ["2026-11-23T00:00"]
    );
}

#[test]
fn last_nearest_and_nth_days_are_understood() {
    for (pattern, wanted) in [
        ("0 9 L * *", "2026-11-30T09:00"),
        ("0 9 L 2 *", "2027-02-28T09:00"),
        ("0 9 LW * *", "2026-11-30T09:00"),
        ("0 9 LW 1 *", "2027-01-29T09:00"),
        ("0 9 15W * *", "2026-12-15T09:00"),
        ("0 9 W21 * *", "2026-11-20T09:00"),
        ("0 9 1W 5 *", "2027-05-03T09:00"),
        ("0 9 * * 5L", "2026-11-27T09:00"),
        ("0 9 * * L5", "2026-11-27T09:00"),
        ("0 9 * * friL", "2026-11-27T09:00"),
        ("0 9 * * 1#2", "2026-12-14T09:00"),
        ("0 9 * * mon#5", "2026-11-30T09:00"),
        ("0 9 * * 0#1", "2026-12-06T09:00"),
        ("0 9 * * 7#1", "2026-12-06T09:00"),
        ("0 9 29 2 *", "2028-02-29T09:00"),
        ("0 9 ? * 1", "2026-11-23T09:00"),
    ] {
        let found = utc(pattern, "2026-11-20T00:00:00Z", 1);
        assert_eq!(found, [wanted], "{pattern}");
    }
}

#[test]
fn nicknames_stand_for_their_patterns() {
    for (nickname, wanted) in [
        ("@hourly", "2026-11-20T11:00"),
        ("@daily", "2026-11-21T00:00"),
        ("@midnight", "2026-11-21T00:00"),
        ("@weekly", "2026-11-22T00:00"),
        ("@monthly", "2026-12-01T00:00"),
        ("@yearly", "2027-01-01T00:00"),
        ("@Annually", "2027-01-01T00:00"),
    ] {
        assert_eq!(utc(nickname, "2026-11-20T10:00:00Z", 1), [wanted]);
    }
}

#[test]
fn the_next_instant_is_strictly_later_even_by_a_fraction_of_a_second() {
    assert_eq!(
        utc("* * * * *", "2026-11-20T10:00:00Z", 1),
        ["2026-11-20T10:01"]
    );
    assert_eq!(
        utc("0 10 * * *", "2026-11-20T09:59:59.999999Z", 1),
        ["2026-11-20T10:00"]
    );
    assert_eq!(
        utc("0 10 * * *", "2026-11-20T10:00:00.000001Z", 1),
        ["2026-11-21T10:00"]
    );
}

/// What Python's croniter 7.0 gives in UTC, for forms that other crons lack.
///
/// Three things differ on purpose. `0 9-9 * * *` is 9 o'clock, as in vixie-cron; croniter makes
/// it every hour. A range that wraps keeps its step, so that `22-4/3` is 22, 1, 4; croniter gives
/// 22, 2. And `*/2` among days counts as a star (see above); croniter asks for
/// `implement_cron_bug`.
#[test]
fn odd_forms_mean_what_croniter_means_by_them() {
    for (pattern, wanted) in CRONITER {
        let found = utc(pattern, "2026-11-20T10:07:00Z", 4).join(" ");
        assert_eq!(found, *wanted, "{pattern}");
    }
}

/// Patterns, and the first instants after Friday, 2026-11-20T10:07 in UTC.
const CRONITER: &[(&str, &str)] = &[
    (
        "0 22-2 * * *",
        "2026-11-20T22:00 2026-11-20T23:00 2026-11-21T00:00 2026-11-21T01:00",
    ),
    (
        "0 22-2/2 * * *",
        "2026-11-20T22:00 2026-11-21T00:00 2026-11-21T02:00 2026-11-21T22:00",
    ),
    (
        "10/15 * * * *",
        "2026-11-20T10:10 2026-11-20T10:25 2026-11-20T10:40 2026-11-20T10:55",
    ),
    (
        "59/15 * * * *",
        "2026-11-20T10:59 2026-11-20T11:59 2026-11-20T12:59 2026-11-20T13:59",
    ),
    (
        "50-10/5 * * * *",
        "2026-11-20T10:10 2026-11-20T10:50 2026-11-20T10:55 2026-11-20T11:00",
    ),
    (
        "0 9 * * fri-mon",
        "2026-11-21T09:00 2026-11-22T09:00 2026-11-23T09:00 2026-11-27T09:00",
    ),
    (
        "0 9 * * sat-sun",
        "2026-11-21T09:00 2026-11-22T09:00 2026-11-28T09:00 2026-11-29T09:00",
    ),
    (
        "0 9 * * 5-7",
        "2026-11-21T09:00 2026-11-22T09:00 2026-11-27T09:00 2026-11-28T09:00",
    ),
    (
        "0 9 * * 7-2",
        "2026-11-22T09:00 2026-11-23T09:00 2026-11-24T09:00 2026-11-29T09:00",
    ),
    (
        "0 9 * * L5",
        "2026-11-27T09:00 2026-12-25T09:00 2027-01-29T09:00 2027-02-26T09:00",
    ),
    (
        "0 9 * * L5,L1",
        "2026-11-27T09:00 2026-11-30T09:00 2026-12-25T09:00 2026-12-28T09:00",
    ),
    (
        "0 9 * * sun",
        "2026-11-22T09:00 2026-11-29T09:00 2026-12-06T09:00 2026-12-13T09:00",
    ),
    (
        "0 9 * * 5/2",
        "2026-11-27T09:00 2026-12-04T09:00 2026-12-11T09:00 2026-12-18T09:00",
    ),
    (
        "1-7/2 9 * * 1-7/2",
        "2026-11-22T09:01 2026-11-22T09:03 2026-11-22T09:05 2026-11-22T09:07",
    ),
    (
        "0 9 * nov-feb 1",
        "2026-11-23T09:00 2026-11-30T09:00 2026-12-07T09:00 2026-12-14T09:00",
    ),
    (
        "@midnight",
        "2026-11-21T00:00 2026-11-22T00:00 2026-11-23T00:00 2026-11-24T00:00",
    ),
    (
        "0 9 10-L * *",
        "2026-11-21T09:00 2026-11-22T09:00 2026-11-23T09:00 2026-11-24T09:00",
    ),
    (
        "0 9 28-3 * *",
        "2026-11-28T09:00 2026-11-29T09:00 2026-11-30T09:00 2026-12-01T09:00",
    ),
    (
        "0 9 15W * *",
        "2026-12-15T09:00 2027-01-15T09:00 2027-02-15T09:00 2027-03-15T09:00",
    ),
    (
        "0 9 W15 * *",
        "2026-12-15T09:00 2027-01-15T09:00 2027-02-15T09:00 2027-03-15T09:00",
    ),
    (
        "0 9 * * mon-fri#2",
        "2026-12-08T09:00 2026-12-09T09:00 2026-12-10T09:00 2026-12-11T09:00",
    ),
    (
        "0 9 * * 1#2,3#1",
        "2026-12-02T09:00 2026-12-14T09:00 2027-01-06T09:00 2027-01-11T09:00",
    ),
    (
        "*/90 * * * *",
        "2026-11-20T11:00 2026-11-20T12:00 2026-11-20T13:00 2026-11-20T14:00",
    ),
    (
        "0 9 ? * 1",
        "2026-11-23T09:00 2026-11-30T09:00 2026-12-07T09:00 2026-12-14T09:00",
    ),
    (
        "0 0 13 * 5",
        "2026-11-27T00:00 2026-12-04T00:00 2026-12-11T00:00 2026-12-13T00:00",
    ),
    (
        "*/20,7 10 * * *",
        "2026-11-20T10:20 2026-11-20T10:40 2026-11-21T10:00 2026-11-21T10:07",
    ),
    (
        "0 9 L 2 *",
        "2027-02-28T09:00 2028-02-29T09:00 2029-02-28T09:00 2030-02-28T09:00",
    ),
    (
        "0 9 L,15 * *",
        "2026-11-30T09:00 2026-12-15T09:00 2026-12-31T09:00 2027-01-15T09:00",
    ),
];

#[test]
fn an_error_names_the_field_and_gives_a_pattern_that_works() {
    for (pattern, part) in [
        ("0 25 * * *", "the hour field '25'"),
        ("60 9 * * *", "the minute field '60'"),
        ("0 9 32 * *", "the day-of-month field '32'"),
        ("0 9 0 * *", "the day-of-month field '0'"),
        ("0 9 * 13 *", "the month field '13'"),
        ("0 9 * * 8", "the day-of-week field '8'"),
        ("0 9 * * funday", "the day-of-week field 'funday'"),
        ("0 9,25 * * *", "in '25'"),
        ("0 9, * * *", "the hour field '9,'"),
        ("*/0 * * * *", "the minute field '*/0'"),
        ("*/x * * * *", "the minute field '*/x'"),
        ("1-2-3 * * * *", "the minute field '1-2-3'"),
        ("1//2 * * * *", "the minute field '1//2'"),
        ("-5 * * * *", "the minute field '-5'"),
        ("+5 * * * *", "the minute field '+5'"),
        ("? * * * *", "the minute field '?'"),
        ("0 9 L-3 * *", "the day-of-month field 'l-3'"),
        ("0 9 L,LW * *", "L and LW"),
        ("0 9 * * L", "L needs a day"),
        ("0 9 * * 1#6", "must be 1 to 5"),
        ("0 9 * * +1", "the day-of-week field '+1'"),
        ("H * * * *", "the minute field 'h'"),
        ("0 9 1 * * *", "6 fields"),
        ("0 0 9 1 * * 2027", "7 fields"),
        ("* * * *", "4 fields"),
        ("", "is empty"),
        ("@reboot", "@reboot"),
        ("@every 5m", "is an interval"),
        ("@noon", "@noon"),
        ("99999999 * * * *", "the minute field '99999999'"),
        ("٥ * * * *", "the minute field '٥'"),
    ] {
        let error = CronSpec::parse(pattern).unwrap_err();
        assert_eq!(error.code(), Code::CronInvalid, "{pattern}");
        assert!(error.to_string().contains(part), "{pattern}: {error}");
        if let Some(example) = error.corrected() {
            assert_eq!((pattern, &*example), ("@every 5m", "--every 5m"));
        }
    }
}

#[test]
fn a_step_longer_than_its_field_is_refused_from_callers_and_read_from_rows() {
    let error = CronSpec::parse("*/90 * * * *").unwrap_err();
    assert_eq!(error.code(), Code::CronInvalid);
    assert_eq!(error.corrected().as_deref(), Some("--every 90m"));
    assert_eq!(
        utc("*/90 * * * *", "2026-11-20T10:07:00Z", 1),
        ["2026-11-20T11:00"]
    );
}

#[test]
fn a_pattern_without_any_day_is_refused() {
    for pattern in [
        "0 0 31 2 *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 31W 2 *",
    ] {
        let error = CronSpec::read(pattern).unwrap_err();
        assert_eq!(error.code(), Code::CronNever, "{pattern}");
    }
}

#[test]
fn the_rarest_days_are_found() {
    // February has a fifth Sunday once in 28 years, and not around 2100.
    assert_eq!(
        utc("0 0 * 2 0#5", "2026-11-20T00:00:00Z", 2),
        ["2032-02-29T00:00", "2060-02-29T00:00"]
    );
    assert_eq!(
        utc("0 0 29 2 */7", "2088-11-20T00:00:00Z", 1),
        ["2128-02-29T00:00"]
    );
}

#[test]
fn patterns_are_described_without_forgetting_anything() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    for (pattern, wanted) in [
        // Times of day.
        ("0 9 * * *", "every day at 09:00"),
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * mon,thu", "every Monday and Thursday at 09:00"),
        (
            "0 9 * * 5-1",
            "every Monday, Friday, Saturday and Sunday at 09:00",
        ),
        ("0 9 * * 7", "every Sunday at 09:00"),
        ("0 9 * * 0-7", "every day at 09:00"),
        ("0 9,17 * * 1-5", "every weekday at 09:00 and 17:00"),
        ("30 8,12,17 * * *", "every day at 08:30, 12:30 and 17:30"),
        ("*/30,7 9 * * *", "every day at 09:00, 09:07 and 09:30"),
        (
            "0 */5 * * *",
            "every day at 00:00, 05:00, 10:00, 15:00 and 20:00",
        ),
        ("0 0-10/5 * * *", "every day at 00:00, 05:00 and 10:00"),
        ("@daily", "every day at 00:00"),
        ("@weekly", "every Sunday at 00:00"),
        ("@monthly", "on the 1st of every month at 00:00"),
        ("@yearly", "on the 1st of January every year at 00:00"),
        // Again and again within the day.
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        (
            "*/15 9-17 * * 1-5",
            "every 15 minutes from 09:00 through 17:45, every weekday",
        ),
        ("* 9 * * *", "every minute from 09:00 through 09:59"),
        (
            "*/20 8-9,14-15 * * *",
            "every 20 minutes from 08:00 through 09:40 and from 14:00 through 15:40",
        ),
        (
            "*/10 */6 * * *",
            "every 10 minutes in the hours 0, 6, 12 and 18",
        ),
        ("@hourly", "every hour on the hour"),
        ("5 * * * *", "at 5 minutes past every hour"),
        ("1 * * * *", "at 1 minute past every hour"),
        (
            "0 9-17 * * 1-5",
            "every hour from 09:00 through 17:00, every weekday",
        ),
        ("30 */2 * * *", "every 2 hours from 00:30 through 22:30"),
        ("0,40 * * * *", "at 0 and 40 minutes past every hour"),
        (
            "*/7 * * * *",
            "at 0, 7, 14, 21, 28, 35, 42, 49 and 56 minutes past every hour",
        ),
        (
            "0-5,30 9-17 * * *",
            "at 0 to 5 and 30 minutes past the hours 9 to 17",
        ),
        (
            "0 0,2,3,4,6,9,12,15,18 * * *",
            "every day at 00:00, 02:00, 03:00, 04:00, 06:00, 09:00, 12:00, 15:00 and 18:00",
        ),
        // Days of the month.
        (
            "0 9 1,15 * *",
            "on the 1st and 15th of every month at 09:00",
        ),
        ("0 9 L * *", "on the last day of every month at 09:00"),
        ("0 9 lw * *", "on the last weekday of every month at 09:00"),
        ("0 9 1W * *", "on the first weekday of every month at 09:00"),
        (
            "0 9 15w,l * *",
            "on the weekday nearest the 15th and last day of every month at 09:00",
        ),
        ("0 9 1-7 * *", "on the 1st to 7th of every month at 09:00"),
        (
            "0 9 */2 * *",
            "on every 2nd day from the 1st to the 31st of every month at 09:00",
        ),
        ("0 9 25 12 *", "on the 25th of December every year at 09:00"),
        (
            "0 9 1 1,7 *",
            "on the 1st of January and July every year at 09:00",
        ),
        ("0 9 * 6 *", "every day in June at 09:00"),
        ("0 9 * 6 1", "every Monday in June at 09:00"),
        // Days of the week within the month.
        (
            "0 9 * * 1#2",
            "on the second Monday of every month at 09:00",
        ),
        ("0 9 * * 5L", "on the last Friday of every month at 09:00"),
        (
            "0 9 * * 1#1,1#3",
            "on the first and third Monday of every month at 09:00",
        ),
        (
            "0 9 * 3 mon#1",
            "on the first Monday of March every year at 09:00",
        ),
        (
            "0 9 * * 1,5L",
            "every Monday and also on the last Friday of every month at 09:00",
        ),
        // Both days: either will do, unless one field begins with a star.
        (
            "0 9 1-5 * 1",
            "on the 1st to 5th of every month and also every Monday at 09:00",
        ),
        (
            "0 9 13 * */3",
            "on the 13th of every month if it is a Wednesday, Saturday or Sunday at 09:00",
        ),
        ("0 9 1-7 * */1", "on the 1st to 7th of every month at 09:00"),
        // Several patterns.
        (
            "0 9 * * 1-5; 30 17 * * 1-5",
            "every weekday at 09:00 and 17:30",
        ),
        (
            "30 17 * * 1-5; 0 10 * * 6; 0 9 * * 1-5",
            "every weekday at 09:00 and 17:30 and every Saturday at 10:00",
        ),
        (
            "0 9 * * 1; 30 16 * * 5",
            "every Monday at 09:00 and every Friday at 16:30",
        ),
        (
            "*/15 9-17 * * 1-5; 0 10 * * 6",
            "every 15 minutes from 09:00 through 17:45, every weekday; every Saturday at 10:00",
        ),
        (
            "0 9,12,15 * * 1; @hourly",
            "every Monday at 09:00, 12:00 and 15:00; every hour on the hour",
        ),
    ] {
        let text = CronSpec::read(pattern).unwrap().describe(&zone);
        assert_eq!(text, format!("{wanted}, Europe/Berlin (cron {pattern})"));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_fault(text in "\\PC*", near in "[-0-9*/,#lLwW?@ monfri]{0,24}") {
        let _ = CronSpec::parse(&text);
        let _ = CronSpec::read(&near);
        let _ = CronSpec::read(&format!("{near} * * * *"));
        let _ = CronSpec::read(&format!("0 0 {near} * {near}"));
    }
}

#[test]
fn second_zero_before_five_fields_is_understood_unless_it_leaves_a_doubt() {
    for (text, five) in [
        ("0 30 6 * * 1-5", "30 6 * * 1-5"),
        ("00  0 9 * * *", "0 9 * * *"),
        ("0 */5 * * * MON", "*/5 * * * MON"),
    ] {
        assert_eq!(CronSpec::understand(text).unwrap().text(), five, "{text}");
    }
    for text in [
        // Every year, or at minute 9 of every hour.
        "0 9 * * 1-5 *",
        "5 0 9 * * *",
        // In some dialects weekdays count from 1.
        "0 30 6 ? * 2-6",
        "0 0 9 * * * 2030",
        "0 61 6 * * *",
    ] {
        assert!(CronSpec::understand(text).is_err(), "{text}");
    }
}

#[test]
fn several_patterns_fire_whenever_one_of_them_does_and_once_where_several_do() {
    assert_eq!(
        utc(
            "0 9 * * 1-5; 30 17 * * 1-5; 0 9 * * 6",
            "2026-11-20T10:00:00Z",
            4
        ),
        [
            "2026-11-20T17:30",
            "2026-11-21T09:00",
            "2026-11-23T09:00",
            "2026-11-23T17:30"
        ]
    );
    assert_eq!(
        utc("*/30 9 * * *; 0 9,10 * * *", "2026-11-20T08:00:00Z", 4),
        [
            "2026-11-20T09:00",
            "2026-11-20T09:30",
            "2026-11-20T10:00",
            "2026-11-21T09:00"
        ]
    );
}

#[test]
fn each_of_several_patterns_keeps_its_own_rule_for_skipped_and_repeated_times() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let spec = CronSpec::read("30 2 * * *; */30 2 * * *").unwrap();
    let fires = |after: &str, n| -> Vec<String> {
        let all = spec.instants(&zone, after.parse().unwrap());
        all.take(n).map(|at| at.to_string()).collect()
    };
    // In the gap, only the fixed one fires, after it; in the fold, the other one fires twice.
    assert_eq!(
        fires("2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]
    );
    assert_eq!(
        fires("2026-10-24T12:00:00Z", 5),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:00:00Z"
        ]
    );
}

#[test]
fn several_patterns_are_the_same_if_they_have_the_same_instants() {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let utc = Zone::utc();
    let same = |a: &str, b: &str, zone: &Zone| {
        let [a, b] = [a, b].map(|text| CronSpec::read(text).unwrap());
        assert_eq!(a.is_same_as(&b, zone), b.is_same_as(&a, zone));
        a.is_same_as(&b, zone)
    };
    for (a, b) in [
        ("0 9,17 * * *", "0 17 * * *; 0 9 * * *"),
        ("0 9 * * *", "0 9 * * 1-5; 0 9 * * 6,0"),
        ("0 9 * * *", "0 9 * * *; 0 9 * * 1"),
        ("0 9 1 * *; 0 9 15 * *", "0 9 1,15 * *"),
        ("*/30 9 * * *", "0/60 9 * * *; 30/60 9 * * *"),
    ] {
        assert!(same(a, b, &berlin), "{a} and {b}");
    }
    for (a, b) in [
        ("0 9 * * *", "0 9 * * *; 30 17 * * *"),
        ("0 9 * * *", "0 9 * * 1-5; 0 9 * * 6"),
        ("0 9 29 2 *; 0 9 1 1 *", "0 9 1 1 *"),
    ] {
        assert!(!same(a, b, &utc), "{a} and {b}");
    }
    let (fixed, elapsed) = ("0,30 9 * * *", "0 9 * * *; */30 9 * * *");
    assert!(same(fixed, elapsed, &utc) && !same(fixed, elapsed, &berlin));
}

#[test]
fn there_is_a_bound_to_how_many_patterns_a_schedule_has() {
    let all = |n: usize| vec!["0 9 * * *"; n].join("; ");
    assert!(CronSpec::parse(&all(16)).is_ok());
    let error = CronSpec::parse(&all(17)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "these are 17 cron patterns: a schedule has at most 16"
    );
    // What is copied with a semicolon after it is one.
    let error = CronSpec::understand("0 9 * * *; 0 10 * * 1 ; ").unwrap_err();
    let wanted = "--cron \"0 9 * * *; 0 10 * * 1\"";
    assert_eq!(error.corrected().as_deref(), Some(wanted), "{error}");
}
