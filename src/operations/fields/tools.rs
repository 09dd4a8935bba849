//! What only tools take.

use super::base::{FIELD, NUMBER, SWITCH};
use super::recipient::AGENT;
use super::times::TIMEZONE;
use crate::operations::field::{Field, Kind};

/// What tools take that need nothing else: Gemini's API rejects a whole request because of one
/// function without parameters.
pub const CLOCK: Field = Field {
    help: "The IANA time zone for times in the answer",
    details: "Default: the configured zone.",
    ..TIMEZONE
};

/// The session's default agent.
pub const DEFAULT_AGENT: Field = Field {
    help: "The agent to use from now on when no agent_id is given",
    details: "",
    ..AGENT
};

/// Whether to loop.
pub const LOOP: Field = Field {
    name: "loop",
    help: "Ignored: only one pass is made",
    ..SWITCH
};

/// How long to wait between two passes.
pub const INTERVAL: Field = Field {
    name: "interval",
    kind: Kind::Number(1, 86_400),
    help: "Ignored",
    examples: &["60"],
    ..NUMBER
};

/// The source of a tool.
pub const SOURCE_CODE: Field = Field {
    name: "source_code",
    help: "The source of one complete Python function, with a docstring and type hints",
    examples: &["def greet(name: str) -> str: …"],
    ..FIELD
};

/// The name of a tool.
pub const TOOL_NAME: Field = Field {
    name: "name",
    help: "The name you expect; Letta names a tool after its function",
    examples: &["greet"],
    ..FIELD
};

/// What a tool does.
pub const TOOL_DESCRIPTION: Field = Field {
    name: "description",
    help: "What the tool does, if the docstring doesn't say",
    examples: &["Greets somebody by name"],
    ..FIELD
};
