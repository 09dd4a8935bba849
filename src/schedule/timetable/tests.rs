//! The laws of timetables, each with literal instants.

use super::*;
use crate::models::ScheduleType;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A timetable anchored at `anchor`.
fn table(kind: ScheduleType, value: &str, zone: &str, anchor: &str) -> Timetable {
    let zone = Zone::parse(zone).unwrap();
    Timetable {
        spec: Spec::read_stored(kind, value, &zone).unwrap(),
        zone,
        anchor: at(anchor),
        end_at: None,
        except: LeftOut::default(),
    }
}

fn every(value: &str, zone: &str, anchor: &str) -> Timetable {
    table(ScheduleType::Interval, value, zone, anchor)
}

fn cron(value: &str, zone: &str, anchor: &str) -> Timetable {
    table(ScheduleType::Cron, value, zone, anchor)
}

fn until(mut table: Timetable, end_at: &str) -> Timetable {
    table.end_at = Some(at(end_at));
    table
}

/// The instants after `after`, one call each, as text.
fn walk(table: &Timetable, after: &str, n: usize) -> Vec<String> {
    std::iter::successors(table.next_after(at(after)), |t| table.next_after(*t))
        .take(n)
        .map(|t| t.to_string())
        .collect()
}

#[test]
fn a_once_fires_at_its_instant_and_never_again() {
    let once = table(
        ScheduleType::Once,
        "2026-12-01 09:00",
        "UTC",
        "2026-11-20T10:00:00Z",
    );
    let instant = at("2026-12-01T09:00:00Z");
    assert_eq!(once.first(at("2026-11-20T10:00:00Z"), None), Some(instant));
    assert_eq!(
        walk(&once, "2026-11-20T10:00:00Z", 9),
        ["2026-12-01T09:00:00Z"]
    );
    assert_eq!(once.next_after(instant), None);
    assert_eq!(once.upcoming(instant, 3), [instant]);
    let passed = once.passed(instant, at("2027-01-01T00:00:00Z"), None);
    assert_eq!((passed.count, passed.newest), (1, instant));
}

#[test]
fn an_interval_begins_one_interval_after_it_was_made_or_at_its_start() {
    let made = "2026-11-20T10:00:00.25Z";
    let table = every("1h", "UTC", made);
    assert_eq!(
        table.first(at(made), None),
        Some(at("2026-11-20T11:00:00.25Z"))
    );
    let start = at("2026-11-21T00:00:00Z");
    assert_eq!(table.first(at(made), Some(start)), Some(start));
    assert_eq!(table.first(at(made), Some(at(made))), Some(at(made)));
    // A start in the past starts the count; instants that have passed are not fired.
    let past = at("2026-11-20T08:30:00Z");
    assert_eq!(
        table.first(at(made), Some(past)),
        Some(at("2026-11-20T10:30:00Z"))
    );
}

#[test]
fn a_cron_begins_after_it_was_made_and_at_its_start_or_later() {
    let made = at("2026-11-20T09:00:00Z");
    let table = cron("0 9 * * *", "UTC", "2026-11-20T09:00:00Z");
    for (start, first) in [
        (None, "2026-11-21T09:00:00Z"),
        (Some("2026-11-20T09:00:00Z"), "2026-11-20T09:00:00Z"),
        (Some("2026-11-25T09:00:00Z"), "2026-11-25T09:00:00Z"),
        (Some("2026-11-25T09:00:00.000001Z"), "2026-11-26T09:00:00Z"),
        (Some("2020-01-01T00:00:00Z"), "2026-11-21T09:00:00Z"),
    ] {
        assert_eq!(
            table.first(made, start.map(at)),
            Some(at(first)),
            "{start:?}"
        );
    }
}

#[test]
fn the_end_is_the_last_instant_that_may_fire() {
    let made = "2026-11-20T10:00:00Z";
    let table = until(every("1h", "UTC", made), "2026-11-20T12:00:00Z");
    assert_eq!(
        walk(&table, made, 9),
        ["2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"]
    );
    let passed = table.passed(at("2026-11-20T11:00:00Z"), at("2027-01-01T00:00:00Z"), None);
    assert_eq!(
        (passed.count, passed.newest),
        (2, at("2026-11-20T12:00:00Z"))
    );
    let ended = until(table, "2026-11-20T10:59:59Z");
    assert_eq!(ended.first(at(made), None), None);
}

#[test]
fn an_interval_is_counted_from_its_anchor_and_never_from_now() {
    let table = every("7m", "UTC", "2026-01-01T00:00:00Z");
    for (after, next) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:07:00Z"),
        ("2026-01-01T00:06:59.999999Z", "2026-01-01T00:07:00Z"),
        ("2026-01-01T00:07:00Z", "2026-01-01T00:14:00Z"),
        ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2036-01-01T00:00:00Z", "2036-01-01T00:03:00Z"),
    ] {
        assert_eq!(table.next_after(at(after)), Some(at(next)), "{after}");
    }
    assert_eq!(table.next_after(Timestamp::MAX), None);
    assert_eq!(table.next_after(Timestamp::MIN), Some(table.anchor));
}

#[test]
fn hours_are_elapsed_and_days_keep_their_time_of_day() {
    let anchor = "2026-03-28T01:30:00Z"; // 02:30 in Berlin, skipped the next day
    assert_eq!(
        walk(&every("24h", "Europe/Berlin", anchor), anchor, 2),
        ["2026-03-29T01:30:00Z", "2026-03-30T01:30:00Z"]
    );
    assert_eq!(
        walk(&every("1d", "Europe/Berlin", anchor), anchor, 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        walk(&every("1w", "Europe/Berlin", anchor), anchor, 1),
        ["2026-04-04T00:30:00Z"]
    );
}

#[test]
fn days_from_the_second_half_of_a_fold_keep_the_anchor_itself() {
    let anchor = "2026-11-01T06:30:00Z"; // the second 01:30 in New York
    let table = every("1d", "America/New_York", anchor);
    assert_eq!(
        table.next_after(at("2026-11-01T06:00:00Z")),
        Some(at(anchor))
    );
    assert_eq!(
        walk(&table, anchor, 2),
        ["2026-11-02T06:30:00Z", "2026-11-03T06:30:00Z"]
    );
}

#[test]
fn days_that_fall_into_a_day_left_out_merge_where_they_meet() {
    let table = every("1d", "Pacific/Apia", "2011-12-28T10:00:00Z"); // midnight in Apia
    assert_eq!(
        walk(&table, "2011-12-28T10:00:00Z", 3),
        [
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z"
        ]
    );
    let passed = table.passed(table.anchor, at("2011-12-31T10:00:00Z"), None);
    assert_eq!(passed.count, 4);
}

#[test]
fn the_first_instant_counts_even_where_it_lies_off_the_timetable() {
    let table = every("1h", "UTC", "2026-11-20T10:00:00Z");
    let first = at("2026-11-20T10:20:00Z");
    assert_eq!(
        table.passed(first, at("2026-11-20T12:30:00Z"), None),
        Passed {
            count: 3,
            newest: at("2026-11-20T12:00:00Z"),
            before_newest: Some(at("2026-11-20T11:00:00Z")),
        }
    );
    assert_eq!(
        table.passed(first, at("2026-11-20T11:00:00Z"), None),
        Passed {
            count: 2,
            newest: at("2026-11-20T11:00:00Z"),
            before_newest: Some(first),
        }
    );
    assert_eq!(
        table.upcoming(first, 3),
        [
            first,
            at("2026-11-20T11:00:00Z"),
            at("2026-11-20T12:00:00Z")
        ]
    );
    // It counts after the end, too: it was intended when the end was set.
    let ended = until(table, "2026-11-20T10:10:00Z");
    assert_eq!(
        ended.passed(first, at("2026-11-21T00:00:00Z"), None).count,
        1
    );
}

#[test]
fn nothing_has_passed_before_the_first_instant_or_under_a_limit_of_none() {
    let table = every("1h", "UTC", "2026-11-20T10:00:00Z");
    let first = at("2026-11-20T11:00:00Z");
    let none = Passed {
        count: 0,
        newest: first,
        before_newest: None,
    };
    assert_eq!(
        table.passed(first, at("2026-11-20T10:59:59.999999Z"), None),
        none
    );
    assert_eq!(
        table.passed(first, at("2026-11-21T00:00:00Z"), Some(0)),
        none
    );
}

#[test]
fn ten_years_of_seconds_are_counted_at_once() {
    let table = every("1s", "UTC", "2026-01-01T00:00:00Z");
    let first = at("2026-01-01T00:00:01Z");
    let passed = table.passed(first, at("2036-01-01T00:00:00.5Z"), None);
    assert_eq!(
        passed,
        Passed {
            count: 315_532_800,
            newest: at("2036-01-01T00:00:00Z"),
            before_newest: Some(at("2035-12-31T23:59:59Z")),
        }
    );
    let whole = table.passed(Timestamp::MIN, Timestamp::MAX, None);
    assert_eq!(whole.newest, at("9999-12-30T22:00:00Z"));
}

#[test]
fn a_limit_ends_the_count_at_its_last_instant() {
    let anchor = "2026-01-01T00:00:00Z";
    for table in [
        every("1h", "UTC", anchor),
        every("60m", "Europe/Berlin", anchor),
        cron("0 * * * *", "Europe/Berlin", anchor),
    ] {
        let first = at("2026-01-01T05:00:00Z");
        for (limit, newest, before) in [
            (1, "2026-01-01T05:00:00Z", None),
            (2, "2026-01-01T06:00:00Z", Some("2026-01-01T05:00:00Z")),
            (9, "2026-01-01T13:00:00Z", Some("2026-01-01T12:00:00Z")),
        ] {
            assert_eq!(
                table.passed(first, at("2027-01-01T00:00:00Z"), Some(limit)),
                Passed {
                    count: limit,
                    newest: at(newest),
                    before_newest: before.map(at),
                }
            );
        }
    }
}

#[test]
fn a_count_agrees_with_the_instants_taken_one_by_one() {
    let anchor = "2026-03-20T00:30:00Z";
    for (kind, value) in [
        (ScheduleType::Interval, "97m"),
        (ScheduleType::Interval, "1d"),
        (ScheduleType::Cron, "*/20 1-3 * * *"),
        (ScheduleType::Cron, "0,20,40 1,2,3 * * *"),
    ] {
        for (zone, until) in [
            ("Europe/Berlin", "2026-04-10T00:00:00Z"),
            ("America/New_York", "2026-11-10T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-10T00:00:00Z"),
        ] {
            let table = table(kind, value, zone, anchor);
            let first = table.next_after(at(anchor)).unwrap();
            let each: Vec<Timestamp> = std::iter::successors(Some(first), |t| table.next_after(*t))
                .take_while(|t| *t <= at(until))
                .collect();
            let passed = table.passed(first, at(until), None);
            assert_eq!(passed.count, each.len() as u64, "{value} in {zone}");
            assert_eq!(Some(&passed.newest), each.last());
            assert_eq!(passed.before_newest.as_ref(), each.iter().rev().nth(1));
            assert_eq!(table.upcoming(first, each.len()), each);
        }
    }
}

fn leaving_out(mut table: Timetable, dates: &str) -> Timetable {
    table.except = LeftOut::parse(dates).unwrap();
    table
}

#[test]
fn an_instant_on_a_left_out_date_does_not_exist() {
    let daily = cron("0 0,12 * * *", "Europe/Berlin", "2026-11-20T00:00:00Z");
    let daily = leaving_out(daily, "2026-12-25, 2026-12-27..2026-12-28");
    // Midnight is the first instant of its date, not the last of the one before.
    assert_eq!(
        walk(&daily, "2026-12-24T08:00:00Z", 5),
        [
            "2026-12-24T11:00:00Z",
            "2026-12-25T23:00:00Z",
            "2026-12-26T11:00:00Z",
            "2026-12-28T23:00:00Z",
            "2026-12-29T11:00:00Z"
        ]
    );
    // It uses up no number, and is neither the first one nor the last.
    let passed = daily.passed(at("2026-12-24T11:00:00Z"), at("2026-12-28T22:59:59Z"), None);
    assert_eq!(
        (passed.count, passed.newest),
        (3, at("2026-12-26T11:00:00Z"))
    );
    let passed = daily.passed(
        at("2026-12-24T11:00:00Z"),
        at("2027-01-10T00:00:00Z"),
        Some(4),
    );
    assert_eq!(passed.newest, at("2026-12-28T23:00:00Z"));
    let made = at("2026-12-24T12:00:00Z");
    assert_eq!(daily.first(made, None), Some(at("2026-12-25T23:00:00Z")));
    assert_eq!(until(daily, "2026-12-25T22:00:00Z").first(made, None), None);
}

#[test]
fn an_interval_keeps_its_phase_across_dates_that_are_left_out() {
    let table = leaving_out(every("2d", "UTC", "2026-12-20T08:00:00Z"), "2026-12-24");
    assert_eq!(
        walk(&table, "2026-12-21T00:00:00Z", 3),
        [
            "2026-12-22T08:00:00Z",
            "2026-12-26T08:00:00Z",
            "2026-12-28T08:00:00Z"
        ]
    );
    // Its start may be left out, too.
    let start = at("2026-12-24T08:00:00Z");
    let table = leaving_out(every("2d", "UTC", "2026-12-24T08:00:00Z"), "2026-12-24");
    assert_eq!(
        table.first(at("2026-12-20T00:00:00Z"), Some(start)),
        Some(at("2026-12-26T08:00:00Z"))
    );
}

#[test]
fn a_run_that_is_moved_out_of_a_gap_belongs_to_the_date_on_which_it_is() {
    // In 2011 Apia went from the 29th of December to the 31st.
    let apia = cron("0 9 30 * *", "Pacific/Apia", "2011-12-01T00:00:00Z");
    let moved = "2011-12-30T10:00:00Z";
    assert_eq!(walk(&apia, "2011-12-01T00:00:00Z", 1), [moved]);
    let kept = leaving_out(apia.clone(), "2011-12-30");
    assert_eq!(walk(&kept, "2011-12-01T00:00:00Z", 1), [moved]);
    let gone = leaving_out(apia, "2011-12-31");
    assert_eq!(
        walk(&gone, "2011-12-01T00:00:00Z", 1),
        ["2012-01-29T19:00:00Z"]
    );
}

#[test]
fn a_date_that_begins_twice_is_left_out_both_times() {
    // In Havana 01:00 of the 1st of November becomes 00:00 again.
    let zone = "America/Havana";
    let hourly = cron("30 * * * *", zone, "2026-10-01T00:00:00Z");
    let hourly = leaving_out(hourly, "2026-11-01");
    assert_eq!(
        walk(&hourly, "2026-11-01T03:00:00Z", 2),
        ["2026-11-01T03:30:00Z", "2026-11-02T05:30:00Z"]
    );
    // In Beirut 24:00 becomes 23:00 again: the end of the 24th of October comes twice.
    let beirut = cron("30 * * * *", "Asia/Beirut", "2026-10-01T00:00:00Z");
    let beirut = leaving_out(beirut, "2026-10-24");
    assert_eq!(
        walk(&beirut, "2026-10-23T20:00:00Z", 2),
        ["2026-10-23T20:30:00Z", "2026-10-24T22:30:00Z"]
    );
}

#[test]
fn years_of_seconds_with_many_dates_left_out_are_counted_at_once() {
    let zone = "America/New_York";
    let table = every("1s", zone, "2026-01-01T05:00:00Z");
    let dates: Vec<String> = (2026..2036)
        .flat_map(|year| {
            (1..=12).map(move |month| format!("{year}-{month:02}-03..{year}-{month:02}-04"))
        })
        .collect();
    let table = leaving_out(table, &dates.join(","));
    let first = at("2026-01-01T05:00:00Z");
    let end = at("2036-01-01T04:59:59Z");
    let passed = table.passed(first, end, None);
    // Whole days, all of 24 hours: clocks change on none of them but for these.
    let change_days = (2026..2036)
        .flat_map(|year| [(year, 3), (year, 11)])
        .filter(|(year, month)| {
            let start = jiff::civil::date(*year, *month, 1);
            let first_sunday = (7 - start.weekday().to_sunday_zero_offset()) % 7 + 1;
            let change = if *month == 3 {
                first_sunday + 7
            } else {
                first_sunday
            };
            (3..=4).contains(&change)
        })
        .count() as u64;
    let days = 365 * 10 + 2 - 240;
    assert_eq!(passed.count, days * 86_400 - change_days * 3_600);
    assert_eq!(passed.newest, end);
    let limited = table.passed(first, end, Some(2 * 86_400 + 1));
    assert_eq!(limited.newest, at("2026-01-05T05:00:00Z"));
    assert_eq!(limited.before_newest, Some(at("2026-01-03T04:59:59Z")));
}

proptest::proptest! {
    #[test]
    fn the_next_instant_is_later_and_nothing_lies_between(
        after in -377_705_023_201_i64..=253_402_207_200,
        micros in 0..1_000_000_i64,
        spec in 0..8_usize,
        zone in 0..5_usize,
    ) {
        let (kind, value) = [
            (ScheduleType::Cron, "*/7 * * * *"),
            (ScheduleType::Cron, "30 2 * * *"),
            (ScheduleType::Cron, "0 0 29 2 *"),
            (ScheduleType::Cron, "0 9 LW * 1#5"),
            (ScheduleType::Interval, "1s"),
            (ScheduleType::Interval, "97m"),
            (ScheduleType::Interval, "1d"),
            (ScheduleType::Interval, "3650d"),
        ][spec];
        let zone = ["UTC", "Europe/Berlin", "Pacific/Apia", "Asia/Manila", "America/Juneau"][zone];
        let table = table(kind, value, zone, "1844-12-30T16:00:00Z");
        let after = Timestamp::new(after, 0).unwrap();
        let after = after.checked_add(jiff::SignedDuration::from_micros(micros)).unwrap_or(after);
        if let Some(next) = table.next_after(after) {
            proptest::prop_assert!(next > after);
            let before = Timestamp::from_microsecond(next.as_microsecond() - 1).unwrap();
            proptest::prop_assert_eq!(table.next_after(before), Some(next));
            let passed = table.passed(next, Timestamp::MAX, Some(3));
            let three = table.upcoming(next, 3);
            proptest::prop_assert_eq!(Some(&passed.newest), three.last());
        } else {
            proptest::prop_assert!(after.as_second() > 253_000_000_000);
        }
    }
}
