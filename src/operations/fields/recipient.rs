//! Whom a prompt is for: the agent, its server and its conversation.

use super::base::{FIELD, SWITCH};
use crate::operations::field::{Field, Parameter, takes};

const AN_AGENT: &str = "agent-00000000-0000-4000-8000-000000000000";

pub const AGENT: Field = Field {
    name: "agent_id",
    placeholder: "AGENT",
    help: "The Letta agent to prompt",
    details: "Its id begins with \"agent-\". An agent that schedules for itself gives its own id, \
        or leaves it out if its client identifies it. An agent of a certain server can be written as \
        TARGET/AGENT. Default: the configured default agent.",
    examples: &[AN_AGENT],
    ..FIELD
};

pub const AGENT_FILTER: Field = Field {
    help: "Only of this agent",
    details: "TARGET/AGENT is the agent of that server, and an id alone every agent with that id. An agent \
        always sees only its own.",
    ..AGENT
};

pub const TARGET: Field = Field {
    name: "target",
    placeholder: "TARGET",
    help: "The Letta server that has the agent, by its name in the settings",
    details: "Default: the default target.",
    examples: &["home"],
    ..FIELD
};

pub const HALTED_TARGET: Field = Field {
    help: "Only this Letta server, by its name in the settings",
    details: "Default: all delivery.",
    ..TARGET
};

pub const CONVERSATION: Field = Field {
    name: "conversation",
    aliases: &["conversation_id"],
    flag_aliases: &["conversation-id"],
    placeholder: "default|new|ID",
    help: "The conversation in which the agent gets the prompt",
    details: "default is the agent's own one, new makes a fresh one for each run, and an id names one \
        that exists. Left out, it is the one in which the agent makes this call, if its client or its shell \
        says so, and otherwise what is usual on the agent's server: default on a Letta V1 server, \
        new on a Letta Code App Server.",
    examples: &[
        "default",
        "new",
        "conv-00000000-0000-4000-8000-000000000000",
    ],
    ..FIELD
};

pub const SKIP_VALIDATION: Field = Field {
    name: "skip_validation",
    help: "Don't check with Letta that the agent exists",
    ..SWITCH
};

/// Where the agent gets it.
pub const RECIPIENT: &[Parameter] = &[takes(&TARGET), takes(&CONVERSATION)];
