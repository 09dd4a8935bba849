//! The rules of time in every zone, at every change of its clocks.
//!
//! By default the changes of 2024 to 2030 are tested. `PROMPTYOSELF_LONG=1` tests those of 1973 to
//! 2050 with more patterns; that takes five to ten minutes. Zones that share all their changes are
//! tested once, and so is a change that several zones share with nothing else near it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod oracle;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use promptyoself::models::ScheduleType;
use promptyoself::schedule::{LeftOut, Spec, Timetable, Zone};

use self::oracle::{DAY, Minute, Pattern, Window, instant, wall};

/// How much is tested.
struct Effort {
    years: std::ops::Range<i16>,
    /// Random patterns at each change, beside those made for it.
    random: u64,
}

fn effort() -> Effort {
    if std::env::var_os("PROMPTYOSELF_LONG").is_some_and(|v| v == "1") {
        Effort {
            years: 1973..2051,
            random: 8,
        }
    } else {
        Effort {
            years: 2024..2031,
            random: 4,
        }
    }
}

/// A change of a zone's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    /// The first minute of the new offset, in UTC.
    at: Minute,
    /// What the wall clock would show at that minute, before and after.
    old: Minute,
    new: Minute,
}

impl Change {
    /// The ends of the skipped or repeated stretch of wall time.
    fn stretch(&self) -> (Minute, Minute) {
        (self.old.min(self.new), self.old.max(self.new))
    }

    /// Wall times at which a mistake would show.
    fn telling(&self) -> [Minute; 6] {
        let (low, high) = self.stretch();
        [low - 1, low, (low + high) / 2, high - 1, high, high + 1]
    }
}

fn changes(tz: &TimeZone, years: &std::ops::Range<i16>) -> Vec<Change> {
    let start = |year| {
        jiff::civil::date(year, 1, 1)
            .to_zoned(TimeZone::UTC)
            .unwrap()
            .timestamp()
    };
    let mut offset = tz.to_offset(start(years.start));
    tz.following(start(years.start))
        .take_while(|change| change.timestamp() < start(years.end))
        .filter_map(|change| {
            let at = change.timestamp().as_second() / 60;
            let shown = |offset: jiff::tz::Offset| at + i64::from(offset.seconds()) / 60;
            let (old, new) = (shown(offset), shown(change.offset()));
            offset = change.offset();
            (old != new).then_some(Change { at, old, new })
        })
        .collect()
}

/// The zones to test, each with those of its changes that no zone before it has.
fn zones(effort: &Effort) -> Vec<(Zone, Vec<Change>)> {
    let mut zones = Vec::new();
    let (mut seen_zones, mut seen_changes) = (BTreeSet::new(), BTreeSet::new());
    for name in jiff::tz::db().available() {
        let name = name.as_str();
        // Not places: copies of all others, and what differs from machine to machine.
        if name.starts_with("right/")
            || name.starts_with("posix/")
            || ["localtime", "posixrules", "Factory"].contains(&name)
        {
            continue;
        }
        let Ok(zone) = Zone::parse(name) else {
            panic!("{name} is listed, but not accepted");
        };
        let all = changes(zone.tz(), &effort.years);
        if !seen_zones.insert(all.clone()) {
            continue;
        }
        let near = |one: &Change| -> Vec<Change> {
            let close = |other: &&Change| (other.at - one.at).abs() < 5 * DAY;
            all.iter().filter(close).copied().collect()
        };
        let new = all.iter().filter(|one| seen_changes.insert(near(one)));
        zones.push((zone, new.copied().collect()));
    }
    assert!(zones.len() > 20, "the time zone database is missing");
    zones
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: i64) -> i64 {
        (self.next() % n.unsigned_abs()) as i64
    }
}

fn list(values: &[i64]) -> String {
    let values: Vec<String> = values.iter().map(i64::to_string).collect();
    values.join(",")
}

fn pattern(minutes: (String, Vec<i64>), hours: (String, Vec<i64>)) -> Pattern {
    Pattern {
        elapsed: [&minutes.0, &hours.0]
            .iter()
            .any(|f| f.contains(['*', '/'])),
        text: format!("{} {} * * *", minutes.0, hours.0),
        minutes: minutes.1,
        hours: hours.1,
        days: None,
        months: None,
        weekdays: None,
    }
}

/// The pattern on some days only.
fn on(
    mut pattern: Pattern,
    days: Option<Vec<i64>>,
    months: Option<Vec<i64>>,
    weekdays: Option<Vec<i64>>,
) -> Pattern {
    let field = |values: &Option<Vec<i64>>| values.as_deref().map_or("*".to_owned(), list);
    let time = pattern.text.trim_end_matches(" * * *");
    pattern.text = format!(
        "{time} {} {} {}",
        field(&days),
        field(&months),
        field(&weekdays)
    );
    (pattern.days, pattern.months, pattern.weekdays) = (days, months, weekdays);
    pattern
}

fn values(values: &[i64]) -> (String, Vec<i64>) {
    (list(values), values.to_vec())
}

fn stepped(from: i64, to: i64, step: i64, text: &str) -> (String, Vec<i64>) {
    let values = (from..=to)
        .step_by(usize::try_from(step).unwrap())
        .collect();
    (text.to_owned(), values)
}

fn every_hour() -> (String, Vec<i64>) {
    stepped(0, 23, 1, "*")
}

/// Patterns that meet a change: at its wall times, in lists, on its day.
fn fixed_patterns(change: &Change) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    let (low, high) = change.stretch();
    for at in change.telling() {
        let w = wall(at);
        let daily = pattern(values(&[w.minute]), values(&[w.hour]));
        patterns.push(on(daily.clone(), Some(vec![w.day]), None, None));
        patterns.push(on(
            daily.clone(),
            None,
            Some(vec![w.month]),
            Some(vec![w.weekday]),
        ));
        patterns.push(daily);
    }
    let (low, high) = (wall(low), wall(high));
    let both = [low.hour, high.hour];
    patterns.push(pattern(values(&[0, 15, 30, 45]), values(&both)));
    patterns.push(pattern(
        values(&[0]),
        values(&[low.hour, (low.hour + 12) % 24]),
    ));
    patterns.push(on(
        pattern(values(&[low.minute, 59]), values(&both)),
        Some(vec![low.day]),
        None,
        Some(vec![(low.weekday + 1) % 7]),
    ));
    patterns
}

fn elapsed_patterns(change: &Change) -> Vec<Pattern> {
    let (low, high) = change.stretch();
    let (low, high) = (wall(low), wall(high));
    let minute = stepped(low.minute, 59, 20, &format!("{}/20", low.minute));
    vec![
        pattern(stepped(0, 59, 30, "*/30"), every_hour()),
        pattern(values(&[low.minute]), every_hour()),
        pattern(stepped(0, 59, 1, "*"), values(&[low.hour])),
        pattern(minute, values(&[low.hour, high.hour])),
        pattern(values(&[30]), stepped(0, 23, 2, "*/2")),
        on(
            pattern(stepped(0, 59, 10, "*/10"), values(&[low.hour, high.hour])),
            Some(vec![low.day]),
            Some(vec![low.month]),
            None,
        ),
    ]
}

/// A pattern whose hours lie around the change.
fn random_pattern(change: &Change, random: &mut Random) -> Pattern {
    let near = wall(change.stretch().0);
    let minutes = match random.below(3) {
        0 => stepped(0, 59, 7, "*/7"),
        1 => {
            let from = random.below(60);
            stepped(from, 59, 13, &format!("{from}-59/13"))
        }
        _ => values(&[random.below(60), random.below(60), 59 * random.below(2)]),
    };
    let hours = match random.below(4) {
        0 => every_hour(),
        // A range that wraps around midnight.
        1 => ("22-2".to_owned(), vec![22, 23, 0, 1, 2]),
        _ => values(&[
            near.hour,
            (near.hour + random.below(3)) % 24,
            (near.hour + 23) % 24,
        ]),
    };
    let pattern = pattern(minutes, hours);
    match random.below(4) {
        0 => on(
            pattern,
            Some(vec![near.day]),
            None,
            Some(vec![random.below(7)]),
        ),
        1 => on(
            pattern,
            None,
            None,
            Some(vec![near.weekday, (near.weekday + 6) % 7]),
        ),
        _ => pattern,
    }
}

fn timetable(kind: ScheduleType, value: &str, zone: &Zone, anchor: Minute) -> Timetable {
    Timetable {
        spec: Spec::read_stored(kind, value, zone).unwrap(),
        zone: zone.clone(),
        anchor: instant(anchor),
        end_at: None,
        except: LeftOut::default(),
    }
}

/// Asserts that a timetable fires exactly at `wanted` in `after < instant <= until`, whether its
/// instants are asked for one by one, in a row, or counted.
fn assert_fires(
    table: &Timetable,
    wanted: &[Minute],
    (after, until): (Minute, Minute),
    what: &dyn std::fmt::Debug,
) {
    let name = table.zone.name();
    let wanted: Vec<Timestamp> = wanted
        .iter()
        .filter(|at| after < **at && **at <= until)
        .map(|at| instant(*at))
        .collect();
    let found: Vec<Timestamp> =
        std::iter::successors(table.next_after(instant(after)), |at| table.next_after(*at))
            .take_while(|at| *at <= instant(until))
            .collect();
    assert_eq!(found, wanted, "{what:?} in {name}");
    let Some(first) = wanted.first() else { return };
    let row = table.upcoming(*first, wanted.len());
    assert_eq!(row, wanted, "{what:?} in {name}, in a row");
    let passed = table.passed(*first, instant(until), None);
    assert_eq!(
        (passed.count, Some(passed.newest), passed.before_newest),
        (
            wanted.len() as u64,
            wanted.last().copied(),
            wanted.iter().rev().nth(1).copied()
        ),
        "{what:?} in {name}, counted"
    );
}

/// The window around a change, and the part of it in which nothing outside matters.
fn around(zone: &Zone, change: &Change) -> (Window, (Minute, Minute)) {
    let (low, high) = change.stretch();
    let start = change.at - 2 * DAY - (high - low) - 60;
    let window = Window::new(zone.tz(), start..=change.at + 2 * DAY);
    (window, (change.at - DAY, change.at + DAY))
}

/// Patterns that matter at a change, and this many random ones.
fn patterns(change: &Change, random: &mut Random, number: u64) -> Vec<Pattern> {
    let mut patterns = fixed_patterns(change);
    patterns.extend(elapsed_patterns(change));
    patterns.extend((0..number).map(|_| random_pattern(change, random)));
    patterns
}

#[test]
fn cron_patterns_obey_the_rules_at_every_change_of_every_zone() {
    let effort = effort();
    let mut random = Random(1);
    let mut tested = 0_u64;
    for (zone, changes) in zones(&effort) {
        for change in &changes {
            let (window, inner) = around(&zone, change);
            let patterns = patterns(change, &mut random, effort.random);
            for pattern in &patterns {
                let table = timetable(ScheduleType::Cron, &pattern.text, &zone, 0);
                assert_fires(&table, &window.instants(pattern), inner, pattern);
                tested += 1;
            }
        }
    }
    assert!(tested > 5_000, "only {tested} patterns were tested");
}

/// Of each kind of pattern some stand together: each keeps its own rule.
#[test]
fn several_patterns_have_the_instants_of_each_at_every_change_of_every_zone() {
    let effort = effort();
    let mut random = Random(2);
    let mut tested = 0_u64;
    for (zone, changes) in zones(&effort) {
        for change in &changes {
            let (window, inner) = around(&zone, change);
            let patterns = patterns(change, &mut random, effort.random);
            for _ in 0..effort.random {
                let several: Vec<&Pattern> = (0..2 + random.below(3))
                    .map(|_| &patterns[random.below(patterns.len() as i64) as usize])
                    .collect();
                let texts: Vec<&str> = several.iter().map(|p| p.text.as_str()).collect();
                let each = several.iter().flat_map(|p| window.instants(p));
                let wanted: BTreeSet<Minute> = each.collect();
                let wanted: Vec<Minute> = wanted.into_iter().collect();
                let table = timetable(ScheduleType::Cron, &texts.join("; "), &zone, 0);
                assert_fires(&table, &wanted, inner, &several);
                tested += 1;
            }
        }
    }
    assert!(tested > 1_000, "only {tested} were tested");
}

/// Some of the dates around a change, in days since 1970, and as they are given.
fn some_dates(change: &Change, random: &mut Random) -> (Vec<i64>, LeftOut) {
    let middle = change.old.div_euclid(DAY);
    let dates: Vec<i64> = (middle - 2..=middle + 2)
        .filter(|_| random.below(2) == 0)
        .collect();
    let texts: Vec<String> = dates
        .iter()
        .map(|date| instant(date * DAY).strftime("%Y-%m-%d").to_string())
        .collect();
    let except = LeftOut::parse(&texts.join(", ")).unwrap();
    (dates, except)
}

/// An instant is on the date that the clocks show at it, wherever it was moved from.
#[test]
fn what_is_left_out_is_every_instant_on_these_dates_at_every_change_of_every_zone() {
    let effort = effort();
    let mut random = Random(3);
    let mut tested = 0_u64;
    for (zone, changes) in zones(&effort) {
        for change in &changes {
            let (window, (after, until)) = around(&zone, change);
            let patterns = patterns(change, &mut random, effort.random);
            let mut tables: Vec<(Timetable, Vec<Minute>)> = Vec::new();
            for _ in 0..2 * effort.random {
                let pattern = &patterns[random.below(patterns.len() as i64) as usize];
                let table = timetable(ScheduleType::Cron, &pattern.text, &zone, 0);
                tables.push((table, window.instants(pattern)));
            }
            for step in [97, 60, 24 * 60] {
                let anchor = change.at - DAY - 13;
                let all = (0..).map(|n| anchor + n * step);
                let all = all.take_while(|at| *at <= until).collect();
                let table = timetable(ScheduleType::Interval, &format!("{step}m"), &zone, anchor);
                tables.push((table, all));
            }
            for at in change.telling() {
                let anchor = window.instant_of(at - DAY).unwrap();
                let all = (0..=2).map_while(|n| window.instant_of(at + (n - 1) * DAY));
                let all: BTreeSet<Minute> = all.chain([anchor]).collect();
                let table = timetable(ScheduleType::Interval, "1d", &zone, anchor);
                tables.push((table, all.into_iter().collect()));
            }
            for (table, all) in tables {
                let (dates, except) = some_dates(change, &mut random);
                let is_kept = |at: &&Minute| !dates.contains(&window.date_of(**at));
                let wanted: Vec<Minute> = all.iter().filter(is_kept).copied().collect();
                let table = Timetable { except, ..table };
                assert_fires(&table, &wanted, (after, until), &table);
                tested += 1;
            }
        }
    }
    assert!(tested > 5_000, "only {tested} were tested");
}

#[test]
fn intervals_obey_the_rules_at_every_change_of_every_zone() {
    let effort = effort();
    for (zone, changes) in zones(&effort) {
        for change in &changes {
            let (window, (after, until)) = around(&zone, change);
            // Elapsed time knows nothing of walls.
            for step in [97, 60, 24 * 60] {
                let anchor = change.at - DAY - 13;
                let wanted: Vec<Minute> = (0..)
                    .map(|n| anchor + n * step)
                    .take_while(|at| *at <= until)
                    .collect();
                let table = timetable(ScheduleType::Interval, &format!("{step}m"), &zone, anchor);
                assert_fires(&table, &wanted, (after - DAY, until), &step);
            }
            // Days keep the wall time of the anchor.
            for at in change.telling() {
                for days in [1, 2] {
                    let wall = at - 2 * DAY;
                    let anchor = window.instant_of(wall).unwrap();
                    let mut wanted = vec![anchor];
                    wanted.extend(
                        (1..)
                            .map(|n| wall + n * days * DAY)
                            .map_while(|wall| window.instant_of(wall))
                            .take_while(|at| *at <= until),
                    );
                    wanted.dedup();
                    let table =
                        timetable(ScheduleType::Interval, &format!("{days}d"), &zone, anchor);
                    assert_fires(&table, &wanted, (anchor - 1, until), &(days, at));
                }
            }
        }
    }
}

#[test]
fn a_wall_time_means_the_same_instant_to_every_kind_of_schedule() {
    let effort = effort();
    let now = Timestamp::UNIX_EPOCH;
    for (zone, changes) in zones(&effort) {
        for change in &changes {
            let (window, _) = around(&zone, change);
            for at in change.telling() {
                let text = instant(at).strftime("%Y-%m-%d %H:%M").to_string();
                let once = promptyoself::schedule::parse_time(&text, &zone, now).unwrap();
                let wanted = window.instant_of(at).map(instant);
                assert_eq!(Some(once), wanted, "{text} in {}", zone.name());
            }
        }
    }
}

/// The instants of a cron after one, as text.
fn cron(pattern: &str, zone: &str, after: &str) -> [String; 3] {
    let zone = Zone::parse(zone).unwrap();
    let table = timetable(ScheduleType::Cron, pattern, &zone, 0);
    let first = table.next_after(after.parse().unwrap()).unwrap();
    let three = table.upcoming(first, 3);
    std::array::from_fn(|i| three[i].to_string())
}

#[rstest::rstest]
#[case::berlin_skips_0230(
    "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
    ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"]
)]
#[case::berlin_skips_quarters_after_2(
    "*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
    ["2026-03-30T00:00:00Z", "2026-03-30T00:15:00Z", "2026-03-30T00:30:00Z"]
)]
#[case::new_york_has_0130_twice(
    "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
    ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z", "2026-11-03T06:30:00Z"]
)]
#[case::new_york_repeats_an_hour(
    "30 */1 * * *", "America/New_York", "2026-11-01T05:00:00Z",
    ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"]
)]
#[case::lord_howe_skips_half_an_hour(
    "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
    ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z", "2026-10-05T15:15:00Z"]
)]
#[case::lord_howe_repeats_half_an_hour(
    "*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:20:00Z",
    ["2026-04-04T14:30:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z"]
)]
#[case::apia_left_a_day_out(
    "0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
    ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]
)]
#[case::dublin_has_negative_summer_time(
    "30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z",
    ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"]
)]
#[case::dublin_in_autumn(
    "30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z",
    ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]
)]
#[case::casablanca_goes_back_for_ramadan(
    "30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00:00Z",
    ["2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z", "2026-02-17T02:30:00Z"]
)]
#[case::el_aaiun_goes_forward_after_ramadan(
    "30 2 * * *", "Africa/El_Aaiun", "2026-03-21T12:00:00Z",
    ["2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z", "2026-03-24T01:30:00Z"]
)]
#[case::santiago_skips_midnight(
    "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z",
    ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z", "2026-09-08T03:00:00Z"]
)]
#[case::almaty_moved_its_zone(
    "30 23 * * *", "Asia/Almaty", "2024-02-28T18:00:00Z",
    ["2024-02-29T17:30:00Z", "2024-03-01T18:30:00Z", "2024-03-02T18:30:00Z"]
)]
fn a_known_change_is_met_as_written_down(
    #[case] pattern: &str,
    #[case] zone: &str,
    #[case] after: &str,
    #[case] wanted: [&str; 3],
) {
    assert_eq!(cron(pattern, zone, after), wanted);
}
