//! Every field of a request, said once.

#![expect(missing_docs, reason = "each field says in its help what it is")]

use super::field::{Field, Instead, Kind, Parameter, Refused, takes};
use crate::models::{CatchUp, EnvelopeStyle, State};

const AN_AGENT: &str = "agent-00000000-0000-4000-8000-000000000000";

/// What is common to all fields.
const FIELD: Field = Field {
    name: "",
    flag: None,
    argument: None,
    aliases: &[],
    flag_aliases: &[],
    kind: Kind::Text,
    placeholder: "TEXT",
    help: "",
    details: "",
    examples: &[],
    refused_in_plugin: None,
    instead_of: None,
};

const SWITCH: Field = Field {
    kind: Kind::Switch,
    placeholder: "true|false",
    ..FIELD
};

const NUMBER: Field = Field {
    placeholder: "N",
    ..FIELD
};

pub const ID: Field = Field {
    name: "id",
    argument: Some("schedule_id"),
    aliases: &["id"],
    flag_aliases: &["schedule-id", "schedule_id"],
    kind: Kind::Number(1, i64::MAX),
    help: "The schedule's id, as it was returned when the schedule was made and as a list shows it",
    examples: &["5"],
    ..NUMBER
};

pub const SCHEDULE_FILTER: Field = Field {
    name: "schedule_id",
    flag: Some("id"),
    aliases: &["id"],
    flag_aliases: &["schedule-id"],
    kind: Kind::Number(1, i64::MAX),
    help: "Only what belongs to this schedule",
    examples: &["5"],
    ..NUMBER
};

pub const AGENT: Field = Field {
    name: "agent_id",
    placeholder: "AGENT",
    help: "The Letta agent that gets the prompt",
    details: "Its id begins with \"agent-\". An agent that schedules for itself gives its own id, or leaves \
        it out where its client says which agent it is. Left out otherwise, the configured default agent \
        is meant.",
    examples: &[AN_AGENT],
    ..FIELD
};

pub const AGENT_FILTER: Field = Field {
    help: "Only what is scheduled for this agent",
    details: "An agent sees only its own anyway.",
    ..AGENT
};

pub const PROMPT: Field = Field {
    name: "prompt",
    aliases: &["prompt_text", "message"],
    help: "What the agent is told when the time comes",
    details: "It is delivered exactly as given. Write it so that it can be understood later without the \
        present conversation.",
    examples: &["Check whether the backup finished, and tell Ada."],
    ..FIELD
};

pub const PROMPT_FILE: Field = Field {
    name: "prompt_file",
    placeholder: "FILE",
    help: "A file that holds the prompt; \"-\" reads it from standard input",
    instead_of: Some("prompt"),
    refused_in_plugin: Some(Refused {
        why: "it would read any file of the server; give the text itself",
        instead: Instead::Give("prompt", "Check the backup"),
    }),
    ..FIELD
};

pub const TIME: Field = Field {
    name: "time",
    aliases: &["at", "scheduled_at"],
    flag_aliases: &["at"],
    placeholder: "TIME",
    help: "Run once, at this time",
    details: "It must be in the future. A time without an offset is meant in timezone. Every answer says \
        what time it is now.",
    examples: &[
        "2030-01-31T09:00:00Z",
        "2030-01-31T09:00:00+02:00",
        "2030-01-31 09:00",
    ],
    ..FIELD
};

pub const CRON: Field = Field {
    name: "cron",
    aliases: &["cron_expression", "pattern"],
    placeholder: "PATTERN",
    help: "Run again and again, on this cron pattern of five fields",
    details: "The fields are minute, hour, day of month, month and day of week, meant in timezone.",
    examples: &["0 9 * * *", "*/15 * * * *", "30 8 * * mon-fri", "@hourly"],
    ..FIELD
};

pub const EVERY: Field = Field {
    name: "every",
    aliases: &["interval"],
    placeholder: "INTERVAL",
    help: "Run again and again, this far apart",
    details: "A number with s, m, h, d or w; a number alone is seconds. The first run is one interval from \
        now, or at start_at.",
    examples: &["30m", "45s", "1h30m", "2d", "1w"],
    ..FIELD
};

pub const TIMEZONE: Field = Field {
    name: "timezone",
    aliases: &["time_zone", "tz"],
    placeholder: "ZONE",
    help: "The IANA time zone in which times and patterns are meant",
    details: "Left out, it is the configured zone, which is UTC unless it was changed.",
    examples: &["Europe/Berlin", "America/New_York", "UTC"],
    ..FIELD
};

/// What tools take that need nothing else: Gemini's API refuses a request whole for a function
/// without any parameters.
pub const CLOCK: Field = Field {
    help: "The IANA time zone on whose clocks the answer tells the time",
    details: "Left out, it is the configured zone.",
    ..TIMEZONE
};

pub const START_AT: Field = Field {
    name: "start_at",
    placeholder: "TIME",
    help: "Do not run before this time",
    details: "For an interval it is the first run.",
    examples: &["2030-01-31T09:00:00Z"],
    ..FIELD
};

pub const END_AT: Field = Field {
    name: "end_at",
    placeholder: "TIME",
    help: "Do not run after this time",
    details: "A run at exactly this time still happens.",
    examples: &["2030-12-31T18:00:00Z"],
    ..FIELD
};

pub const MAX_REPETITIONS: Field = Field {
    name: "max_repetitions",
    kind: Kind::Number(1, i64::MAX),
    help: "Stop after this many runs",
    details: "At least 1; without it the schedule has no end.",
    examples: &["10"],
    ..NUMBER
};

pub const NAME: Field = Field {
    name: "name",
    placeholder: "NAME",
    help: "A name for the schedule, unique among the agent's live schedules",
    details: "Registering the same name and schedule again answers with the one that exists, so a call may \
        safely be repeated.",
    examples: &["morning-report"],
    ..FIELD
};

pub const CATCH_UP: Field = Field {
    name: "catch_up",
    kind: Kind::Word(CatchUp::WORDS),
    placeholder: CatchUp::CHOICE,
    help: "What becomes of runs that could not be sent in time",
    details: "latest sends the newest, which stands for the others (the default); all sends each, the \
        oldest first; skip gives up those older than grace.",
    examples: &["skip"],
    ..FIELD
};

pub const GRACE: Field = Field {
    name: "grace",
    placeholder: "DURATION",
    help: "With catch_up skip: how late a run may still be sent",
    details: "10 minutes unless it is given.",
    examples: &["30s", "10m", "1h"],
    ..FIELD
};

pub const PAUSE_ON_FAILURE: Field = Field {
    name: "pause_on_failure",
    kind: Kind::Number(0, 1_000_000),
    help: "Pause the schedule after this many prompts in a row were given up",
    details: "5 unless it is given; 0 never pauses it.",
    examples: &["3"],
    ..NUMBER
};

pub const ENVELOPE: Field = Field {
    name: "envelope",
    kind: Kind::Word(EnvelopeStyle::WORDS),
    placeholder: EnvelopeStyle::CHOICE,
    help: "What the agent is told before the prompt",
    details: "auto adds one line only when a run is late, stands for several or was tried before (the \
        default); full always adds it, with the name, the number of the run, the times and how to stop \
        it; none never adds it.",
    examples: &["full"],
    ..FIELD
};

pub const MAX_AGE: Field = Field {
    name: "max_age",
    placeholder: "DURATION",
    help: "How long a prompt that can't be delivered is tried again",
    details: "24 hours unless the settings say otherwise.",
    examples: &["30m", "6h", "2d"],
    ..FIELD
};

pub const PING_URL: Field = Field {
    name: "ping_url",
    placeholder: "URL|none",
    help: "Tell a dead-man service such as healthchecks.io of every run; none to stop",
    details: "Requested is URL/start when a prompt is about to be sent, URL when it was delivered, and \
        URL/fail when it was given up. Only the operator may set it.",
    examples: &["https://hc-ping.com/5f2b8d1c"],
    refused_in_plugin: Some(Refused {
        why: "it would let an agent reach any server that this one can reach; the operator sets it",
        instead: Instead::Call("list"),
    }),
    ..FIELD
};

pub const SKIP_VALIDATION: Field = Field {
    name: "skip_validation",
    help: "Do not ask Letta whether the agent exists",
    ..SWITCH
};

pub const COUNT: Field = Field {
    name: "count",
    kind: Kind::Number(1, 1_000),
    help: "How many runs to show",
    details: "10 unless it is given.",
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

pub const NOTE: Field = Field {
    name: "note",
    help: "A note on why, shown later",
    examples: &["on holiday"],
    ..FIELD
};

pub const REPLAY: Field = Field {
    name: "replay",
    help: "Catch up on the runs that passed during the pause instead of skipping them",
    ..SWITCH
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
    help: "Only what was intended for this time or later",
    details: "A time, or how far back to go.",
    examples: &["24h", "7d", "2030-01-31T09:00:00Z"],
    ..FIELD
};

pub const CHANGES: Field = Field {
    name: "changes",
    help: "Show changes instead of deliveries, newest first",
    details: "Shows when, who, how and which parts of the schedule. id, agent_id and since filter as they do for \
        deliveries.",
    ..SWITCH
};

/// What bulk commands do to many schedules, they do to all: not for an agent.
const TOUCHES_ALL: Option<Refused> = Some(Refused {
    why: "it would touch every agent's schedules; --agent-id touches those of one",
    instead: Instead::Call("list"),
});

pub const OF_AGENT: Field = Field {
    help: "All schedules of this agent instead of one",
    details: "They are shown first, and changed only with yes or after a question.",
    ..AGENT
};

pub const EVERY_ONE: Field = Field {
    name: "all",
    help: "All schedules instead of one",
    details: "They are shown first, and changed only with yes or after a question.",
    refused_in_plugin: TOUCHES_ALL,
    ..SWITCH
};

pub const YES: Field = Field {
    name: "yes",
    help: "Don't ask before changing several schedules",
    ..SWITCH
};

pub const DRY_RUN: Field = Field {
    name: "dry_run",
    help: "Only show which schedules would be changed",
    ..SWITCH
};

pub const OFF: Field = Field {
    name: "off",
    help: "Let deliveries go on again",
    ..SWITCH
};

/// The agent that is meant from then on.
pub const DEFAULT_AGENT: Field = Field {
    help: "The agent that is meant from now on where no agent_id is given",
    details: "",
    ..AGENT
};

/// Whether a pass is to be made again and again.
pub const LOOP: Field = Field {
    name: "loop",
    help: "Ignored: one pass is made, since a scheduler beside this server does the rest",
    ..SWITCH
};

/// How long to wait between two passes.
pub const INTERVAL: Field = Field {
    name: "interval",
    kind: Kind::Number(1, 86_400),
    help: "Ignored, as loop is",
    examples: &["60"],
    ..NUMBER
};

/// The source of a tool.
pub const SOURCE_CODE: Field = Field {
    name: "source_code",
    help: "The whole source of one Python function, with its docstring and type hints",
    examples: &["def greet(name: str) -> str: …"],
    ..FIELD
};

/// The name of a tool.
pub const TOOL_NAME: Field = Field {
    name: "name",
    help: "What you take the tool for; Letta names it after its function",
    examples: &["greet"],
    ..FIELD
};

/// What a tool does.
pub const TOOL_DESCRIPTION: Field = Field {
    name: "description",
    help: "What the tool does, where the docstring doesn't say it",
    examples: &["Greets somebody by name"],
    ..FIELD
};

/// When a prompt runs: exactly one of the three.
pub const SPEC: &[Parameter] = &[takes(&TIME), takes(&CRON), takes(&EVERY)];

/// What bounds a time that comes again.
pub const BOUNDS: &[Parameter] = &[takes(&START_AT), takes(&END_AT), takes(&MAX_REPETITIONS)];

/// The zone in which times are meant.
pub const ZONE: &[Parameter] = &[takes(&TIMEZONE)];

/// How a schedule that comes again is delivered.
pub const REPEATED: &[Parameter] = &[takes(&CATCH_UP), takes(&GRACE), takes(&PAUSE_ON_FAILURE)];

/// How each of its prompts is delivered.
pub const DELIVERY: &[Parameter] = &[takes(&ENVELOPE), takes(&MAX_AGE)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{CommandLine, Words};
    use crate::operations;

    fn all() -> impl Iterator<Item = &'static Field> {
        let operations = operations::ALL.iter();
        operations.flat_map(|o| o.parameters()).map(|p| p.field)
    }

    #[test]
    fn errors_name_the_flag_that_a_field_has() {
        let mut others = 0;
        for field in all() {
            let flag = field.flag.unwrap_or(field.name).replace('_', "-");
            assert_eq!(CommandLine.field(field.name), format!("--{flag}"));
            others += usize::from(field.flag.is_some());
        }
        assert!(others > 0);
    }

    #[test]
    fn help_explains_every_word_of_a_field() {
        let mut seen = 0;
        for field in all() {
            let told: Vec<&str> = field.details.split(|c: char| !c.is_alphabetic()).collect();
            for word in field.kind.words() {
                assert!(told.contains(word), "{} {word}", field.name);
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
