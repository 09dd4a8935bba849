//! Tools about the Letta server: its agents, and the tools they have.

use serde_json::Value;

use super::parameters::*;
use crate::error::{Code, Error, Result, message, shell};
use crate::mcp::call::{Backend, Call};
use crate::mcp::definition::{Definition, Effect, Shape, field, nullable};
use crate::operations::field::takes;
use crate::operations::fields::{SOURCE_CODE, TOOL_DESCRIPTION, TOOL_NAME};
use crate::operations::{self, to_json};

pub(super) const AGENTS: Definition = Definition {
    name: "promptyoself_agents",
    title: "List Letta agents",
    description: "List every agent of the Letta server with its id and name, to find the one to schedule \
        for. For the operator: an agent knows its own id and is refused. Example: {}",
    parameters: CLOCK,
    answers: &[
        STATUS,
        field(
            "agents",
            Shape::Objects,
            "The agents, each with id and name",
        ),
        field("count", Shape::Whole, "How many there are"),
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Reads,
    is_operators: true,
    carry_out: |call| Box::pin(call.ask(&operations::AGENTS)),
};

pub(super) const UPLOAD: Definition = Definition {
    name: "promptyoself_upload",
    title: "Give Letta a Python tool",
    description: "Give the Letta server a tool for its agents: one whole Python function with a docstring \
        and type hints. Letta names it after the function. For the operator, and off unless the server \
        was started with PROMPTYOSELF_ALLOW_UPLOAD=1. Example: {\"source_code\": \"def greet(name: str) \
        -> str:\\n    ...\"}",
    parameters: &[&[
        takes(&SOURCE_CODE).required(),
        takes(&TOOL_NAME),
        takes(&TOOL_DESCRIPTION),
    ]],
    answers: &[
        STATUS,
        field("tool_id", Shape::Text, "The tool's id in Letta"),
        nullable("name", Shape::Text, "The tool's name in Letta"),
        MESSAGE,
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Acts,
    is_operators: true,
    carry_out: |call| Box::pin(upload(call)),
};

async fn upload(call: &Call) -> Result<Value> {
    let text = |name: &str| call.arguments.text(name);
    let Backend::Here(service) = &call.shared.backend else {
        return Err(Error::new(
            Code::NotPermitted,
            message![
                "the schedules are kept by a server on another machine, and tools are uploaded only \
                 there: ",
                shell("promptyoself upload"),
                " does it"
            ],
        ));
    };
    let Some(source) = text("source_code") else {
        return Err(Error::new(
            Code::SourceMissing,
            "no source_code was given: give one whole Python function with its docstring and type hints",
        ));
    };
    let service = service.for_caller(call.caller.clone());
    let (name, description) = (text("name"), text("description"));
    let uploaded = service
        .upload_tool(&source, name.as_deref(), description.as_deref())
        .await?;
    to_json(&uploaded)
}
