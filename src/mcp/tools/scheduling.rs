//! Tools that make schedules, and the one that only shows when they would run.

use serde_json::Value;

use super::parameters::*;
use super::to_json;
use crate::cli::input;
use crate::error::{Code, Error, Result};
use crate::mcp::Call;
use crate::mcp::definition::{Definition, Effect, Field, Kind, Shape, field, nullable, optional};
use crate::service::Registration;

const PLANNED: &[Field] = &[
    STATUS,
    field(
        "id",
        Shape::Whole,
        "The number of the schedule, for every later call",
    ),
    NEXT_RUN,
    MESSAGE,
    NEXT_RUN_LOCAL,
    ZONE,
    field("describes", Shape::Text, "When it runs, in words"),
    NEXT_RUNS,
    field(
        "existed",
        Shape::Truth,
        "Whether it was there before, under the same name",
    ),
    nullable("agent_id", Shape::Text, "The agent that gets the prompt"),
    NOW,
    NOW_LOCAL,
    WARNING,
];

pub(super) const SCHEDULE_TIME: Definition = Definition {
    name: "promptyoself_schedule_time",
    title: "Schedule a prompt once",
    description: "Schedule a prompt to be delivered to a Letta agent once, at an exact time. The agent \
        gets it as a user message and wakes up. For something that repeats, use \
        promptyoself_schedule_every or promptyoself_schedule_cron. Example: {\"prompt\": \"Ask Ada how \
        the talk went\", \"time\": \"2030-01-31T17:00:00Z\"}",
    parameters: &[
        PROMPT,
        TIME,
        AGENT,
        TIMEZONE,
        NAME,
        ENVELOPE,
        MAX_AGE,
        SKIP_VALIDATION,
    ],
    answers: PLANNED,
    effect: Effect::Adds,
    is_operators: false,
    carry_out: |call| Box::pin(schedule(call)),
};

pub(super) const SCHEDULE_CRON: Definition = Definition {
    name: "promptyoself_schedule_cron",
    title: "Schedule a prompt on a calendar pattern",
    description: "Schedule a prompt to be delivered to a Letta agent again and again, on a cron pattern: \
        at times of the day, on days of the week or month. For a plain distance between runs use \
        promptyoself_schedule_every. Example: {\"prompt\": \"Write the daily report\", \"cron\": \
        \"0 9 * * mon-fri\", \"timezone\": \"Europe/Berlin\"}",
    parameters: &[
        PROMPT,
        CRON,
        AGENT,
        TIMEZONE,
        NAME,
        START_AT,
        END_AT,
        MAX_REPETITIONS,
        CATCH_UP,
        GRACE,
        PAUSE_ON_FAILURE,
        ENVELOPE,
        MAX_AGE,
        SKIP_VALIDATION,
    ],
    answers: PLANNED,
    effect: Effect::Adds,
    is_operators: false,
    carry_out: |call| Box::pin(schedule(call)),
};

pub(super) const SCHEDULE_EVERY: Definition = Definition {
    name: "promptyoself_schedule_every",
    title: "Schedule a prompt at an interval",
    description: "Schedule a prompt to be delivered to a Letta agent again and again, a fixed time \
        apart. The runs keep their phase: a late one does not shift the next. For times of the day or \
        week use promptyoself_schedule_cron. Example: {\"prompt\": \"Stand up and stretch\", \"every\": \
        \"30m\", \"max_repetitions\": 10}",
    parameters: &[
        PROMPT,
        EVERY,
        START_AT,
        MAX_REPETITIONS,
        AGENT,
        TIMEZONE,
        NAME,
        END_AT,
        CATCH_UP,
        GRACE,
        PAUSE_ON_FAILURE,
        ENVELOPE,
        MAX_AGE,
        SKIP_VALIDATION,
    ],
    answers: PLANNED,
    effect: Effect::Adds,
    is_operators: false,
    carry_out: |call| Box::pin(schedule(call)),
};

pub(super) const PREVIEW: Definition = Definition {
    name: "promptyoself_preview",
    title: "Preview when something would run",
    description: "Show when a time, cron pattern or interval would run, without scheduling anything. \
        Give exactly one of time, cron and every. Use it to check a pattern before you schedule it. \
        Example: {\"cron\": \"0 9 * * mon-fri\", \"timezone\": \"Europe/Berlin\", \"count\": 5}",
    parameters: &[
        TIME.not_required(),
        CRON.not_required(),
        EVERY.not_required(),
        TIMEZONE,
        START_AT,
        END_AT,
        MAX_REPETITIONS,
        optional(
            "count",
            Kind::Number,
            "How many runs to show, 10 if left out",
            &["5"],
        ),
    ],
    answers: &[
        STATUS,
        field("describes", Shape::Text, "When it would run, in words"),
        ZONE,
        field(
            "runs",
            Shape::Objects,
            "The runs, each in UTC and local time",
        ),
        NOW,
        NOW_LOCAL,
    ],
    effect: Effect::Reads,
    is_operators: false,
    carry_out: |call| Box::pin(preview(call)),
};

async fn schedule(call: &Call) -> Result<Value> {
    let text = |name: &str| call.arguments.text(name);
    let prompt = input::prompt(text("prompt").as_deref(), None, std::io::empty())?;
    let when = call.when_args();
    if when.time.is_none() && when.cron.is_none() && when.every.is_none() {
        return Err(spec_missing(call));
    }
    let agent_id = call.agent().await?;
    let asked = Registration {
        payload: None,
        agent_id: agent_id.clone(),
        prompt,
        when: input::when(&when)?,
        name: input::filled(text("name").as_deref()),
        policy: call.policy()?,
        ping_url: None,
        skip_validation: call.arguments.switch("skip_validation"),
    };
    let mut answer = to_json(&call.operations.register(&asked).await?)?;
    answer["agent_id"] = to_json(&agent_id)?;
    Ok(answer)
}

/// Each of these tools takes one kind of time, and only that is asked for.
fn spec_missing(call: &Call) -> Error {
    let parameters = call.tool.parameters.iter();
    let missing = parameters.filter(|p| p.is_required && p.name != "prompt");
    let name = missing.map(|p| p.name).next().unwrap_or("every");
    Error::new(
        Code::SpecMissing,
        format!("nothing says when to run: give {name}"),
    )
}

async fn preview(call: &Call) -> Result<Value> {
    let when = input::when(&call.when_args())?;
    let count = input::count(call.arguments.text("count").as_deref())?;
    to_json(&call.operations.preview(&when, count).await?)
}
