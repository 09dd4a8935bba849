//! Which agent: several servers may know the same id, so an agent is one of a target.

use std::fmt;

use super::{AgentId, TargetName};
use crate::error::Result;

/// An agent of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentAt {
    /// The target that knows it.
    pub target: TargetName,
    /// Its id there.
    pub id: AgentId,
}

impl AgentAt {
    /// The agent of this id at a target.
    pub fn new(target: TargetName, id: AgentId) -> Self {
        AgentAt { target, id }
    }
}

impl fmt::Display for AgentAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.target, self.id)
    }
}

/// The name of the server that `LETTA_BASE_URL` and `[letta]` describe.
pub const LETTA: &str = "letta";

/// What the settings say about targets, as far as stored rows depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTargets {
    /// The target of rows that name none.
    pub default: TargetName,
    /// Whether there are several, so that an agent's id alone says too little.
    pub are_several: bool,
}

impl Default for KnownTargets {
    fn default() -> Self {
        KnownTargets {
            default: TargetName::new(LETTA),
            are_several: false,
        }
    }
}

impl KnownTargets {
    /// An agent as people know it: with its target, where there are several.
    pub fn show(&self, agent: &AgentAt) -> String {
        match self.are_several {
            true => agent.to_string(),
            false => agent.id.to_string(),
        }
    }
}

/// An agent as somebody names it: one of a target, or whichever has the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedAgent {
    /// Its id.
    pub id: AgentId,
    /// The target, if it was named.
    pub target: Option<TargetName>,
}

impl NamedAgent {
    /// Reads an agent's id, or `target/agent`, ignoring surrounding white space.
    ///
    /// # Errors
    /// Those of [`AgentId::parse`].
    pub fn parse(text: &str) -> Result<Self> {
        let parts = split(text);
        if let Some((target, Ok(id))) = parts.map(|(target, id)| (target, AgentId::parse(id))) {
            let target = Some(TargetName::new(target));
            return Ok(NamedAgent { id, target });
        }
        AgentId::parse(text).map(NamedAgent::from)
    }

    /// Whether this is the agent that is meant.
    pub fn is(&self, agent: &AgentAt) -> bool {
        let at = self.target.as_ref();
        self.id == agent.id && at.is_none_or(|target| *target == agent.target)
    }

    /// The agent itself: of this target, if none was named.
    pub fn at(self, usual: &TargetName) -> AgentAt {
        AgentAt {
            target: self.target.unwrap_or_else(|| usual.clone()),
            id: self.id,
        }
    }
}

/// The target and the agent in a text that names both. What begins as the id of an agent is none of
/// a target: it is an id that goes on wrongly.
fn split(text: &str) -> Option<(&str, &str)> {
    let (target, id) = text.split_once('/')?;
    let (target, id) = (target.trim(), id.trim());
    let names_both =
        TargetName::is_valid(target) && !target.starts_with("agent-") && !id.is_empty();
    names_both.then_some((target, id))
}

impl From<AgentId> for NamedAgent {
    fn from(id: AgentId) -> Self {
        NamedAgent { id, target: None }
    }
}

impl From<AgentAt> for NamedAgent {
    fn from(agent: AgentAt) -> Self {
        NamedAgent {
            id: agent.id,
            target: Some(agent.target),
        }
    }
}

impl serde::Serialize for NamedAgent {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for NamedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "{target}/{}", self.id),
            None => self.id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn an_agent_is_named_by_its_id_or_with_its_target() {
        let read = |text| NamedAgent::parse(text).map(|named| named.to_string());
        for (text, named) in [
            (" agent-1 ", "agent-1"),
            ("home/agent-1", "home/agent-1"),
            (" home / agent-1 ", "home/agent-1"),
            ("home/local-3", "home/local-3"),
        ] {
            assert_eq!(read(text).unwrap(), named);
        }
        for bad in [
            "home/",
            "/agent-1",
            "../tools",
            "agent-1/messages",
            "home/agent-1/b",
            "home/../x",
        ] {
            assert_eq!(read(bad).unwrap_err().code(), Code::AgentInvalid, "{bad}");
        }
        assert_eq!(read(" ").unwrap_err().code(), Code::AgentMissing);
    }

    #[test]
    fn an_id_alone_means_that_agent_of_any_target_and_a_target_only_its_own() {
        let at = |text| NamedAgent::parse(text).unwrap();
        let own = at("home/agent-1").at(&TargetName::new("work"));
        assert_eq!(own.to_string(), "home/agent-1");
        for (named, is_own) in [
            ("agent-1", true),
            ("home/agent-1", true),
            ("work/agent-1", false),
            ("agent-2", false),
            ("home/agent-2", false),
        ] {
            assert_eq!(at(named).is(&own), is_own, "{named}");
        }
    }
}
