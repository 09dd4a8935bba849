//! What a schedule does in the year to come that people don't expect.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::cron::{Absent, Pattern};
use super::interval::{DAY, Step};
use super::timetable::{Timetable, just_before};
use super::words::number::with_ending;
use super::{CronSpec, IntervalSpec, Spec, Zone};

/// How far ahead is looked.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366);

/// So many instants are looked through to find the last one of a schedule that ends.
const MOST_RUNS: u64 = 1_000;

/// A change of the clocks.
struct ClockChange {
    /// When it is.
    at: Timestamp,
    /// The wall times that it skips or repeats.
    from: DateTime,
    to: DateTime,
    /// Whether it skips them.
    skips: bool,
}

impl Timetable {
    /// What happens in the year after `now` that people don't expect, as sentences without their
    /// stops. `next` is the next instant, and `left` how many there are with it, if that is limited.
    pub fn surprises(&self, next: Timestamp, left: Option<u64>, now: Timestamp) -> Vec<String> {
        let year = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        let mut last = self.end_at.map_or(year, |end| end.min(year));
        if let Some(left) = left.filter(|left| *left <= MOST_RUNS) {
            let runs = self.upcoming(next, usize::try_from(left).unwrap_or_default());
            last = runs.last().map_or(last, |run| last.min(*run));
        }
        let mut changes = clock_changes(&self.zone, now, last);
        changes.retain(|change| self.left_out_until(change.at).is_none());
        match &self.spec {
            Spec::Once(_) => Vec::new(),
            Spec::Cron(cron) => of_patterns(cron, &changes, &self.zone),
            Spec::Interval(interval) => {
                first_of_each(&changes, |change| self.of_interval(interval, change, next))
            }
        }
    }

    fn of_interval(
        &self,
        interval: &IntervalSpec,
        change: &ClockChange,
        next: Timestamp,
    ) -> Option<String> {
        let zone = &self.zone;
        let day = change.from.date();
        match interval.step() {
            Step::Seconds(seconds) if seconds % DAY == 0 => {
                let first = self.next_after(change.at)?;
                let [before, after] = [next, first].map(|at| zone.wall(at).strftime("%H:%M"));
                Some(format!(
                    "clocks change in {} on {day}: from then on it runs at {after} instead of \
                     {before}, because hours are elapsed time; days ({}d) keep the time of day",
                    zone.name(),
                    seconds / DAY
                ))
            }
            Step::Seconds(_) => None,
            Step::Days(_) => {
                let time = zone.wall(self.anchor).time();
                let wall = day.to_datetime(time);
                if wall < change.from || wall >= change.to {
                    return None;
                }
                let at = zone.instant_of(wall)?;
                let runs = self.next_after(just_before(at)) == Some(at);
                runs.then(|| moved(wall, at, change.skips, zone))
            }
        }
    }
}

/// The first time that is skipped, and the first that is repeated, of which there is something to
/// say.
fn first_of_each(
    changes: &[ClockChange],
    told: impl Fn(&ClockChange) -> Option<String>,
) -> Vec<String> {
    let first = |skips| {
        let mut changes = changes.iter().filter(|change| change.skips == skips);
        changes.find_map(&told)
    };
    [first(true), first(false)].into_iter().flatten().collect()
}

/// What is to be said of each pattern; of one among several, with the pattern itself.
fn of_patterns(cron: &CronSpec, changes: &[ClockChange], zone: &Zone) -> Vec<String> {
    let mut notes = Vec::new();
    for pattern in cron.patterns() {
        let mut of_it = absent_dates(pattern);
        of_it.extend(first_of_each(changes, |change| {
            of_pattern(pattern, change, zone)
        }));
        notes.extend(of_it.into_iter().map(|note| match cron.patterns().len() {
            1 => note,
            _ => format!("{}: {note}", pattern.text()),
        }));
    }
    notes
}

fn of_pattern(cron: &Pattern, change: &ClockChange, zone: &Zone) -> Option<String> {
    let wall = cron.first_match(change.from, change.to)?;
    if !cron.is_elapsed() {
        let at = zone.instant_of(wall)?;
        return Some(moved(wall, at, change.skips, zone));
    }
    // At the same distance all day, nobody notices.
    if cron.is_of_every_hour() {
        return None;
    }
    let [from, to] = [change.from, change.to].map(|wall| wall.strftime("%H:%M"));
    let what = match change.skips {
        true => "are skipped, and so are its runs then",
        false => "happen twice, and so do its runs then",
    };
    Some(format!(
        "on {} in {}, the times from {from} to {to} {what}",
        change.from.date(),
        zone.name()
    ))
}

/// A run at a wall time that is skipped or happens twice.
fn moved(wall: DateTime, at: Timestamp, skips: bool, zone: &Zone) -> String {
    let (time, name, day) = (wall.strftime("%H:%M"), zone.name(), wall.date());
    match skips {
        true => format!(
            "{time} is skipped in {name} on {day}: that run is at {}",
            zone.wall(at).strftime("%H:%M")
        ),
        false => {
            format!("{time} happens twice in {name} on {day}: it runs only the first time, at {at}")
        }
    }
}

/// The changes of the clocks after `now` and until `last`.
fn clock_changes(zone: &Zone, now: Timestamp, last: Timestamp) -> Vec<ClockChange> {
    let tz = zone.tz();
    let changes = tz
        .following(now)
        .map(|change| (change.timestamp(), change.offset()));
    let changes = changes.take_while(|(at, _)| *at <= last);
    let read = |(at, after): (Timestamp, jiff::tz::Offset)| {
        let before = tz.to_offset(just_before(at));
        let [old, new] = [before, after].map(|offset| offset.to_datetime(at));
        match old < new {
            true => ClockChange {
                at,
                from: old,
                to: new,
                skips: true,
            },
            false => ClockChange {
                at,
                from: new,
                to: old,
                skips: false,
            },
        }
    };
    changes
        .map(read)
        .filter(|change| change.from < change.to)
        .collect()
}

/// The dates of a pattern that some months don't have.
fn absent_dates(cron: &Pattern) -> Vec<String> {
    let absent = cron.absent_days();
    let told = absent.into_iter().map(|absent| match absent {
        Absent::Day { day, months } => {
            let day = with_ending(day);
            let have = if months.len() == 1 { "has" } else { "have" };
            format!(
                "{} {have} no {day}: it does not run then (L is the last day of every month)",
                months.join(", ")
            )
        }
        Absent::LeapDay => "February has a 29th only in leap years".to_owned(),
        Absent::Fifth(day) => format!("months without a fifth {day} have no run on it"),
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ScheduleType;
    use crate::schedule::LeftOut;

    /// A Thursday in winter.
    fn now() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn notes(kind: ScheduleType, value: &str, zone: &str, left: Option<u64>) -> Vec<String> {
        let zone = Zone::parse(zone).unwrap();
        let spec = Spec::parse(kind, value, &zone, now()).unwrap();
        let timetable = Timetable {
            spec,
            // Half past two in Berlin.
            anchor: "2026-11-26T01:30:00Z".parse().unwrap(),
            zone,
            end_at: None,
            except: LeftOut::default(),
        };
        let next = timetable.next_after(now()).unwrap();
        timetable.surprises(next, left, now())
    }

    #[test]
    fn what_daylight_saving_moves_skips_or_repeats_is_told() {
        use ScheduleType::{Cron, Interval};
        let skipped = "02:30 is skipped in Europe/Berlin on 2027-03-28: that run is at 03:00";
        let twice = "02:30 happens twice in Europe/Berlin on 2027-10-31: it runs only the first \
                     time, at 2027-10-31T00:30:00Z";
        for (kind, value, wanted) in [
            (Cron, "30 2 * * *", &[skipped, twice][..]),
            (Cron, "30 2 * * sun", &[skipped, twice]),
            (Cron, "30 2 * * mon", &[]),
            (Cron, "0 9 * * *", &[]),
            (Cron, "*/15 * * * *", &[]),
            (
                Cron,
                "*/15 2 * * *",
                &[
                    "on 2027-03-28 in Europe/Berlin, the times from 02:00 to 03:00 are skipped, and \
                     so are its runs then",
                    "on 2027-10-31 in Europe/Berlin, the times from 02:00 to 03:00 happen twice, and \
                     so do its runs then",
                ],
            ),
            (Interval, "1d", &[skipped, twice]),
            (Interval, "90m", &[]),
            (
                Interval,
                "24h",
                &[
                    "clocks change in Europe/Berlin on 2027-03-28: from then on it runs at 03:30 \
                     instead of 02:30, because hours are elapsed time; days (1d) keep the time of day",
                ],
            ),
        ] {
            let told = notes(kind, value, "Europe/Berlin", None);
            assert_eq!(told.get(..wanted.len()).unwrap_or(&told), wanted, "{value}");
            let is_elapsed = value == "24h";
            assert!(
                is_elapsed || told.len() == wanted.len(),
                "{value}: {told:?}"
            );
        }
        assert!(notes(Cron, "30 2 * * *", "UTC", None).is_empty());
        assert!(notes(Cron, "30 2 * * *", "Asia/Tokyo", None).is_empty());
    }

    #[test]
    fn what_is_told_of_one_of_several_patterns_names_it() {
        let value = "0 9 31 * *; 30 2 * * sun; */15 2 * * *; 0 9 * * *";
        let told = notes(ScheduleType::Cron, value, "Europe/Berlin", None);
        let begin: Vec<&str> = told.iter().map(|note| &note[..24]).collect();
        assert_eq!(
            begin,
            [
                "0 9 31 * *: February, Ap",
                "30 2 * * sun: 02:30 is s",
                "30 2 * * sun: 02:30 happ",
                "*/15 2 * * *: on 2027-03",
                "*/15 2 * * *: on 2027-10",
            ]
        );
    }

    #[test]
    fn what_ends_before_the_clocks_change_has_no_surprise() {
        let last = |left| {
            notes(
                ScheduleType::Cron,
                "30 2 * * *",
                "Europe/Berlin",
                Some(left),
            )
        };
        assert!(last(100).is_empty());
        assert_eq!(last(130).len(), 1);
    }

    #[test]
    fn dates_that_some_months_do_not_have_are_told() {
        for (pattern, wanted) in [
            (
                "0 9 31 * *",
                &[
                    "February, April, June, September, November have no 31st: it does not run then (L is \
                   the last day of every month)",
                ][..],
            ),
            (
                "0 9 30 * *",
                &["February has no 30th: it does not run then (L is the last day of every month)"],
            ),
            ("0 9 29 2 *", &["February has a 29th only in leap years"]),
            ("0 9 31 1,3 *", &[]),
            ("0 9 1-31 * *", &[]),
            ("0 9 * * *", &[]),
            ("0 9 28 * *", &[]),
            ("0 9 L * *", &[]),
            (
                "0 9 * * 5#5",
                &["months without a fifth Friday have no run on it"],
            ),
        ] {
            let told = notes(ScheduleType::Cron, pattern, "UTC", None);
            assert_eq!(told, wanted, "{pattern}");
        }
    }
}
