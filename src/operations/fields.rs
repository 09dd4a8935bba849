//! Every field of a request, declared once.

#![expect(missing_docs, reason = "each field says in its help what it is")]

use super::field::{Field, Given, Instead, Kind, Parameter, Refused, takes};
use crate::models::{CatchUp, EnvelopeStyle, State};

const AN_AGENT: &str = "agent-00000000-0000-4000-8000-000000000000";

/// The common base of all fields.
const FIELD: Field = Field {
    name: "",
    flag: None,
    argument: None,
    aliases: &[],
    flag_aliases: &[],
    kind: Kind::Text,
    joined_by: None,
    clears_by_none: false,
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

pub const TIME: Field = Field {
    name: "time",
    aliases: &["at", "scheduled_at"],
    flag_aliases: &["at"],
    placeholder: "TIME",
    help: "Run once, at this time",
    details: "It must be in the future. A time without an offset is in timezone. Words are understood \
        too; what could mean two times is refused. Every answer includes the current time.",
    examples: &[
        "2030-01-31T09:00:00Z",
        "2030-01-31 09:00",
        "in 20 minutes",
        "tomorrow at 9am",
    ],
    ..FIELD
};

pub const CRON: Field = Field {
    name: "cron",
    aliases: &["cron_expression", "pattern"],
    placeholder: "PATTERN",
    help: "Run on this five-field cron pattern",
    details: "The fields are minute, hour, day of month, month and day of week, in timezone. Several \
        patterns are separated by semicolons. Words are understood too.",
    joined_by: Some("; "),
    examples: &[
        "0 9 * * *",
        "*/15 * * * *",
        "30 8 * * mon-fri",
        "0 9 * * 1-5; 30 17 * * 1-5",
        "every weekday at 9am",
    ],
    ..FIELD
};

pub const EVERY: Field = Field {
    name: "every",
    aliases: &["interval"],
    placeholder: "INTERVAL",
    help: "Run at this interval",
    details: "A number with s, m, h, d or w; a bare number is seconds. The first run is one \
        interval from \
        now, or at start_at. Words are understood too.",
    examples: &["30m", "1h30m", "2d", "every other day at 8am"],
    ..FIELD
};

pub const WHEN: Field = Field {
    name: "when",
    placeholder: "WHEN",
    help: "When to run, once or again and again, in words or as a cron pattern",
    details: "Times and patterns are in timezone unless they name a place. What could mean two times is \
        refused, with its readings. The answer says what was understood.",
    examples: &[
        "tomorrow at 9am",
        "in 20 minutes",
        "every weekday at 18:30",
        "every 2 hours",
        "0 9 * * mon-fri",
    ],
    ..FIELD
};

pub const TIMEZONE: Field = Field {
    name: "timezone",
    aliases: &["time_zone", "tz"],
    placeholder: "ZONE",
    help: "The IANA time zone for times and patterns",
    details: "Default: the configured zone (UTC unless changed).",
    examples: &["Europe/Berlin", "America/New_York", "UTC"],
    ..FIELD
};

/// What tools take that need nothing else: Gemini's API rejects a whole request because of one
/// function without parameters.
pub const CLOCK: Field = Field {
    help: "The IANA time zone for times in the answer",
    details: "Default: the configured zone.",
    ..TIMEZONE
};

pub const START_AT: Field = Field {
    name: "start_at",
    placeholder: "TIME",
    help: "Don't run before this time",
    details: "An interval's first run is at exactly this time.",
    examples: &["2030-01-31T09:00:00Z", "tomorrow at 9am"],
    ..FIELD
};

pub const END_AT: Field = Field {
    name: "end_at",
    placeholder: "TIME",
    help: "Don't run after this time",
    details: "A run at exactly this time still happens.",
    examples: &["2030-12-31T18:00:00Z"],
    ..FIELD
};

pub const EXCEPT: Field = Field {
    name: "except",
    placeholder: "DATES",
    help: "Don't run on these dates, in timezone",
    details: "Dates and ranges of dates with commas between them, for what repeats; none leaves out no date. \
        Such a run does not count.",
    joined_by: Some(", "),
    clears_by_none: true,
    examples: &["2030-12-25", "2030-12-24..2031-01-02, 2031-05-01"],
    ..FIELD
};

pub const EXCEPT_FILE: Field = Field {
    name: "except_file",
    placeholder: "FILE",
    help: "A file of dates on which it does not run; \"-\" reads it from standard input",
    details: "One date or range of dates in each line, with comments after #; or an iCalendar file, such as one of \
        public holidays.",
    refused_in_plugin: Some(Refused {
        why: "it could read any file on the server; give the dates themselves",
        instead: Instead::Give("except", "2030-12-25"),
    }),
    ..FIELD
};

pub const MAX_REPETITIONS: Field = Field {
    name: "max_repetitions",
    kind: Kind::Number(1, i64::MAX),
    help: "Stop after this many runs",
    details: "At least 1. Default: no limit.",
    examples: &["10"],
    ..NUMBER
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

pub const SKIP_VALIDATION: Field = Field {
    name: "skip_validation",
    help: "Don't check with Letta that the agent exists",
    ..SWITCH
};

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

pub const OFF: Field = Field {
    name: "off",
    help: "Start delivery again",
    ..SWITCH
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

/// When a prompt runs: exactly one of the four.
pub const SPEC: &[Parameter] = &[takes(&TIME), takes(&CRON), takes(&EVERY), takes(&WHEN)];

/// The bounds of a repeating schedule.
pub const BOUNDS: &[Parameter] = &[
    takes(&START_AT),
    takes(&END_AT),
    takes(&EXCEPT),
    takes(&EXCEPT_FILE).given(Given::OnCommandLine),
    takes(&MAX_REPETITIONS),
];

/// The zone of times and patterns.
pub const ZONE: &[Parameter] = &[takes(&TIMEZONE)];

/// The policy of repeating schedules.
pub const REPEATED: &[Parameter] = &[takes(&CATCH_UP), takes(&GRACE), takes(&PAUSE_ON_FAILURE)];

/// The policy of every schedule.
pub const DELIVERY: &[Parameter] = &[takes(&ENVELOPE), takes(&MAX_AGE)];

/// Where the agent gets it.
pub const RECIPIENT: &[Parameter] = &[takes(&TARGET), takes(&CONVERSATION)];

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
