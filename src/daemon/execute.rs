//! Delivering without a server: once, or until the process is told to stop.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::deliver;
use super::signals::stopped_by_signal;
use crate::config::Settings;
use crate::error::Result;
use crate::letta_client::{ErrorClass, Refusal, RefusalKind};
use crate::notify::Notifier;
use crate::service::Service;

/// The longest that a call with a deadline waits for running turns when its time is over.
const LONGEST_DRAIN: SignedDuration = SignedDuration::from_secs(5);

/// Delivers what is due, once, and answers within a time limit. Prompts still being sent then are
/// reconciled later, as after every stop.
pub(crate) async fn execute_within(
    limit: Duration,
    service: &Service,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<Value> {
    let mut settings = settings.clone();
    settings.delivery.drain = settings.delivery.drain.min(LONGEST_DRAIN);
    let drain = Duration::try_from(settings.delivery.drain).unwrap_or_default();
    let pass = execute_once(service, &settings, stop.clone());
    tokio::pin!(pass);
    tokio::select! {
        done = &mut pass => return done,
        () = service.clock.sleep(limit.saturating_sub(drain)) => stop.cancel(),
    }
    let mut json = pass.await?;
    let done = json["message"].as_str().unwrap_or_default();
    json["message"] = format!(
        "{done}; stopped waiting at the time limit: history shows the outcome of prompts already \
         sent, and the rest stays due"
    )
    .into();
    Ok(json)
}

/// Delivers what is due, once, and returns the outcome of each.
pub(crate) async fn execute_once(
    service: &Service,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<Value> {
    let notifier = Notifier::new(service.db.clone(), service.clock.clone(), &settings.notify)?;
    let executed = deliver::once(service, settings, notifier, stop).await?;
    let status = service.status().await?;
    if executed
        .iter()
        .all(|e| e["delivered"] == Value::Bool(false))
        && let Some(held) = status.held.first()
    {
        // The note says how the trouble began; the cause may be another by now.
        let why = service.letta.check().await.err().unwrap_or_else(|| {
            let class = ErrorClass::from_word(&held.code).unwrap_or(ErrorClass::Unreachable);
            Refusal::new(RefusalKind::TargetTrouble, class, &held.reason)
        });
        return Err(why.into_error("deliver what is due (it stays due)", &service.letta.name()));
    }
    let message = format!("{} prompts executed", executed.len());
    let mut json = json!({ "status": "success", "message": message, "executed": executed });
    let halts = status.halted.iter().chain(&status.halted_targets);
    let halted: Vec<String> = halts
        .map(|halt| match &halt.target {
            Some(target) => format!(
                "{halt}, so nothing was sent there: promptyoself halt --off --target {target} starts \
                 delivery again"
            ),
            None => format!(
                "{halt}, so nothing was sent: promptyoself halt --off starts delivery again"
            ),
        })
        .collect();
    if !halted.is_empty() {
        json["warning"] = halted.join("; and ").into();
    }
    Ok(json)
}

/// Delivers until the process is told to stop; `poll` is the longest time between two checks of the
/// database.
pub(crate) async fn execute_loop(
    service: &Service,
    settings: &Settings,
    poll: Duration,
) -> Result<()> {
    let notifier = Notifier::new(service.db.clone(), service.clock.clone(), &settings.notify)?;
    let stop = stopped_by_signal()?;
    deliver::forever(service, settings, Some(poll), notifier, None, stop).await
}

#[cfg(test)]
mod tests;
