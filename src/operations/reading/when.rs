//! When a prompt runs.

use super::numbers::number;
use crate::error::{Code, Error, Message, Result, field, fields, message, quoted};
use crate::models::ScheduleType;
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::fields::*;
use crate::operations::text::given;
use crate::schedule::{Asked, LeftOut, Zone, corrected_count, split_zone};
use crate::service::{When, Wish};

/// The fields for the time, with the kind of time that each gives.
const KINDS: [(&Field, Asked); 4] = [
    (&TIME, Asked::As(ScheduleType::Once)),
    (&CRON, Asked::As(ScheduleType::Cron)),
    (&EVERY, Asked::As(ScheduleType::Interval)),
    (&WHEN, Asked::AsAny),
];

/// The time, with everything that belongs to it.
///
/// # Errors
/// [`Code::SpecMissing`], [`Code::SpecConflict`], [`Code::ExceptInvalid`],
/// [`Code::RepetitionsInvalid`].
pub fn when(values: &Values) -> Result<When> {
    let mut wish = wish(values)?;
    let timezone = zone_of(&mut wish, values.given(&TIMEZONE).as_deref())?;
    Ok(When {
        wish,
        timezone,
        start_at: values.given(&START_AT),
        end_at: values.given(&END_AT),
        except: except(values)?.unwrap_or_default(),
        max_repetitions: repetitions(values)?,
    })
}

/// The dates to leave out, if given: none at all clears them.
///
/// # Errors
/// [`Code::ExceptInvalid`].
pub(super) fn except(values: &Values) -> Result<Option<LeftOut>> {
    let text = values.given(&EXCEPT);
    text.map(|text| LeftOut::parse(&text)).transpose()
}

/// The time and the zone, as far as given: an update may leave them unchanged.
/// # Errors
/// [`Code::SpecConflict`], and those of [`zone_of`].
pub(super) fn wish_if_given(values: &Values) -> Result<(Option<Wish>, Option<String>)> {
    let timezone = values.given(&TIMEZONE);
    match wish(values) {
        Ok(mut wish) => {
            let timezone = zone_of(&mut wish, timezone.as_deref())?;
            Ok((Some(wish), timezone))
        }
        Err(e) if e.code() == Code::SpecMissing => Ok((None, timezone)),
        Err(e) => Err(e),
    }
}

/// The time, pattern or interval, or any of them: exactly one.
fn wish(values: &Values) -> Result<Wish> {
    let wish = |(field, asked): (&'static Field, Asked)| {
        let value = values.given(field)?;
        Some((field, Wish { asked, value }))
    };
    let mut given: Vec<(&Field, Wish)> = KINDS.into_iter().filter_map(wish).collect();
    match (given.pop(), given.as_slice()) {
        (Some((_, only)), []) => Ok(only),
        (None, _) => Err(Error::new(
            Code::SpecMissing,
            message![
                "no time was given: give one of ",
                field(TIME.name),
                " (once), ",
                field(CRON.name),
                " (a pattern), ",
                field(EVERY.name),
                " (an interval) or ",
                field(WHEN.name),
                " (any of them, in words)"
            ],
        )),
        (Some(last), _) => {
            given.push(last);
            let mut together = Message::default();
            for (at, (asked, wish)) in given.iter().enumerate() {
                let and = if at > 0 { " and " } else { "" };
                together.push(message![and, field(asked.name), " ", quoted(&wish.value)]);
            }
            together.push(" exclude each other: give only one");
            Err(Error::new(Code::SpecConflict, together))
        }
    }
}

/// The given zone, or otherwise the one next to a pattern, as in `CRON_TZ=Europe/Paris 0 9 * * *`,
/// which is then removed from the pattern.
///
/// # Errors
/// [`Code::SpecConflict`] if two different ones were given, [`Code::TimezoneUnknown`] if the one
/// next to the pattern doesn't exist.
pub fn zone_of(wish: &mut Wish, given_zone: Option<&str>) -> Result<Option<String>> {
    let timezone = given(given_zone).map(str::to_owned);
    if !wish.asked.takes_patterns() {
        return Ok(timezone);
    }
    let Some((name, pattern)) = split_zone(&wish.value) else {
        return Ok(timezone);
    };
    let zone = Zone::parse(&name).map_err(|error| {
        let zone = error.corrected_field(TIMEZONE.name).cloned();
        let right = zone.map(|zone| {
            let pattern = pattern.as_str().into();
            fields([(field_of(wish).name, pattern), (TIMEZONE.name, zone)])
        });
        error.without_example().example_if(right)
    })?;
    if let Some(given) = &timezone
        && Zone::parse(given).is_ok_and(|other| other != zone)
    {
        return Err(Error::new(
            Code::SpecConflict,
            message![
                field(field_of(wish).name),
                " ",
                quoted(&wish.value),
                " names the zone ",
                zone.name(),
                ", but ",
                field(TIMEZONE.name),
                " is ",
                quoted(given),
                ": leave one of them out"
            ],
        ));
    }
    wish.value = pattern;
    Ok(timezone.or_else(|| Some(zone.name().to_owned())))
}

/// The field in which a wish is given.
fn field_of(wish: &Wish) -> &'static Field {
    let found = KINDS.iter().find(|(_, asked)| *asked == wish.asked);
    found.map_or(&CRON, |(field, _)| field)
}

/// How many runs a schedule has in total.
///
/// # Errors
/// [`Code::RepetitionsInvalid`].
pub(super) fn repetitions(values: &Values) -> Result<Option<i64>> {
    number(
        values,
        &MAX_REPETITIONS,
        Code::RepetitionsInvalid,
        "; leave it out for no limit",
        |text| corrected_count(text, &["times", "runs", "repetitions", "time"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        let error = result.unwrap_err();
        // It is unknown which one was meant.
        assert!(error.corrected().is_none());
        error.code()
    }

    #[test]
    fn a_zone_beside_a_pattern_is_the_zone_of_the_schedule() {
        let asked = |cron: &str, timezone: Option<&str>| {
            let values = Values::default().with(&CRON, cron);
            match timezone {
                Some(zone) => values.with(&TIMEZONE, zone),
                None => values,
            }
        };
        for (cron, timezone) in [
            ("CRON_TZ=Europe/Paris 0 9 * * *", None),
            ("TZ=europe/paris 0 9 * * *", None),
            ("0 9 * * * Europe/Paris", None),
            ("CRON_TZ=Europe/Paris 0 9 * * *", Some("Europe/Paris")),
            ("0 9 * * *", Some("Europe/Paris")),
            ("CRON_TZ=Europe/Paris 0 9 * * *; 30 17 * * *", None),
            ("0 9 * * *; 30 17 * * * Europe/Paris", None),
        ] {
            let when = when(&asked(cron, timezone)).unwrap();
            let patterns = ["0 9 * * *", "0 9 * * *; 30 17 * * *"];
            let several = usize::from(cron.contains(';'));
            assert_eq!(when.wish.value, patterns[several]);
            assert_eq!(when.timezone.as_deref(), Some("Europe/Paris"), "{cron}");
        }
        let both = asked("CRON_TZ=Europe/Paris 0 9 * * *", Some("UTC"));
        assert_eq!(code(when(&both)), Code::SpecConflict);
        let unknown = when(&asked("CRON_TZ=Asia/Beijing 0 9 * * *", None)).unwrap_err();
        assert_eq!(
            unknown.corrected().as_deref(),
            Some("--cron \"0 9 * * *\" --timezone Asia/Shanghai")
        );
    }

    #[test]
    fn a_schedule_has_exactly_one_kind_of_time() {
        let asked = |time: &str, cron: &str, every: &str| {
            let values = Values::default().with(&TIME, time);
            wish(&values.with(&CRON, cron).with(&EVERY, every))
        };
        let read = |time, cron, every| {
            let wish = asked(time, cron, every).unwrap();
            (wish.asked.kind().unwrap(), wish.value)
        };
        assert_eq!(read("t", "", " "), (ScheduleType::Once, "t".into()));
        assert_eq!(read("", "c", ""), (ScheduleType::Cron, "c".into()));
        assert_eq!(read("", "", "-5m"), (ScheduleType::Interval, "-5m".into()));
        assert_eq!(code(asked("", "", "")), Code::SpecMissing);
        assert_eq!(code(wish(&Values::default())), Code::SpecMissing);
        assert_eq!(code(asked("t", "c", "")), Code::SpecConflict);
        assert_eq!(code(asked("t", "c", "e")), Code::SpecConflict);
        let all = asked("t", "c", "e").unwrap_err().to_string();
        assert!(
            all.starts_with("--time \"t\" and --cron \"c\" and --every \"e\" exclude each other"),
            "{all}"
        );
    }

    #[test]
    fn repetitions_are_at_least_one_or_left_out() {
        let repetitions =
            |text: &str| super::repetitions(&Values::default().with(&MAX_REPETITIONS, text));
        assert_eq!(super::repetitions(&Values::default()).unwrap(), None);
        assert_eq!(repetitions("").unwrap(), None);
        assert_eq!(repetitions("3.0").unwrap(), Some(3));
        for bad in ["0", "-1", "three", "2.5", "99999999999999999999"] {
            let error = repetitions(bad).unwrap_err();
            assert_eq!(error.code(), Code::RepetitionsInvalid);
            let wanted = format!(
                "--max-repetitions {bad:?} is not a whole number of at least 1; leave it out for no limit"
            );
            assert_eq!(error.to_string(), wanted);
        }
    }
}
