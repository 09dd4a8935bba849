//! Every operation, defined once. The command line, the plugin's description, MCP's tools, HTTP's
//! routes with their document, and the client of a server on another machine are derived from these
//! definitions.

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

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;
use crate::service::Service;
use definition::{Operation, Who};

pub use answer::to_json;
pub use occurrences::{ACCOUNT, HISTORY, LIST_CHANGES};
pub use schedules::{CANCEL, LIST, PAUSE, PREVIEW, REGISTER, RESUME, RUN, SHOW, UPDATE};
pub use status::{AGENTS, HALT, LIFT_HALT, STATUS, TEST};
pub use values::Values;

/// The operations that a face offers.
pub type Offer = &'static [&'static Operation];

/// Every operation, in the order in which faces list them.
pub static ALL: Offer = &[
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

/// The operation of a command.
pub fn of_command(offer: Offer, name: &str) -> Option<&'static Operation> {
    let mut commands = offer.iter().filter(|o| o.is_command);
    commands.find(|o| o.name == name).copied()
}

/// Whatever carries out operations: the service itself, or a server on another machine.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Carries out an operation.
    ///
    /// # Errors
    /// Those of the operation.
    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value>;
}

#[async_trait]
impl Ask for Service {
    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
        if let Who::Operator(what) = operation.who {
            self.refuse_scoped(what)?;
        }
        (operation.carry_out)(self, values).await
    }
}
