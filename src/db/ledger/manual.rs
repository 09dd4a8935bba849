//! Manual runs: an extra occurrence now, which leaves the schedule's own instants unchanged.

use jiff::{SignedDuration, Timestamp};

use super::attempts::{request_of, store_payload};
use super::changes::{About, note_change};
use super::current::lock_schedule;
use super::locks::lock_schedule_as_it_is;
use super::requests::{effect_of, record_effect};
use crate::clock::SAME;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::manual::{self, Run};
use crate::error::Result;
use crate::models::{AgentAt, Lane, Lifecycle, ManualRun, Operation, PromptSchedule, RequestKey};

impl Db {
    /// How many manual runs were requested for an agent since a time.
    pub async fn count_runs_by_hand(&self, agent: &AgentAt, since: Timestamp) -> Result<i64> {
        let agent = agent.to_owned();
        self.read("count the runs by hand", move |tx| {
            Ok(manual::count(tx, &agent, since)?)
        })
        .await
    }

    /// Queues one run of a schedule for when its lane is free. The prompt is fixed now. `None` if
    /// there is no schedule with this id. A repeated request returns what the first one did.
    pub async fn queue_run(
        &self,
        id: i64,
        lane_of: impl Fn(&PromptSchedule) -> Result<Lane> + Send + 'static,
        request: Option<&RequestKey>,
        now: Timestamp,
    ) -> Result<Option<ManualRun>> {
        let request = request.cloned();
        let db = self.clone();
        self.write("queue a manual run", move |tx| {
            let request = request.as_ref();
            lock_schedule_as_it_is(tx, id)?;
            if let Some(done) = effect_of(tx, request)? {
                return Ok(Some(ManualRun::New(done)));
            }
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            let queued = match schedule.lifecycle {
                Lifecycle::Cancelled | Lifecycle::Broken => {
                    ManualRun::NotRunnable(schedule.lifecycle)
                }
                _ if schedule.prompt_text.trim().is_empty() => ManualRun::NoPrompt,
                Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished => {
                    let lane = lane_of(&schedule)?;
                    queue(tx, &schedule, &lane, now)?
                }
            };
            if let ManualRun::New(occurrence) | ManualRun::Waiting(occurrence) = queued {
                record_effect(tx, request, occurrence)?;
            }
            if let ManualRun::New(occurrence) = queued {
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
) -> sql::Result<ManualRun> {
    let (uid, agent_id) = (schedule.uid, schedule.agent_id.trim());
    // A caller who got no answer asks again.
    if let Some(id) = manual::find_waiting(tx, uid, agent_id)? {
        return Ok(ManualRun::Waiting(id));
    }
    // A wrong clock may have left later ones.
    let until = now.checked_add(SAME).unwrap_or(now);
    let last = manual::fetch_latest(tx, uid, until)?;
    // An instant of its own, whatever the clock says.
    let after_last = last.and_then(|t| t.checked_add(SignedDuration::from_micros(1)).ok());
    let intended_at = after_last.map_or(now, |t| t.max(now));
    let Some(body) = request_of(tx, schedule)? else {
        return Ok(ManualRun::NoPrompt);
    };
    let hash = store_payload(tx, &body)?;
    let run = Run {
        uid,
        agent_id,
        intended_at,
        lane,
        conversation: schedule.conversation.as_ref(),
        payload: &hash,
    };
    Ok(ManualRun::New(manual::insert(tx, &run, now)?))
}
