//! Tools that show whether prompts are being delivered, and one that delivers them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Code, Error, Example, Result};
use crate::mcp::answers::{Shape, key, nullable};
use crate::mcp::call::{Backend, Call};
use crate::mcp::definition::{Definition, Work};
use crate::operations::definition::Effect;
use crate::operations::field::takes;
use crate::operations::fields::{CLOCK, INTERVAL, LIMIT, LOOP};
use crate::operations::{LIST, TEST, Values};

/// How long a call waits for its deliveries: clients give up after a minute, and turns are long.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// The tools in this file.
pub(super) fn tools() -> Vec<Definition> {
    vec![executor_status_tool(), execute_tool(), health_tool()]
}

fn executor_status_tool() -> Definition {
    Definition {
        name: "promptyoself_executor_status",
        title: "Show whether prompts are being delivered",
        description: "Show whether a scheduler is running, and if not, why prompts are not being \
            delivered. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"ok\""),
            key("running", Shape::Truth, "Whether a scheduler is running"),
            nullable("interval", Shape::Whole, "Always null: there is no polling"),
            key("schedulers", Shape::Objects, "The running schedulers"),
            key(
                "warning",
                Shape::Text,
                "What keeps prompts from being delivered: show it to the user",
            ),
        ],
        effect: Effect::Reads,
        is_operators: false,
        work: Work::Own(|call| Box::pin(executor_status(call))),
    }
}

fn execute_tool() -> Definition {
    Definition {
        name: "promptyoself_execute",
        title: "Deliver what is due now",
        description: "Deliver every prompt that is due, once, and report the outcome of each. Not needed if a scheduler is running (promptyoself_executor_status shows that). Operator only. Example: {}"
            .to_owned(),
        parameters: vec![takes(&LOOP), takes(&INTERVAL)],
        answers: vec![
            key("status", Shape::Text, "\"success\""),
            key("message", Shape::Text, "A message for people"),
            key(
                "executed",
                Shape::Objects,
                "The outcome of each prompt",
            ),
            key("note", Shape::Text, "What was asked for but not done"),
            key(
                "warning",
                Shape::Text,
                "What keeps prompts from being delivered: show it to the user",
            ),
        ],
        effect: Effect::Acts,
        is_operators: true,
        work: Work::Own(|call| Box::pin(execute(call))),
    }
}

fn health_tool() -> Definition {
    Definition {
        name: "health",
        title: "Health of this server",
        description: "Show that this server answers, how it is configured, and its current time. \
            It contacts neither Letta nor the database; use promptyoself_test for that. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"healthy\""),
            key("version", Shape::Text, "The version of promptyoself"),
            key("letta_base_url", Shape::Text, "Letta's address"),
            nullable(
                "db",
                Shape::Text,
                "The database; null for an agent, or if it is elsewhere",
            ),
            key(
                "auth_set",
                Shape::Truth,
                "Whether a key or password for Letta is set",
            ),
            key(
                "executor_autostart",
                Shape::Truth,
                "Whether a server over stdio delivers if no other scheduler does",
            ),
            nullable(
                "executor_interval",
                Shape::Whole,
                "Always null: there is no polling",
            ),
        ],
        effect: Effect::Reads,
        is_operators: false,
        work: Work::Own(|call| Box::pin(health(call))),
    }
}

async fn executor_status(call: &Call) -> Result<Value> {
    let nothing = Values::default();
    let (running, schedulers, warning) = match &call.shared.backend {
        Backend::Here(service) => {
            let status = service.status().await?;
            let schedulers: Vec<Value> = status
                .schedulers
                .iter()
                .map(|s| json!({ "started_at": s.started_at, "heartbeat_at": s.heartbeat_at }))
                .collect();
            (
                json!(!schedulers.is_empty()),
                json!(schedulers),
                status.warning(),
            )
        }
        Backend::Elsewhere(operations) => match operations.ask(&TEST, &nothing).await {
            Ok(tested) => {
                let running = tested["schedulers"]
                    .as_array()
                    .is_some_and(|s| !s.is_empty());
                let warning = tested["warning"].as_str().map(str::to_owned);
                (json!(running), tested["schedulers"].clone(), warning)
            }
            // Letta can't be reached; a list also shows whether anybody is delivering.
            Err(_) => {
                let one = Values::default().with(&LIMIT, 1);
                let listed = operations.ask(&LIST, &one).await?;
                let warning = listed["warning"].as_str().map(str::to_owned);
                (json!(warning.is_none()), json!([]), warning)
            }
        },
    };
    let mut answer = json!({
        "status": "ok",
        "running": running,
        "interval": null,
        "schedulers": schedulers,
    });
    if let Some(warning) = warning {
        answer["warning"] = warning.into();
    }
    Ok(answer)
}

async fn execute(call: &Call) -> Result<Value> {
    let Some(executor) = call.shared.executor.clone() else {
        return Err(Error::new(
            Code::NotPermitted,
            "a server on another machine keeps and delivers the schedules, so nothing can be \
             delivered from here: promptyoself_executor_status shows whether it is running",
        )
        .example(Example::Json(
            json!({ "tool": "promptyoself_executor_status", "arguments": {} }),
        )));
    };
    let stop = call.shared.stop.child_token();
    // In a task of its own: a client that gives up must not cut a turn short.
    let pass = call
        .shared
        .calls
        .spawn(async move { executor.execute(stop).await });
    let mut answer = tokio::select! {
        done = pass => done.map_err(|e| {
            Error::new(Code::Internal, "delivery stopped with an internal error").caused_by(e)
        })??,
        () = call.shared.clock.sleep(LONGEST_WAIT) => json!({
            "status": "success",
            "message": "Prompts have been sent and their agents are still working: \
             promptyoself_history shows the outcome",
            "executed": [],
        }),
    };
    if call.arguments.switch("loop") {
        answer["note"] =
            "only one pass was made, because a looping call would never return. Run promptyoself \
             serve for a permanent scheduler"
                .into();
    }
    Ok(answer)
}

async fn health(call: &Call) -> Result<Value> {
    let shared = &call.shared;
    let database = match &shared.backend {
        Backend::Here(service) if call.caller.scope().is_none() => {
            Some(service.database().display().to_string())
        }
        _ => None,
    };
    Ok(json!({
        "status": "healthy",
        "version": env!("CARGO_PKG_VERSION"),
        "letta_base_url": shared.letta_url,
        "db": database,
        "auth_set": shared.has_letta_key,
        "executor_autostart": shared.settings.delivers,
        "executor_interval": null,
    }))
}
