//! What opens and closes incidents, and is told with that: it happens in the transaction of the
//! change that causes it.
//!
//! A trouble of an agent is one incident for all of its schedules. It is over when the agent has
//! taken a prompt again, or nothing more comes of its schedules.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use super::incidents::{
    OfAgent, Trouble, Whose, close_incident, close_silently, fetch_of_agent, open_incident,
};
use super::time::DbTime;
use super::{Db, Tx, rows};
use crate::error::Result;
use crate::models::{Fault, IncidentKind, Lifecycle, State, Verdict};

/// How long a target may be held before somebody is told: a restart takes less.
const LONG_HOLD: SignedDuration = SignedDuration::from_mins(1);

/// How long it is shown that the clock was wrong: that is over, but somebody should look.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// How an agent's incident ends when all of its schedules have ended.
const NOTHING_FOLLOWS: &str = "nothing more comes of its schedules";

/// What was written of an occurrence.
pub(super) struct Settled<'a> {
    pub(super) occurrence_id: i64,
    pub(super) uid: &'a str,
    pub(super) agent_id: &'a str,
    /// The lane in which its agent is spoken to.
    pub(super) lane: &'a str,
    pub(super) state: State,
    pub(super) verdict: &'a Verdict,
    /// Whether nothing more is to come of its schedule.
    pub(super) is_last: bool,
}

impl<'a> Settled<'a> {
    fn agent(&self) -> Whose<'a> {
        Whose::Agent {
            lane: self.lane,
            agent_id: self.agent_id,
            uid: self.uid,
        }
    }

    /// Whose a fault of it is.
    pub(super) fn whose(&self, fault: &Fault) -> Whose<'a> {
        match fault.is_agents() {
            true => self.agent(),
            false => Whose::Schedule(self.uid),
        }
    }
}

/// Opens and closes what follows from a verdict.
pub(super) async fn follow_verdict(
    tx: &mut Tx,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    use IncidentKind::{Dead, NeedsHuman};
    let &Settled { uid, is_last, .. } = settled;
    match (settled.state, settled.verdict) {
        (State::Delivered, _) => close_delivered(tx, settled, now).await,
        (State::Dead, Verdict::Dead { fault }) => {
            close_incident(tx, NeedsHuman, uid, "its prompt is dead", now).await?;
            let whose = settled.whose(fault);
            let dead = Trouble::of(Dead, whose, settled.occurrence_id, fault);
            let is_new = open_incident(tx, &dead, now).await?;
            let is_agents = matches!(whose, Whose::Agent { .. });
            let is_over = match is_agents {
                true => is_last && has_ended(tx, settled.agent_id).await?,
                false => is_last,
            };
            // Nothing of it can be delivered any more: there is no recovery to wait for.
            let over = match is_agents {
                true => NOTHING_FOLLOWS,
                false => "nothing more comes of its schedule",
            };
            match (is_over, is_new) {
                (true, true) => {
                    close_silently(tx, Dead, whose.subject(), over, now).await?;
                }
                (true, false) => close_incident(tx, Dead, whose.subject(), over, now).await?,
                (false, _) => {}
            }
            if is_last {
                close_of_ended(tx, settled.agent_id, |_| None, now).await?;
            }
            Ok(())
        }
        (State::Waiting, Verdict::Waiting { fault, .. }) if fault.needs_human => {
            let whose = settled.whose(fault);
            let waits = Trouble::of(NeedsHuman, whose, settled.occurrence_id, fault);
            open_incident(tx, &waits, now).await?;
            Ok(())
        }
        (state, _) if !state.is_open() => {
            close_incident(tx, NeedsHuman, uid, "its schedule was ended", now).await?;
            if is_last {
                close_incident(tx, Dead, uid, "its schedule was ended", now).await?;
                close_of_ended(tx, settled.agent_id, |_| None, now).await?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Closes what a delivery proves to be over, of the schedule and of its agent.
async fn close_delivered(tx: &mut Tx, settled: &Settled<'_>, now: Timestamp) -> sqlx::Result<()> {
    let open: Vec<(String, String)> = sqlx::query_as(
        "SELECT kind, subject FROM incidents WHERE subject IN ($1, $2) \
         AND kind IN ('dead', 'needs_human') AND closed_at IS NULL ORDER BY id",
    )
    .bind(settled.uid)
    .bind(settled.lane)
    .fetch_all(&mut **tx)
    .await?;
    for (kind, subject) in &open {
        let Some(kind) = IncidentKind::from_word(kind) else {
            continue;
        };
        let outcome = match kind {
            IncidentKind::NeedsHuman => "its prompt was delivered",
            _ => "a prompt was delivered again",
        };
        close_incident(tx, kind, subject, outcome, now).await?;
    }
    Ok(())
}

/// Opens and closes what follows from where a schedule stands, after its lifecycle was written.
pub(super) async fn follow_lifecycle(
    tx: &mut Tx,
    schedule_id: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    let row = sqlx::query(
        "SELECT uid, agent_id, lifecycle, broken_reason, EXISTS (SELECT 1 FROM occurrences o \
         WHERE o.uid = schedules.uid AND o.state IN ('waiting', 'sending', 'unknown')) AS has_open \
         FROM schedules WHERE id = $1",
    )
    .bind(schedule_id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let (Some(uid), Some(lifecycle)) = (
        rows::text(&row, "uid"),
        rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)),
    ) else {
        return Ok(());
    };
    if lifecycle == Lifecycle::Broken {
        let reason = rows::text(&row, "broken_reason").unwrap_or_default();
        let broken = Trouble {
            kind: IncidentKind::Broken,
            whose: Whose::Schedule(&uid),
            occurrence_id: None,
            code: None,
            reason: &reason,
        };
        open_incident(tx, &broken, now).await?;
    }
    let has_open: bool = row.try_get("has_open")?;
    let open: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM incidents WHERE subject = $1 AND closed_at IS NULL")
            .bind(&uid)
            .fetch_all(&mut **tx)
            .await?;
    for kind in open.iter().filter_map(|k| IncidentKind::from_word(k)) {
        if let Some(outcome) = end_of(kind, lifecycle, has_open) {
            close_incident(tx, kind, &uid, &outcome, now).await?;
        }
    }
    // Of an agent's incident that only this schedule has met, it says how that ended.
    let own_end = |incident: &OfAgent| match incident.uid.as_ref() == Some(&uid) {
        true => end_of(incident.kind, lifecycle, has_open),
        false => None,
    };
    let agent_id = rows::text(&row, "agent_id").unwrap_or_default();
    close_of_ended(tx, &agent_id, own_end, now).await
}

/// How an incident of a schedule ended by where the schedule stands; `None` if it goes on.
fn end_of(kind: IncidentKind, lifecycle: Lifecycle, has_open: bool) -> Option<String> {
    use IncidentKind::{Broken, Clock, Dead, Held, NeedsHuman, Paused};
    let ended = matches!(lifecycle, Lifecycle::Cancelled | Lifecycle::Finished);
    let stands = || format!("the schedule is {lifecycle}");
    match kind {
        Broken if lifecycle == Lifecycle::Active => Some("it can be read again".to_owned()),
        Broken => (lifecycle != Lifecycle::Broken).then(stands),
        Paused if lifecycle == Lifecycle::Active => Some("it was resumed".to_owned()),
        Paused => (lifecycle != Lifecycle::Paused).then(stands),
        Dead => (ended && !has_open).then(stands),
        NeedsHuman => (!has_open).then(|| "its prompt is not to be sent any more".to_owned()),
        Held | Clock => None,
    }
}

/// Closes those incidents of an agent that its schedules, as they stand, leave nothing of.
/// `outcome` says how one of them ended, where it knows that better.
async fn close_of_ended(
    tx: &mut Tx,
    agent_id: &str,
    outcome: impl Fn(&OfAgent) -> Option<String>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let open = fetch_of_agent(tx, agent_id).await?;
    for incident in &open {
        let (is_over, usual) = match incident.kind {
            IncidentKind::Paused => (
                !has_paused(tx, agent_id).await?,
                "its schedules were resumed or have ended",
            ),
            _ => (has_ended(tx, agent_id).await?, NOTHING_FOLLOWS),
        };
        if is_over {
            let outcome = outcome(incident).unwrap_or_else(|| usual.to_owned());
            close_incident(tx, incident.kind, &incident.subject, &outcome, now).await?;
        }
    }
    Ok(())
}

/// Whether nothing more comes of an agent's schedules: all have ended, and nothing is open.
async fn has_ended(tx: &mut Tx, agent_id: &str) -> sqlx::Result<bool> {
    let goes_on: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM schedules WHERE agent_id = $1 \
             AND lifecycle IN ('active', 'paused', 'broken')) \
         OR EXISTS (SELECT 1 FROM schedules WHERE agent_id = $1 AND lifecycle IS NULL) \
         OR EXISTS (SELECT 1 FROM occurrences WHERE agent_id = $1 \
             AND state IN ('waiting', 'sending', 'unknown'))",
    )
    .bind(agent_id)
    .fetch_one(&mut **tx)
    .await?;
    Ok(!goes_on)
}

/// Whether schedules of an agent are paused since their prompts were given up.
async fn has_paused(tx: &mut Tx, agent_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM schedules WHERE agent_id = $1 AND lifecycle = 'paused' \
         AND paused_by_failures = 1)",
    )
    .bind(agent_id)
    .fetch_one(&mut **tx)
    .await
}

impl Db {
    /// Notices what only the passing of time tells: targets held for long, and incidents of
    /// schedules that another program has deleted, or that went to another agent.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn review_incidents(&self, now: Timestamp) -> Result<()> {
        let doing = "review the incidents";
        let failed = |e| self.failed(doing, e);
        let long_ago = now.checked_sub(LONG_HOLD).unwrap_or(Timestamp::MIN);
        let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
        // Looked for outside the transaction first: almost always there is nothing to write.
        let any: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM held_targets h WHERE held_since <= $1 AND NOT EXISTS \
             (SELECT 1 FROM incidents i WHERE i.kind = 'held' AND i.subject = h.target \
              AND i.closed_at IS NULL) \
             UNION ALL SELECT 1 FROM incidents i WHERE closed_at IS NULL \
             AND kind NOT IN ('held', 'clock') AND agent_id IS NULL \
             AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = i.subject) \
             UNION ALL SELECT 1 FROM incidents WHERE closed_at IS NULL AND kind = 'clock' \
             AND opened_at <= $2 LIMIT 1",
        )
        .bind(DbTime(long_ago))
        .bind(DbTime(day_ago))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        let agents: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT agent_id FROM incidents i \
             WHERE closed_at IS NULL AND agent_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.agent_id = i.agent_id AND \
                 (s.lifecycle IS NULL OR CASE i.kind \
                      WHEN 'paused' THEN s.lifecycle = 'paused' AND s.paused_by_failures = 1 \
                      ELSE s.lifecycle NOT IN ('finished', 'cancelled') END))",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        if any.is_none() && agents.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin(doing).await?;
        open_held(&mut tx, long_ago, now).await.map_err(failed)?;
        close_deleted(&mut tx, now).await.map_err(failed)?;
        close_clock(&mut tx, day_ago, now).await.map_err(failed)?;
        for agent_id in &agents {
            close_of_ended(&mut tx, agent_id, |_| None, now)
                .await
                .map_err(failed)?;
        }
        self.commit_and_tell(tx, doing).await
    }
}

async fn open_held(tx: &mut Tx, long_ago: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let held: Vec<(String, String, String)> =
        sqlx::query_as("SELECT target, code, reason FROM held_targets WHERE held_since <= $1")
            .bind(DbTime(long_ago))
            .fetch_all(&mut **tx)
            .await?;
    for (target, code, reason) in &held {
        let trouble = Trouble {
            kind: IncidentKind::Held,
            whose: Whose::Target(target),
            occurrence_id: None,
            code: Some(code),
            reason,
        };
        open_incident(tx, &trouble, now).await?;
    }
    Ok(())
}

async fn close_deleted(tx: &mut Tx, now: Timestamp) -> sqlx::Result<()> {
    let deleted: Vec<(String, String)> = sqlx::query_as(
        "SELECT kind, subject FROM incidents i WHERE closed_at IS NULL \
         AND kind NOT IN ('held', 'clock') AND agent_id IS NULL \
         AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = i.subject)",
    )
    .fetch_all(&mut **tx)
    .await?;
    for (kind, subject) in &deleted {
        if let Some(kind) = IncidentKind::from_word(kind) {
            close_incident(tx, kind, subject, "the schedule was deleted", now).await?;
        }
    }
    Ok(())
}

/// Closes without a word what was told of a clock that was wrong.
async fn close_clock(tx: &mut Tx, day_ago: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let shown: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM incidents WHERE kind = 'clock' AND closed_at IS NULL AND opened_at <= $1",
    )
    .bind(DbTime(day_ago))
    .fetch_optional(&mut **tx)
    .await?;
    if shown.is_some() {
        let kind = IncidentKind::Clock;
        close_silently(tx, kind, kind.as_str(), "it was shown for a day", now).await?;
    }
    Ok(())
}
