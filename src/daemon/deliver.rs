//! Delivering: a scheduler built from the settings, the notifier beside it, and what it did.

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

/// How often one that stands by looks whether another scheduler still lives.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(1);

/// How many looks in a row may find no new heartbeat of anybody: three that are due, at one every
/// ten seconds. Looks are counted instead of comparing times, since clocks are set and machines
/// sleep, and neither stops anybody's heart.
const PATIENCE: u32 = 30;

/// The heartbeats of others, as one that stands by sees them.
#[derive(Default)]
struct Pulse {
    seen: Vec<(Uuid, Timestamp)>,
    looks_without: u32,
}

impl Pulse {
    /// Whether anybody works, as far as one more look tells. Who holds its lock and shows no
    /// heartbeat any more hangs.
    fn is_felt(&mut self, others: &[RunningScheduler]) -> bool {
        let seen: Vec<_> = others.iter().map(|o| (o.owner, o.heartbeat_at)).collect();
        match seen.iter().all(|beat| self.seen.contains(beat)) {
            true => self.looks_without += 1,
            false => self.looks_without = 0,
        }
        self.seen = seen;
        !self.seen.is_empty() && self.looks_without < PATIENCE
    }
}

/// Delivers until `stop`; `poll` is the longest time between two looks at the database, and
/// `reports` is told of everything that is settled.
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
    let scheduler = scheduler(service, settings, reports).await?;
    deliver(scheduler, Mode::Forever, notifier, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Delivers until `stop` as long as no other scheduler works on the database, and stands by while
/// one does.
pub(crate) async fn when_nobody_else(
    service: &Service,
    asked: &config::Settings,
    stop: CancellationToken,
) -> Result<()> {
    let mut pulse = Pulse::default();
    loop {
        // Two that begin at the same time are safe beside each other, and so is one that hung and
        // goes on.
        match service.list_schedulers().await {
            Ok(others) if pulse.is_felt(&others) => {}
            Ok(others) => {
                if !others.is_empty() {
                    tracing::warn!("no other scheduler shows a heartbeat any more: taking over");
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

/// Tries everything that is due once, and says what became of each.
pub(crate) async fn once(
    service: &Service,
    asked: &config::Settings,
    notifier: Notifier,
    stop: CancellationToken,
) -> Result<Vec<Value>> {
    let (told, mut reports) = mpsc::unbounded_channel();
    let settings = settings_of(&asked.delivery);
    let scheduler = scheduler(service, settings, Some(told)).await?;
    deliver(scheduler, Mode::Once, notifier, stop).await?;
    let mut executed = Vec::new();
    while let Ok(report) = reports.try_recv() {
        executed.push(show(service, report).await?);
    }
    Ok(executed)
}

/// Runs a scheduler, and beside it the notifier, which gets a last call when the scheduler has
/// ended: what its end brought is told too.
async fn deliver(
    scheduler: Scheduler,
    mode: Mode,
    notifier: Notifier,
    stop: CancellationToken,
) -> Result<()> {
    // What cannot be noted now is when the database works again; nobody's delivery waits for it.
    if let Err(e) = notifier.listen().await {
        tracing::warn!("notices may be late: {}", e.chain());
    }
    let ended = CancellationToken::new();
    let notifying = tokio::spawn(notifier.run(ended.clone()));
    let ran = run_apart(scheduler, mode, stop).await;
    ended.cancel();
    // A fault in there is logged by the runtime, and spoils no delivery.
    let _ = notifying.await;
    ran
}

/// Where prompts go, for people.
fn addresses(targets: &Targets) -> String {
    let all: Vec<String> = targets.all().map(|target| target.address()).collect();
    all.join(", ")
}

/// A scheduler with a client of its own: a connection is served by the thread that has opened it.
async fn scheduler(
    service: &Service,
    settings: Settings,
    reports: Option<mpsc::UnboundedSender<DeliveryReport>>,
) -> Result<Scheduler> {
    service.targets.prepare().await;
    Ok(Scheduler {
        db: service.db.acting_for(By::scheduler()),
        targets: service.targets.apart()?,
        clock: service.clock.clone(),
        settings,
        zone: service.zone.clone(),
        reports,
    })
}

/// Runs a scheduler on a thread of its own, with all its talks: however busy the faces are, it does
/// in time what is to be done.
async fn run_apart(scheduler: Scheduler, mode: Mode, stop: CancellationToken) -> Result<()> {
    let ended = start_apart(scheduler, mode, stop).map_err(|e| {
        let text = "could not start the thread of the scheduler";
        Error::new(Code::Internal, text).caused_by(e)
    })?;
    ended.await.unwrap_or_else(|e| {
        let text = "the scheduler ended by an internal fault";
        Err(Error::new(Code::Internal, text).caused_by(e))
    })
}

/// Starts that thread. Returns what will tell how it ended.
fn start_apart(
    scheduler: Scheduler,
    mode: Mode,
    stop: CancellationToken,
) -> std::io::Result<oneshot::Receiver<Result<()>>> {
    let (told, ended) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("delivers".to_owned());
    thread.spawn(move || {
        let targets = scheduler.targets.clone();
        let ended = runtime.block_on(async {
            let ended = scheduler.run(mode, stop).await;
            targets.leave().await;
            ended
        });
        let _ = told.send(ended);
        // Nobody waits for an address that is still being looked up.
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

/// One try with the Python original's keys, and what is ours after them.
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
    fn one_that_stands_by_takes_over_when_nobody_is_left_or_no_heart_beats_any_more() {
        let mut pulse = Pulse::default();
        assert!(!pulse.is_felt(&[]));
        let hung = beating(1, 5_000);
        assert!(pulse.is_felt(std::slice::from_ref(&hung)));
        for _ in 1..PATIENCE {
            assert!(pulse.is_felt(std::slice::from_ref(&hung)));
        }
        assert!(!pulse.is_felt(std::slice::from_ref(&hung)));
    }

    #[test]
    fn one_heart_that_beats_is_enough_whatever_its_clock_shows() {
        let mut pulse = Pulse::default();
        let hung = beating(1, 5_000);
        for look in 0..i64::from(PATIENCE) * 10 {
            // It beats at every tenth look, and its clock goes backwards.
            let other = beating(2, -(look / 10));
            assert!(pulse.is_felt(&[hung.clone(), other]), "{look}");
        }
    }
}
