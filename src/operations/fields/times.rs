//! When a prompt runs.

use super::base::{FIELD, NUMBER};
use crate::operations::field::{Field, Given, Instead, Kind, Parameter, Refused, takes};

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
