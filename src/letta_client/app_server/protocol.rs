//! The messages of the App Server's WebSocket. They are parsed leniently: fields that aren't needed
//! are skipped, and messages of another form are ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::letta_client::v1::turn::beginning;
use crate::models::{Conversation, Recipient};

/// How long a server remembers the ids of the inputs that it has accepted.
pub(super) const MEMORY: SignedDuration = SignedDuration::from_mins(60);

/// The id of the conversation that every agent has.
const DEFAULT: &str = "default";

/// The loop's status when no turn is running.
const IDLE: &str = "WAITING_ON_INPUT";

/// The loop's status while a person is asked to approve a tool call.
const ASKING: &str = "WAITING_ON_APPROVAL";

/// How much of one text of an event is kept, in bytes.
const LONGEST_TEXT: usize = 128 * 1024;

/// One conversation of one agent, which the server calls a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Scope {
    /// The agent.
    pub agent_id: String,
    /// The conversation.
    pub conversation_id: String,
}

impl Scope {
    /// The scope of a recipient.
    pub(super) fn of(recipient: &Recipient) -> Self {
        Scope {
            agent_id: recipient.agent.to_string(),
            conversation_id: conversation(recipient).to_owned(),
        }
    }

    /// The scope as requests name it.
    pub(super) fn to_json(&self) -> Value {
        json!({"agent_id": self.agent_id, "conversation_id": self.conversation_id})
    }
}

/// The id of a recipient's conversation.
pub(super) fn conversation(recipient: &Recipient) -> &str {
    match &recipient.conversation {
        Conversation::Id(id) => id,
        Conversation::Default | Conversation::New => DEFAULT,
    }
}

/// The fields that show who a message is for.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    /// Its type.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The request that it answers.
    #[serde(borrow, default)]
    pub request_id: Option<Cow<'a, str>>,
    /// The conversation that it is about.
    #[serde(default, deserialize_with = "lenient")]
    pub runtime: Option<Scope>,
}

/// The fields that every answer may have.
#[derive(Deserialize)]
pub(super) struct Outcome {
    /// Whether it succeeded.
    #[serde(default)]
    pub success: bool,
    /// Why not.
    #[serde(default, deserialize_with = "lenient")]
    pub error: Option<String>,
}

/// The answer to `input`.
#[derive(Deserialize)]
pub(super) struct InputAccepted {
    /// Whether it was accepted, now or earlier.
    #[serde(default)]
    pub accepted: bool,
    /// Why not.
    #[serde(default, deserialize_with = "lenient")]
    pub error: Option<String>,
}

/// The answer to `conversation_create`.
#[derive(Deserialize)]
pub(super) struct Created {
    /// The conversation that was created.
    #[serde(default, deserialize_with = "lenient")]
    pub conversation: Option<Identified>,
}

/// The answer to `conversation_retrieve`.
#[derive(Deserialize)]
pub(super) struct ConversationFound {
    /// The conversation.
    #[serde(default, deserialize_with = "lenient")]
    pub conversation: Option<ConversationBody>,
}

/// The fields of a conversation that are needed.
#[derive(Deserialize)]
pub(super) struct ConversationBody {
    /// The agent that it belongs to.
    #[serde(default, deserialize_with = "lenient")]
    pub agent_id: Option<String>,
}

/// An object of which only the id is needed.
#[derive(Deserialize)]
pub(super) struct Identified {
    /// Its id.
    pub id: String,
}

/// The answer to `agent_list`.
#[derive(Deserialize)]
pub(super) struct AgentPage {
    /// The agents of this page.
    #[serde(default)]
    pub agents: Vec<AgentBody>,
}

/// The answer to `agent_retrieve`.
#[derive(Deserialize)]
pub(super) struct AgentFound {
    /// The agent.
    #[serde(default, deserialize_with = "lenient")]
    pub agent: Option<AgentBody>,
}

/// The fields of an agent that are needed.
#[derive(Deserialize)]
pub(super) struct AgentBody {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    /// When it was created; today's server doesn't say.
    #[serde(default, deserialize_with = "lenient")]
    pub created_at: Option<String>,
    /// When it was last changed; today's server doesn't say.
    #[serde(default, deserialize_with = "lenient")]
    pub updated_at: Option<String>,
}

/// The answer to `conversation_messages_list`, newest first.
#[derive(Deserialize)]
pub(super) struct MessagePage {
    /// The messages of this page.
    #[serde(default)]
    pub messages: Vec<StoredMessage>,
    /// Whether there are older ones.
    #[serde(default)]
    pub has_more: bool,
}

/// The fields of a message that are needed.
#[derive(Deserialize)]
pub(super) struct StoredMessage {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// When it was stored.
    #[serde(default, deserialize_with = "lenient")]
    pub date: Option<String>,
    /// Its type.
    #[serde(default)]
    pub message_type: String,
    /// The id under which a client sent it.
    #[serde(default, deserialize_with = "lenient")]
    pub otid: Option<String>,
    /// Its text.
    #[serde(default, deserialize_with = "text")]
    pub content: String,
}

/// What the server reports to the followers of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The state of its loop.
    Loop {
        /// Whether no turn is running.
        idle: bool,
        /// Whether the turn waits for a person's approval.
        asks: bool,
        /// For each of the latest runs, the client's ids of its messages.
        runs: BTreeMap<String, Vec<String>>,
    },
    /// Whether a turn is being processed, and whether it waits for a person.
    Device {
        /// Whether a turn is being processed.
        processing: bool,
        /// Whether a person is asked to approve a tool call.
        asks: bool,
    },
    /// The inputs that wait for their turn.
    Queue {
        /// The client's ids of those that wait.
        waiting: Vec<String>,
        /// The client's ids of those that left the queue, and whether because their turn began.
        left: Vec<(String, bool)>,
    },
    /// A piece of a turn.
    Delta(Delta),
    /// A turn has ended.
    Finished(Finished),
}

/// A piece of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    /// Its type.
    pub message_type: String,
    /// The id of its message; all pieces of a message have the same one.
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    /// The run that it belongs to.
    #[serde(deserialize_with = "lenient")]
    pub run_id: Option<String>,
    /// What the agent said.
    #[serde(deserialize_with = "text")]
    pub content: String,
    /// How many tokens a run used.
    #[serde(deserialize_with = "lenient")]
    pub total_tokens: Option<i64>,
    /// The messages that an error is about.
    #[serde(deserialize_with = "lenient")]
    pub client_message_ids: Option<Vec<String>>,
    /// Whether the error ends the turn.
    #[serde(deserialize_with = "lenient")]
    pub is_terminal: Option<bool>,
}

/// How a turn ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Finished {
    /// Why it ended, in the server's words.
    #[serde(deserialize_with = "lenient")]
    pub stop_reason: Option<String>,
    /// The last run of the turn, if there was any.
    #[serde(deserialize_with = "lenient")]
    pub run_id: Option<String>,
    /// What went wrong.
    #[serde(deserialize_with = "lenient")]
    pub error: Option<String>,
}

impl Event {
    /// Parses an event; `None` if it contains nothing that is needed.
    pub(super) fn read(kind: &str, text: &str) -> Option<Event> {
        match kind {
            "update_loop_status" => read(text).map(|LoopMessage { loop_status: it }| Event::Loop {
                idle: it.status == IDLE,
                asks: it.status == ASKING,
                runs: it.client_message_ids_by_run_id.unwrap_or_default(),
            }),
            "update_device_status" => {
                read(text).map(|DeviceMessage { device_status: it }| Event::Device {
                    processing: it.is_processing,
                    asks: !it.pending_control_requests.is_empty(),
                })
            }
            "update_queue" => read(text).map(|it: QueueMessage| Event::Queue {
                waiting: it
                    .queue
                    .into_iter()
                    .filter_map(|q| q.client_message_id)
                    .collect(),
                left: (it.removed.into_iter())
                    .filter_map(|q| Some((q.client_message_id?, q.disposition? == "dequeued")))
                    .collect(),
            }),
            "stream_delta" => read(text).map(|DeltaMessage { delta }| Event::Delta(delta)),
            "turn_finished" => read(text).map(Event::Finished),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct LoopMessage {
    loop_status: LoopStatus,
}

#[derive(Deserialize)]
struct LoopStatus {
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    client_message_ids_by_run_id: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct DeviceMessage {
    device_status: DeviceStatus,
}

#[derive(Deserialize)]
struct DeviceStatus {
    #[serde(default)]
    is_processing: bool,
    #[serde(default)]
    pending_control_requests: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct QueueMessage {
    #[serde(default)]
    queue: Vec<Queued>,
    #[serde(default)]
    removed: Vec<Queued>,
}

#[derive(Deserialize)]
struct Queued {
    #[serde(default, deserialize_with = "lenient")]
    client_message_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    disposition: Option<String>,
}

#[derive(Deserialize)]
struct DeltaMessage {
    delta: Delta,
}

/// Parses a message, if it has the expected form.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Treats a value of another type as missing.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    d: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(d)?;
    Ok(serde_json::from_value(value).ok())
}

/// The text of a content, which is a string or a list of parts. Only the beginning of a very long
/// one.
fn text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        text: String,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<Part>),
        #[allow(dead_code)]
        Other(serde::de::IgnoredAny),
    }
    let mut text = match Content::deserialize(d)? {
        Content::Text(text) => text,
        Content::Parts(parts) => parts.into_iter().map(|part| part.text).collect(),
        Content::Other(_) => String::new(),
    };
    let kept = beginning(&text, LONGEST_TEXT).len();
    text.truncate(kept);
    Ok(text)
}

#[cfg(test)]
mod tests;
