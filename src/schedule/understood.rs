//! What a caller asks for as a time: in the form of a kind of time, or in words.
//!
//! The forms are tried first and mean what they always meant. Words may make an interval of what
//! was asked for as a pattern, and the other way round: both repeat.

use jiff::Timestamp;

use super::asked::{Asked, Given};
use super::interval::{Step, is_capital_m};
use super::timetable::{Timetable, just_before};
use super::unclear;
use super::words::{self, Meaning, Once, Recurrence, Rule};
use super::{CronSpec, IntervalSpec, Spec, Zone, when};
use crate::error::Result;
use crate::models::ScheduleType;

/// A time that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// When it is.
    pub spec: Spec,
    /// The zone that was said in words.
    pub zone: Option<Zone>,
    /// The first instant of an interval, if words name it.
    pub first: Option<First>,
    /// What was taken for granted.
    pub notes: Vec<String>,
}

/// The first instant of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// When it is.
    pub at: Timestamp,
    /// Whether it was said. Otherwise it is the first to come that has the time of day, and the day
    /// of the week if that was said.
    pub is_said: bool,
}

impl Understood {
    /// What a caller asks for at `now`; what names no zone is meant in `zone`.
    ///
    /// # Errors
    /// [`crate::error::Code::TimeInvalid`], [`crate::error::Code::TimePast`],
    /// [`crate::error::Code::CronInvalid`], [`crate::error::Code::CronNever`] and
    /// [`crate::error::Code::IntervalInvalid`], with the readings of words that leave a doubt.
    pub fn parse(asked: Asked, value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
        match asked {
            Asked::Exactly(kind) => Spec::parse(kind, value, zone, now).map(Understood::from),
            Asked::As(ScheduleType::Once) => once(value, zone, now),
            Asked::As(kind) => recurring(kind, value, zone, now),
            Asked::AsAny => any(value, zone, now),
        }
    }

    /// Whether a schedule with a timetable in the same zone is what is meant.
    pub fn is_of(&self, stored: &Timetable) -> bool {
        if !self.spec.is_same_as(&stored.spec, &stored.zone) {
            return false;
        }
        let Some(First { at, is_said }) = self.first else {
            return true;
        };
        if is_said {
            return stored.anchor == at || stored.next_after(just_before(at)) == Some(at);
        }
        let is_weekly = match &self.spec {
            Spec::Interval(interval) => {
                matches!(interval.step(), Step::Days(days) if days % 7 == 0)
            }
            Spec::Once(_) | Spec::Cron(_) => false,
        };
        let [first, anchor] = [at, stored.anchor].map(|at| stored.zone.wall(at));
        first.time() == anchor.time() && (!is_weekly || first.weekday() == anchor.weekday())
    }
}

/// Whether a caller who asks for `value` at `now` means what a schedule has, apart from its zone. An
/// unchanged value may be in the past, or in a form that only older programs use.
pub fn is_meant(
    stored: &Timetable,
    asked: Asked,
    value: &str,
    zone: &Zone,
    now: Timestamp,
) -> bool {
    let kind = asked.kind().unwrap_or(stored.spec.kind());
    stored.spec.is_meant_by(kind, value, zone, now)
        || Understood::parse(asked, value, zone, now).is_ok_and(|meant| meant.is_of(stored))
}

impl From<Spec> for Understood {
    fn from(spec: Spec) -> Self {
        Understood {
            spec,
            zone: None,
            first: None,
            notes: Vec::new(),
        }
    }
}

impl From<Once> for Understood {
    fn from(once: Once) -> Self {
        Understood {
            zone: once.zone,
            notes: once.notes,
            ..Spec::Once(once.at).into()
        }
    }
}

/// A time as one instant.
fn once(value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
    let read = when::read_time(value, zone, now)?;
    match read.at > now {
        true => Ok(read.into()),
        false => Err(unclear::past(value, read.at, zone, now)),
    }
}

/// A pattern or an interval.
fn recurring(kind: ScheduleType, value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
    let error = match Spec::parse(kind, value, zone, now) {
        Ok(spec) => return Ok(spec.into()),
        Err(error) => error,
    };
    // `1M` may be a month or a minute.
    if is_capital_m(value.trim()) {
        return Err(error);
    }
    let given = Given {
        asked: Asked::As(kind),
        value,
        zone,
        now,
    };
    match words::understand_recurrence(value, now, zone) {
        Ok(found) => repeated(found, given),
        Err(refusal) => Err(unclear::explained(error, &refusal, given)),
    }
}

/// Whatever a text is: a time, a pattern or something in words.
fn any(value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
    let given = Given {
        asked: Asked::AsAny,
        value,
        zone,
        now,
    };
    if let Some(read) = when::in_its_form(value, zone, now) {
        return match read? {
            read if read.at > now => Ok(read.into()),
            read => Err(unclear::past(value, read.at, zone, now)),
        };
    }
    if CronSpec::parse(value).is_ok() {
        return Spec::parse(ScheduleType::Cron, value, zone, now).map(Understood::from);
    }
    match words::understand(value, now, zone) {
        Ok(Meaning::Once(once)) => Ok(once.into()),
        Ok(Meaning::Recurring(found)) => repeated(found, given),
        Err(refusal) => Err(unclear::explained(unclear::unknown(given), &refusal, given)),
    }
}

/// A repetition in words as a spec.
fn repeated(found: Recurrence, given: Given<'_>) -> Result<Understood> {
    let zone = found.zone.as_ref().unwrap_or(given.zone);
    let (spec, first) = match &found.rule {
        Rule::Cron(patterns) => match patterns.as_slice() {
            [pattern] => {
                let spec = Spec::parse(ScheduleType::Cron, pattern, zone, given.now)?;
                (spec, None)
            }
            several => return Err(unclear::several_patterns(several, given)),
        },
        Rule::Interval {
            every,
            first,
            is_first_said,
        } => {
            let first = first.map(|at| First {
                at,
                is_said: *is_first_said,
            });
            (Spec::Interval(IntervalSpec::parse(every)?), first)
        }
    };
    Ok(Understood {
        spec,
        zone: found.zone,
        first,
        notes: found.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::schedule::in_words;

    /// A Friday, 11:00 in Berlin.
    fn now() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    const TIME: Asked = Asked::As(ScheduleType::Once);
    const CRON: Asked = Asked::As(ScheduleType::Cron);
    const EVERY: Asked = Asked::As(ScheduleType::Interval);

    fn stored(asked: Asked, value: &str) -> (ScheduleType, String) {
        let read = Understood::parse(asked, value, &berlin(), now());
        let read = read.unwrap_or_else(|e| panic!("{value:?}: {e}"));
        (read.spec.kind(), read.spec.to_stored(&Zone::utc()))
    }

    #[test]
    fn each_kind_of_time_is_understood_in_its_form_and_in_words() {
        use ScheduleType::{Cron, Interval, Once};
        for (asked, value, kind, wanted) in [
            (TIME, "2026-12-01 09:00", Once, "2026-12-01T08:00:00+00:00"),
            (TIME, "tomorrow at 9am", Once, "2026-11-21T08:00:00+00:00"),
            (TIME, "in 20 minutes", Once, "2026-11-20T10:20:00+00:00"),
            (
                TIME,
                "2027-01-05 9am Asia/Tokyo",
                Once,
                "2027-01-05T00:00:00+00:00",
            ),
            (CRON, "0 9 * * 1-5", Cron, "0 9 * * 1-5"),
            (CRON, "every weekday at 9am", Cron, "0 9 * * 1-5"),
            (CRON, "every 90 minutes", Interval, "90m"),
            (EVERY, "90m", Interval, "90m"),
            (EVERY, "every 90 minutes", Interval, "90m"),
            (EVERY, "weekdays at 9 and 17", Cron, "0 9,17 * * 1-5"),
            (EVERY, "every other day at 8", Interval, "2d"),
            (
                Asked::AsAny,
                "tomorrow at 9am",
                Once,
                "2026-11-21T08:00:00+00:00",
            ),
            (
                Asked::AsAny,
                "2026-12-01T09:00Z",
                Once,
                "2026-12-01T09:00:00+00:00",
            ),
            (Asked::AsAny, "0 9 * * mon-fri", Cron, "0 9 * * mon-fri"),
            (Asked::AsAny, "@hourly", Cron, "@hourly"),
            (Asked::AsAny, "every 2 hours", Interval, "2h"),
        ] {
            assert_eq!(stored(asked, value), (kind, wanted.to_owned()), "{value}");
        }
        for exact in [ScheduleType::Cron, ScheduleType::Interval] {
            let words = Understood::parse(
                Asked::Exactly(exact),
                "every weekday at 9am",
                &berlin(),
                now(),
            );
            assert!(words.is_err());
        }
    }

    #[test]
    fn what_leaves_a_doubt_is_refused_with_its_readings() {
        for (asked, value, code, told, example) in [
            (
                TIME,
                "friday at 5",
                Code::TimeInvalid,
                "write \"2026-11-20 17:00 Europe/Berlin\", \"2026-11-27 05:00 Europe/Berlin\" or",
                None,
            ),
            (
                TIME,
                "every monday at 9",
                Code::TimeInvalid,
                "it means \"every monday at 09:00\", and --time is a single time. Give it as --cron",
                Some("--cron \"every monday at 09:00\""),
            ),
            (
                TIME,
                "every 2 hours",
                Code::TimeInvalid,
                "Give it as --every",
                Some("--every 2h"),
            ),
            (
                CRON,
                "tomorrow at 9am",
                Code::CronInvalid,
                "is a single time, \"2026-11-21 09:00 Europe/Berlin\", and --cron repeats. Give it as \
                 --time",
                Some("--time \"2026-11-21 09:00 Europe/Berlin\""),
            ),
            (
                EVERY,
                "9am",
                Code::IntervalInvalid,
                "Write \"every day at 09:00\" if it is to repeat, or give it as --time if it is not",
                None,
            ),
            (
                EVERY,
                "every day at 7",
                Code::IntervalInvalid,
                "write \"every day at 07:00\" or \"every day at 19:00\"",
                None,
            ),
            (
                EVERY,
                "every day at 9:00 and 17:30",
                Code::IntervalInvalid,
                "make a schedule for each of \"0 9 * * *\" and \"30 17 * * *\"",
                None,
            ),
            (
                Asked::AsAny,
                "30m",
                Code::TimeInvalid,
                "whether it is once or again and again; write \"2026-11-20 11:30 Europe/Berlin\" or \
                 \"every 30 minutes\"",
                None,
            ),
            (
                Asked::AsAny,
                "soonish",
                Code::TimeInvalid,
                "\"soonish\" is not understood",
                None,
            ),
            (
                Asked::AsAny,
                "",
                Code::TimeInvalid,
                "no time was given",
                None,
            ),
            (
                Asked::AsAny,
                "evry day at 9am",
                Code::TimeInvalid,
                "\"evry\" is not understood; write \"every day at 09:00\"",
                Some("--when \"every day at 09:00\""),
            ),
            (
                TIME,
                "yesterday at 9",
                Code::TimePast,
                "it speaks of the past",
                None,
            ),
            (
                TIME,
                "today at 9am",
                Code::TimePast,
                "2026-11-20T08:00:00Z has passed",
                None,
            ),
        ] {
            let error = Understood::parse(asked, value, &berlin(), now()).unwrap_err();
            assert_eq!(error.code(), code, "{value:?}: {error}");
            assert!(error.to_string().contains(told), "{value:?}: {error}");
            assert_eq!(error.corrected().as_deref(), example, "{value:?}: {error}");
        }
    }

    fn timetable(asked: Asked, value: &str, now: Timestamp) -> (Timetable, Timestamp) {
        let read = Understood::parse(asked, value, &berlin(), now).unwrap();
        let first = read.first.map(|first| first.at);
        let timetable = Timetable {
            spec: read.spec,
            zone: read.zone.unwrap_or(berlin()),
            anchor: first.unwrap_or(now),
            end_at: None,
        };
        let next = first.or(timetable.first(now, None)).unwrap();
        (timetable, next)
    }

    #[test]
    fn what_is_told_in_words_means_the_same_when_it_is_given_back() {
        for (asked, value, words) in [
            (
                CRON,
                "0 9 * * mon-fri",
                Some("every weekday at 09:00 Europe/Berlin"),
            ),
            (CRON, "@hourly", Some("hourly Europe/Berlin")),
            (
                CRON,
                "30 17 L * *",
                Some("on the last day of every month at 17:30 Europe/Berlin"),
            ),
            (
                CRON,
                "0 9 * * 1#1",
                Some("on the first monday of every month at 09:00 Europe/Berlin"),
            ),
            (CRON, "*/15 * * * *", None),
            (CRON, "0 9 * 6 1", None),
            (EVERY, "5400", Some("every 90 minutes")),
            (
                EVERY,
                "every other day at 8",
                Some("every 2 days from 2026-11-21 08:00 Europe/Berlin"),
            ),
            (
                TIME,
                "in 20 minutes",
                Some("2026-11-20 11:20 Europe/Berlin"),
            ),
        ] {
            let (table, next) = timetable(asked, value, now());
            let told = in_words(&table, next);
            assert_eq!(told.as_deref(), words, "{value}");
            if let Some(words) = told {
                assert!(
                    is_meant(&table, Asked::AsAny, &words, &berlin(), now()),
                    "{words}"
                );
            }
        }
    }

    #[test]
    fn words_mean_what_a_schedule_has_as_long_as_they_fit_it() {
        let next_day: Timestamp = "2026-11-21T20:00:00Z".parse().unwrap();
        for (asked, value, fits) in [
            (CRON, "every weekday at 9am", true),
            (EVERY, "every other day at 8", true),
            (EVERY, "every 2 weeks on monday at 9am", true),
            (EVERY, "every 90 minutes", true),
            (TIME, "2026-12-01 9am", true),
            (TIME, "in 20 minutes", false),
            (TIME, "tomorrow at 9am", false),
        ] {
            let (table, _) = timetable(asked, value, now());
            assert!(is_meant(&table, asked, value, &berlin(), now()), "{value}");
            assert_eq!(
                is_meant(&table, asked, value, &berlin(), next_day),
                fits,
                "{value}"
            );
        }
        let (table, _) = timetable(EVERY, "every other day at 8", now());
        for other in [
            "every other day at 9",
            "every 3 days at 8",
            "every day at 8am",
        ] {
            assert!(!is_meant(&table, EVERY, other, &berlin(), now()), "{other}");
        }
        let (table, _) = timetable(EVERY, "every 2 weeks on monday at 9am", now());
        let tuesday = "every 2 weeks on tuesday at 9am";
        assert!(!is_meant(&table, EVERY, tuesday, &berlin(), now()));
    }
}
