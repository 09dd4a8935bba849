//! All tools.

mod defaults;
mod delivering;
mod of_operations;
mod scheduling;
mod upload;

pub(crate) use delivering::LONGEST_WAIT;

use std::sync::OnceLock;

use rmcp::model::Tool;

use super::definition::Definition;
use crate::operations::{self, Offer, other_words};
use crate::schedule::nearest;

/// The tools for these operations, in the order in which clients list them.
pub fn of(offer: Offer) -> Vec<Definition> {
    let of_operations = offer.iter().filter_map(|o| of_operations::tool(o));
    scheduling::tools()
        .into_iter()
        .chain(of_operations)
        .chain(delivering::tools())
        .chain([upload::tool()])
        .chain(defaults::tools())
        .collect()
}

/// All tools, in the order in which clients list them.
pub fn all() -> &'static [Definition] {
    static ALL: OnceLock<Vec<Definition>> = OnceLock::new();
    ALL.get_or_init(|| of(operations::ALL))
}

/// All tools as clients see them, described once for all sessions.
pub fn described() -> &'static [Tool] {
    static DESCRIBED: OnceLock<Vec<Tool>> = OnceLock::new();
    DESCRIBED.get_or_init(|| all().iter().map(Definition::to_tool).collect())
}

/// The tool with a name.
pub fn find(name: &str) -> Option<&'static Definition> {
    all().iter().find(|t| t.name == name)
}

/// The tool that does what a command does.
pub(super) fn of_command(command: &str) -> Option<&'static str> {
    match operations::of_command(operations::ALL, command) {
        Some(operation) => operation.tool.map(|tool| tool.name),
        None => find(&format!("promptyoself_{command}")).map(|tool| tool.name),
    }
}

/// The tool that an unknown name probably stands for: that of the command with the same meaning, or
/// a misspelt one.
pub fn similar(name: &str) -> Option<&'static str> {
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
    // By the ending: the beginning is the same in all names.
    let endings = all()
        .iter()
        .map(|t| t.name.strip_prefix("promptyoself_").unwrap_or(t.name));
    let near = || {
        let ending = nearest(verb, endings.clone())?;
        let tool = all().iter().find(|t| t.name.ends_with(ending))?;
        Some(tool.name)
    };
    command.and_then(of_command).or_else(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::field::Kind;

    #[test]
    fn every_tool_and_argument_says_what_it_is_for() {
        for tool in all() {
            assert!(tool.description.len() > 60, "{}", tool.name);
            for p in &tool.parameters {
                let name = p.argument();
                assert!(p.described().len() > 15, "{} {name}", tool.name);
                let is_switch = p.field.kind == Kind::Switch;
                assert!(
                    is_switch || !p.field.examples.is_empty(),
                    "{} {name}",
                    tool.name
                );
            }
            for key in &tool.answers {
                let told = &key.description;
                assert!(told.len() > 3, "{} {}: {told}", tool.name, key.name);
            }
        }
    }

    #[test]
    fn a_tool_is_recognised_by_another_word_or_a_misspelling_and_by_nothing_else() {
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
            assert_eq!(similar(name), wanted, "{name}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        for tool in all() {
            assert_eq!(all().iter().filter(|t| t.name == tool.name).count(), 1);
            let mut names: Vec<&str> = tool
                .parameters
                .iter()
                .flat_map(|p| p.field.aliases.iter().copied().chain([p.argument()]))
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", tool.name);
        }
    }
}
