//! Tools that tell whether anything is being delivered, and the one that delivers by hand.

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

/// How long a call waits for what it delivers: clients give up after a minute, and turns are long.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Those of this file.
pub(super) fn tools() -> Vec<Definition> {
    vec![executor_status_tool(), execute_tool(), health_tool()]
}

fn executor_status_tool() -> Definition {
    Definition {
        name: "promptyoself_executor_status",
        title: "Show whether prompts are being delivered",
        description: "Show whether a scheduler is running, so that what is scheduled is delivered \
                by itself, and if not, why. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"ok\""),
            key("running", Shape::Truth, "Whether a scheduler is running"),
            nullable(
                "interval",
                Shape::Whole,
                "null: nothing is polled for, each prompt is sent at its own time",
            ),
            key("schedulers", Shape::Objects, "The schedulers that run"),
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
        description: "Deliver every prompt that is due now, in one pass, and say what became of \
                each. This is not needed where a scheduler runs: \
                promptyoself_executor_status says whether one does. It never loops. Only for \
                the operator. Example: {}"
            .to_owned(),
        parameters: vec![takes(&LOOP), takes(&INTERVAL)],
        answers: vec![
            key("status", Shape::Text, "\"success\" if it was done"),
            key("message", Shape::Text, "What was done, in words"),
            key(
                "executed",
                Shape::Objects,
                "What became of each prompt that was tried",
            ),
            key("note", Shape::Text, "What was asked for and not done"),
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
        description: "Show that this server answers, what it is configured to speak to, and what \
                time it is there. It asks neither Letta nor the database: promptyoself_test \
                does. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"healthy\""),
            key("version", Shape::Text, "The version of promptyoself"),
            key("letta_base_url", Shape::Text, "Where Letta is"),
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
                "Whether a server over stdio delivers when nobody else does",
            ),
            nullable(
                "executor_interval",
                Shape::Whole,
                "null: nothing is polled for",
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
            // Letta is away; whether anybody delivers, a list tells too.
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
            "the schedules are kept and delivered by a server on another machine, so nothing can be \
             delivered from here: promptyoself_executor_status says whether it delivers",
        )
        .example(Example::Json(json!({ "tool": "promptyoself_executor_status", "arguments": {} }))));
    };
    let stop = call.shared.stop.child_token();
    // On a task of its own: a client that gives up does not cut a turn short.
    let pass = call
        .shared
        .calls
        .spawn(async move { executor.execute(stop).await });
    let mut answer = tokio::select! {
        done = pass => done.map_err(|e| {
            Error::new(Code::Internal, "delivering ended with a fault").caused_by(e)
        })??,
        () = call.shared.clock.sleep(LONGEST_WAIT) => json!({
            "status": "success",
            "message": "Prompts are on their way, and their agents are still at it: \
                        promptyoself_history shows what becomes of them",
            "executed": [],
        }),
    };
    if call.arguments.switch("loop") {
        answer["note"] =
            "one pass was made: a call that loops would never answer. A scheduler that \
                          runs all the time is started with promptyoself serve"
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
