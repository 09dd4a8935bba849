//! Delivery: a scheduler built from the settings, with the notifier beside it, and a report of what
//! it did.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{self, Delivery};
use crate::error::{Code, Error, Result};
use crate::letta_client::Targets;
use crate::models::{By, Lifecycle, RunningScheduler, State, Verdict};
use crate::notify::Notifier;
use crate::scheduler::{DeliveryReport, Mode, Scheduler, Settings};
use crate::service::Service;

/// How often a standby checks whether another scheduler is still alive.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(1);

/// How many checks in a row may find no new heartbeat from anybody: the time of three heartbeats,
/// which are due every ten seconds. Checks are counted instead of comparing times, because clocks
/// are adjusted and machines sleep, and neither means that a scheduler is dead.
const PATIENCE: u32 = 30;

/// The heartbeats of other schedulers, as a standby sees them.
#[derive(Default)]
struct Heartbeats {
    seen: Vec<(Uuid, Timestamp)>,
    looks_without: u32,
}

impl Heartbeats {
    /// Whether anybody is working, judging by one more check. A scheduler that holds its lock but
    /// has no new heartbeat hangs.
    fn is_anybody_alive(&mut self, others: &[RunningScheduler]) -> bool {
        let seen: Vec<_> = others.iter().map(|o| (o.owner, o.heartbeat_at)).collect();
        match seen.iter().all(|beat| self.seen.contains(beat)) {
            true => self.looks_without += 1,
            false => self.looks_without = 0,
        }
        self.seen = seen;
        !self.seen.is_empty() && self.looks_without < PATIENCE
    }
}

/// Delivers until `stop`; `poll` is the longest time between two checks of the database, and
/// `reports` receives everything that is settled.
pub(crate) async fn forever(
    service: &Service,
    asked: &config::Settings,
    poll: Option<Duration>,
    notifier: Notifier,
    reports: Option<mpsc::UnboundedSender<DeliveryReport>>,
    stop: CancellationToken,
) -> Result<()> {
    let mut settings = Settings {
        retention: asked.retention,
        ..settings_of(&asked.delivery)
    };
    if let Some(poll) = poll.and_then(|p| SignedDuration::try_from(p).ok()) {
        settings.poll = poll;
    }
    tracing::info!(
        "delivering the schedules of {} to {}",
        service.database().display(),
        addresses(&service.targets)
    );
    let scheduler = scheduler(service, settings, reports)?;
    deliver(scheduler, Mode::Forever, notifier, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Delivers until `stop` while no other scheduler works on the database, and stands by while one
/// does.
pub(crate) async fn when_nobody_else(
    service: &Service,
    asked: &config::Settings,
    stop: CancellationToken,
) -> Result<()> {
    let mut heartbeats = Heartbeats::default();
    loop {
        // Two that start at the same time don't harm each other, nor does one that hung and
        // continues.
        match service.list_schedulers().await {
            Ok(others) if heartbeats.is_anybody_alive(&others) => {}
            Ok(others) => {
                if !others.is_empty() {
                    tracing::warn!("no other scheduler has a heartbeat any more: taking over");
                }
                break;
            }
            Err(e) => tracing::warn!("{}", e.chain()),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = service.clock.sleep(LOOK_FOR_OTHERS) => {}
        }
    }
    let notifier = Notifier::new(service.db.clone(), service.clock.clone(), &asked.notify)?;
    forever(service, asked, None, notifier, None, stop).await
}

/// Tries everything that is due once, and returns the outcome of each.
pub(crate) async fn once(
    service: &Service,
    asked: &config::Settings,
    notifier: Notifier,
    stop: CancellationToken,
) -> Result<Vec<Value>> {
    let (sender, mut reports) = mpsc::unbounded_channel();
    let settings = settings_of(&asked.delivery);
    let scheduler = scheduler(service, settings, Some(sender))?;
    deliver(scheduler, Mode::Once, notifier, stop).await?;
    let mut executed = Vec::new();
    while let Ok(report) = reports.try_recv() {
        executed.push(show(service, report).await?);
    }
    Ok(executed)
}

/// Runs a scheduler with the notifier beside it. The notifier runs once more after the scheduler
/// has ended, so that notices from its shutdown are sent too.
async fn deliver(
    scheduler: Scheduler,
    mode: Mode,
    notifier: Notifier,
    stop: CancellationToken,
) -> Result<()> {
    // What can't be recorded now will be when the database works again; delivery doesn't wait for
    // it.
    if let Err(e) = notifier.listen().await {
        tracing::warn!("notices may be late: {}", e.chain());
    }
    let ended = CancellationToken::new();
    let notifying = tokio::spawn(notifier.run(ended.clone()));
    let ran = run_apart(scheduler, mode, stop).await;
    ended.cancel();
    // The runtime logs a panic in there, and delivery is not affected.
    let _ = notifying.await;
    ran
}

/// Where prompts go, for people.
fn addresses(targets: &Targets) -> String {
    let all: Vec<String> = targets.all().map(|target| target.address()).collect();
    all.join(", ")
}

/// A scheduler with a client of its own, because a connection is driven by the thread that opened
/// it.
fn scheduler(
    service: &Service,
    settings: Settings,
    reports: Option<mpsc::UnboundedSender<DeliveryReport>>,
) -> Result<Scheduler> {
    Ok(Scheduler {
        db: service.db.acting_for(By::scheduler()),
        targets: service.targets.apart()?,
        clock: service.clock.clone(),
        settings,
        zone: service.zone.clone(),
        reports,
    })
}

/// Runs a scheduler and its conversations with Letta on a thread of its own, so that busy faces
/// never make it late.
async fn run_apart(scheduler: Scheduler, mode: Mode, stop: CancellationToken) -> Result<()> {
    let ended = start_apart(scheduler, mode, stop).map_err(|e| {
        let text = "could not start the thread of the scheduler";
        Error::new(Code::Internal, text).caused_by(e)
    })?;
    ended.await.unwrap_or_else(|e| {
        let text = "the scheduler stopped with an internal error";
        Err(Error::new(Code::Internal, text).caused_by(e))
    })
}

/// Starts that thread. The returned receiver gets the result when the thread ends.
fn start_apart(
    scheduler: Scheduler,
    mode: Mode,
    stop: CancellationToken,
) -> std::io::Result<oneshot::Receiver<Result<()>>> {
    let (sender, ended) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("delivers".to_owned());
    thread.spawn(move || {
        let targets = scheduler.targets.clone();
        let ended = runtime.block_on(async {
            let ended = scheduler.run(mode, stop).await;
            targets.leave().await;
            ended
        });
        let _ = sender.send(ended);
        // Don't wait for DNS lookups that are still running.
        runtime.shutdown_background();
    })?;
    Ok(ended)
}

fn settings_of(delivery: &Delivery) -> Settings {
    Settings {
        concurrency: delivery.concurrency,
        retry_first: delivery.retry_first,
        retry_longest: delivery.retry_longest,
        max_age: delivery.max_age,
        once_max_lateness: delivery.once_max_lateness,
        orphaned_run_age: delivery.orphaned_run_age,
        reconcile_deadline: delivery.reconcile_deadline,
        approval_poll: delivery.approval_poll,
        drain: delivery.drain,
        ..Settings::default()
    }
}

/// One attempt with the keys of the Python original, followed by our own.
async fn show(service: &Service, report: DeliveryReport) -> Result<Value> {
    let schedule = match report.schedule_id {
        Some(id) => service.db.get_schedule(id).await?,
        None => None,
    };
    let error = match &report.verdict {
        Verdict::Delivered { .. } => None,
        Verdict::Waiting { fault, .. }
        | Verdict::Unknown { fault, .. }
        | Verdict::Dead { fault } => Some(format!("{}: {}", fault.code, fault.text)),
    };
    let reply = match &report.verdict {
        Verdict::Delivered { reply, .. } => reply.clone(),
        _ => None,
    };
    let schedule = schedule.as_ref();
    Ok(json!({
        "id": report.schedule_id,
        "agent_id": schedule.map(|s| s.agent_id.as_str()),
        "delivered": report.state == State::Delivered,
        "next_run": schedule.filter(|s| s.active).and_then(|s| s.next_run),
        "repetition_count": schedule.map(|s| s.repetitions),
        "max_repetitions": schedule.and_then(|s| s.max_repetitions),
        "completed": schedule.is_some_and(|s| s.lifecycle == Lifecycle::Finished),
        "intended_at": report.intended_at,
        "state": report.state,
        "error": error,
        "reply": reply,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beating(owner: u128, second: i64) -> RunningScheduler {
        RunningScheduler {
            owner: Uuid::from_u128(owner),
            pid: 1,
            started_at: Timestamp::UNIX_EPOCH,
            heartbeat_at: Timestamp::from_second(second).unwrap(),
            holding: None,
        }
    }

    #[test]
    fn a_standby_takes_over_when_nobody_is_left_or_no_heartbeat_is_new() {
        let mut heartbeats = Heartbeats::default();
        assert!(!heartbeats.is_anybody_alive(&[]));
        let hung = beating(1, 5_000);
        assert!(heartbeats.is_anybody_alive(std::slice::from_ref(&hung)));
        for _ in 1..PATIENCE {
            assert!(heartbeats.is_anybody_alive(std::slice::from_ref(&hung)));
        }
        assert!(!heartbeats.is_anybody_alive(std::slice::from_ref(&hung)));
    }

    #[test]
    fn one_new_heartbeat_is_enough_whatever_its_clock_shows() {
        let mut heartbeats = Heartbeats::default();
        let hung = beating(1, 5_000);
        for look in 0..i64::from(PATIENCE) * 10 {
            // It beats at every tenth look, and its clock goes backwards.
            let other = beating(2, -(look / 10));
            assert!(
                heartbeats.is_anybody_alive(&[hung.clone(), other]),
                "{look}"
            );
        }
    }
}
