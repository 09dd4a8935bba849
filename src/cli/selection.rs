//! Selects one schedule or many.

use crate::error::{Code, Error, Result, field, message, operation};
use crate::models::NamedAgent;
use crate::operations::Values;
use crate::operations::fields::{DRY_RUN, EVERY_ONE, ID, OF_AGENT, YES};
use crate::operations::reading;
use crate::service::Which;

/// One schedule or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// This one.
    One(Which),
    /// All of this agent, or all.
    Many(Option<NamedAgent>),
}

/// Reads which schedules are selected.
///
/// # Errors
/// [`Code::Usage`] if it is unclear or more than one of these, [`Code::IdInvalid`], and those of an
/// agent's id.
pub(super) fn read_selection(values: &Values) -> Result<Selection> {
    let names_one = values.has(&ID);
    let all = values.is_set(&EVERY_ONE);
    let ways = [names_one, values.has(&OF_AGENT), all];
    if ways.into_iter().filter(|given| *given).count() > 1 {
        return Err(Error::new(
            Code::Usage,
            message![
                field("id"),
                " is one schedule, ",
                field("agent_id"),
                " all of an agent, ",
                field("all"),
                " every one: give only one of them"
            ],
        ));
    }
    let dry_run = values.is_set(&DRY_RUN);
    if names_one && dry_run {
        return Err(Error::new(
            Code::Usage,
            message![
                field("dry_run"),
                " needs ",
                field("agent_id"),
                " or ",
                field("all"),
                "; use ",
                operation("show"),
                " for a single schedule"
            ],
        ));
    }
    if dry_run && values.is_set(&YES) {
        return Err(Error::new(
            Code::Usage,
            message![
                field("dry_run"),
                " only shows the schedules, and ",
                field("yes"),
                " changes them: leave one of them out"
            ],
        ));
    }
    match (reading::agent(values)?, all) {
        (None, false) => Ok(Selection::One(reading::which(values)?)),
        (agent, _) => Ok(Selection::Many(agent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_an_agents_or_all_and_never_two_of_them() {
        let values = |id: Option<&str>, agent: Option<&str>, all: bool| {
            let mut values = Values::default().with(&EVERY_ONE, all);
            if let Some(id) = id {
                values.set(&ID, id);
            }
            if let Some(agent) = agent {
                values.set(&OF_AGENT, agent);
            }
            values
        };
        let agent = NamedAgent::parse("agent-a").unwrap();
        let read = |id, agent, all| read_selection(&values(id, agent, all)).map_err(|e| e.code());
        assert_eq!(
            read(Some("5"), None, false),
            Ok(Selection::One(Which::Id(5)))
        );
        let named = Which::Name("tea".to_owned());
        assert_eq!(read(Some("tea"), None, false), Ok(Selection::One(named)));
        assert_eq!(
            read(None, Some("agent-a"), false),
            Ok(Selection::Many(Some(agent)))
        );
        assert_eq!(read(None, None, true), Ok(Selection::Many(None)));
        assert_eq!(read(None, None, false), Err(Code::IdInvalid));
        // A blank agent id is not one, and certainly not every agent.
        assert_eq!(read(None, Some(""), false), Err(Code::AgentMissing));
        assert_eq!(read(Some("5"), Some("agent-a"), false), Err(Code::Usage));
        assert_eq!(read(Some("5"), None, true), Err(Code::Usage));
        assert_eq!(read(None, Some("agent-a"), true), Err(Code::Usage));
        let dry = |values: Values, yes: bool| {
            read_selection(&values.with(&DRY_RUN, true).with(&YES, yes)).map_err(|e| e.code())
        };
        assert_eq!(
            dry(values(None, None, true), false),
            Ok(Selection::Many(None))
        );
        assert_eq!(dry(values(None, None, true), true), Err(Code::Usage));
        assert_eq!(dry(values(Some("5"), None, false), false), Err(Code::Usage));
    }
}
