//! Talking to targets: [`Target`] is what the scheduler needs from one, [`Letta`] what else a Letta
//! server offers, and `v1` and `app_server` are the kinds of target. [`AnyLetta`] finds out
//! which of them an address leads to.

mod any;
mod app_server;
mod directory;
mod target;
mod targets;
mod v1;

use crate::config::{key_setting, url_setting};
use crate::error::{Code, Error, call};
use crate::models::TargetName;

pub use crate::models::{Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind};
pub use any::AnyLetta;
pub use app_server::{AppServer, ObserverProgram, observe};
pub use directory::{Agent, Letta, NewTool, ServerTask, Tool};
pub use target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
pub use targets::Targets;
pub use v1::{McpServer, Rest, RestSettings};

impl Refusal {
    /// The error to show when a server refused a request; `doing` says what the request was for, as
    /// in "list the agents of http://…".
    pub fn into_error(self, doing: &str, server: &TargetName) -> Error {
        let code = match self.class {
            ErrorClass::Unreachable => Code::LettaUnreachable,
            ErrorClass::Unauthorized => Code::LettaUnauthorized,
            ErrorClass::WrongServer | ErrorClass::Redirected => Code::LettaWrongServer,
            ErrorClass::AgentUnknown => Code::AgentUnknown,
            ErrorClass::ConversationUnknown => Code::ConversationUnknown,
            _ => Code::LettaError,
        };
        let hint = match code {
            // Its text already says what to set.
            _ if self.class == ErrorClass::Redirected => String::new(),
            Code::LettaUnreachable => format!(
                ". Is Letta running, and is {} right? Check with the example",
                url_setting(server)
            ),
            Code::LettaUnauthorized => {
                format!(". Set {} to the server's password", key_setting(server))
            }
            Code::LettaWrongServer => format!(
                ". {} must be the address of a Letta server, such as http://localhost:8283",
                url_setting(server)
            ),
            Code::ConversationUnknown => {
                ". Leave the conversation out for the usual one".to_owned()
            }
            Code::AgentUnknown => ". List the agents that exist with the example".to_owned(),
            _ => String::new(),
        };
        let example = match code {
            Code::AgentUnknown => call("agents"),
            _ => call("test"),
        };
        Error::new(code, format!("could not {doing}: {}{hint}", self.text)).example(example)
    }
}
