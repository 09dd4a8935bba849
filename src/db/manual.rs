//! Runs by hand: one occurrence at once, which leaves the schedule's own instants as they are.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use super::adoption::adopt_if_touched;
use super::attempts::{request_of, store_payload};
use super::changes::{About, note_change};
use super::requests::{effect_of, record_effect};
use super::schedules::fetch;
use super::time::DbTime;
use super::{Db, Tx, rows};
use crate::clock::SAME;
use crate::error::Result;
use crate::models::{AgentId, Lane, Lifecycle, Operation, PromptSchedule, RequestKey, Trigger};

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
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count_runs_by_hand(&self, agent: &AgentId, since: Timestamp) -> Result<i64> {
        sqlx::query_scalar(
            "SELECT count(*) FROM occurrences \
             WHERE \"trigger\" = 'manual' AND agent_id = $1 AND intended_at >= $2",
        )
        .bind(agent.as_str())
        .bind(DbTime(since))
        .fetch_one(&self.pool)
        .await
        .map_err(|e| self.failed("count the runs by hand", e))
    }

    /// Queues one run of a schedule for the next free moment of its lane. The prompt is frozen as
    /// it is now. `None` if there is none of this id. A request that was carried out before is
    /// answered with what it came to.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn queue_run(
        &self,
        id: i64,
        lane_of: impl FnOnce(&PromptSchedule) -> Result<Lane>,
        request: Option<&RequestKey>,
        now: Timestamp,
    ) -> Result<Option<Queued>> {
        let doing = "queue a run by hand";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        if let Some(done) = effect_of(&mut tx, request).await.map_err(failed)? {
            return Ok(Some(Queued::New(done)));
        }
        adopt_if_touched(&mut tx, id, &self.zone, now)
            .await
            .map_err(failed)?;
        let Some(schedule) = fetch(&mut tx, id).await.map_err(failed)? else {
            return Ok(None);
        };
        let queued = match schedule.lifecycle {
            Lifecycle::Cancelled | Lifecycle::Broken => Queued::NotRunnable(schedule.lifecycle),
            _ if schedule.prompt_text.trim().is_empty() => Queued::NoPrompt,
            Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished => {
                let lane = lane_of(&schedule)?;
                queue(&mut tx, &schedule, &lane, now)
                    .await
                    .map_err(failed)?
            }
        };
        if let Queued::New(occurrence) | Queued::Waiting(occurrence) = queued {
            record_effect(&mut tx, request, occurrence)
                .await
                .map_err(failed)?;
        }
        if let Queued::New(occurrence) = queued {
            let what = format!("occurrence {occurrence}");
            let (about, what) = (About::schedule(&schedule), Some(what.as_str()));
            note_change(&mut tx, &self.by, Operation::Run, about, what, now)
                .await
                .map_err(failed)?;
        }
        self.commit(tx, doing).await?;
        Ok(Some(queued))
    }
}

async fn queue(
    tx: &mut Tx,
    schedule: &PromptSchedule,
    lane: &Lane,
    now: Timestamp,
) -> sqlx::Result<Queued> {
    let uid = schedule.uid.map(|u| u.to_string());
    // Whoever gets no answer asks twice.
    let waiting: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM occurrences WHERE uid = $1 AND \"trigger\" = 'manual' \
         AND state = 'waiting' AND sent_at IS NULL AND agent_id = $2",
    )
    .bind(&uid)
    .bind(schedule.agent_id.trim())
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(id) = waiting {
        return Ok(Queued::Waiting(id));
    }
    let last = sqlx::query(
        "SELECT max(intended_at) AS last FROM occurrences \
         WHERE uid = $1 AND \"trigger\" = 'manual' AND intended_at <= $2",
    )
    .bind(&uid)
    // A false clock may have left later ones.
    .bind(DbTime(now.checked_add(SAME).unwrap_or(now)))
    .fetch_one(&mut **tx)
    .await?;
    let last = rows::lenient_time(&last, "last");
    // An instant of its own, whatever the clock says.
    let after_last = last.and_then(|t| t.checked_add(SignedDuration::from_micros(1)).ok());
    let intended_at = after_last.map_or(now, |t| t.max(now));
    let Some(body) = request_of(tx, schedule).await? else {
        return Ok(Queued::NoPrompt);
    };
    let hash = store_payload(tx, &body).await?;
    let row = sqlx::query(
        "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, lane, \
         payload, not_before) VALUES ($1, $2, $3, $4, $4, 'waiting', $5, $6, $7) RETURNING id",
    )
    .bind(&uid)
    .bind(schedule.agent_id.trim())
    .bind(Trigger::Manual.as_str())
    .bind(DbTime(intended_at))
    .bind(lane.as_str())
    .bind(&hash)
    .bind(DbTime(now))
    .fetch_one(&mut **tx)
    .await?;
    Ok(Queued::New(row.try_get("id")?))
}
