//! Everything that can be asked of us, said once. The command line, the plugin's description, the
//! tools of MCP, the routes of HTTP with their document, and the client of a server on another machine
//! are made from these definitions.

pub mod definition;
pub mod fields;
mod occurrences;
pub mod reading;
mod schedules;
mod status;
pub mod strict;
mod values;
pub mod vocabulary;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::service::Service;
use definition::{Answering, Operation};

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

/// Puts what an operation answers into JSON.
fn answer<'a, T: Serialize>(
    answered: impl Future<Output = Result<T>> + Send + 'a,
) -> Answering<'a> {
    Box::pin(async move { to_json(&answered.await?) })
}

/// An answer as JSON.
///
/// # Errors
/// A fault of ours.
pub fn to_json(answer: &impl Serialize) -> Result<Value> {
    serde_json::to_value(answer)
        .map_err(|e| Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e))
}
