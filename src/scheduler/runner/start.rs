//! Checks the clock at startup, before anything is decided by it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::Scheduler;
use super::super::core::Event;
use super::super::guard::ClockAtStart;
use super::message::Message;
use crate::clock::{
    ClockDoubt, KnownTimes, ReferenceClocks, TargetTime, assess_clock, needs_reference_clock,
};
use crate::error::{Result, call};

/// How long to wait before retrying a database that fails.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Checks the clock for a scheduler that keeps running. If necessary the target is asked for the
/// time in the background, and its answer is an event.
pub(super) async fn look_at_clock(
    scheduler: &Scheduler,
    stop: &CancellationToken,
    messages: &mpsc::UnboundedSender<Message>,
) -> ClockAtStart {
    let Scheduler { db, clock, .. } = scheduler;
    let known = loop {
        match db.known_times().await {
            Ok(known) => break known,
            Err(e) => tracing::error!("{}; retrying until it works", e.chain()),
        }
        tokio::select! {
            () = stop.cancelled() => return ClockAtStart::trusted(clock.reading()),
            () = clock.sleep(ASK_AGAIN) => {}
        }
    };
    let reading = clock.reading();
    let references = ReferenceClocks {
        synchronised: clock.is_synchronised(),
        target: None,
    };
    let start = ClockAtStart {
        doubt: assess_clock(&reading, &known, &references),
        asks: needs_reference_clock(&reading, &known),
        known,
        reading,
    };
    if start.asks {
        let (scheduler, messages) = (scheduler.clone(), messages.clone());
        let known = start.known.clone();
        tokio::spawn(async move {
            let doubt = ask(&scheduler, &known).await;
            let _ = messages.send(Message::Event(Event::ClockAssessed(doubt)));
        });
    }
    start
}

/// Checks the clock for a scheduler that runs once. It can't wait until the clock has been steady:
/// the next run can, because this one records that it was in doubt.
///
/// # Errors
/// [`Code::ClockInDoubt`](crate::error::Code::ClockInDoubt), and those of the database.
pub(super) async fn refuse_doubt(
    scheduler: &Scheduler,
    stop: &CancellationToken,
) -> Result<ClockAtStart> {
    let Scheduler { db, clock, .. } = scheduler;
    let known = db.known_times().await?;
    let doubt = match needs_reference_clock(&clock.reading(), &known) {
        true => tokio::select! {
            doubt = ask(scheduler, &known) => doubt,
            () = stop.cancelled() => None,
        },
        false => None,
    };
    let reading = clock.reading();
    let Some(doubt) = doubt else {
        return Ok(ClockAtStart::trusted(reading));
    };
    db.note_doubt(&reading, &known).await?;
    Err(doubt.refuse("nothing was sent", call("execute")))
}

/// Asks the target for the time, and judges our clock by it.
async fn ask(scheduler: &Scheduler, known: &KnownTimes) -> Option<ClockDoubt> {
    let Scheduler { targets, clock, .. } = scheduler;
    let target = targets.default_target();
    let date = target.check().await.ok().and_then(|info| info.date);
    let references = ReferenceClocks {
        synchronised: clock.is_synchronised(),
        target: date.map(|at| TargetTime {
            at,
            is_ours: target.is_local(),
        }),
    };
    assess_clock(&clock.reading(), known, &references)
}
