//! The policy of a schedule.

use jiff::SignedDuration;

use super::numbers;
use crate::error::{Code, Error, Message, Result, field, fields, message, quoted};
use crate::models::{CatchUp, EnvelopeStyle, PingUrl, Policy};
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::fields::*;
use crate::schedule::{corrected_count, corrected_interval, corrected_word, read_duration};

/// The given parts of a policy.
///
/// # Errors
/// [`Code::PolicyInvalid`].
pub(super) fn policy(values: &Values) -> Result<Policy> {
    Ok(Policy {
        catch_up: word(
            values,
            &CATCH_UP,
            CatchUp::from_word,
            &[
                ("newest", "latest"),
                ("last", "latest"),
                ("every", "all"),
                ("each", "all"),
            ],
        )?,
        grace: duration(values, &GRACE)?,
        pause_on_failure: number(
            values,
            &PAUSE_ON_FAILURE,
            "; 0 never pauses",
            |text| match text.to_ascii_lowercase().as_str() {
                "never" | "off" | "no" => Some(0),
                _ => corrected_count(text, &["times", "failures", "prompts"]),
            },
        )?,
        envelope: word(
            values,
            &ENVELOPE,
            EnvelopeStyle::from_word,
            &[
                ("automatic", "auto"),
                ("off", "none"),
                ("never", "none"),
                ("always", "full"),
            ],
        )?,
        max_age: duration(values, &MAX_AGE)?,
    })
}

/// The dead-man service; `Some(None)` to remove it.
///
/// # Errors
/// [`Code::PolicyInvalid`].
pub(super) fn ping_url(values: &Values) -> Result<Option<Option<PingUrl>>> {
    match values.given(&PING_URL).as_deref() {
        None => Ok(None),
        Some("none") => Ok(Some(None)),
        Some(text) => PingUrl::parse(text).map(|url| Some(Some(url))),
    }
}

/// One of the words of a field. `others` maps other words to them.
fn word<T>(
    values: &Values,
    asked: &Field,
    read: fn(&str) -> Option<T>,
    others: &[(&str, &'static str)],
) -> Result<Option<T>> {
    let Some(text) = values.given(asked) else {
        return Ok(None);
    };
    read(&text).map(Some).ok_or_else(|| {
        let words = asked.kind.words();
        let lower = text.to_ascii_lowercase();
        let other = others.iter().find(|(other, _)| *other == lower);
        let corrected = other
            .map(|(_, word)| *word)
            .or_else(|| corrected_word(&text, words));
        let all = match words {
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
            [] => String::new(),
        };
        Error::new(
            Code::PolicyInvalid,
            message![field(asked.name), " ", quoted(&text), " is not {all}"],
        )
        .example_if(corrected.map(|word| fields([(asked.name, word)])))
    })
}

/// A duration of at least a second.
fn duration(values: &Values, asked: &Field) -> Result<Option<SignedDuration>> {
    let Some(text) = values.given(asked) else {
        return Ok(None);
    };
    let invalid = |problem: Message| {
        let corrected = corrected_interval(&text).filter(|length| read_duration(length).is_ok());
        Error::new(
            Code::PolicyInvalid,
            message![field(asked.name), ": ", problem],
        )
        .example_if(corrected.map(|length| fields([(asked.name, length)])))
    };
    let read = read_duration(&text).map_err(|problem| invalid(problem.into()))?;
    match read.as_secs() {
        0 => Err(invalid(message![
            quoted(&text),
            " is shorter than a second"
        ])),
        // Whole seconds are stored.
        seconds => Ok(Some(SignedDuration::from_secs(seconds))),
    }
}

fn number(
    values: &Values,
    asked: &Field,
    hint: &str,
    corrected: impl FnOnce(&str) -> Option<i64>,
) -> Result<Option<i64>> {
    numbers::number(values, asked, Code::PolicyInvalid, hint, corrected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::field::Kind;

    fn all() -> impl Iterator<Item = &'static Field> {
        REPEATED.iter().chain(DELIVERY).map(|p| p.field)
    }

    #[test]
    fn a_policy_that_was_not_given_is_the_default_one() {
        for blank in ["", " "] {
            let values = all().fold(Values::default(), |values, field| values.with(field, blank));
            assert_eq!(policy(&values).unwrap(), Policy::default());
        }
    }

    #[test]
    fn every_part_of_a_policy_is_read_and_named() {
        for field in all() {
            for example in field.examples {
                let read = policy(&Values::default().with(field, *example)).unwrap();
                assert_eq!(read.names().collect::<Vec<_>>(), [field.name]);
            }
        }
        let values = Values::default()
            .with(&CATCH_UP, "skip")
            .with(&GRACE, "90")
            .with(&PAUSE_ON_FAILURE, "0")
            .with(&ENVELOPE, "full")
            .with(&MAX_AGE, "2d");
        let read = policy(&values).unwrap();
        assert_eq!(read.catch_up(), CatchUp::Skip);
        assert_eq!(read.grace(), SignedDuration::from_secs(90));
        assert_eq!(read.pause_on_failure(), None);
        assert_eq!(read.envelope(), EnvelopeStyle::Full);
        assert_eq!(read.max_age, Some(SignedDuration::from_hours(48)));
    }

    #[test]
    fn a_dead_man_service_is_given_taken_away_or_left_alone() {
        let read = |text: &str| ping_url(&Values::default().with(&PING_URL, text));
        assert_eq!(ping_url(&Values::default()).unwrap(), None);
        assert_eq!(read("none").unwrap(), Some(None));
        let url = PingUrl::parse("https://h/x").unwrap();
        assert_eq!(read("https://h/x").unwrap(), Some(Some(url)));
        assert_eq!(read("h/x").unwrap_err().code(), Code::PolicyInvalid);
    }

    #[test]
    fn what_cannot_be_read_of_a_policy_is_named() {
        let error = |field: &Field, text: &str| {
            let error = policy(&Values::default().with(field, text)).unwrap_err();
            assert_eq!(error.code(), Code::PolicyInvalid);
            error.to_string()
        };
        for field in all().filter(|field| field.kind != Kind::Text) {
            let flag = format!("--{} \"?\"", field.name.replace('_', "-"));
            let told = error(field, "?");
            assert!(told.starts_with(&flag), "{told}");
        }
        for (field, text, wanted) in [
            (
                &CATCH_UP,
                "newest",
                "--catch-up \"newest\" is not latest, all or skip",
            ),
            (&GRACE, "-1m", "--grace: "),
            (
                &MAX_AGE,
                "0.2",
                "--max-age: \"0.2\" is shorter than a second",
            ),
            (
                &PAUSE_ON_FAILURE,
                "-1",
                "--pause-on-failure \"-1\" is not a whole number from 0 to 1000000; 0 never pauses",
            ),
        ] {
            let told = error(field, text);
            assert!(told.starts_with(wanted), "{told}");
        }
    }
}
