//! The recipient of a prompt, and its lane.

use std::borrow::Borrow;
use std::fmt;

use super::AgentId;
use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::limits;

/// The name under which a target is configured, stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct TargetName(String);

impl TargetName {
    /// Takes a name from the settings or the database.
    pub fn new(name: impl Into<String>) -> Self {
        TargetName(name.into())
    }

    /// Whether a target can have this name.
    pub fn is_valid(name: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !name.is_empty() && name.len() <= 64 && name.chars().all(fits)
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

/// The conversation in which an agent gets a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// The agent's default conversation.
    Default,
    /// A new conversation for each run.
    New,
    /// The conversation of this id.
    Id(String),
}

impl Conversation {
    const DEFAULT: &str = "default";
    const NEW: &str = "new";

    /// Reads `default`, `new` or the id of a conversation, ignoring surrounding white space. Ids
    /// become part of URL paths, so they may only contain what an agent id may contain.
    ///
    /// # Errors
    /// [`Code::ConversationInvalid`] if no conversation can have this id.
    pub fn parse(text: &str) -> Result<Self> {
        let id = text.trim();
        match id.to_ascii_lowercase().as_str() {
            Self::DEFAULT => return Ok(Conversation::Default),
            Self::NEW => return Ok(Conversation::New),
            _ => {}
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_id = id.len() <= limits::TEXT
            && id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.chars().all(fits);
        if is_id {
            return Ok(Conversation::Id(id.to_owned()));
        }
        let shown: String = id.chars().take(80).collect();
        Err(Error::new(
            Code::ConversationInvalid,
            message![
                field("conversation"),
                " ",
                quoted(shown),
                " is neither default, nor new, nor the id of a conversation: an id may only contain \
                 letters, digits, '-', '_' and '.', must begin with a letter or a digit, and may \
                 have at most ",
                limits::TEXT,
                " characters"
            ],
        )
        .example_if(id.is_empty().then(|| fields([("conversation", Self::NEW)]))))
    }

    /// The conversation as text.
    pub fn as_str(&self) -> &str {
        match self {
            Conversation::Default => Self::DEFAULT,
            Conversation::New => Self::NEW,
            Conversation::Id(id) => id,
        }
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who gets a prompt, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// The target that has the agent.
    pub target: TargetName,
    /// The agent.
    pub agent: AgentId,
    /// The conversation of the agent.
    pub conversation: Conversation,
}

impl Recipient {
    /// An agent in its default conversation.
    pub fn agent(target: TargetName, agent: AgentId) -> Self {
        Recipient {
            target,
            agent,
            conversation: Conversation::Default,
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

    /// A lane of this target, with this name among its lanes.
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

    #[test]
    fn a_conversation_is_the_default_one_a_new_one_or_one_of_an_id() {
        let read = |text| Conversation::parse(text).unwrap();
        assert_eq!(read(" Default "), Conversation::Default);
        assert_eq!(read("NEW"), Conversation::New);
        assert_eq!(
            read("local-conv-3"),
            Conversation::Id("local-conv-3".into())
        );
        for bad in ["", " ", "a b", "../x", "-a", "a/b", "ä", &"a".repeat(256)] {
            let error = Conversation::parse(bad).unwrap_err();
            assert_eq!(error.code(), Code::ConversationInvalid, "{bad}");
        }
    }
}
