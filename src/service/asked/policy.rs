//! Reading how a schedule is to be delivered.

use jiff::SignedDuration;

use super::given;
use crate::error::{Code, Error, Message, Result, field, fields, message, quoted};
use crate::models::{CatchUp, EnvelopeStyle, PingUrl, Policy};
use crate::schedule::{meant_count, meant_span, meant_word, read_duration};

/// How a schedule is to be delivered, as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyText {
    /// `latest`, `all` or `skip`.
    pub catch_up: Option<String>,
    /// How late a run may still be sent.
    pub grace: Option<String>,
    /// After so many given up in a row.
    pub pause_on_failure: Option<String>,
    /// `none`, `auto` or `full`.
    pub envelope: Option<String>,
    /// How long it is tried.
    pub max_age: Option<String>,
}

/// What was given of a policy.
///
/// # Errors
/// [`Code::PolicyInvalid`].
pub fn policy(args: &PolicyText) -> Result<Policy> {
    let one_of = |words: [&str; 3], others: &[(&str, &str)], name: &'static str, text: &str| {
        let lower = text.to_ascii_lowercase();
        let other = others.iter().find(|(other, _)| *other == lower);
        let meant = other
            .map(|(_, word)| *word)
            .or_else(|| meant_word(text, &words));
        let [first, second, third] = words;
        Error::new(
            Code::PolicyInvalid,
            message![
                field(name),
                " ",
                quoted(text),
                " is none of {first}, {second} and {third}"
            ],
        )
        .example_if(meant.map(|word| fields([(name, word)])))
    };
    let catch_up = |text: &str| {
        let others = [
            ("newest", "latest"),
            ("last", "latest"),
            ("every", "all"),
            ("each", "all"),
        ];
        CatchUp::from_word(text)
            .ok_or_else(|| one_of(["latest", "all", "skip"], &others, "catch_up", text))
    };
    let envelope = |text: &str| {
        let others = [
            ("automatic", "auto"),
            ("off", "none"),
            ("never", "none"),
            ("always", "full"),
        ];
        EnvelopeStyle::from_word(text)
            .ok_or_else(|| one_of(["none", "auto", "full"], &others, "envelope", text))
    };
    Ok(Policy {
        catch_up: given(args.catch_up.as_deref()).map(catch_up).transpose()?,
        grace: duration("grace", args.grace.as_deref())?,
        pause_on_failure: pause_on_failure(args.pause_on_failure.as_deref())?,
        envelope: given(args.envelope.as_deref()).map(envelope).transpose()?,
        max_age: duration("max_age", args.max_age.as_deref())?,
    })
}

/// The dead-man service that was given; `Some(None)` if there is to be none.
///
/// # Errors
/// [`Code::PolicyInvalid`].
pub fn ping_url(text: Option<&str>) -> Result<Option<Option<PingUrl>>> {
    match given(text) {
        None => Ok(None),
        Some("none") => Ok(Some(None)),
        Some(text) => PingUrl::parse(text).map(|url| Some(Some(url))),
    }
}

fn duration(name: &'static str, text: Option<&str>) -> Result<Option<SignedDuration>> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let invalid = |problem: Message| {
        let meant = meant_span(text).filter(|length| read_duration(length).is_ok());
        Error::new(Code::PolicyInvalid, message![field(name), ": ", problem])
            .example_if(meant.map(|length| fields([(name, length)])))
    };
    let read = read_duration(text).map_err(|problem| invalid(problem.into()))?;
    match read.as_secs() {
        0 => Err(invalid(message![quoted(text), " is shorter than a second"])),
        // What is stored is whole seconds.
        seconds => Ok(Some(SignedDuration::from_secs(seconds))),
    }
}

fn pause_on_failure(text: Option<&str>) -> Result<Option<i64>> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let number = super::whole(text).filter(|n| (0..=1_000_000).contains(n));
    number.map(Some).ok_or_else(|| {
        let meant = match text.to_ascii_lowercase().as_str() {
            "never" | "off" | "no" => Some(0),
            _ => meant_count(text, &["times", "failures", "prompts"]),
        };
        Error::new(
            Code::PolicyInvalid,
            message![
                field("pause_on_failure"),
                " ",
                quoted(text),
                " is not a whole number from 0 to 1000000; 0 never pauses"
            ],
        )
        .example_if(
            meant
                .filter(|n| (0..=1_000_000).contains(n))
                .map(|n| fields([("pause_on_failure", n)])),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl Fn(&mut PolicyText)) -> Error {
        let mut args = PolicyText::default();
        change(&mut args);
        policy(&args).unwrap_err()
    }

    #[test]
    fn a_policy_that_was_not_given_is_the_default_one() {
        let blank = PolicyText {
            catch_up: Some(" ".into()),
            ..PolicyText::default()
        };
        assert_eq!(policy(&blank).unwrap(), Policy::default());
    }

    #[test]
    fn every_part_of_a_policy_is_read() {
        let args = PolicyText {
            catch_up: Some("skip".into()),
            grace: Some("90".into()),
            pause_on_failure: Some("0".into()),
            envelope: Some("full".into()),
            max_age: Some("2d".into()),
        };
        let read = policy(&args).unwrap();
        assert_eq!(read.catch_up(), CatchUp::Skip);
        assert_eq!(read.grace(), SignedDuration::from_secs(90));
        assert_eq!(read.pause_on_failure(), None);
        assert_eq!(read.envelope(), EnvelopeStyle::Full);
        assert_eq!(read.max_age, Some(SignedDuration::from_hours(48)));
    }

    #[test]
    fn a_dead_man_service_is_given_taken_away_or_left_alone() {
        let read = ping_url;
        assert_eq!(read(None).unwrap(), None);
        assert_eq!(read(Some("none")).unwrap(), Some(None));
        let url = PingUrl::parse("https://h/x").unwrap();
        assert_eq!(read(Some("https://h/x")).unwrap(), Some(Some(url)));
        assert_eq!(read(Some("h/x")).unwrap_err().code(), Code::PolicyInvalid);
    }

    #[test]
    fn what_cannot_be_read_of_a_policy_is_named() {
        let catch_up = error(|a| a.catch_up = Some("newest".into()));
        assert!(catch_up.to_string().contains("--catch-up \"newest\""));
        let grace = error(|a| a.grace = Some("-1m".into()));
        assert!(grace.to_string().contains("--grace"), "{grace}");
        let age = error(|a| a.max_age = Some("0.2".into()));
        assert!(age.to_string().contains("shorter than a second"), "{age}");
        let pause = error(|a| a.pause_on_failure = Some("-1".into()));
        assert_eq!(pause.code(), Code::PolicyInvalid);
    }
}
