//! When a time would run, without creating a schedule.

use jiff::Timestamp;

use super::answers::{Previewed, PreviewedRun, Success};
use super::planning::{Planning, When, plan};
use super::views::show_local;
use super::{Service, bounds};
use crate::error::Result;
use crate::schedule::{Zone, in_words};

impl Service {
    /// The next `count` runs of a time.
    ///
    /// # Errors
    /// Those of registering it.
    pub async fn preview(&self, when: &When, count: usize) -> Result<Previewed> {
        preview(when, count, &self.zone, self.now())
    }
}

/// The next `count` runs of a time; `zone` applies if it names none. It needs neither the database
/// nor Letta.
///
/// # Errors
/// Those of registering it.
pub fn preview(asked: &When, count: usize, zone: &Zone, now: Timestamp) -> Result<Previewed> {
    bounds::when(asked)?;
    let Planning {
        plan,
        timetable,
        mut notes,
    } = plan(asked, &asked.zone(zone, now)?, now)?;
    let left = plan.max_repetitions.and_then(|n| u64::try_from(n).ok());
    notes.extend(timetable.surprises(plan.next_run, left, now));
    let most = plan.max_repetitions.and_then(|m| usize::try_from(m).ok());
    let next_runs = timetable.upcoming(plan.next_run, most.unwrap_or(count).min(count));
    let run = |utc: Timestamp| PreviewedRun {
        utc,
        local: show_local(utc, &timetable.zone),
    };
    Ok(Previewed {
        status: Success::Success,
        runs: next_runs.into_iter().map(run).collect(),
        timezone: timetable.zone.name().to_owned(),
        describes: timetable.describe(),
        understood: in_words(&timetable, plan.next_run, Some(now)),
        notes,
        now,
    })
}
