//! Reading what callers gave as text: the checks that every face shares, with errors that teach. They
//! name the flags of the command line; other faces put their own words in place of those.

mod policy;

use crate::error::{Code, Error, Result};
use crate::models::ScheduleType;
use crate::schedule::{CronSpec, IntervalSpec, Zone, parse_time, read_duration};

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
        ("--time", given(args.time.as_deref()).map(Spec::Once)),
        ("--cron", given(args.cron.as_deref()).map(Spec::Cron)),
        ("--every", given(args.every.as_deref()).map(Spec::Every)),
    ];
    let given: Vec<_> = all
        .into_iter()
        .filter_map(|(flag, spec)| spec.map(|spec| (flag, spec)))
        .collect();
    match given.as_slice() {
        [(_, spec)] => Ok(*spec),
        [] => Err(Error::new(
            Code::SpecMissing,
            "nothing says when to run: give one of --time (once), --cron (a pattern) or --every \
             (an interval)",
        )
        .example("--every 30m")),
        several => {
            let flags: Vec<String> = several
                .iter()
                .map(|(flag, spec)| format!("{flag} {:?}", spec.text()))
                .collect();
            // What is kept must itself be right, or the next answer is an error again.
            let kept = several.iter().find(|(_, spec)| match spec {
                Spec::Once(_) => false,
                Spec::Cron(text) => CronSpec::parse(text).is_ok(),
                Spec::Every(text) => IntervalSpec::parse(text).is_ok(),
            });
            Err(Error::new(
                Code::SpecConflict,
                format!(
                    "{} were given together, but a schedule has one kind of time: keep one of them",
                    flags.join(" and ")
                ),
            )
            .example(match kept {
                Some((flag, spec)) => format!("{flag} \"{}\"", spec.text()),
                None => "--every 30m".to_owned(),
            }))
        }
    }
}

/// Everything that says when.
///
/// # Errors
/// [`Code::SpecMissing`], [`Code::SpecConflict`], [`Code::RepetitionsInvalid`].
pub fn when(text: &WhenText) -> Result<When> {
    Ok(When {
        wish: spec(text)?.wish(),
        timezone: filled(text.timezone.as_deref()),
        start_at: filled(text.start_at.as_deref()),
        end_at: filled(text.end_at.as_deref()),
        max_repetitions: repetitions(text.max_repetitions.as_deref())?,
    })
}

/// When, if anything of it was given: for a change, which may leave it as it is.
///
/// # Errors
/// Those of [`spec`].
pub fn wish_if_given(text: &WhenText) -> Result<Option<Wish>> {
    match spec(text) {
        Ok(spec) => Ok(Some(spec.wish())),
        Err(e) if e.code() == Code::SpecMissing => Ok(None),
        Err(e) => Err(e),
    }
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
        Error::new(
            Code::RepetitionsInvalid,
            format!(
                "--max-repetitions {text:?} is not a whole number of at least 1; leave it out for \
                 a schedule without end"
            ),
        )
        .example("--max-repetitions 10")
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
    .example("--prompt \"Check the backup\"")
}

/// A time, or how far to go back from now, given with a flag. A time without an offset is meant in
/// `zone`.
///
/// # Errors
/// [`Code::TimeInvalid`], and [`Code::TimezoneUnknown`].
pub fn point(text: &str, flag: &str, zone: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(back) = read_duration(text) {
        return Ok(now.checked_sub(back).unwrap_or(Timestamp::MIN));
    }
    parse_time(text, &Zone::parse(zone)?, now)
        .map_err(|e| e.about(flag).example(format!("{flag} 24h")))
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
        assert!(error.corrected().is_some());
        error.code()
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
