//! Runs by hand: one occurrence at once, which leaves the schedule's own instants as they are.

use jiff::{SignedDuration, Timestamp};

use super::attempts::{request_of, store_payload};
use super::changes::{About, note_change};
use super::locks::{lock_schedule, lock_schedule_as_it_is};
use super::requests::{effect_of, record_effect};
use crate::clock::SAME;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::manual::{self, Run};
use crate::error::Result;
use crate::models::{AgentId, Lane, Lifecycle, Operation, PromptSchedule, RequestKey};

/// What became of a wish to run a schedule by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It is to be sent as this occurrence.
    New(i64),
    /// A run by hand that was asked for before waits to be sent: it is this occurrence.
    Waiting(i64),
    /// A schedule that stands like this can't be run.
    NotRunnable(Lifecycle),
    /// Its prompt was purged, so there is nothing to send.
    NoPrompt,
}

impl Db {
    /// How many runs by hand were asked for of an agent from a time on.
    pub async fn count_runs_by_hand(&self, agent: &AgentId, since: Timestamp) -> Result<i64> {
        let agent = agent.to_owned();
        self.read("count the runs by hand", move |tx| {
            Ok(manual::count(tx, &agent, since)?)
        })
        .await
    }

    /// Queues one run of a schedule for the next free moment of its lane. The prompt is frozen as
    /// it is now. `None` if there is none of this id. A request that was carried out before is
    /// answered with what it came to.
    pub async fn queue_run(
        &self,
        id: i64,
        lane_of: impl Fn(&PromptSchedule) -> Result<Lane> + Send + 'static,
        request: Option<&RequestKey>,
        now: Timestamp,
    ) -> Result<Option<Queued>> {
        let request = request.cloned();
        let db = self.clone();
        self.write("queue a run by hand", move |tx| {
            let request = request.as_ref();
            lock_schedule_as_it_is(tx, id)?;
            if let Some(done) = effect_of(tx, request)? {
                return Ok(Some(Queued::New(done)));
            }
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            let queued = match schedule.lifecycle {
                Lifecycle::Cancelled | Lifecycle::Broken => Queued::NotRunnable(schedule.lifecycle),
                _ if schedule.prompt_text.trim().is_empty() => Queued::NoPrompt,
                Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished => {
                    let lane = lane_of(&schedule)?;
                    queue(tx, &schedule, &lane, now)?
                }
            };
            if let Queued::New(occurrence) | Queued::Waiting(occurrence) = queued {
                record_effect(tx, request, occurrence)?;
            }
            if let Queued::New(occurrence) = queued {
                let what = format!("occurrence {occurrence}");
                let (about, what) = (About::schedule(&schedule), Some(what.as_str()));
                note_change(tx, &db.by, Operation::Run, about, what, now)?;
            }
            Ok(Some(queued))
        })
        .await
    }
}

fn queue(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    lane: &Lane,
    now: Timestamp,
) -> sql::Result<Queued> {
    let (uid, agent_id) = (schedule.uid, schedule.agent_id.trim());
    // Whoever gets no answer asks twice.
    if let Some(id) = manual::find_waiting(tx, uid, agent_id)? {
        return Ok(Queued::Waiting(id));
    }
    // A false clock may have left later ones.
    let until = now.checked_add(SAME).unwrap_or(now);
    let last = manual::fetch_latest(tx, uid, until)?;
    // An instant of its own, whatever the clock says.
    let after_last = last.and_then(|t| t.checked_add(SignedDuration::from_micros(1)).ok());
    let intended_at = after_last.map_or(now, |t| t.max(now));
    let Some(body) = request_of(tx, schedule)? else {
        return Ok(Queued::NoPrompt);
    };
    let hash = store_payload(tx, &body)?;
    let run = Run {
        uid,
        agent_id,
        intended_at,
        lane,
        payload: &hash,
    };
    Ok(Queued::New(manual::insert(tx, &run, now)?))
}
