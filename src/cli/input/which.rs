//! Reading which schedules something is to be done to.

use super::{agent_filter, schedule_id};
use crate::cli::args::WhichArgs;
use crate::error::{Code, Error, Result, field, message, operation};
use crate::models::AgentId;

/// Which schedules something is to be done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(i64),
    /// Every one of this agent, or of all.
    Many(Option<AgentId>),
}

/// Which schedules are meant.
///
/// # Errors
/// [`Code::Usage`] if it can't be told or is more than one of these, [`Code::IdInvalid`], and those of
/// an agent's id.
pub fn which(args: &WhichArgs) -> Result<Which> {
    let names_one = args.id.id.is_some() || args.id.position.is_some();
    let ways = [names_one, args.agent_id.is_some(), args.all];
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
    if names_one && args.dry_run {
        return Err(Error::new(
            Code::Usage,
            message![
                field("dry_run"),
                " shows which schedules ",
                field("agent_id"),
                " or ",
                field("all"),
                " would be about; ",
                operation("show"),
                " says what one is"
            ],
        ));
    }
    if args.dry_run && args.yes {
        return Err(Error::new(
            Code::Usage,
            message![
                field("dry_run"),
                " only shows which schedules it would be, and ",
                field("yes"),
                " does it: leave one of them out"
            ],
        ));
    }
    match (agent_filter(args.agent_id.as_deref())?, args.all) {
        (None, false) => Ok(Which::One(schedule_id(&args.id)?)),
        (agent, _) => Ok(Which::Many(agent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_an_agents_or_all_and_never_two_of_them() {
        let args = |id: Option<&str>, agent: Option<&str>, all| {
            let mut args = WhichArgs {
                agent_id: agent.map(str::to_owned),
                all,
                ..WhichArgs::default()
            };
            args.id.id = id.map(str::to_owned);
            args
        };
        let agent = AgentId::parse("agent-a").unwrap();
        let read = |id, agent, all| which(&args(id, agent, all)).map_err(|e| e.code());
        assert_eq!(read(Some("5"), None, false), Ok(Which::One(5)));
        assert_eq!(
            read(None, Some("agent-a"), false),
            Ok(Which::Many(Some(agent)))
        );
        assert_eq!(read(None, None, true), Ok(Which::Many(None)));
        assert_eq!(read(None, None, false), Err(Code::IdInvalid));
        // A blank id of an agent is none, and surely not every agent.
        assert_eq!(read(None, Some(""), false), Err(Code::AgentMissing));
        assert_eq!(read(Some("5"), Some("agent-a"), false), Err(Code::Usage));
        assert_eq!(read(Some("5"), None, true), Err(Code::Usage));
        assert_eq!(read(None, Some("agent-a"), true), Err(Code::Usage));
        let dry = |mut args: WhichArgs, yes| {
            (args.dry_run, args.yes) = (true, yes);
            which(&args).map_err(|e| e.code())
        };
        assert_eq!(dry(args(None, None, true), false), Ok(Which::Many(None)));
        assert_eq!(dry(args(None, None, true), true), Err(Code::Usage));
        assert_eq!(dry(args(Some("5"), None, false), false), Err(Code::Usage));
    }
}
