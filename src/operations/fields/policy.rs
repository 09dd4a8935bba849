//! A schedule's policy.

use super::base::{FIELD, NUMBER};
use crate::models::{CatchUp, EnvelopeStyle};
use crate::operations::field::{Field, Kind, Parameter, takes};

pub const CATCH_UP: Field = Field {
    name: "catch_up",
    kind: Kind::Word(CatchUp::WORDS),
    placeholder: CatchUp::CHOICE,
    help: "What to do with runs that could not be sent in time",
    details: "latest (the default) sends only the newest; all sends every one, oldest first; skip \
        drops those older than grace and sends the newest of the rest.",
    examples: &["skip"],
    ..FIELD
};

pub const GRACE: Field = Field {
    name: "grace",
    placeholder: "DURATION",
    help: "With catch_up skip: how late a run may still be sent",
    details: "Default: 10 minutes.",
    examples: &["30s", "10m", "1h"],
    ..FIELD
};

pub const PAUSE_ON_FAILURE: Field = Field {
    name: "pause_on_failure",
    kind: Kind::Number(0, 1_000_000),
    help: "Pause the schedule after this many failed prompts in a row",
    details: "Default: 5; 0 never pauses it.",
    examples: &["3"],
    ..NUMBER
};

pub const ENVELOPE: Field = Field {
    name: "envelope",
    kind: Kind::Word(EnvelopeStyle::WORDS),
    placeholder: EnvelopeStyle::CHOICE,
    help: "The line added before the prompt",
    details: "auto (the default) adds a line only if the run is late, stands for several or was \
        retried; full always adds one, with the name, run number, times and how to stop it; none \
        never does.",
    examples: &["full"],
    ..FIELD
};

pub const MAX_AGE: Field = Field {
    name: "max_age",
    placeholder: "DURATION",
    help: "How long to retry a prompt that can't be delivered",
    details: "Default: 24 hours, unless the settings differ.",
    examples: &["30m", "6h", "2d"],
    ..FIELD
};

/// The policy of repeating schedules.
pub const REPEATED: &[Parameter] = &[takes(&CATCH_UP), takes(&GRACE), takes(&PAUSE_ON_FAILURE)];

/// The policy of every schedule.
pub const DELIVERY: &[Parameter] = &[takes(&ENVELOPE), takes(&MAX_AGE)];
