//! What a process of ours and its observer tell each other, one JSON object on each line.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::protocol::Scope;

/// What the observer is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Which server it is about. This comes first.
    Connect {
        /// Its address.
        url: String,
        /// Its token, if there is one.
        token: Option<String>,
    },
    /// Follow a conversation, because a prompt is about to be sent there.
    Watch {
        /// The conversation.
        scope: Scope,
        /// The ids under which the prompt is sent.
        ids: Vec<String>,
        /// The number of this order, which its reports repeat: the end of an earlier turn in the
        /// same conversation may be reported only now.
        #[serde(default)]
        number: u64,
    },
    /// The turn in this conversation is over.
    Done {
        /// The conversation.
        scope: Scope,
    },
}

/// What the observer answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    /// The conversation.
    pub scope: Scope,
    /// The number of the order to follow it.
    pub number: u64,
    /// Why it is not followed, or no longer; without a reason it is followed.
    pub error: Option<String>,
}

impl Order {
    /// The order that comes first.
    pub(super) fn connect(url: &str, token: Option<&SecretString>) -> Self {
        use secrecy::ExposeSecret;
        Order::Connect {
            url: url.to_owned(),
            token: token.map(|token| token.expose_secret().to_owned()),
        }
    }
}

/// A message as a line.
pub(super) fn line(message: &impl Serialize) -> String {
    // Neither message holds anything that JSON has no form for.
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    line
}
