//! Tools that look at schedules and at what became of them.

use serde_json::{Value, json};

use super::parameters::*;
use crate::error::Result;
use crate::mcp::call::Call;
use crate::mcp::definition::{Definition, Effect, Shape, field, nullable};
use crate::operations;
use crate::operations::field::takes;
use crate::operations::fields::{
    AGENT_FILTER, ALL, FULL, LIMIT, OFFSET, SCHEDULE_FILTER, SINCE, STATE,
};
use crate::service::show_local;

pub(super) const LIST: Definition = Definition {
    name: "promptyoself_list",
    title: "List scheduled prompts",
    description: "List what is scheduled, the next to run first: each with its number, prompt, next run \
        and why it waits, if it does. Only what is active or paused is listed unless include_cancelled is \
        set. Long prompts are shortened unless full is set. Example: {}",
    parameters: &[&[
        takes(&AGENT_FILTER),
        takes(&ALL),
        takes(&FULL),
        takes(&LIMIT),
        takes(&OFFSET),
    ]],
    answers: &[
        STATUS,
        field("schedules", Shape::Objects, "The schedules"),
        field("count", Shape::Whole, "How many are shown"),
        field("total", Shape::Whole, "How many there are in all"),
        field(
            "broken",
            Shape::Whole,
            "How many can't be read and do not run",
        ),
        field(
            "incidents",
            Shape::Whole,
            "How many things need somebody's attention",
        ),
        NOW,
        NOW_LOCAL,
        ZONE,
        WARNING,
    ],
    effect: Effect::Reads,
    is_operators: false,
    carry_out: |call| Box::pin(call.ask(&operations::LIST)),
};

pub(super) const GET: Definition = Definition {
    name: "promptyoself_get",
    title: "Show one schedule",
    description: "Show one schedule whole: its prompt, its next runs in UTC and local time, what became \
        of the last ones, and the account of every run so far. Example: {\"schedule_id\": 5}",
    parameters: &[WHICH],
    answers: &[
        STATUS,
        field("schedule", Shape::Object, "The schedule"),
        NEXT_RUNS,
        field(
            "last_runs",
            Shape::Objects,
            "What became of the last runs, the newest first",
        ),
        nullable("account", Shape::Object, "What became of every run so far"),
        NOW,
        NOW_LOCAL,
        ZONE,
        WARNING,
    ],
    effect: Effect::Reads,
    is_operators: false,
    carry_out: |call| Box::pin(get(call)),
};

pub(super) const HISTORY: Definition = Definition {
    name: "promptyoself_history",
    title: "Show what became of deliveries",
    description: "Show past and pending deliveries, the newest first: whether each prompt was delivered, \
        is waiting, or was given up and why. Example: {\"state\": \"dead\", \"since\": \"24h\"}",
    parameters: &[&[
        takes(&SCHEDULE_FILTER),
        takes(&AGENT_FILTER),
        takes(&STATE),
        takes(&SINCE),
        takes(&LIMIT),
        takes(&OFFSET),
    ]],
    answers: &[
        STATUS,
        field("occurrences", Shape::Objects, "The deliveries"),
        field("count", Shape::Whole, "How many are shown"),
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Reads,
    is_operators: false,
    carry_out: |call| Box::pin(history(call)),
};

async fn get(call: &Call) -> Result<Value> {
    let mut answer = call.ask(&operations::SHOW).await?;
    answer["timezone"] = answer["schedule"]["timezone"].clone();
    Ok(answer)
}

async fn history(call: &Call) -> Result<Value> {
    let mut answer = call.ask(&operations::HISTORY).await?;
    let occurrences = answer["occurrences"].as_array_mut();
    for occurrence in occurrences.into_iter().flatten() {
        let intended = occurrence["intended_at"].as_str();
        if let Some(at) = intended.and_then(|text| text.parse().ok()) {
            occurrence["intended_at_local"] = json!(show_local(at, &call.shared.zone));
        }
    }
    Ok(answer)
}
