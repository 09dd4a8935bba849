//! The tool that uploads a Python tool to Letta.

use serde_json::Value;

use crate::error::{Code, Error, Result, message, shell};
use crate::mcp::answers::keys_of;
use crate::mcp::call::{Backend, Call};
use crate::mcp::definition::{Definition, Work};
use crate::operations::definition::{Effect, answers};
use crate::operations::field::takes;
use crate::operations::fields::{SOURCE_CODE, TOOL_DESCRIPTION, TOOL_NAME};
use crate::operations::to_json;
use crate::service::answers::UploadedTool;

pub(super) fn tool() -> Definition {
    Definition {
        name: "promptyoself_upload",
        title: "Upload a Python tool to Letta",
        description: "Upload a tool for agents: one complete Python function with a docstring and \
            type hints. Letta names it after the function. Operator only, and off unless the server was started with \
                PROMPTYOSELF_ALLOW_UPLOAD=1. Example: {\"source_code\": \"def greet(name: \
                str) -> str:\\n    ...\"}"
            .to_owned(),
        parameters: vec![
            takes(&SOURCE_CODE).required(),
            takes(&TOOL_NAME),
            takes(&TOOL_DESCRIPTION),
        ],
        answers: keys_of(&answers::<UploadedTool>()),
        effect: Effect::Acts,
        is_operators: true,
        work: Work::Own(|call| Box::pin(upload(call))),
    }
}

async fn upload(call: &Call) -> Result<Value> {
    let text = |name: &str| call.arguments.text(name);
    let Backend::Here(service) = &call.shared.backend else {
        return Err(Error::new(
            Code::NotPermitted,
            message![
                "the schedules are on another machine, and tools can only be uploaded there: run ",
                shell("promptyoself upload"),
                " on it"
            ],
        ));
    };
    let Some(source) = text("source_code") else {
        return Err(Error::new(
            Code::SourceMissing,
            "no source_code was given: give one complete Python function with a docstring and type \
             hints",
        ));
    };
    let service = service.for_caller(call.caller.clone());
    let (name, description) = (text("name"), text("description"));
    let uploaded = service
        .upload_tool(&source, name.as_deref(), description.as_deref())
        .await?;
    to_json(&uploaded)
}
