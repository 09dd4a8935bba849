//! What lists show, and how much of it.

use super::base::{FIELD, NUMBER, SWITCH};
use crate::models::State;
use crate::operations::field::{Field, Instead, Kind, Refused};

pub const COUNT: Field = Field {
    name: "count",
    kind: Kind::Number(1, 1_000),
    help: "How many runs to show",
    details: "Default: 10.",
    examples: &["5"],
    ..NUMBER
};

pub const ALL: Field = Field {
    name: "all",
    argument: Some("include_cancelled"),
    aliases: &["all"],
    help: "Include finished, cancelled and broken schedules",
    ..SWITCH
};

pub const FULL: Field = Field {
    name: "full",
    help: "Don't shorten prompts",
    ..SWITCH
};

pub const LIMIT: Field = Field {
    name: "limit",
    kind: Kind::Number(1, crate::limits::PAGE as i64),
    help: "At most this many",
    examples: &["50"],
    ..NUMBER
};

pub const OFFSET: Field = Field {
    name: "offset",
    kind: Kind::Number(0, u32::MAX as i64),
    help: "Skip this many first, for the next page",
    examples: &["50"],
    ..NUMBER
};

pub const STATE: Field = Field {
    name: "state",
    kind: Kind::Word(State::WORDS),
    placeholder: "STATE",
    help: "Only deliveries in this state",
    details: "One of waiting, sending, unknown, delivered, dead, coalesced, skipped, missed, cancelled.",
    examples: &["dead"],
    ..FIELD
};

pub const SINCE: Field = Field {
    name: "since",
    placeholder: "TIME",
    help: "Only those intended for this time or later",
    details: "A time, or an age.",
    examples: &["24h", "7d", "2030-01-31T09:00:00Z"],
    ..FIELD
};

pub const SETTLED_SINCE: Field = Field {
    name: "settled_since",
    placeholder: "TIME",
    help: "Only those settled at this time or later, the first to settle first",
    details: "A time, or an age. Whoever asks again from the time of the last one misses none.",
    examples: &["5m", "2030-01-31T09:00:00Z"],
    ..FIELD
};

pub const WATCH: Field = Field {
    name: "watch",
    help: "Keep showing the list on the terminal as it changes, until Ctrl-C",
    refused_in_plugin: Some(Refused {
        why: "it would never return",
        instead: Instead::Call("list"),
    }),
    ..SWITCH
};

pub const FOLLOW: Field = Field {
    name: "follow",
    help: "Show the last deliveries and then each further one as it is settled, until Ctrl-C",
    details: "In JSON, each delivery is an object on a line of its own.",
    refused_in_plugin: Some(Refused {
        why: "it would never return",
        instead: Instead::Call("history"),
    }),
    ..SWITCH
};

pub const CHANGES: Field = Field {
    name: "changes",
    help: "Show changes instead of deliveries, newest first",
    details: "Shows when, who, how and which parts of the schedule. id, agent_id and since filter as they do for \
        deliveries.",
    ..SWITCH
};
