//! What is to be sent to somebody other than Letta.

use jiff::{SignedDuration, Timestamp};

use super::Channel;

/// The longest wait between two tries. A message that waits longer does so by a clock that was set
/// back since, and is due.
pub(crate) const LONGEST_MESSAGE_WAIT: SignedDuration = SignedDuration::from_mins(30);

/// Something to be sent, and the right to send it until the lease ends.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    /// Its number.
    pub id: i64,
    /// By which way.
    pub channel: Channel,
    /// What it is about: an incident's kind, or `ping`.
    pub kind: String,
    /// What it tells of that.
    pub event: String,
    /// Where to, unless the settings say it.
    pub destination: Option<String>,
    /// The server that is, as scheme, name and port; empty where the settings say it.
    pub server: String,
    /// What is sent.
    pub body: String,
    /// How often it was tried, this time included.
    pub tries: i64,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Why it could not be delivered before.
    pub error: Option<String>,
}

/// What the outbox has to send next.
#[derive(Clone, Debug)]
pub enum NextMessage {
    /// A message to send.
    Due(Box<OutboxMessage>),
    /// Messages that came first and were too old, and are given up. There may be more.
    TooOld(Vec<OutboxMessage>),
    /// None that may be sent now.
    Nothing,
}

/// What a cleanup of the outbox did.
#[derive(Clone, Debug, Default)]
pub struct OutboxCleanup {
    /// The messages that were given up.
    pub given_up: Vec<OutboxMessage>,
    /// Whether there is more to clean up.
    pub more: bool,
}
