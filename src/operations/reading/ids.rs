//! The ids of schedules and agents.

use crate::error::{Code, Error, Message, Result, call, field, fields, message, operation, quoted};
use crate::limits;
use crate::models::{AgentId, NamedAgent, TargetName};
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::fields::*;
use crate::operations::text::{given, whole};
use crate::schedule::corrected_count;
use crate::service::{Service, Which};

/// The agent, if given: its id, or `target/agent`.
///
/// # Errors
/// [`Code::AgentMissing`] if it is blank, [`Code::AgentInvalid`].
pub fn agent(values: &Values) -> Result<Option<NamedAgent>> {
    let text = values.text(&AGENT);
    text.as_deref().map(NamedAgent::parse).transpose()
}

/// The agent of a schedule and its target, each if given: the target may be named in either field.
///
/// # Errors
/// Those of [`agent`], and [`Code::SpecConflict`] if two different targets were given.
pub fn agent_at(values: &Values) -> Result<(Option<AgentId>, Option<TargetName>)> {
    let target = target(values);
    let Some(NamedAgent { id, target: at }) = agent(values)? else {
        return Ok((None, target));
    };
    match (at, target) {
        (Some(at), Some(other)) if at != other => Err(Error::new(
            Code::SpecConflict,
            message![
                field(AGENT.name),
                " names the target ",
                quoted(at.as_str()),
                ", but ",
                field(TARGET.name),
                " is ",
                quoted(other.as_str()),
                ": leave one of them out"
            ],
        )),
        (at, target) => Ok((Some(id), at.or(target))),
    }
}

/// The target, if given.
pub fn target(values: &Values) -> Option<TargetName> {
    values.given(&TARGET).map(TargetName::new)
}

/// The id of the schedule.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn id(values: &Values) -> Result<i64> {
    schedule_number(&ID, values.text(&ID).as_deref())
}

/// The schedule: by its id, or by its name. Figures are always an id.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn which(values: &Values) -> Result<Which> {
    which_of(&ID, values.text(&ID).as_deref())
}

/// The schedule to filter by, if given: by its id, or by its name.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn schedule_filter(values: &Values) -> Result<Option<Which>> {
    let text = values.text(&SCHEDULE_FILTER);
    text.map(|text| which_of(&SCHEDULE_FILTER, Some(&text)))
        .transpose()
}

/// The id of the schedule to filter by, if given.
///
/// # Errors
/// Those of a [`schedule_filter`] and of [`Service::id_of`].
pub async fn filtered_id(values: &Values, service: &Service) -> Result<Option<i64>> {
    match schedule_filter(values)? {
        Some(which) => service.id_of(&which).await.map(Some),
        None => Ok(None),
    }
}

fn which_of(asked: &Field, text: Option<&str>) -> Result<Which> {
    let name = given(text).unwrap_or_default();
    let is_number = name.parse::<f64>().is_ok_and(f64::is_finite);
    let is_too_long = name.char_indices().nth(limits::NAME).is_some();
    match name.is_empty() || name.contains('\0') || is_number || is_too_long {
        true => schedule_number(asked, text).map(Which::Id),
        false => Ok(Which::Name(name.to_owned())),
    }
}

/// A schedule id in the text of a field.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn schedule_number(asked: &Field, text: Option<&str>) -> Result<i64> {
    let wrong = |problem: Message| {
        Error::new(
            Code::IdInvalid,
            message![
                problem,
                ": give ",
                field(asked.name),
                " with a whole number, as ",
                operation("list"),
                " shows it"
            ],
        )
        .example(call("list").with("all", true))
    };
    let Some(text) = given(text) else {
        return Err(wrong("no schedule id was given".into()));
    };
    let numbers = ID.kind.numbers();
    whole(text)
        .filter(|id| numbers.contains(id))
        .ok_or_else(|| {
            // Only with digits: a word is too little to end a schedule by.
            let figures = Some(text).filter(|text| text.contains(|c: char| c.is_ascii_digit()));
            let corrected = figures
                .and_then(|t| corrected_count(t, &["id", "id:", "no.", "number", "schedule"]));
            let text: String = text.chars().take(80).collect();
            let corrected = corrected.filter(|id| numbers.contains(id));
            wrong(message![quoted(text), " is not a schedule id"])
                .example_if(corrected.map(|id| fields([(asked.name, id)])))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_number_may_come_as_json_writes_it() {
        let id = |text: &str| schedule_number(&ID, Some(text));
        assert_eq!(id("5").unwrap(), 5);
        assert_eq!(id(" 5.0 ").unwrap(), 5);
        for bad in [
            "",
            "x",
            "5.5",
            "5.",
            ".0",
            "-5",
            "0",
            "1e3",
            "9223372036854775808",
            "٥",
        ] {
            assert_eq!(code(id(bad)), Code::IdInvalid, "{bad:?}");
        }
        assert_eq!(code(schedule_number(&ID, None)), Code::IdInvalid);
    }

    #[test]
    fn a_filter_is_called_as_its_flag_on_a_command_line() {
        let filter = |text: &str| {
            schedule_filter(&Values::default().with(&SCHEDULE_FILTER, text)).map(Option::unwrap)
        };
        let error = filter("5.5").unwrap_err();
        assert!(error.to_string().contains("give --id with"), "{error}");
        assert_eq!(code(filter("")), Code::IdInvalid);
        assert_eq!(filter("5").unwrap(), Which::Id(5));
        assert_eq!(filter("tea").unwrap(), Which::Name("tea".to_owned()));
    }

    #[test]
    fn an_agent_may_be_named_with_its_target() {
        let at = |agent: &str, target: &str| {
            agent_at(&Values::default().with(&AGENT, agent).with(&TARGET, target))
        };
        for (agent, target, wanted) in [
            ("home/agent-1", "", Some("home")),
            ("home/agent-1", "home", Some("home")),
            ("agent-1", "home", Some("home")),
            ("agent-1", "", None),
        ] {
            let (id, at) = at(agent, target).unwrap();
            assert_eq!(id.unwrap().as_str(), "agent-1");
            assert_eq!(at.as_ref().map(TargetName::as_str), wanted, "{agent}");
        }
        for (agent, target, wanted) in [
            ("home/agent-1", "work", Code::SpecConflict),
            ("home/", "", Code::AgentInvalid),
            ("home/agent-1/b", "", Code::AgentInvalid),
            ("../tools", "", Code::AgentInvalid),
            ("/agent-1", "", Code::AgentInvalid),
            ("agent-1/messages", "", Code::AgentInvalid),
        ] {
            assert_eq!(code(at(agent, target)), wanted, "{agent}");
        }
        assert_eq!(agent_at(&Values::default()).unwrap(), (None, None));
    }

    #[test]
    fn an_agent_that_is_named_blank_is_missing() {
        let agent = |text: &str| agent(&Values::default().with(&AGENT, text));
        assert_eq!(code(agent("")), Code::AgentMissing);
        assert_eq!(agent("agent-1").unwrap().unwrap().id.as_str(), "agent-1");
        assert_eq!(super::agent(&Values::default()).unwrap(), None);
    }
}
