//! Tools that make schedules, and the one that only shows when they would run.

use serde_json::Value;

use super::parameters::*;
use crate::error::{Code, Error, Result};
use crate::mcp::call::Call;
use crate::mcp::definition::{Definition, Effect, Field, Shape, field, nullable};
use crate::operations::field::takes;
use crate::operations::fields::{AGENT, CRON, EVERY, NAME, PROMPT, SKIP_VALIDATION, TIME};
use crate::operations::{self, REGISTER, fields, to_json};

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
        &[
            takes(&PROMPT).required(),
            takes(&TIME).required(),
            takes(&AGENT),
        ],
        fields::ZONE,
        &[takes(&NAME)],
        fields::DELIVERY,
        &[takes(&SKIP_VALIDATION)],
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
        &[
            takes(&PROMPT).required(),
            takes(&CRON).required(),
            takes(&AGENT),
        ],
        fields::ZONE,
        &[takes(&NAME)],
        fields::BOUNDS,
        fields::REPEATED,
        fields::DELIVERY,
        &[takes(&SKIP_VALIDATION)],
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
        &[
            takes(&PROMPT).required(),
            takes(&EVERY).required(),
            takes(&AGENT),
        ],
        fields::ZONE,
        &[takes(&NAME)],
        fields::BOUNDS,
        fields::REPEATED,
        fields::DELIVERY,
        &[takes(&SKIP_VALIDATION)],
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
    parameters: operations::PREVIEW.parameters,
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
    carry_out: |call| Box::pin(call.ask(&operations::PREVIEW)),
};

async fn schedule(call: &Call) -> Result<Value> {
    let mut values = call.arguments.values(call.tool);
    if ![&TIME, &CRON, &EVERY].iter().any(|field| values.has(field)) {
        return Err(spec_missing(call));
    }
    let agent_id = call.agent().await?;
    if let Some(agent) = &agent_id {
        values.set(&AGENT, agent.as_str());
    }
    let mut answer = call.operations.ask(&REGISTER, &values).await?;
    answer["agent_id"] = to_json(&agent_id)?;
    Ok(answer)
}

/// Each of these tools takes one kind of time, and only that is asked for.
fn spec_missing(call: &Call) -> Error {
    let parameters = call.tool.parameters();
    let mut missing = parameters.filter(|p| p.is_required && p.field.name != PROMPT.name);
    let name = missing.next().map_or(EVERY.name, |p| p.argument());
    Error::new(
        Code::SpecMissing,
        format!("nothing says when to run: give {name}"),
    )
}
