//! MCP on standard input and output, with delivery beside it, and what the tools of `serve` need.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::signals::stopped_by_signal;
use super::{deliver, execute};
use crate::clock::{Clock, doubled};
use crate::config::{RemoteSettings, Settings};
use crate::error::Result;
use crate::mcp::{self, Backend, Executor, Shared};
use crate::models::Caller;
use crate::remote::Remote;
use crate::schedule::Zone;
use crate::service::Service;

/// The first and the longest wait before a scheduler that failed is started again.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// How long recording the results of a manual delivery may take at the end, after waiting for
/// turns.
const LAST_NOTES: SignedDuration = SignedDuration::from_secs(2);

/// Delivers on request, in the database that this process has opened.
struct LocalExecutor {
    service: Service,
    settings: Settings,
    /// Held while a pass is running.
    alone: Mutex<()>,
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn execute(&self, stop: CancellationToken) -> Result<Value> {
        let Ok(_alone) = self.alone.try_lock() else {
            return Ok(json!({
                "status": "success",
                "message": "An earlier call is still delivering what is due, so no second pass was \
                 started: promptyoself_history shows the outcome",
                "executed": [],
            }));
        };
        execute::execute_once(&self.service, &self.settings, stop).await
    }
}

/// What tools need if the schedules are in our own database.
pub(crate) fn tools_here(
    settings: &Settings,
    service: &Service,
    stop: CancellationToken,
) -> Shared {
    Shared {
        backend: Backend::Here(Box::new(service.clone())),
        executor: Some(Arc::new(LocalExecutor {
            service: service.clone(),
            settings: settings.clone(),
            alone: Mutex::default(),
        })),
        clock: service.clock.clone(),
        zone: service.zone.clone(),
        default_agent: settings.default_agent.clone(),
        agent_shell: settings.agent_shell.clone(),
        settings: settings.mcp.clone(),
        letta_url: settings.targets.default.url.clone(),
        has_letta_key: settings.targets.default.key.is_some(),
        stop,
        calls: TaskTracker::new(),
    }
}

/// Delivers beside the tools until `stop`. A scheduler that fails is logged at once and restarted
/// after a while: the client that started us notices nothing.
async fn keep_delivering(service: Service, settings: Settings, stop: CancellationToken) {
    let clock = service.clock.clone();
    try_again(&clock, &stop.clone(), || {
        let (service, settings, stop) = (service.clone(), settings.clone(), stop.clone());
        async move { deliver::when_nobody_else(&service, &settings, stop).await }
    })
    .await;
}

/// Runs what `start` returns until it ends without an error, or until `stop`.
async fn try_again<F>(clock: &Clock, stop: &CancellationToken, start: impl Fn() -> F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    for tries in 0.. {
        // In a task of its own, so that a panic ends only this try.
        match tokio::spawn(start()).await {
            Ok(Ok(())) => return,
            Ok(Err(e)) => tracing::error!("delivery stopped: {}", e.chain()),
            Err(_) => tracing::error!("delivery stopped with an internal error"),
        }
        let wait = doubled(FIRST_WAIT, tries, LONGEST_WAIT);
        tracing::info!("delivery is retried in {wait:#}");
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(wait.unsigned_abs()) => {}
        }
    }
}

/// Waits a moment for the first heartbeat of a scheduler; without it, the first answers would warn
/// that there is none.
async fn until_somebody_delivers(service: &Service) {
    for _ in 0..50 {
        let living = service.list_schedulers().await;
        if living.is_ok_and(|s| !s.is_empty()) {
            return;
        }
        service.clock.sleep(Duration::from_millis(10)).await;
    }
}

/// What tools need if a server keeps the schedules and delivers.
fn tools_elsewhere(
    settings: &Settings,
    clock: &Clock,
    remote: &RemoteSettings,
    stop: CancellationToken,
) -> Result<Shared> {
    // A model chooses the arguments, whoever started this process.
    let server = Remote::new(remote, Caller::SomeAgent, clock.clone())?;
    Ok(Shared {
        backend: Backend::Elsewhere(Arc::new(server)),
        executor: None,
        clock: clock.clone(),
        zone: Zone::parse(&settings.timezone)?,
        default_agent: settings.default_agent.clone(),
        agent_shell: settings.agent_shell.clone(),
        settings: settings.mcp.clone(),
        letta_url: settings.targets.default.url.clone(),
        has_letta_key: settings.targets.default.key.is_some(),
        stop,
        calls: TaskTracker::new(),
    })
}

/// Serves MCP over stdio on behalf of a server that keeps the schedules and delivers, until the
/// client leaves or the process is told to stop.
pub(crate) async fn speak_mcp_for(
    remote: &RemoteSettings,
    settings: &Settings,
    clock: &Clock,
) -> Result<()> {
    let stop = stopped_by_signal()?;
    let tools = tools_elsewhere(settings, clock, remote, stop.clone())?;
    mcp::stdio::serve(tools, stop).await
}

/// Serves MCP over stdio until the client leaves or the process is told to stop, and delivers
/// beside it unless another scheduler does.
pub(crate) async fn speak_mcp(service: &Service, settings: &Settings) -> Result<()> {
    let stop = stopped_by_signal()?;
    let delivering = match settings.mcp.delivers {
        true => {
            let (service, settings) = (service.clone(), settings.clone());
            Some(tokio::spawn(keep_delivering(
                service,
                settings,
                stop.clone(),
            )))
        }
        false => None,
    };
    if delivering.is_some() {
        until_somebody_delivers(service).await;
    }
    let tools = tools_here(settings, service, stop.clone());
    let calls = tools.calls.clone();
    let spoken = mcp::stdio::serve(tools, stop.clone()).await;
    stop.cancel();
    calls.close();
    let drain = settings.delivery.drain.saturating_add(LAST_NOTES);
    tokio::select! {
        () = calls.wait() => {}
        () = service.clock.sleep(drain.unsigned_abs()) => {}
    }
    if let Some(delivering) = delivering {
        // It reports its errors itself.
        let _ = delivering.await;
    }
    spoken
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::error::{Code, Error};

    #[tokio::test]
    async fn a_scheduler_that_fails_or_panics_is_tried_again_after_longer_and_longer_waits() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let (sender, mut started) = tokio::sync::mpsc::unbounded_channel();
        let tries = Arc::new(AtomicUsize::new(0));
        let trying = tokio::spawn({
            let clock = clock.clone();
            async move {
                let start = || {
                    let (sender, clock, tries) = (sender.clone(), clock.clone(), tries.clone());
                    async move {
                        sender.send(clock.now().as_second()).unwrap();
                        match tries.fetch_add(1, Ordering::Relaxed) {
                            0 => panic!("on purpose"),
                            1 => Err(Error::new(Code::Internal, "on purpose")),
                            _ => Ok(()),
                        }
                    }
                };
                try_again(&clock, &CancellationToken::new(), start).await;
            }
        });
        let mut seen = vec![started.recv().await.unwrap()];
        while seen.len() < 3 {
            // Any wait that has begun by now ends with one of these steps.
            clock.advance(SignedDuration::from_millis(500));
            tokio::task::yield_now().await;
            seen.extend(started.try_recv());
        }
        trying.await.unwrap();
        assert_eq!(seen[0], 0);
        assert!(seen[1] >= 1 && seen[2] - seen[1] >= 2, "{seen:?}");
    }

    #[tokio::test]
    async fn whoever_is_told_to_stop_waits_for_no_other_try() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let stop = CancellationToken::new();
        stop.cancel();
        try_again(&clock, &stop, || async {
            Err(Error::new(Code::Internal, "on purpose"))
        })
        .await;
    }
}
