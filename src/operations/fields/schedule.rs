//! A schedule and its prompt.

use super::base::{FIELD, NUMBER};
use crate::operations::field::{Field, Instead, Kind, Refused};

pub const ID: Field = Field {
    name: "id",
    argument: Some("schedule_id"),
    aliases: &["id"],
    flag_aliases: &["schedule-id", "schedule_id"],
    kind: Kind::Number(1, i64::MAX),
    help: "The schedule's id, as returned when it was created and shown by list",
    examples: &["5"],
    ..NUMBER
};

/// The schedule that an operation is about.
pub const SCHEDULE: Field = Field {
    kind: Kind::Text,
    placeholder: "ID",
    help: "The schedule's id, as returned when it was created and shown by list, or its name",
    details: "Figures are always an id. Of several schedules that had a name, it is the live one.",
    examples: &["5", "morning-report"],
    ..ID
};

pub const SCHEDULE_FILTER: Field = Field {
    name: "schedule_id",
    flag: Some("id"),
    aliases: &["id"],
    flag_aliases: &["schedule-id"],
    placeholder: "ID",
    help: "Only of this schedule, by its id or its name",
    details: "Figures are always an id. Of several schedules that had a name, it is the live one.",
    examples: &["5", "morning-report"],
    ..FIELD
};

pub const NAME: Field = Field {
    name: "name",
    placeholder: "NAME",
    help: "A name for the schedule, unique among the agent's live schedules",
    details: "Registering the same name and schedule again returns the existing one, so the call \
        can safely be repeated.",
    examples: &["morning-report"],
    ..FIELD
};

pub const PROMPT: Field = Field {
    name: "prompt",
    aliases: &["prompt_text", "message"],
    help: "The prompt",
    details: "It is delivered exactly as given. Write it so that it makes sense later, without the \
        current conversation.",
    examples: &["Check whether the backup finished, and tell Ada."],
    ..FIELD
};

pub const PROMPT_FILE: Field = Field {
    name: "prompt_file",
    placeholder: "FILE",
    help: "A file that contains the prompt; \"-\" reads it from standard input",
    instead_of: Some("prompt"),
    refused_in_plugin: Some(Refused {
        why: "it could read any file on the server; give the text itself",
        instead: Instead::Give("prompt", "Check the backup"),
    }),
    ..FIELD
};

pub const PING_URL: Field = Field {
    name: "ping_url",
    placeholder: "URL|none",
    help: "The check URL of a dead-man service such as healthchecks.io; none to stop",
    details: "Calls URL/start before a prompt is sent, URL when it was delivered, and URL/fail \
        when it was given up. Only the operator may set it.",
    examples: &["https://hc-ping.com/5f2b8d1c"],
    refused_in_plugin: Some(Refused {
        why: "it would let an agent make this machine call any address; only the operator may set it",
        instead: Instead::Call("list"),
    }),
    ..FIELD
};
