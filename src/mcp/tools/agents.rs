//! Tools that look at the Letta server.

use serde_json::Value;

use super::parameters::*;
use super::to_json;
use crate::error::Result;
use crate::mcp::Call;
use crate::mcp::definition::{Definition, Effect, field};

pub(super) const AGENTS: Definition = Definition {
    name: "promptyoself_agents",
    title: "List Letta agents",
    description: "List every agent of the Letta server with its id and name, to find the one to schedule \
        for. For the operator: an agent knows its own id and is refused. Example: {}",
    parameters: &[],
    answers: &[
        STATUS,
        field("agents", &["array"], "The agents, each with id and name"),
        field("count", &["integer"], "How many there are"),
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Reads,
    is_operators: true,
    carry_out: |call| Box::pin(agents(call)),
};

async fn agents(call: &Call) -> Result<Value> {
    to_json(&call.operations.agents().await?)
}
