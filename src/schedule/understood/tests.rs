use super::*;
use crate::error::Code;
use crate::schedule::{LeftOut, in_words};

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
            EVERY,
            "every weekday at 9:00 and 17:30",
            Cron,
            "0 9 * * 1-5; 30 17 * * 1-5",
        ),
        (
            CRON,
            " 0 9 * * 1-5 ;30  17 * * 1-5",
            Cron,
            "0 9 * * 1-5; 30 17 * * 1-5",
        ),
        (CRON, "@daily; 0 30 6 * * 1-5", Cron, "@daily; 30 6 * * 1-5"),
        (
            Asked::AsAny,
            "mondays at 9 and fridays at 16:30",
            Cron,
            "0 9 * * 1; 30 16 * * 5",
        ),
        (
            Asked::AsAny,
            "0 9 * * 1; 30 16 * * 5",
            Cron,
            "0 9 * * 1; 30 16 * * 5",
        ),
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
            CRON,
            "0 9 * * *; 0 25 * * *; 0 9 * * 1",
            Code::CronInvalid,
            "pattern 2 of 3: the hour field '25'",
            None,
        ),
        (
            Asked::AsAny,
            "0 9 * * *; 0 9 * * 1 - 5",
            Code::CronInvalid,
            "pattern 2 of 2: the cron pattern \"0 9 * * 1 - 5\" has 7 fields",
            Some("--cron \"0 9 * * *; 0 9 * * 1-5\""),
        ),
        (
            CRON,
            "0 9 * * *; 0 9 * * * Asia/Tokyo; 0 8 * * *",
            Code::CronInvalid,
            "pattern 2 of 3: it names a zone",
            None,
        ),
        (
            CRON,
            "0 9 * * *; 0 0 30 2 *",
            Code::CronNever,
            "pattern 2 of 2: the cron pattern \"0 0 30 2 *\" never fires",
            None,
        ),
        (
            CRON,
            "*/5 2 * 3 0L; 0 9 * * *",
            Code::CronNever,
            "pattern 1 of 2: the cron pattern \"*/5 2 * 3 0L\" never fires: every time it matches \
             is skipped",
            None,
        ),
        (
            EVERY,
            "every monday at 7 and every friday at 16:30",
            Code::IntervalInvalid,
            "write \"every monday at 07:00 and every friday at 16:30\" or \"every monday at 19:00 and \
             every friday at 16:30\"",
            None,
        ),
        (
            CRON,
            "every monday at 9am Asia/Tokyo and every friday at 10am UTC",
            Code::CronInvalid,
            "two of what can be said once: place",
            None,
        ),
        (
            Asked::AsAny,
            "every weekday at 9am, except 2026-12-25",
            Code::TimeInvalid,
            "what is left out is not part of a time. Give dates as --except",
            Some("--when \"every weekday at 9am\" --except 2026-12-25"),
        ),
        (
            CRON,
            "weekdays at 9 except 2026-12-25 and 3 more dates",
            Code::CronInvalid,
            "Give dates as --except",
            None,
        ),
        (
            TIME,
            "mondays at 9 and fridays at 16:30",
            Code::TimeInvalid,
            "it means \"every monday at 09:00 and every friday at 16:30\", and --time is a single \
             time. Give it as --cron",
            Some("--cron \"every monday at 09:00 and every friday at 16:30\""),
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
        except: LeftOut::default(),
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
        (CRON, "0 9 1 6 1", None),
        (
            CRON,
            "0 9 * 6 1",
            Some("every monday in june at 09:00 Europe/Berlin"),
        ),
        (
            CRON,
            "30 * * * *",
            Some("at 30 minutes past every hour Europe/Berlin"),
        ),
        (
            CRON,
            "0 * * * 1-5",
            Some("hourly, every weekday Europe/Berlin"),
        ),
        (
            CRON,
            "0 9-17 * * 1-5",
            Some("every hour from 09:00 through 17:00, every weekday Europe/Berlin"),
        ),
        (
            CRON,
            "0 9-17 * * *; 30 9-16 * * *",
            Some("every 30 minutes from 09:00 through 17:00 Europe/Berlin"),
        ),
        (
            CRON,
            "0,30 22,23 * * *; 0,30 0-5 * * *; 0 6 * * *",
            Some("every 30 minutes from 22:00 through 06:00 Europe/Berlin"),
        ),
        (EVERY, "5400", Some("every 90 minutes")),
        (
            EVERY,
            "every 6 hours from 8am",
            Some("every 6 hours from 2026-11-21 08:00 Europe/Berlin"),
        ),
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
        let told = in_words(&table, next, Some(now()));
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
