//! What the scheduler needs from a target, whatever its kind.
//!
//! A [`Target`] sends one prompt and reports truthfully what happened: delivered, refused with
//! proof that nothing arrived, or unknown. What follows from that is the scheduler's decision.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::models::{
    AgentId, Answer, Conversation, Evidence, Lane, Recipient, Refusal, TargetName,
};

/// Receives Letta's run id as soon as it is known. (Without the explicit lifetime, `async_trait`
/// would turn it into one of the method's own.)
pub type OnRun<'a> = &'a (dyn for<'r> Fn(&'r str) + Send + Sync + 'a);

/// A server that prompts are delivered to.
#[async_trait]
pub trait Target: Send + Sync {
    /// The name under which this server is stored and shown.
    fn name(&self) -> TargetName;

    /// Its address, safe to show: without credentials.
    fn address(&self) -> String;

    /// Whether it runs on this machine, so that its clock is ours.
    fn is_local(&self) -> bool {
        false
    }

    /// The conversation of prompts that name none.
    fn usual_conversation(&self) -> Conversation {
        Conversation::Default
    }

    /// An agent of this server, in this conversation or in the one used by default.
    fn recipient(&self, agent: AgentId, conversation: Option<Conversation>) -> Recipient {
        Recipient {
            target: self.name(),
            agent,
            conversation: conversation.unwrap_or_else(|| self.usual_conversation()),
        }
    }

    /// Finds out what is needed to name lanes, within seconds. If the server doesn't say, its lanes
    /// are named as is usual.
    async fn prepare(&self) {}

    /// Whether lanes can be named; until then nothing is claimed for it.
    fn is_prepared(&self) -> bool {
        true
    }

    /// The lane in which the prompts of a schedule to a recipient are sent one after the other.
    fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane;

    /// Creates a conversation for an agent and returns its id.
    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal>;

    /// Checks that a conversation belongs to this agent.
    async fn check_conversation(&self, agent: &AgentId, id: &str) -> Result<(), Refusal>;

    /// Checks that the server is healthy and accepts our credentials.
    async fn check(&self) -> Result<ServerInfo, Refusal>;

    /// Sends a prompt and waits for the agent's turn to end. `on_run` receives Letta's run id as
    /// soon as it is known, while the turn is still running.
    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer;

    /// Looks for a prompt whose outcome is unknown.
    async fn find(&self, lookup: &Lookup) -> Evidence;

    /// Does what the server needs before the connections to it end for good, in a few seconds at
    /// most. Nothing is sent afterwards.
    async fn leave(&self) {}
}

/// What a server reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, if reported.
    pub version: Option<String>,
    /// The time by its clock, if reported.
    pub date: Option<Timestamp>,
}

/// A prompt to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The recipient.
    pub recipient: Recipient,
    /// The id under which the server stores it.
    pub otid: Uuid,
    /// When it was first sent under this id, if it was and nobody found it afterwards.
    pub not_found_since: Option<Timestamp>,
    /// Letta's `messages`: each an object with `role` and `content`.
    pub messages: Vec<Value>,
    /// Other fields of the request: `max_steps` and the like.
    pub options: Map<String, Value>,
}

/// What is known about a prompt whose outcome is unknown.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The recipient.
    pub recipient: Recipient,
    /// Every otid under which it was sent, the newest last.
    pub otids: Vec<Uuid>,
    /// Letta's run, if known.
    pub run_id: Option<String>,
    /// When it was first sent.
    pub sent_at: Timestamp,
    /// When its turn was last seen running: until then its run cannot have been orphaned.
    pub heard_at: Option<Timestamp>,
    /// The time of the search.
    pub now: Timestamp,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}
