//! Reading what callers gave as text: the checks that every face shares, with errors that teach.

mod policy;

use crate::error::{Code, Error, Message, Result, field, fields, message, quoted};
use crate::models::ScheduleType;
use crate::schedule::{
    Zone, meant_count, meant_span, meant_time, parse_time, read_duration, split_zone,
};

use jiff::Timestamp;

use super::{When, Wish};

pub use policy::{PolicyText, ping_url, policy};

/// Everything that says when, as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhenText {
    /// Once, at this time.
    pub time: Option<String>,
    /// On this pattern.
    pub cron: Option<String>,
    /// This far apart.
    pub every: Option<String>,
    /// The zone.
    pub timezone: Option<String>,
    /// Not before this time.
    pub start_at: Option<String>,
    /// Not after this time.
    pub end_at: Option<String>,
    /// So many times.
    pub max_repetitions: Option<String>,
}

/// When a prompt is to run, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec<'a> {
    /// `--time`.
    Once(&'a str),
    /// `--cron`.
    Cron(&'a str),
    /// `--every`.
    Every(&'a str),
}

impl<'a> Spec<'a> {
    /// The text of it.
    fn text(self) -> &'a str {
        match self {
            Spec::Once(text) | Spec::Cron(text) | Spec::Every(text) => text,
        }
    }

    fn wish(self) -> Wish {
        let kind = match self {
            Spec::Once(_) => ScheduleType::Once,
            Spec::Cron(_) => ScheduleType::Cron,
            Spec::Every(_) => ScheduleType::Interval,
        };
        Wish {
            kind,
            value: self.text().to_owned(),
        }
    }
}

/// A flag's text; blank counts as not given, since language models fill in every field they see.
pub fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The one of `--time`, `--cron` and `--every` that was given.
///
/// # Errors
/// [`Code::SpecMissing`] or [`Code::SpecConflict`].
pub fn spec(args: &WhenText) -> Result<Spec<'_>> {
    let all = [
        ("time", given(args.time.as_deref()).map(Spec::Once)),
        ("cron", given(args.cron.as_deref()).map(Spec::Cron)),
        ("every", given(args.every.as_deref()).map(Spec::Every)),
    ];
    let given: Vec<_> = all
        .into_iter()
        .filter_map(|(name, spec)| spec.map(|spec| (name, spec)))
        .collect();
    match given.as_slice() {
        [(_, spec)] => Ok(*spec),
        [] => Err(Error::new(
            Code::SpecMissing,
            message![
                "nothing says when to run: give one of ",
                field("time"),
                " (once), ",
                field("cron"),
                " (a pattern) or ",
                field("every"),
                " (an interval)"
            ],
        )),
        several => {
            let mut together = Message::default();
            for (at, (name, spec)) in several.iter().enumerate() {
                let and = if at > 0 { " and " } else { "" };
                together.push(message![and, field(name), " ", quoted(spec.text())]);
            }
            together.push(
                " were given together, but a schedule has one kind of time: keep one of them",
            );
            Err(Error::new(Code::SpecConflict, together))
        }
    }
}

/// Everything that says when.
///
/// # Errors
/// [`Code::SpecMissing`], [`Code::SpecConflict`], [`Code::RepetitionsInvalid`].
pub fn when(text: &WhenText) -> Result<When> {
    let mut wish = spec(text)?.wish();
    let timezone = zone_of(&mut wish, text.timezone.as_deref())?;
    Ok(When {
        wish,
        timezone,
        start_at: filled(text.start_at.as_deref()),
        end_at: filled(text.end_at.as_deref()),
        max_repetitions: repetitions(text.max_repetitions.as_deref())?,
    })
}

/// When, and in which zone, as far as that was given: for a change, which may leave it as it is.
///
/// # Errors
/// Those of [`spec`] and [`zone_of`].
pub fn wish_if_given(text: &WhenText) -> Result<(Option<Wish>, Option<String>)> {
    match spec(text) {
        Ok(spec) => {
            let mut wish = spec.wish();
            let timezone = zone_of(&mut wish, text.timezone.as_deref())?;
            Ok((Some(wish), timezone))
        }
        Err(e) if e.code() == Code::SpecMissing => Ok((None, filled(text.timezone.as_deref()))),
        Err(e) => Err(e),
    }
}

/// The zone that was given, or else the one that stands beside a pattern, as in
/// `CRON_TZ=Europe/Paris 0 9 * * *`; the pattern is left without it.
///
/// # Errors
/// [`Code::SpecConflict`] if two different ones were given, [`Code::TimezoneUnknown`] if the one
/// beside the pattern is none.
pub fn zone_of(wish: &mut Wish, given_zone: Option<&str>) -> Result<Option<String>> {
    let timezone = filled(given_zone);
    if wish.kind != ScheduleType::Cron {
        return Ok(timezone);
    }
    let Some((name, pattern)) = split_zone(&wish.value) else {
        return Ok(timezone);
    };
    let zone = Zone::parse(&name).map_err(|error| {
        let zone = error.corrected_field("timezone").cloned();
        let right =
            zone.map(|zone| fields([("cron", pattern.as_str().into()), ("timezone", zone)]));
        error.without_example().example_if(right)
    })?;
    if let Some(given) = &timezone
        && Zone::parse(given).is_ok_and(|other| other != zone)
    {
        return Err(Error::new(
            Code::SpecConflict,
            message![
                field("cron"),
                " ",
                quoted(&wish.value),
                " is meant in ",
                zone.name(),
                ", and ",
                field("timezone"),
                " is ",
                quoted(given),
                ": leave one of them out"
            ],
        ));
    }
    wish.value = pattern;
    Ok(timezone.or_else(|| Some(zone.name().to_owned())))
}

/// A flag's text as [`given`] sees it, to be kept.
pub fn filled(text: Option<&str>) -> Option<String> {
    given(text).map(str::to_owned)
}

/// How many runs a schedule has in all.
///
/// # Errors
/// [`Code::RepetitionsInvalid`].
pub fn repetitions(flag: Option<&str>) -> Result<Option<i64>> {
    let Some(text) = given(flag) else {
        return Ok(None);
    };
    whole(text).filter(|n| *n >= 1).map(Some).ok_or_else(|| {
        let meant = meant_count(text, &["times", "runs", "repetitions", "time"]);
        Error::new(
            Code::RepetitionsInvalid,
            message![
                field("max_repetitions"),
                " ",
                quoted(text),
                " is not a whole number of at least 1; leave it out for a schedule without end"
            ],
        )
        .example_if(
            meant
                .filter(|n| *n >= 1)
                .map(|n| fields([("max_repetitions", n)])),
        )
    })
}

/// A prompt that was given, exactly as it is.
///
/// # Errors
/// [`Code::PromptMissing`] if it is blank.
pub fn prompt(text: String) -> Result<String> {
    match text.trim().is_empty() {
        true => Err(prompt_missing("the prompt is blank")),
        false => Ok(text),
    }
}

/// The error that there is no prompt.
pub fn prompt_missing(what: &str) -> Error {
    Error::new(
        Code::PromptMissing,
        format!("{what}: say what the agent is to be told when the time comes"),
    )
}

/// A time, or how far to go back from now, as a field of this name has it. A time without an offset is
/// meant in `zone`.
///
/// # Errors
/// [`Code::TimeInvalid`], and [`Code::TimezoneUnknown`].
pub fn point(text: &str, name: &'static str, zone: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(back) = read_duration(text) {
        return Ok(now.checked_sub(back).unwrap_or(Timestamp::MIN));
    }
    let zone = Zone::parse(zone)?;
    parse_time(text, &zone, now).map_err(|error| {
        let time = || meant_time(text, &zone, now).map(|(_, written)| written);
        let meant = meant_back(text).or_else(time);
        error
            .about(name)
            .without_example()
            .example_if(meant.map(|meant| fields([(name, meant)])))
    })
}

/// `2 days ago`, `the last 24 hours` as a length of time.
fn meant_back(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("the ").unwrap_or(&text);
    let length = text
        .strip_suffix(" ago")
        .or_else(|| text.strip_prefix("last "))
        .or_else(|| text.strip_prefix("past "))
        .or_else(|| text.strip_prefix("since "))
        .or_else(|| text.strip_prefix('-'))
        .unwrap_or(text);
    let length = meant_span(length)?;
    read_duration(&length).ok().map(|_| length)
}

/// A whole number as people and JSON write it: `5`, `5.0`.
pub fn whole(text: &str) -> Option<i64> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        let error = result.unwrap_err();
        // Nobody can know which was meant.
        assert!(error.corrected().is_none());
        error.code()
    }

    #[test]
    fn a_zone_beside_a_pattern_is_the_zone_of_the_schedule() {
        let args = |cron: &str, timezone: Option<&str>| WhenText {
            cron: Some(cron.to_owned()),
            timezone: timezone.map(str::to_owned),
            ..WhenText::default()
        };
        for (cron, timezone) in [
            ("CRON_TZ=Europe/Paris 0 9 * * *", None),
            ("TZ=europe/paris 0 9 * * *", None),
            ("0 9 * * * Europe/Paris", None),
            ("CRON_TZ=Europe/Paris 0 9 * * *", Some("Europe/Paris")),
            ("0 9 * * *", Some("Europe/Paris")),
        ] {
            let when = when(&args(cron, timezone)).unwrap();
            assert_eq!(when.wish.value, "0 9 * * *");
            assert_eq!(when.timezone.as_deref(), Some("Europe/Paris"), "{cron}");
        }
        let both = args("CRON_TZ=Europe/Paris 0 9 * * *", Some("UTC"));
        assert_eq!(code(when(&both)), Code::SpecConflict);
        let unknown = when(&args("CRON_TZ=Asia/Beijing 0 9 * * *", None)).unwrap_err();
        assert_eq!(
            unknown.corrected().as_deref(),
            Some("--cron \"0 9 * * *\" --timezone Asia/Shanghai")
        );
    }

    #[test]
    fn a_schedule_has_exactly_one_kind_of_time() {
        let args = |time: &str, cron: &str, every: &str| WhenText {
            time: Some(time.to_owned()),
            cron: Some(cron.to_owned()),
            every: Some(every.to_owned()),
            ..WhenText::default()
        };
        assert_eq!(spec(&args("t", "", " ")).unwrap(), Spec::Once("t"));
        assert_eq!(spec(&args("", "c", "")).unwrap(), Spec::Cron("c"));
        assert_eq!(spec(&args("", "", "-5m")).unwrap(), Spec::Every("-5m"));
        assert_eq!(code(spec(&args("", "", ""))), Code::SpecMissing);
        assert_eq!(code(spec(&WhenText::default())), Code::SpecMissing);
        assert_eq!(code(spec(&args("t", "c", ""))), Code::SpecConflict);
        assert_eq!(code(spec(&args("t", "c", "e"))), Code::SpecConflict);
    }
}
