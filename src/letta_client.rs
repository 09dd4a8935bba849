//! Talking to targets: [`Target`] is what the scheduler needs from one, [`Letta`] what else a Letta
//! server offers, and `v1` and `app_server` are the kinds of target. [`AnyLetta`] finds out
//! which of them an address leads to.

mod any;
mod app_server;
mod directory;
mod target;
mod targets;
mod v1;

use crate::error::{Code, Error, call};

pub use crate::models::{Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind};
pub use any::AnyLetta;
pub use app_server::{AppServer, ObserverProgram, observe};
pub use directory::{Agent, Letta, NewTool, ServerTask, Tool};
pub use target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
pub use targets::Targets;
pub use v1::{McpServer, Rest, RestSettings};

impl Refusal {
    /// The error to show when Letta refused a request; `doing` says what the request was for, as in
    /// "list the agents of http://…".
    pub fn into_error(self, doing: &str) -> Error {
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
            _ if self.class == ErrorClass::Redirected => "",
            Code::LettaUnreachable => {
                ". Is Letta running, and is LETTA_BASE_URL right? Check with the example"
            }
            Code::LettaUnauthorized => {
                ". Set LETTA_API_KEY (or LETTA_SERVER_PASSWORD) to the server's password"
            }
            Code::LettaWrongServer => {
                ". LETTA_BASE_URL must be the address of a Letta server, such as \
                 http://localhost:8283"
            }
            Code::ConversationUnknown => ". Leave the conversation out for the usual one",
            Code::AgentUnknown => ". List the agents that exist with the example",
            _ => "",
        };
        let example = match code {
            Code::AgentUnknown => call("agents"),
            _ => call("test"),
        };
        Error::new(code, format!("could not {doing}: {}{hint}", self.text)).example(example)
    }
}
