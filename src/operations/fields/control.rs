//! Pausing, resuming, cancelling and halting, of one schedule or of many.

use super::base::{FIELD, SWITCH};
use super::recipient::AGENT;
use crate::operations::field::{Field, Instead, Refused};

pub const NOTE: Field = Field {
    name: "note",
    help: "A note on why, shown later",
    examples: &["on holiday"],
    ..FIELD
};

pub const UNTIL: Field = Field {
    name: "until",
    placeholder: "TIME",
    help: "Resume by itself at this time",
    details: "Runs that pass before are skipped; one at exactly this time happens.",
    examples: &["2030-01-31T09:00:00Z", "monday at 9am", "in 3 days"],
    ..FIELD
};

pub const REPLAY: Field = Field {
    name: "replay",
    help: "Catch up on the runs that passed during the pause instead of skipping them",
    ..SWITCH
};

pub const OFF: Field = Field {
    name: "off",
    help: "Start delivery again",
    ..SWITCH
};

/// Reasons to refuse in the plugin what could affect every agent's schedules.
const TOUCHES_ALL: Option<Refused> = Some(Refused {
    why: "it would affect every agent's schedules; use --agent-id",
    instead: Instead::Call("list"),
});

pub const OF_AGENT: Field = Field {
    help: "All schedules of this agent instead of one",
    details: "TARGET/AGENT is the agent of that server, and an id alone every agent with that id. They are shown first; nothing changes unless you confirm or set yes.",
    ..AGENT
};

pub const EVERY_ONE: Field = Field {
    name: "all",
    help: "All schedules instead of one",
    details: "They are shown first; nothing changes unless you confirm or set yes.",
    refused_in_plugin: TOUCHES_ALL,
    ..SWITCH
};

pub const YES: Field = Field {
    name: "yes",
    help: "Don't ask for confirmation",
    ..SWITCH
};

pub const DRY_RUN: Field = Field {
    name: "dry_run",
    help: "Only show which schedules would change",
    ..SWITCH
};
