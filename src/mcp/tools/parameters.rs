//! What several tools answer, and what they all take.

use serde_json::Value;

use crate::error::Result;
use crate::mcp::call::Call;
use crate::mcp::definition::{Field, Shape, field, nullable};
use crate::operations::definition::Operation;
use crate::operations::field::{Parameter, takes};
use crate::operations::fields;
use crate::operations::fields::LIMIT;

/// How much a page holds if nobody says: what a model reads at once.
const USUAL_LIMIT: u32 = 50;

/// The zone of the answer's times, for tools that take nothing else.
pub(super) const CLOCK: &[&[Parameter]] = &[&[takes(&fields::CLOCK)]];

/// Which schedule.
pub(super) const WHICH: &[Parameter] = &[takes(&fields::ID).required()];

pub(super) const STATUS: Field = field("status", Shape::Text, "\"success\" if it was done");
pub(super) const MESSAGE: Field = field("message", Shape::Text, "What was done, in words");
pub(super) const NOW: Field = field("now", Shape::Text, "The time of the answer, in UTC");
pub(super) const NOW_LOCAL: Field = field(
    "now_local",
    Shape::Text,
    "The same on the clocks of timezone",
);
pub(super) const ZONE: Field = field("timezone", Shape::Text, "The IANA zone of local times");
pub(super) const WARNING: Field = field(
    "warning",
    Shape::Text,
    "What keeps prompts from being delivered; tell your user of it",
);
pub(super) const NEXT_RUN: Field = nullable("next_run", Shape::Text, "The next run, in UTC");
pub(super) const NEXT_RUN_LOCAL: Field = nullable(
    "next_run_local",
    Shape::Text,
    "The next run on the clocks of timezone",
);
pub(super) const NEXT_RUNS: Field =
    field("next_runs", Shape::Texts, "The runs that come next, in UTC");

impl Call {
    /// Asks for an operation, with what the tool was given.
    pub(super) async fn ask(&self, operation: &'static Operation) -> Result<Value> {
        let mut values = self.arguments.values(self.tool);
        if operation.answer.page_of.is_some() {
            values.set_default(&LIMIT, USUAL_LIMIT);
        }
        self.operations.ask(operation, &values).await
    }
}
