//! Filters for deliveries and changes.

use jiff::Timestamp;

use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::models::State;
use crate::operations::Values;
use crate::operations::fields::*;
use crate::schedule::{
    Zone, corrected_interval, corrected_time, corrected_word, parse_time_of, read_duration,
};
use crate::service::Service;

/// The start of the period, if given.
///
/// # Errors
/// Those of a [`point`].
pub fn since(values: &Values, service: &Service) -> Result<Option<Timestamp>> {
    let (zone, now) = (service.zone.name(), service.clock.now());
    let text = values.given(&SINCE);
    text.map(|text| point(&text, SINCE.name, zone, now))
        .transpose()
}

/// The time from which deliveries were settled, if given.
///
/// # Errors
/// Those of a [`point`].
pub fn settled_since(values: &Values, service: &Service) -> Result<Option<Timestamp>> {
    let (zone, now) = (service.zone.name(), service.clock.now());
    let text = values.given(&SETTLED_SINCE);
    text.map(|text| point(&text, SETTLED_SINCE.name, zone, now))
        .transpose()
}

/// A time, or an age counted back from now, given as the field `name`. A time without an offset is
/// in `zone`.
///
/// # Errors
/// [`Code::TimeInvalid`], and [`Code::TimezoneUnknown`].
pub fn point(text: &str, name: &'static str, zone: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(back) = read_duration(text) {
        return Ok(now.checked_sub(back).unwrap_or(Timestamp::MIN));
    }
    let zone = Zone::parse(zone)?;
    parse_time_of(name, text, &zone, now).map_err(|error| {
        let time = || corrected_time(text, &zone, now).map(|(_, written)| written);
        let corrected = corrected_age(text).or_else(time);
        error
            .without_example()
            .example_if(corrected.map(|corrected| fields([(name, corrected)])))
    })
}

/// `2 days ago`, `the last 24 hours` as a duration.
fn corrected_age(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("the ").unwrap_or(&text);
    let length = text
        .strip_suffix(" ago")
        .or_else(|| text.strip_prefix("last "))
        .or_else(|| text.strip_prefix("past "))
        .or_else(|| text.strip_prefix("since "))
        .or_else(|| text.strip_prefix('-'))
        .unwrap_or(text);
    let length = corrected_interval(length)?;
    read_duration(&length).ok().map(|_| length)
}

/// The state, if given.
///
/// # Errors
/// [`Code::Usage`].
pub fn state(values: &Values) -> Result<Option<State>> {
    let Some(text) = values.given(&STATE) else {
        return Ok(None);
    };
    State::from_word(&text).map(Some).ok_or_else(|| {
        Error::new(
            Code::Usage,
            message![
                field(STATE.name),
                " ",
                quoted(&text),
                " is not a state: give one of ",
                STATE.kind.words().join(", ")
            ],
        )
        .example_if(corrected_state(&text).map(|word| fields([(STATE.name, word)])))
    })
}

/// The state that another word stands for.
fn corrected_state(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "failed" | "error" => Some("dead"),
        "success" | "sent" | "done" | "ok" => Some("delivered"),
        "pending" | "queued" => Some("waiting"),
        "canceled" => Some("cancelled"),
        other => corrected_word(other, STATE.kind.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_does_not_exist_is_refused_with_those_that_do() {
        let state = |text: &str| state(&Values::default().with(&STATE, text));
        assert_eq!(state("dead").unwrap(), Some(State::Dead));
        let error = state("failed").unwrap_err();
        assert!(error.to_string().contains("\"failed\""), "{error}");
        assert!(error.to_string().contains("coalesced"), "{error}");
        assert_eq!(error.corrected().as_deref(), Some("--state dead"));
    }
}
