//! The commands that deliver: one pass, a loop, and the daemon.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::commands::reply;
use super::output::Reply;
use super::{Context, deliver, mcp};
use crate::config::Settings;
use crate::error::{Code, Error, Result};
use crate::letta_client::{ErrorClass, Refusal, RefusalKind};
use crate::mcp::tools::LONGEST_WAIT;
use crate::notify::Notifier;
use crate::server::{self, Metrics};
use crate::service::Service;

/// The longest that a call through the plugin waits for turns that go on when its time is over.
const LONGEST_DRAIN: SignedDuration = SignedDuration::from_secs(5);

/// Delivers what is due, once. Through the plugin somebody waits for the answer, so it comes within
/// the time that MCP clients have for it.
pub(super) async fn execute(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let stop = stopped_by_signal()?;
    let json = match ctx.settings.plugin {
        None => execute_once(&service, &ctx.settings, stop).await?,
        Some(_) => execute_within(LONGEST_WAIT, &service, &ctx.settings, stop).await?,
    };
    let text = json["message"].as_str().unwrap_or_default().to_owned();
    reply(&json, text)
}

/// The same, but answers within a time. What is on its way then is left to be looked for, as at
/// every stop.
async fn execute_within(
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
        "{done}; it took too long to wait for more: history shows what becomes of what is on its \
         way, and what is still due stays due"
    )
    .into();
    Ok(json)
}

/// Delivers what is due, once, and says what became of each.
pub(super) async fn execute_once(
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
        // The note tells how it began; what stands in the way by now may be something else.
        let why = service.letta.check().await.err().unwrap_or_else(|| {
            let class = ErrorClass::from_word(&held.code).unwrap_or(ErrorClass::Unreachable);
            Refusal::new(RefusalKind::TargetTrouble, class, &held.reason)
        });
        return Err(why.into_error("deliver what is due, which stays due"));
    }
    let message = format!("{} prompts executed", executed.len());
    let mut json = json!({ "status": "success", "message": message, "executed": executed });
    let halted = status
        .halted
        .map(|halt| format!("{halt}, so nothing was sent: promptyoself halt --off lets it go on"));
    if let Some(halted) = &halted {
        json["warning"] = halted.as_str().into();
    }
    Ok(json)
}

/// Runs the scheduler until it is told to stop.
pub(super) async fn serve(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let notifier = ctx.notifier(&service)?;
    let stop = stopped_by_signal()?;
    let (told, mut outcomes) = mpsc::unbounded_channel();
    if let Err(e) = service.db.recount_schedules().await {
        tracing::warn!("{}; the metrics may tell another number", e.chain());
    }
    let metrics = Metrics::default();
    let counted = metrics.clone();
    tokio::spawn(async move {
        while let Some(outcome) = outcomes.recv().await {
            counted.count(&outcome);
        }
    });
    let settings = &ctx.settings;
    let tools = mcp::tools_here(ctx, &service, stop.clone());
    let serving = server::start(&settings.server, &service, metrics, tools, stop.clone()).await?;
    let delivered =
        deliver::forever(&service, settings, None, notifier, Some(told), stop.clone()).await;
    stop.cancel();
    serving.await;
    delivered?;
    completed()
}

pub(super) async fn execute_loop(ctx: &Context, poll: std::time::Duration) -> Result<Reply> {
    let service = ctx.service().await?;
    let notifier = ctx.notifier(&service)?;
    let stop = stopped_by_signal()?;
    deliver::forever(&service, &ctx.settings, Some(poll), notifier, None, stop).await?;
    completed()
}

fn completed() -> Result<Reply> {
    let message = "Scheduler loop completed";
    Reply::new(&json!({ "status": "success", "message": message }), message)
}

/// A token that SIGTERM and SIGINT cancel.
pub(super) fn stopped_by_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    cancel_by_signal(stop.clone())
        .map_err(|e| Error::new(Code::Internal, "could not listen for signals").caused_by(e))?;
    Ok(stop)
}

#[cfg(unix)]
fn cancel_by_signal(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

#[cfg(not(unix))]
fn cancel_by_signal(stop: CancellationToken) -> std::io::Result<()> {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
