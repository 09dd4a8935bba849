//! What phrases mean, against a table that is made by hand and by an oracle (see `make.py`).

use std::str::FromStr;

use jiff::Timestamp;
use promptyoself::models::ScheduleType;
use promptyoself::operations::reading::zone_of;
use promptyoself::schedule::words::{
    Meaning, Rule, understand, understand_recurrence, understand_time,
};
use promptyoself::schedule::{Asked, LeftOut, Spec, Timetable, Zone};
use promptyoself::service::Wish;

const TABLE: &str = include_str!("phrases.txt");

/// A row, and when and where it is said.
struct Row {
    now: Timestamp,
    zone: Zone,
    columns: Vec<&'static str>,
}

fn rows(kind: &str) -> Vec<Row> {
    let mut at = None;
    let mut rows = Vec::new();
    for line in TABLE.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        match columns.as_slice() {
            ["now", now, zone] => at = Some((now.parse().unwrap(), Zone::parse(zone).unwrap())),
            [first, columns @ ..] if *first == kind => {
                let (now, zone) = at.clone().unwrap();
                let columns = columns.to_vec();
                rows.push(Row { now, zone, columns });
            }
            _ => {}
        }
    }
    rows
}

/// Every fault of the table at once.
fn check(rows: &[Row], wrong: impl Fn(&Row) -> Option<String>) {
    let faults: Vec<String> = rows
        .iter()
        .filter_map(|row| wrong(row).map(|wrong| format!("{:?}: {wrong}", row.columns[0])))
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn the_table_is_as_long_as_it_must_be() {
    let understood = rows("once").len() + rows("cron").len() + rows("every").len();
    assert!(understood >= 400, "{understood}");
    let refused = rows("refused");
    let with_readings = refused.iter().filter(|row| !row.columns[1].is_empty());
    assert!(with_readings.count() >= 100);
}

#[test]
fn a_point_in_time_is_the_instant_of_the_table() {
    check(&rows("once"), |row| {
        let once = match understand_time(row.columns[0], row.now, &row.zone) {
            Ok(once) => once,
            Err(refusal) => return Some(format!("{refusal:?}")),
        };
        let either = understand(row.columns[0], row.now, &row.zone);
        if either != Ok(Meaning::Once(once.clone())) {
            return Some(format!("{either:?}"));
        }
        let at = once.at.to_string();
        (at != row.columns[1]).then_some(format!("{at} ({})", once.phrase))
    });
}

#[test]
fn a_repetition_is_the_pattern_of_the_table() {
    check(&rows("cron"), |row| {
        let [phrase, pattern, place, _] = row.columns[..] else {
            return Some("row".to_owned());
        };
        let found = match understand_recurrence(phrase, row.now, &row.zone) {
            Ok(found) => found,
            Err(refusal) => return Some(format!("{refusal:?}")),
        };
        let either = understand(phrase, row.now, &row.zone);
        if either != Ok(Meaning::Recurring(found.clone())) {
            return Some(format!("{either:?}"));
        }
        let said = found.zone.as_ref().map_or("", |zone| zone.name());
        let patterns = match &found.rule {
            Rule::Cron(patterns) => patterns.join("; "),
            Rule::Interval { every, .. } => every.clone(),
        };
        (patterns != pattern || said != place).then_some(format!("{patterns} {said}"))
    });
}

#[test]
fn an_interval_is_that_of_the_table_and_so_is_its_beginning() {
    check(&rows("every"), |row| {
        let [phrase, every, first] = row.columns[..] else {
            return Some("row".to_owned());
        };
        let found = match understand_recurrence(phrase, row.now, &row.zone) {
            Ok(found) => found,
            Err(refusal) => return Some(format!("{refusal:?}")),
        };
        let either = understand(phrase, row.now, &row.zone);
        if either != Ok(Meaning::Recurring(found.clone())) {
            return Some(format!("{either:?}"));
        }
        let first: Option<Timestamp> = (!first.is_empty()).then(|| first.parse().unwrap());
        let is_meant = match &found.rule {
            Rule::Interval {
                every: read,
                first: begins,
                ..
            } => read == every && *begins == first,
            Rule::Cron(_) => false,
        };
        (!is_meant).then_some(format!("{:?}", found.rule))
    });
}

#[test]
fn the_patterns_fire_at_the_instants_of_the_table() {
    check(&rows("cron"), |row| {
        let [_, patterns, place, instants] = row.columns[..] else {
            return Some("row".to_owned());
        };
        let zone = Zone::parse(place).unwrap_or_else(|_| row.zone.clone());
        let spec = match Spec::parse(ScheduleType::Cron, patterns, &zone, row.now) {
            Ok(spec) => spec,
            Err(error) => return Some(error.to_string()),
        };
        let timetable = Timetable {
            spec,
            zone,
            anchor: row.now,
            end_at: None,
            except: LeftOut::default(),
        };
        let wanted: Vec<Timestamp> = instants.split(' ').map(|t| t.parse().unwrap()).collect();
        let first = timetable.next_after(row.now).unwrap();
        let found = timetable.upcoming(first, wanted.len());
        (found != wanted).then_some(format!("{found:?}"))
    });
}

#[test]
fn what_is_refused_gives_the_readings_of_the_table() {
    check(&rows("refused"), |row| {
        let refusal = match understand(row.columns[0], row.now, &row.zone) {
            Ok(meaning) => return Some(format!("{meaning:?}")),
            Err(refusal) => refusal,
        };
        let wanted: Vec<&str> = row.columns[1]
            .split("; ")
            .filter(|r| !r.is_empty())
            .collect();
        (refusal.readings != wanted).then_some(format!("{}: {:#?}", refusal, refusal.readings))
    });
}

/// A reading can be copied: it is understood, and it is its own phrase.
#[test]
fn every_reading_and_every_phrase_is_a_fixed_point() {
    let all = ["once", "cron", "every", "refused"].map(rows);
    for row in all.iter().flatten() {
        let phrases = match understand(row.columns[0], row.now, &row.zone) {
            Ok(meaning) => vec![meaning.phrase().to_owned()],
            Err(refusal) => refusal.readings,
        };
        for phrase in phrases {
            let again = understand(&phrase, row.now, &row.zone);
            let again = again.map(|meaning| meaning.phrase().to_owned());
            assert_eq!(again.as_ref(), Ok(&phrase), "{:?}", row.columns[0]);
        }
    }
}

#[test]
fn a_time_is_not_taken_for_a_repetition_and_none_for_a_time() {
    let now = Timestamp::from_str("2026-11-20T10:00:00Z").unwrap();
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let refusal = understand_time("every weekday at 9am", now, &zone).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "it repeats, and a single time is asked for: every weekday at 09:00"
    );
    for (text, reading) in [
        ("9am", "every day at 09:00"),
        ("monday at 9am", "every monday at 09:00"),
        ("on the 3rd at 9am", "on the 3rd of every month at 09:00"),
        (
            "december 25 at 9am",
            "on the 25th of december every year at 09:00",
        ),
    ] {
        let refusal = understand_recurrence(text, now, &zone).unwrap_err();
        assert_eq!(refusal.readings, [reading], "{text}");
    }
    // "Of the month" is a time where one is asked for.
    let once = understand_time("last day of the month at noon", now, &zone).unwrap();
    assert_eq!(once.phrase, "2026-11-30 12:00 Europe/Berlin");
    for text in ["90m", "PT1H30M", "an hour and a half"] {
        let every = understand_recurrence(text, now, &zone).unwrap();
        assert_eq!(every.phrase, "every 90 minutes", "{text}");
    }
}

#[test]
fn a_place_in_a_phrase_is_not_taken_for_one_beside_a_pattern() {
    for kind in ["once", "cron", "every", "refused"] {
        check(&rows(kind), |row| {
            let phrase = row.columns[0];
            let with_place = ["UTC", "GMT", "Europe/Paris"].map(|p| format!("{phrase} {p}"));
            let taken = [&[phrase.to_owned()], &with_place[..]]
                .concat()
                .into_iter()
                // Patterns, which may have a zone beside them.
                .filter(|text| !text.contains('*') && !text.starts_with("@every "))
                .find(|text| {
                    let asked = Asked::AsAny;
                    let value = text.clone();
                    // A zone beside a pattern would be another one.
                    zone_of(&mut Wish { asked, value }, Some("Asia/Tokyo")).is_err()
                });
            taken.map(|text| format!("{text:?} is divided"))
        });
    }
}
