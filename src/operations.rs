//! Everything that can be asked of us, said once. The command line, the plugin's description, the
//! tools of MCP, the routes of HTTP with their document, and the client of a server on another machine
//! are made from these definitions.

mod answer;
pub mod definition;
pub mod field;
pub mod fields;
mod occurrences;
pub mod other_words;
pub mod reading;
mod schedules;
mod status;
pub mod strict;
pub mod text;
mod values;
pub mod vocabulary;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;
use crate::service::Service;
use definition::Operation;

pub use answer::to_json;
pub use occurrences::{ACCOUNT, HISTORY, LIST_CHANGES};
pub use schedules::{CANCEL, LIST, PAUSE, PREVIEW, REGISTER, RESUME, RUN, SHOW, UPDATE};
pub use status::{AGENTS, HALT, LIFT_HALT, STATUS, TEST};
pub use values::Values;

/// Every operation, in the order in which they are listed.
pub static ALL: &[&Operation] = &[
    &REGISTER,
    &LIST,
    &SHOW,
    &UPDATE,
    &PAUSE,
    &RESUME,
    &RUN,
    &PREVIEW,
    &CANCEL,
    &TEST,
    &AGENTS,
    &HISTORY,
    &LIST_CHANGES,
    &ACCOUNT,
    &STATUS,
    &HALT,
    &LIFT_HALT,
];

/// The operation that a command is.
pub fn of_command(name: &str) -> Option<&'static Operation> {
    ALL.iter().find(|o| o.is_command && o.name == name).copied()
}

/// Whoever can be asked: the service itself, or a server on another machine.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Carries an operation out.
    ///
    /// # Errors
    /// Those of the operation.
    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value>;
}

#[async_trait]
impl Ask for Service {
    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
        (operation.carry_out)(self, values).await
    }
}
