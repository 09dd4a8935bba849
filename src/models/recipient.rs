//! The recipient of a prompt, and its lane.

use std::borrow::Borrow;
use std::fmt;

use super::AgentId;

/// The name under which a target is configured, stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct TargetName(String);

impl TargetName {
    /// Takes a name from the settings or the database.
    pub fn new(name: impl Into<String>) -> Self {
        TargetName(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TargetName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The recipient of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// The target that has the agent.
    pub target: TargetName,
    /// The agent.
    pub agent: AgentId,
    /// The agent's conversation; `None` for its default one.
    pub conversation: Option<String>,
}

impl Recipient {
    /// An agent in its default conversation.
    pub fn agent(target: TargetName, agent: AgentId) -> Self {
        Recipient {
            target,
            agent,
            conversation: None,
        }
    }
}

/// A queue in which one prompt at a time is sent: the name of a target, `/`, and a text that only
/// that target understands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Lane(String);

impl Lane {
    /// Takes a lane from the database.
    pub fn new(text: impl Into<String>) -> Self {
        Lane(text.into())
    }

    /// The lane of a target with this name within it.
    pub fn of(target: &TargetName, within: impl fmt::Display) -> Self {
        Lane(format!("{target}/{within}"))
    }

    /// The name of its target.
    pub fn target_name(&self) -> &str {
        self.0
            .split_once('/')
            .map_or(&*self.0, |(target, _)| target)
    }

    /// Its target.
    pub fn target(&self) -> TargetName {
        TargetName::new(self.target_name())
    }

    /// The lane as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_names_its_target() {
        let target = TargetName::new("letta");
        let lane = Lane::of(&target, "agent-a");
        assert_eq!(lane.as_str(), "letta/agent-a");
        assert_eq!(lane.target(), target);
        assert_eq!(Lane::new("letta/agent-a/x").target(), target);
        assert_eq!(Lane::new("").target().as_str(), "");
    }
}
