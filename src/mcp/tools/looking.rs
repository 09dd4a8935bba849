//! Tools that look at schedules and at what became of them.

use serde_json::{Value, json};

use super::parameters::*;
use super::to_json;
use crate::cli::args::HistoryArgs;
use crate::cli::input;
use crate::error::Result;
use crate::mcp::Call;
use crate::mcp::definition::{Definition, Effect, Kind, Shape, field, nullable, optional};
use crate::service::{ListQuery, show_local};

/// How many schedules or deliveries are shown if nobody says: what a model reads at once.
const USUAL_LIMIT: &str = "50";

pub(super) const LIST: Definition = Definition {
    name: "promptyoself_list",
    title: "List scheduled prompts",
    description: "List what is scheduled, the next to run first: each with its number, prompt, next run \
        and why it waits, if it does. Only what is active or paused is listed unless include_cancelled is \
        set. Long prompts are shortened unless full is set. Example: {}",
    parameters: &[
        AGENT_FILTER,
        optional(
            "include_cancelled",
            Kind::Switch,
            "Also what is finished, cancelled or can't be read.",
            &[],
        )
        .also(&["all"]),
        optional("full", Kind::Switch, "Show long prompts whole.", &[]),
        optional(
            "limit",
            Kind::Number,
            "At most this many, 50 if left out.",
            &["50"],
        ),
        optional(
            "offset",
            Kind::Number,
            "Leave out this many at the beginning, for the next page.",
            &["50"],
        ),
    ],
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
    carry_out: |call| Box::pin(list(call)),
};

pub(super) const GET: Definition = Definition {
    name: "promptyoself_get",
    title: "Show one schedule",
    description: "Show one schedule whole: its prompt, its next runs in UTC and local time, what became \
        of the last ones, and the account of every run so far. Example: {\"schedule_id\": 5}",
    parameters: &[SCHEDULE],
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
    parameters: &[
        optional(
            "schedule_id",
            Kind::Number,
            "Only deliveries of this schedule.",
            &["5"],
        )
        .also(&["id"]),
        AGENT_FILTER,
        optional(
            "state",
            Kind::Word(&[
                "waiting",
                "sending",
                "unknown",
                "delivered",
                "dead",
                "coalesced",
                "skipped",
                "missed",
                "cancelled",
            ]),
            "Only deliveries in this state.",
            &["dead"],
        ),
        optional(
            "since",
            Kind::Text,
            "Only deliveries meant for this time or later: a time, or how far to go back.",
            &["24h", "2030-01-31T09:00:00Z"],
        ),
        optional(
            "limit",
            Kind::Number,
            "At most this many, 50 if left out.",
            &["50"],
        ),
        optional(
            "offset",
            Kind::Number,
            "Leave out this many at the beginning, for the next page.",
            &["50"],
        ),
    ],
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

async fn list(call: &Call) -> Result<Value> {
    let text = |name: &str| call.arguments.text(name);
    let limit = text("limit").unwrap_or_else(|| USUAL_LIMIT.to_owned());
    let page = input::page(Some(&limit), text("offset").as_deref())?;
    let asked = ListQuery {
        agent_id: input::agent_filter(text("agent_id").as_deref())?,
        all: call.arguments.switch("include_cancelled"),
        full: call.arguments.switch("full"),
        limit: page.limit,
        offset: page.offset,
    };
    to_json(&call.operations.list(&asked).await?)
}

async fn get(call: &Call) -> Result<Value> {
    let shown = call.operations.show(call.schedule_id()?).await?;
    let zone = shown.schedule.timezone.clone();
    let mut answer = to_json(&shown)?;
    answer["timezone"] = zone.into();
    Ok(answer)
}

async fn history(call: &Call) -> Result<Value> {
    let text = |name: &str| call.arguments.text(name);
    let args = HistoryArgs {
        changes: false,
        id: text("schedule_id"),
        agent_id: text("agent_id"),
        state: text("state"),
        since: text("since"),
        limit: Some(text("limit").unwrap_or_else(|| USUAL_LIMIT.to_owned())),
        offset: text("offset"),
    };
    let zone = &call.shared.zone;
    let asked = input::history(&args, zone.name(), call.shared.clock.now())?;
    let history = call.operations.history(&asked).await?;
    let local: Vec<String> = history
        .occurrences
        .iter()
        .map(|o| show_local(o.intended_at, zone))
        .collect();
    let mut answer = to_json(&history)?;
    if let Some(occurrences) = answer["occurrences"].as_array_mut() {
        for (occurrence, local) in occurrences.iter_mut().zip(local) {
            occurrence["intended_at_local"] = json!(local);
        }
    }
    Ok(answer)
}
