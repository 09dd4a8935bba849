//! Agents.

use std::fmt;

use crate::error::{Code, Error, Result, call, field, message, operation, quoted};
use crate::limits;

/// The id of a Letta agent, checked for allowed characters.
///
/// Ids end up in URL paths, so anything but letters, digits, `-`, `_` and `.` is refused, and the
/// first character must be a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct AgentId(String);

impl AgentId {
    /// The longest id that is accepted: the width of the `agent_id` column.
    const LONGEST: usize = limits::TEXT;

    /// Parses an agent id, ignoring surrounding white space.
    ///
    /// # Errors
    /// [`Code::AgentMissing`] if it is blank, [`Code::AgentInvalid`] if it can't be an agent id.
    pub fn parse(text: &str) -> Result<Self> {
        let id = text.trim();
        if id.is_empty() {
            return Err(Error::new(
                Code::AgentMissing,
                message![
                    "no agent was given: give ",
                    field("agent_id"),
                    "; ",
                    operation("agents"),
                    " lists the agents that exist"
                ],
            )
            .example(call("agents")));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.len() > Self::LONGEST
            || !id.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !id.chars().all(fits)
        {
            let shown: String = id.chars().take(80).collect();
            return Err(Error::new(
                Code::AgentInvalid,
                message![
                    quoted(shown),
                    " is not an agent id: it may contain only letters, digits, '-', '_' and '.', \
                     must begin with a letter or a digit, and may be at most ",
                    Self::LONGEST,
                    " long; ",
                    operation("agents"),
                    " lists the agents that exist"
                ],
            )
            .example(call("agents")));
        }
        Ok(AgentId(id.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_id_never_leaves_its_place_in_a_url() {
        for bad in [
            "agent/../../tools?a=1#",
            "a\0b",
            "../x",
            ".hidden",
            "a b",
            "a%2f",
            "-a",
            "é",
        ] {
            assert_eq!(
                AgentId::parse(bad).unwrap_err().code(),
                Code::AgentInvalid,
                "{bad:?}"
            );
        }
        for good in ["agent-1", " agent-1 ", "agent-local-3_x.y", "A"] {
            assert_eq!(AgentId::parse(good).unwrap().as_str(), good.trim());
        }
    }

    #[test]
    fn a_blank_agent_is_missing_rather_than_wrong() {
        assert_eq!(
            AgentId::parse(" \n").unwrap_err().code(),
            Code::AgentMissing
        );
    }
}
