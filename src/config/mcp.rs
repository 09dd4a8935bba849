//! Settings for callers over MCP.

use serde::Deserialize;

use super::Environment;
use super::agent_shell::default_agents;
use super::value::invalid;
use crate::error::Result;

/// Settings for callers over MCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpSettings {
    /// Whether to use Letta's agent when none is given and there is only one.
    pub single_agent: bool,
    /// Whether `mcp` delivers prompts when no other scheduler does.
    pub delivers: bool,
    /// Those of [`AGENT_VARIABLES`](super::AGENT_VARIABLES) that are set, with their values, the one that holds first.
    pub agent_variables: Vec<(&'static str, String)>,
    /// Where the default agent was set.
    pub default_agent_from: String,
}

/// The `[mcp]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    single_agent: Option<bool>,
    delivers: Option<bool>,
}

/// Combines environment and file.
pub(super) fn combine(env: &Environment, file: &FileTable) -> Result<McpSettings> {
    let switch = |name: &str, from_file: Option<bool>, usual: bool| match env.get(name) {
        None => Ok(from_file.unwrap_or(usual)),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(invalid(
                name,
                format_args!("{text:?} is neither true nor false"),
                &format!("{name}={usual}"),
            )),
        },
    };
    let agent_variables = default_agents(env);
    Ok(McpSettings {
        single_agent: switch(
            "PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK",
            file.single_agent,
            false,
        )?,
        delivers: switch("PROMPTYOSELF_EXECUTOR_AUTOSTART", file.delivers, true)?,
        default_agent_from: match agent_variables.first() {
            Some((name, _)) => (*name).to_owned(),
            None => "default_agent in the settings file".to_owned(),
        },
        agent_variables,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)], file: &FileTable) -> Result<McpSettings> {
        combine(&env.iter().copied().collect(), file)
    }

    #[test]
    fn the_only_agent_is_meant_only_if_that_was_asked_for() {
        let usual = read(&[], &FileTable::default()).unwrap();
        assert!(!usual.single_agent && usual.delivers);
        let on = [("PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK", "True")];
        assert!(read(&on, &FileTable::default()).unwrap().single_agent);
        let file = FileTable {
            single_agent: Some(true),
            delivers: Some(false),
        };
        let read = |env: &[(&str, &str)]| read(env, &file).unwrap();
        assert!(read(&[]).single_agent && !read(&[]).delivers);
        assert!(!read(&[("PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK", "0")]).single_agent);
    }

    #[test]
    fn a_switch_that_says_neither_is_refused_with_its_name() {
        let odd = [("PROMPTYOSELF_EXECUTOR_AUTOSTART", "maybe")];
        let error = read(&odd, &FileTable::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("PROMPTYOSELF_EXECUTOR_AUTOSTART"), "{text}");
    }
}
