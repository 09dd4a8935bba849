//! Tools that change a schedule that exists.

use serde_json::Value;

use super::parameters::*;
use super::to_json;
use crate::cli::input;
use crate::error::Result;
use crate::mcp::Call;
use crate::mcp::definition::{Definition, Effect, Kind, Shape, field, optional};
use crate::service::Changes;

pub(super) const UPDATE: Definition = Definition {
    name: "promptyoself_update",
    title: "Change a schedule",
    description: "Change a schedule: its prompt, time, end, name, agent or how it is delivered. Only what \
        is given changes. A changed time is counted from now; a prompt that is on its way stays as it \
        is. Give at most one of time, cron and every. Example: {\"schedule_id\": 5, \"every\": \"2h\"}",
    parameters: &[
        SCHEDULE,
        PROMPT.not_required(),
        TIME.not_required(),
        CRON.not_required(),
        EVERY.not_required(),
        TIMEZONE,
        START_AT,
        END_AT,
        MAX_REPETITIONS,
        NAME,
        AGENT.meaning(
            "Another agent that gets the prompt from now on; left out, it stays the same.",
        ),
        CATCH_UP,
        GRACE,
        PAUSE_ON_FAILURE,
        ENVELOPE,
        MAX_AGE,
        SKIP_VALIDATION,
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
    carry_out: |call| Box::pin(update(call)),
};

pub(super) const CANCEL: Definition = Definition {
    name: "promptyoself_cancel",
    title: "Cancel a schedule",
    description: "End a schedule for good, so that it never runs again. A prompt that is on its way to the \
        agent already is not called back. To stop it for a while only, use promptyoself_pause. Example: \
        {\"schedule_id\": 5}",
    parameters: &[SCHEDULE],
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
    carry_out: |call| Box::pin(cancel(call)),
};

pub(super) const PAUSE: Definition = Definition {
    name: "promptyoself_pause",
    title: "Pause a schedule",
    description: "Stop a schedule for a while: nothing of it is sent until promptyoself_resume. Example: \
        {\"schedule_id\": 5, \"note\": \"on holiday\"}",
    parameters: &[
        SCHEDULE,
        optional(
            "note",
            Kind::Text,
            "Why, for whoever looks at it later.",
            &["on holiday"],
        ),
    ],
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
    carry_out: |call| Box::pin(pause(call)),
};

pub(super) const RESUME: Definition = Definition {
    name: "promptyoself_resume",
    title: "Resume a paused schedule",
    description: "Let a paused schedule run again. What passed meanwhile is skipped, unless replay is set: \
        then the newest of it is sent. Example: {\"schedule_id\": 5}",
    parameters: &[
        SCHEDULE,
        optional(
            "replay",
            Kind::Switch,
            "Catch up with what passed during the pause, instead of skipping it.",
            &[],
        ),
    ],
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
    parameters: &[SCHEDULE],
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
    carry_out: |call| Box::pin(run_now(call)),
};

async fn update(call: &Call) -> Result<Value> {
    let id = call.schedule_id()?;
    let text = |name: &str| call.arguments.text(name);
    let when = call.when_args();
    let (wish, timezone) = input::wish_if_given(&when)?;
    let prompt = match text("prompt") {
        Some(prompt) => Some(input::prompt(Some(&prompt), None, std::io::empty())?),
        None => None,
    };
    let changes = Changes {
        agent_id: input::agent_filter(text("agent_id").as_deref())?,
        prompt,
        wish,
        timezone,
        start_at: when.start_at,
        end_at: when.end_at,
        max_repetitions: input::repetitions(when.max_repetitions.as_deref())?,
        name: input::filled(text("name").as_deref()),
        policy: call.policy()?,
        ping_url: None,
        skip_validation: call.arguments.switch("skip_validation"),
    };
    to_json(&call.operations.update(id, &changes).await?)
}

async fn cancel(call: &Call) -> Result<Value> {
    to_json(&call.operations.cancel(call.schedule_id()?).await?)
}

async fn pause(call: &Call) -> Result<Value> {
    let note = call.arguments.text("note");
    let paused = call.operations.pause(call.schedule_id()?, note.as_deref());
    to_json(&paused.await?)
}

/// With the runs that come next, which the operation itself does not tell.
async fn resume(call: &Call) -> Result<Value> {
    let id = call.schedule_id()?;
    let replay = call.arguments.switch("replay");
    let resumed = call.operations.resume(id, replay).await?;
    let mut answer = to_json(&resumed)?;
    let shown = call.operations.show(id).await?;
    answer["timezone"] = shown.schedule.timezone.into();
    if resumed.next_run.is_some() {
        answer["next_run_local"] = to_json(&shown.schedule.next_run_local)?;
        answer["next_runs"] = to_json(&shown.next_runs)?;
    }
    Ok(answer)
}

async fn run_now(call: &Call) -> Result<Value> {
    to_json(&call.operations.run(call.schedule_id()?).await?)
}
