//! Messages to be sent to anybody other than Letta.

use jiff::{SignedDuration, Timestamp};

use super::Channel;

/// The longest wait between two tries. A message that seems to wait longer was given its time
/// before the clock was set back, and is due.
pub(crate) const LONGEST_MESSAGE_WAIT: SignedDuration = SignedDuration::from_mins(30);

/// A message to send, and the right to send it until the lease ends.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    /// Its id.
    pub id: i64,
    /// Its channel.
    pub channel: Channel,
    /// Its subject: an incident's kind, or `ping`.
    pub kind: String,
    /// What it says about that.
    pub event: String,
    /// The address, unless it comes from the settings.
    pub destination: Option<String>,
    /// The server of that address, as scheme, name and port; empty if it comes from the settings.
    pub server: String,
    /// What is sent.
    pub body: String,
    /// How often it was tried, including this time.
    pub tries: i64,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Why the previous try failed.
    pub error: Option<String>,
}

/// The next message to send.
#[derive(Clone, Debug)]
pub enum NextMessage {
    /// A message to send.
    Due(Box<OutboxMessage>),
    /// Messages that came first, were too old and have been given up. There may be more.
    TooOld(Vec<OutboxMessage>),
    /// No message may be sent now.
    Nothing,
}

/// The result of a cleanup of the outbox.
#[derive(Clone, Debug, Default)]
pub struct OutboxCleanup {
    /// The messages that were given up.
    pub given_up: Vec<OutboxMessage>,
    /// Whether there is more to clean up.
    pub more: bool,
}
