//! When a schedule runs: at one instant, on a cron pattern or at an interval.

use jiff::Timestamp;

use super::{CronSpec, IntervalSpec, Zone, parse_time, read_stored_time, shown, unclear};
use crate::error::{Code, Error, Result};
use crate::models::ScheduleType;

/// The time part of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// One instant.
    Once(Timestamp),
    /// Cron patterns, in the schedule's zone.
    Cron(CronSpec),
    /// A distance from the schedule's anchor.
    Interval(IntervalSpec),
}

impl Spec {
    /// Parses what a caller wants to register at `now`.
    ///
    /// # Errors
    /// [`Code::TimeInvalid`] and [`Code::TimePast`], [`Code::CronInvalid`] and
    /// [`Code::CronNever`], [`Code::IntervalInvalid`].
    pub fn parse(kind: ScheduleType, value: &str, zone: &Zone, now: Timestamp) -> Result<Spec> {
        match kind {
            ScheduleType::Once => {
                let at = parse_time(value, zone, now)?;
                if at <= now {
                    return Err(unclear::past(value, at, zone, now));
                }
                Ok(Spec::Once(at))
            }
            ScheduleType::Cron => {
                let spec = CronSpec::understand(value)?;
                spec.check_instants(zone, now)?;
                Ok(Spec::Cron(spec))
            }
            ScheduleType::Interval => IntervalSpec::parse(value).map(Spec::Interval),
        }
    }

    /// Parses a stored row, whoever wrote it. A time may be in the past, and without an offset it
    /// is UTC, as in the Python original.
    ///
    /// # Errors
    /// [`Code::TimeInvalid`], [`Code::CronInvalid`], [`Code::CronNever`] or
    /// [`Code::IntervalInvalid`], if the row is broken.
    pub fn read_stored(kind: ScheduleType, value: &str, zone: &Zone) -> Result<Spec> {
        match kind {
            ScheduleType::Once => match read_stored_time(value) {
                Some(at) => Ok(Spec::Once(at)),
                None => Err(Error::new(
                    Code::TimeInvalid,
                    format!(
                        "the stored time {} of a schedule in {} can't be read",
                        shown(value),
                        zone.name()
                    ),
                )),
            },
            ScheduleType::Cron => CronSpec::read(value).map(Spec::Cron),
            ScheduleType::Interval => IntervalSpec::parse(value).map(Spec::Interval),
        }
    }

    /// Whether both have the same instants in `zone`, however they are written.
    pub fn is_same_as(&self, other: &Spec, zone: &Zone) -> bool {
        match (self, other) {
            (Spec::Once(a), Spec::Once(b)) => a == b,
            (Spec::Cron(a), Spec::Cron(b)) => a.is_same_as(b, zone),
            (Spec::Interval(a), Spec::Interval(b)) => a.is_same_as(b),
            _ => false,
        }
    }

    /// Whether a caller who writes `value` at `now` means this spec. An unchanged value may be in
    /// the past, or in a form that only older programs use.
    pub fn is_meant_by(
        &self,
        kind: ScheduleType,
        value: &str,
        zone: &Zone,
        now: Timestamp,
    ) -> bool {
        let said = match kind {
            ScheduleType::Once => parse_time(value, zone, now).map(Spec::Once),
            ScheduleType::Cron | ScheduleType::Interval => Spec::read_stored(kind, value, zone)
                .or_else(|_| Spec::parse(kind, value, zone, now)),
        };
        said.is_ok_and(|said| self.is_same_as(&said, zone))
    }

    /// The text to store: a time as RFC 3339 with the zone's offset, a pattern with single spaces,
    /// an interval as written.
    pub fn to_stored(&self, zone: &Zone) -> String {
        match self {
            Spec::Once(at) => zone.rfc3339(*at),
            Spec::Cron(cron) => cron.text().to_owned(),
            Spec::Interval(interval) => interval.text().to_owned(),
        }
    }

    /// The kind of time.
    pub fn kind(&self) -> ScheduleType {
        match self {
            Spec::Once(_) => ScheduleType::Once,
            Spec::Cron(_) => ScheduleType::Cron,
            Spec::Interval(_) => ScheduleType::Interval,
        }
    }

    /// Its meaning, in short plain English. An interval is counted from `anchor`.
    pub fn describe(&self, zone: &Zone, anchor: Timestamp) -> String {
        match self {
            Spec::Once(at) => format!("once at {}", zone.both(*at)),
            Spec::Cron(cron) => cron.describe(zone),
            Spec::Interval(interval) => interval.describe(zone, anchor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T10:00:00.5Z".parse().unwrap()
    }

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    fn parse(kind: ScheduleType, value: &str) -> Result<Spec> {
        Spec::parse(kind, value, &berlin(), now())
    }

    #[test]
    fn a_past_time_is_refused_with_now_in_utc_and_the_zone() {
        for value in [
            "2026-11-20 11:00",
            "2026-11-20T10:00:00.5Z",
            "1999-01-01 00:00",
        ] {
            let error = parse(ScheduleType::Once, value).unwrap_err();
            assert_eq!(error.code(), Code::TimePast, "{value}");
            let text = error.to_string();
            assert!(text.contains("2026-11-20T10:00:00.5Z"), "{text}");
            assert!(
                text.contains("2026-11-20T11:00:00.5 in Europe/Berlin"),
                "{text}"
            );
            // There is no way to know which future time was meant.
            assert_eq!(error.corrected(), None);
        }
    }

    #[test]
    fn a_pattern_that_only_matches_skipped_times_is_refused() {
        let error = parse(ScheduleType::Cron, "*/5 2 * 3 0L").unwrap_err();
        assert_eq!(error.code(), Code::CronNever);
        assert!(error.to_string().contains("Europe/Berlin"), "{error}");
        assert!(parse(ScheduleType::Cron, "5 2 * 3 0L").is_ok());
    }

    #[test]
    fn what_is_stored_is_read_back_as_the_same_spec() {
        for (kind, value, stored) in [
            (
                ScheduleType::Once,
                "2026-12-01 09:00",
                "2026-12-01T09:00:00+01:00",
            ),
            (
                ScheduleType::Once,
                "2027-07-01T09:00:00.25Z",
                "2027-07-01T11:00:00.25+02:00",
            ),
            (ScheduleType::Cron, " 0  9 * *\t1-5 ", "0 9 * * 1-5"),
            (ScheduleType::Cron, "@Daily", "@Daily"),
            (
                ScheduleType::Cron,
                "0 9 * * 1-5;30  17 * * 1-5",
                "0 9 * * 1-5; 30 17 * * 1-5",
            ),
            (ScheduleType::Interval, " 1h30m ", "1h30m"),
        ] {
            let spec = parse(kind, value).unwrap();
            assert_eq!(spec.to_stored(&berlin()), stored);
            assert_eq!(spec.kind(), kind);
            assert_eq!(Spec::read_stored(kind, stored, &berlin()).unwrap(), spec);
        }
    }

    #[test]
    fn a_stored_time_may_be_past_and_is_utc_without_an_offset() {
        for value in ["2020-01-01 09:00:00", "2020-01-01T10:00:00+01:00"] {
            let spec = Spec::read_stored(ScheduleType::Once, value, &berlin()).unwrap();
            assert_eq!(spec, Spec::Once("2020-01-01T09:00:00Z".parse().unwrap()));
        }
        let error = Spec::read_stored(ScheduleType::Once, "soon", &berlin()).unwrap_err();
        assert_eq!(error.code(), Code::TimeInvalid);
    }

    #[test]
    fn a_spec_is_described_in_one_line() {
        for (kind, value, wanted) in [
            (
                ScheduleType::Once,
                "2026-12-01 09:00",
                "once at 2026-12-01T08:00:00Z (Tue 2026-12-01T09:00:00 in Europe/Berlin)",
            ),
            (
                ScheduleType::Cron,
                "0 9 * * 1-5",
                "every weekday at 09:00, Europe/Berlin (cron 0 9 * * 1-5)",
            ),
            (ScheduleType::Interval, "5m", "every 5 minutes"),
        ] {
            assert_eq!(
                parse(kind, value)
                    .unwrap()
                    .describe(&berlin(), Timestamp::UNIX_EPOCH),
                wanted
            );
        }
    }

    #[test]
    fn what_means_the_same_is_the_same_however_it_is_written() {
        use ScheduleType::{Cron, Interval, Once};
        let same: [(ScheduleType, &[&str]); 9] = [
            (
                Interval,
                &["1h", "60m", "3600", "3600s", "1 hour", " 1H ", "3600.0"],
            ),
            (Interval, &["1w", "7d", "1 week"]),
            (
                Cron,
                &[
                    "0 9 * * 1-5",
                    " 0  9 * *\tMON-FRI",
                    "00 09 * * 1,2,3,4,5",
                    "0 9 ? * mon-fri",
                ],
            ),
            (
                Cron,
                &["@hourly", "0 * * * *", "0 */1 * * *", "0 0-23/1,* * * *"],
            ),
            (
                Cron,
                &[
                    "@daily",
                    "@midnight",
                    "0 0 * * *",
                    "0 0 1-31 * *",
                    "0 0 * 1-12 0-7",
                ],
            ),
            (Cron, &["0 0 * * 0", "0 0 * * 7", "@weekly", "0 0 * * SUN"]),
            (Cron, &["@yearly", "@annually", "0 0 1 1 *", "0 0 1 JAN ?"]),
            (
                Cron,
                &["*/15 * * * *", "0,15,30,45 * * * *", "0-59/15 * * * *"],
            ),
            (
                Once,
                &[
                    "2026-12-01 09:00",
                    "2026-12-01T09:00:00+01:00",
                    "2026-12-01T08:00:00Z",
                    "2026-12-01 08:00 UTC",
                ],
            ),
        ];
        for (kind, texts) in same {
            for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
                let spec = parse(kind, a).unwrap();
                assert!(spec.is_meant_by(kind, b, &berlin(), now()), "{a:?} {b:?}");
            }
        }
        for (i, (kind, texts)) in same.iter().enumerate() {
            for (_, others) in same.iter().skip(i + 1).filter(|(k, _)| k == kind) {
                let spec = parse(*kind, texts[0]).unwrap();
                assert!(
                    !spec.is_meant_by(*kind, others[0], &berlin(), now()),
                    "{texts:?}"
                );
            }
        }
    }

    #[test]
    fn what_differs_when_the_clocks_change_is_not_the_same() {
        use ScheduleType::{Cron, Interval};
        let utc = Zone::utc();
        for (kind, a, b) in [
            (Cron, "0 */6 * * *", "0 0,6,12,18 * * *"),
            (Cron, "* * * * *", "0-59 0-23 * * *"),
        ] {
            let spec = parse(kind, a).unwrap();
            assert!(!spec.is_meant_by(kind, b, &berlin(), now()), "{a} {b}");
            assert!(spec.is_meant_by(kind, b, &utc, now()), "{a} {b}");
        }
        let day = parse(Interval, "1d").unwrap();
        assert!(!day.is_meant_by(Interval, "24h", &berlin(), now()));
        // Both days restricted: either may match. One with a star: both must.
        let either = parse(Cron, "0 9 1-31 * 1").unwrap();
        assert!(either.is_meant_by(Cron, "0 9 * * *", &berlin(), now()));
        assert!(!either.is_meant_by(Cron, "0 9 * * 1", &berlin(), now()));
        let last = parse(Cron, "0 9 L * *").unwrap();
        assert!(!last.is_meant_by(Cron, "0 9 LW * *", &berlin(), now()));
    }

    #[test]
    fn what_a_schedule_is_already_may_have_passed() {
        let past = Spec::Once("2020-01-01T09:00:00Z".parse().unwrap());
        let said = "2020-01-01 10:00";
        assert!(past.is_meant_by(ScheduleType::Once, said, &berlin(), now()));
        assert!(parse(ScheduleType::Once, said).is_err());
        // Stored by a program that accepted it.
        let stored = Spec::read_stored(ScheduleType::Cron, "*/90 * * * *", &berlin()).unwrap();
        assert!(stored.is_meant_by(ScheduleType::Cron, "*/90 *  * * *", &berlin(), now()));
    }
}
