//! Tools that change a schedule that exists.

use serde_json::Value;

use super::parameters::*;
use crate::error::Result;
use crate::mcp::call::Call;
use crate::mcp::definition::{Definition, Effect, Shape, field};
use crate::operations::field::takes;
use crate::operations::fields::{AGENT, NAME, NOTE, PROMPT, REPLAY, SKIP_VALIDATION};
use crate::operations::{self, SHOW, fields};

pub(super) const UPDATE: Definition = Definition {
    name: "promptyoself_update",
    title: "Change a schedule",
    description: "Change a schedule: its prompt, time, end, name, agent or how it is delivered. Only what \
        is given changes. A changed time is counted from now; a prompt that is on its way stays as it \
        is. Give at most one of time, cron and every. Example: {\"schedule_id\": 5, \"every\": \"2h\"}",
    parameters: &[
        WHICH,
        &[takes(&PROMPT)],
        fields::SPEC,
        fields::ZONE,
        fields::BOUNDS,
        &[
            takes(&NAME).meaning("Another name for the schedule"),
            takes(&AGENT).meaning("Another agent that gets the prompt from now on"),
        ],
        fields::REPEATED,
        fields::DELIVERY,
        &[takes(&SKIP_VALIDATION)],
    ],
    answers: &[
        STATUS,
        field("id", Shape::Whole, "The number of the schedule"),
        NEXT_RUN,
        MESSAGE,
        NEXT_RUN_LOCAL,
        ZONE,
        field("describes", Shape::Text, "When it runs, in words"),
        NEXT_RUNS,
        field(
            "changed",
            Shape::Truth,
            "Whether anything was changed; what was like this already stays as it is",
        ),
        NOW,
        NOW_LOCAL,
        WARNING,
    ],
    effect: Effect::Sets,
    is_operators: false,
    carry_out: |call| Box::pin(call.ask(&operations::UPDATE)),
};

pub(super) const CANCEL: Definition = Definition {
    name: "promptyoself_cancel",
    title: "Cancel a schedule",
    description: "End a schedule for good, so that it never runs again. A prompt that is on its way to the \
        agent already is not called back. To stop it for a while only, use promptyoself_pause. Example: \
        {\"schedule_id\": 5}",
    parameters: &[WHICH],
    answers: &[
        STATUS,
        field("cancelled_id", Shape::Whole, "The number of the schedule"),
        MESSAGE,
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Acts,
    is_operators: false,
    carry_out: |call| Box::pin(call.ask(&operations::CANCEL)),
};

pub(super) const PAUSE: Definition = Definition {
    name: "promptyoself_pause",
    title: "Pause a schedule",
    description: "Stop a schedule for a while: nothing of it is sent until promptyoself_resume. Example: \
        {\"schedule_id\": 5, \"note\": \"on holiday\"}",
    parameters: &[WHICH, &[takes(&NOTE)]],
    answers: &[
        STATUS,
        field("paused_id", Shape::Whole, "The number of the schedule"),
        MESSAGE,
        NOW,
        NOW_LOCAL,
        ZONE,
    ],
    effect: Effect::Sets,
    is_operators: false,
    carry_out: |call| Box::pin(call.ask(&operations::PAUSE)),
};

pub(super) const RESUME: Definition = Definition {
    name: "promptyoself_resume",
    title: "Resume a paused schedule",
    description: "Let a paused schedule run again. What passed meanwhile is skipped, unless replay is set: \
        then the newest of it is sent. Example: {\"schedule_id\": 5}",
    parameters: &[WHICH, &[takes(&REPLAY)]],
    answers: &[
        STATUS,
        field("resumed_id", Shape::Whole, "The number of the schedule"),
        NEXT_RUN,
        MESSAGE,
        NEXT_RUN_LOCAL,
        NEXT_RUNS,
        ZONE,
        NOW,
        NOW_LOCAL,
        WARNING,
    ],
    effect: Effect::Sets,
    is_operators: false,
    carry_out: |call| Box::pin(resume(call)),
};

pub(super) const RUN_NOW: Definition = Definition {
    name: "promptyoself_run_now",
    title: "Run a schedule once now",
    description: "Send a schedule's prompt once now, as soon as its agent is free, beside its own times: \
        its next run stays as it is. Example: {\"schedule_id\": 5}",
    parameters: &[WHICH],
    answers: &[
        STATUS,
        field("schedule_id", Shape::Whole, "The number of the schedule"),
        field(
            "occurrence_id",
            Shape::Whole,
            "The run, as promptyoself_history shows it",
        ),
        field(
            "existed",
            Shape::Truth,
            "Whether such a run was waiting already",
        ),
        MESSAGE,
        NOW,
        NOW_LOCAL,
        ZONE,
        WARNING,
    ],
    effect: Effect::Acts,
    is_operators: false,
    carry_out: |call| Box::pin(call.ask(&operations::RUN)),
};

/// With the runs that come next, which the operation itself does not tell.
async fn resume(call: &Call) -> Result<Value> {
    let mut answer = call.ask(&operations::RESUME).await?;
    let shown = call.ask(&SHOW).await?;
    answer["timezone"] = shown["schedule"]["timezone"].clone();
    if !answer["next_run"].is_null() {
        answer["next_run_local"] = shown["schedule"]["next_run_local"].clone();
        answer["next_runs"] = shown["next_runs"].clone();
    }
    Ok(answer)
}
