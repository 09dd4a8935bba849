//! What several tools take and answer, and how it is read.

use crate::cli::args::{PolicyArgs, WhenArgs};
use crate::cli::input;
use crate::error::Result;
use crate::mcp::Call;
use crate::mcp::definition::{Field, Kind, Parameter, Shape, field, nullable, optional, required};
use crate::models::Policy;

pub(super) const AGENT: Parameter = optional(
    "agent_id",
    Kind::Text,
    "The Letta agent that gets the prompt. Leave it out to schedule for yourself, when your client \
     says which agent you are; else give your own agent id, which begins with \"agent-\".",
    &["agent-00000000-0000-4000-8000-000000000000"],
);

pub(super) const AGENT_FILTER: Parameter = optional(
    "agent_id",
    Kind::Text,
    "Only what is scheduled for this agent. An agent sees only its own anyway.",
    &["agent-00000000-0000-4000-8000-000000000000"],
);

pub(super) const SCHEDULE: Parameter = required(
    "schedule_id",
    Kind::Number,
    "The number of the schedule, as it was given when it was made and as promptyoself_list shows it.",
    &["5"],
)
.also(&["id"]);

pub(super) const PROMPT: Parameter = required(
    "prompt",
    Kind::Text,
    "What the agent is told when the time comes, delivered exactly as given. Write it so that it can \
     be understood later without the present conversation.",
    &["Check whether the backup finished, and tell Ada."],
)
.also(&["prompt_text", "message"]);

pub(super) const TIME: Parameter = required(
    "time",
    Kind::Text,
    "When, in the future: ISO 8601 with an offset or Z; or a date and time without one, which is meant \
     in timezone. Every answer says what time it is now.",
    &[
        "2030-01-31T09:00:00Z",
        "2030-01-31T09:00:00+02:00",
        "2030-01-31 09:00",
    ],
)
.also(&["at", "scheduled_at"]);

pub(super) const CRON: Parameter = required(
    "cron",
    Kind::Text,
    "A cron pattern of five fields: minute, hour, day of month, month, day of week; meant in timezone.",
    &["0 9 * * *", "*/15 * * * *", "30 8 * * mon-fri", "@hourly"],
)
.also(&["cron_expression", "pattern"]);

pub(super) const EVERY: Parameter = required(
    "every",
    Kind::Text,
    "How far apart the runs are: a number with s, m, h, d or w. The first is one interval from now, or \
     at start_at.",
    &["30m", "45s", "1h30m", "2d", "1w"],
)
.also(&["interval"]);

pub(super) const TIMEZONE: Parameter = optional(
    "timezone",
    Kind::Text,
    "The IANA time zone in which times and patterns are meant; the server's own if left out.",
    &["Europe/Berlin", "America/New_York", "UTC"],
)
.also(&["time_zone", "tz"]);

/// What tools take that need nothing else: Gemini's API refuses a request whole for a function
/// without any parameters.
pub(super) const CLOCK: Parameter = optional(
    "timezone",
    Kind::Text,
    "The IANA time zone on whose clocks the answer tells the time; the server's own if left out.",
    &["Europe/Berlin", "America/New_York", "UTC"],
)
.also(&["time_zone", "tz"]);

pub(super) const START_AT: Parameter = optional(
    "start_at",
    Kind::Text,
    "Do not run before this time; of an interval it is the first run.",
    &["2030-01-31T09:00:00Z"],
);

pub(super) const END_AT: Parameter = optional(
    "end_at",
    Kind::Text,
    "Do not run after this time; a run at exactly this time still happens.",
    &["2030-12-31T18:00:00Z"],
);

pub(super) const MAX_REPETITIONS: Parameter = optional(
    "max_repetitions",
    Kind::Number,
    "Stop after this many runs, at least 1. Without it there is no end.",
    &["10"],
);

pub(super) const NAME: Parameter = optional(
    "name",
    Kind::Text,
    "A name, unique among the agent's live schedules. Asking again for the same name and schedule \
     answers with the one that exists, so such a call may safely be repeated.",
    &["morning-report"],
);

pub(super) const CATCH_UP: Parameter = optional(
    "catch_up",
    Kind::Word(&["latest", "all", "skip"]),
    "What becomes of runs that could not be sent in time: latest sends the newest for all of them \
     (usual), all sends each, skip gives up those older than grace.",
    &["latest"],
);

pub(super) const GRACE: Parameter = optional(
    "grace",
    Kind::Text,
    "Only with catch_up skip: how late a run may still be sent; 10m if left out.",
    &["10m", "1h"],
);

pub(super) const PAUSE_ON_FAILURE: Parameter = optional(
    "pause_on_failure",
    Kind::Number,
    "Pause the schedule after so many prompts in a row that had to be given up; 5 if left out, 0 never.",
    &["5"],
);

pub(super) const ENVELOPE: Parameter = optional(
    "envelope",
    Kind::Word(&["auto", "full", "none"]),
    "What is put before the prompt: auto one line only if it is late or was tried before (usual), full \
     always a line with the times and how to stop it, none nothing.",
    &["auto"],
);

pub(super) const MAX_AGE: Parameter = optional(
    "max_age",
    Kind::Text,
    "How long a prompt that can't be delivered is tried again; 24h if left out.",
    &["24h", "30m"],
);

pub(super) const SKIP_VALIDATION: Parameter = optional(
    "skip_validation",
    Kind::Switch,
    "Schedule without Letta's word that the agent exists, while Letta can't be asked.",
    &[],
);

pub(super) const STATUS: Field = field("status", Shape::Text, "\"success\" if it was done");
pub(super) const MESSAGE: Field = field("message", Shape::Text, "What was done, in words");
pub(super) const NOW: Field = field("now", Shape::Text, "The time of the answer, in UTC");
pub(super) const NOW_LOCAL: Field = field(
    "now_local",
    Shape::Text,
    "The same on the clocks of timezone",
);
pub(super) const ZONE: Field = field("timezone", Shape::Text, "The IANA zone of local times");
pub(super) const WARNING: Field = field(
    "warning",
    Shape::Text,
    "What keeps prompts from being delivered; tell your user of it",
);
pub(super) const NEXT_RUN: Field = nullable("next_run", Shape::Text, "The next run, in UTC");
pub(super) const NEXT_RUN_LOCAL: Field = nullable(
    "next_run_local",
    Shape::Text,
    "The next run on the clocks of timezone",
);
pub(super) const NEXT_RUNS: Field =
    field("next_runs", Shape::Texts, "The runs that come next, in UTC");

impl Call {
    /// Everything given that says when.
    pub(super) fn when_args(&self) -> WhenArgs {
        let text = |name: &str| self.arguments.text(name);
        WhenArgs {
            time: text("time"),
            cron: text("cron"),
            every: text("every"),
            timezone: text("timezone"),
            start_at: text("start_at"),
            end_at: text("end_at"),
            max_repetitions: text("max_repetitions"),
        }
    }

    /// How it is to be delivered.
    pub(super) fn policy(&self) -> Result<Policy> {
        let text = |name: &str| self.arguments.text(name);
        input::policy(&PolicyArgs {
            catch_up: text("catch_up"),
            grace: text("grace"),
            pause_on_failure: text("pause_on_failure"),
            envelope: text("envelope"),
            max_age: text("max_age"),
            ping_url: None,
        })
    }

    /// The schedule that is meant.
    pub(super) fn schedule_id(&self) -> Result<i64> {
        input::schedule_id(&crate::cli::args::IdArgs {
            id: self.arguments.text("schedule_id"),
            position: None,
        })
    }
}
