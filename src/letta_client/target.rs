//! What the scheduler needs of a target, whatever kind it is.
//!
//! A [`Target`] sends one prompt and says truthfully what became of it: delivered, refused with
//! proof that nothing arrived, or unknown. Deciding what follows is the scheduler's.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::models::{
    AgentId, Answer, Conversation, Evidence, Lane, Recipient, Refusal, TargetName,
};

/// Told Letta's run id as soon as it is known. (The lifetime is spelt out because `async_trait`
/// would otherwise make it one of the call's own.)
pub type OnRun<'a> = &'a (dyn for<'r> Fn(&'r str) + Send + Sync + 'a);

/// A server that takes prompts.
#[async_trait]
pub trait Target: Send + Sync {
    /// The name under which this server is stored and shown.
    fn name(&self) -> TargetName;

    /// Where it is, for people; never with credentials.
    fn address(&self) -> String;

    /// Whether it runs on this machine, so that its clock is ours.
    fn is_local(&self) -> bool {
        false
    }

    /// The conversation of prompts that name none.
    fn usual_conversation(&self) -> Conversation {
        Conversation::Default
    }

    /// An agent of this server, in this conversation or in the usual one.
    fn recipient(&self, agent: AgentId, conversation: Option<Conversation>) -> Recipient {
        Recipient {
            target: self.name(),
            agent,
            conversation: conversation.unwrap_or_else(|| self.usual_conversation()),
        }
    }

    /// Finds out what is needed to name lanes, within seconds. Where the server doesn't say, it is
    /// found out later.
    async fn prepare(&self) {}

    /// Whether lanes can be named; until then nothing is sent.
    fn is_prepared(&self) -> bool {
        true
    }

    /// The lane in which the prompts of a schedule to a recipient are sent one after the other.
    fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane;

    /// Makes a new conversation of an agent and returns its id.
    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal>;

    /// Asks whether a conversation is one of this agent's.
    async fn check_conversation(&self, agent: &AgentId, id: &str) -> Result<(), Refusal>;

    /// Asks whether the server is well and takes our credentials.
    async fn check(&self) -> Result<ServerInfo, Refusal>;

    /// Sends a prompt and waits for the agent's turn to end. `on_run` is told Letta's run id as
    /// soon as it is known, while the turn still goes on.
    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer;

    /// Looks for a prompt whose fate is unknown.
    async fn find(&self, lookup: &Lookup) -> Evidence;

    /// Does what the server needs before the connections to it end for good, in a few seconds at
    /// most. Nothing is sent afterwards.
    async fn leave(&self) {}
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, where it tells.
    pub version: Option<String>,
    /// What time it is by its clock, where it tells.
    pub date: Option<Timestamp>,
}

/// One prompt on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Whom it is for.
    pub recipient: Recipient,
    /// The name under which the server stores it.
    pub otid: Uuid,
    /// Letta's `messages`: each an object with `role` and `content`.
    pub messages: Vec<Value>,
    /// What else Letta is asked, beside the messages: `max_steps` and the like.
    pub options: Map<String, Value>,
}

/// A question about a prompt whose fate is unknown.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Whom it was for.
    pub recipient: Recipient,
    /// Every otid under which it was sent, the newest last.
    pub otids: Vec<Uuid>,
    /// Letta's run, if it was told.
    pub run_id: Option<String>,
    /// When it was first sent.
    pub sent_at: Timestamp,
    /// When its turn was last listened to: until then its run cannot have been orphaned.
    pub heard_at: Option<Timestamp>,
    /// The time of the question.
    pub now: Timestamp,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}
