//! Every tool.

mod agents;
mod changing;
mod defaults;
mod delivering;
mod looking;
mod parameters;
mod scheduling;

pub(crate) use delivering::LONGEST_WAIT;

use std::sync::OnceLock;

use rmcp::model::Tool;

use super::definition::Definition;
use crate::operations::{self, other_words, vocabulary};
use crate::schedule::nearest;

/// Every tool, in the order in which clients list them.
const ALL: &[&Definition] = &[
    &scheduling::SCHEDULE_TIME,
    &scheduling::SCHEDULE_CRON,
    &scheduling::SCHEDULE_EVERY,
    &scheduling::PREVIEW,
    &looking::LIST,
    &looking::GET,
    &looking::HISTORY,
    &changing::UPDATE,
    &changing::CANCEL,
    &changing::PAUSE,
    &changing::RESUME,
    &changing::RUN_NOW,
    &delivering::TEST,
    &delivering::EXECUTOR_STATUS,
    &delivering::EXECUTE,
    &agents::AGENTS,
    &agents::UPLOAD,
    &defaults::SET_DEFAULT_AGENT,
    &defaults::SET_SCOPED_DEFAULT_AGENT,
    &defaults::GET_SCOPED_DEFAULT_AGENT,
    &defaults::INFERENCE_DIAGNOSTICS,
    &delivering::HEALTH,
];

/// Every tool, in the order in which clients list them.
pub fn all() -> &'static [&'static Definition] {
    ALL
}

/// Every tool as clients are told of it, described once for all sessions.
pub fn described() -> &'static [Tool] {
    static DESCRIBED: OnceLock<Vec<Tool>> = OnceLock::new();
    DESCRIBED.get_or_init(|| ALL.iter().map(|t| t.to_tool()).collect())
}

/// The tool of a name.
pub fn find(name: &str) -> Option<&'static Definition> {
    ALL.iter().find(|t| t.name == name).copied()
}

/// The tool that is meant by a name that is none: one of the command that does the same, or with a
/// slip of the keyboard.
pub fn meant(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let after = lower.strip_prefix("promptyoself").unwrap_or(&lower);
    let verb = after.trim_start_matches(['_', '-', '.', '/']);
    let whole = format!("promptyoself_{verb}");
    if let Some(tool) = find(&whole) {
        return Some(tool.name);
    }
    let commands = || operations::ALL.iter().filter(|o| o.is_command);
    let by_alias = commands().find(|o| o.command_aliases.contains(&verb));
    let command = (by_alias.map(|o| o.name))
        .or_else(|| other_words::command_of(&verb.replace('_', "-")))
        .or_else(|| nearest(verb, commands().map(|o| o.name)));
    // By its ending: what all names begin with makes all of them alike.
    let endings = ALL
        .iter()
        .map(|t| t.name.strip_prefix("promptyoself_").unwrap_or(t.name));
    let near = || {
        let ending = nearest(verb, endings.clone())?;
        let tool = ALL.iter().find(|t| t.name.ends_with(ending))?;
        Some(tool.name)
    };
    command.and_then(vocabulary::tool).or_else(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::field::Kind;

    #[test]
    fn every_tool_and_argument_says_what_it_is_for() {
        for tool in all() {
            assert!(tool.description.len() > 60, "{}", tool.name);
            for p in tool.parameters() {
                let name = p.argument();
                assert!(p.described().len() > 15, "{} {name}", tool.name);
                let is_switch = p.field.kind == Kind::Switch;
                assert!(
                    is_switch || !p.field.examples.is_empty(),
                    "{} {name}",
                    tool.name
                );
            }
            assert!(
                tool.answers.iter().any(|f| f.name == "now"),
                "{}",
                tool.name
            );
        }
    }

    #[test]
    fn a_tool_is_meant_by_another_word_or_a_slip_and_by_nothing_else() {
        for (name, wanted) in [
            ("promptyoself_delete", Some("promptyoself_cancel")),
            ("promptyoself__list", Some("promptyoself_list")),
            ("list", Some("promptyoself_list")),
            ("promptyoself_show", Some("promptyoself_get")),
            (
                "promptyoself_schedule_evry",
                Some("promptyoself_schedule_every"),
            ),
            ("promptyoself_register", None),
            ("promptyoself_erase", None),
            ("schedule_prompt", None),
        ] {
            assert_eq!(meant(name), wanted, "{name}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        for tool in all() {
            assert_eq!(all().iter().filter(|t| t.name == tool.name).count(), 1);
            let mut names: Vec<&str> = tool
                .parameters()
                .flat_map(|p| p.field.aliases.iter().copied().chain([p.argument()]))
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", tool.name);
        }
    }
}
