//! What opens and closes incidents, and is told with that: it happens in the transaction of the
//! change that causes it.
//!
//! A trouble of an agent is one incident for all of its schedules. It is over when the agent has
//! taken a prompt again, or nothing more comes of its schedules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use super::incidents::{
    OfAgent, Trouble, Whose, close_incident, close_silently, fetch_of_agent, open_incident,
};
use super::outbox::queue_notice;
use super::plans::to_i64;
use super::time::DbTime;
use super::{AT_ONCE, Db, Tx, hinted, rows};
use crate::error::Result;
use crate::models::{Fault, IncidentKind, Lifecycle, NoticeEvent, State, Verdict};

/// How long a target may be held before somebody is told: a restart takes less.
const LONG_HOLD: SignedDuration = SignedDuration::from_mins(1);

/// How long an incident is shown that has no end of its own: that the clock was wrong is over, but
/// somebody should look.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// So many agents that Letta does not know are told of one by one within a day. More are one incident:
/// whoever makes up agents makes up many.
const MANY_UNKNOWN: i64 = 5;

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
    use IncidentKind::{Dead, NeedsHuman, UnknownAgents};
    let &Settled { uid, is_last, .. } = settled;
    match (settled.state, settled.verdict) {
        (State::Delivered, _) => close_delivered(tx, settled, now).await,
        (State::Dead, Verdict::Dead { fault }) => {
            close_incident(tx, NeedsHuman, uid, "its prompt is dead", now).await?;
            if is_one_of_many(tx, settled, fault, now).await? {
                let whose = Whose::Machine(UnknownAgents.as_str());
                let dead = Trouble::of(UnknownAgents, whose, settled.occurrence_id, fault);
                open_incident(tx, &dead, now).await?;
                return Ok(());
            }
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

/// Whether a fault is that of one more agent that Letta does not know, after many others.
pub(super) async fn is_one_of_many(
    tx: &mut Tx,
    settled: &Settled<'_>,
    fault: &Fault,
    now: Timestamp,
) -> sqlx::Result<bool> {
    if !fault.is_of_unknown_agent() {
        return Ok(false);
    }
    let own = "SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
               WHERE subject = $1 AND kind = 'dead' AND closed_at IS NULL";
    let own = hinted::fetch_optional(tx, own, |q| q.bind(settled.lane.to_owned())).await?;
    if own.is_some() {
        return Ok(false);
    }
    let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
    let others = "SELECT 1 FROM incidents INDEXED BY ix_incidents_unknown_agents \
                  WHERE code = 'agent_unknown' AND agent_id IS NOT NULL AND opened_at > $1 LIMIT $2";
    let others = hinted::fetch_all(tx, others, |q| q.bind(DbTime(day_ago)).bind(MANY_UNKNOWN));
    Ok(to_i64(others.await?.len() as u64) >= MANY_UNKNOWN)
}

/// Closes what a delivery proves to be over, of the schedule and of its agent.
async fn close_delivered(tx: &mut Tx, settled: &Settled<'_>, now: Timestamp) -> sqlx::Result<()> {
    let open = "SELECT id, kind, subject FROM incidents INDEXED BY ix_incidents_one_open \
                WHERE subject IN ($1, $2) AND kind IN ('dead', 'needs_human') \
                AND closed_at IS NULL";
    let open = hinted::fetch_all(tx, open, |q| {
        q.bind(settled.uid.to_owned()).bind(settled.lane.to_owned())
    });
    let mut open = open.await?;
    open.sort_by_key(|row| rows::number(row, "id"));
    for row in open {
        let [kind, subject] =
            ["kind", "subject"].map(|column| rows::text(&row, column).unwrap_or_default());
        let Some(kind) = IncidentKind::from_word(&kind) else {
            continue;
        };
        let outcome = match kind {
            IncidentKind::NeedsHuman => "its prompt was delivered",
            _ => "a prompt was delivered again",
        };
        close_incident(tx, kind, &subject, outcome, now).await?;
    }
    Ok(())
}

/// Opens and closes what follows from where a schedule stands, after its lifecycle was written.
pub(super) async fn follow_lifecycle(
    tx: &mut Tx,
    schedule_id: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    let stands = "SELECT uid, agent_id, lifecycle, broken_reason, \
                   ended_at IS NOT NULL AS has_end, EXISTS (\
                      SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open_uid \
                      WHERE o.uid = schedules.uid \
                      AND o.state IN ('waiting', 'sending', 'unknown')) AS has_open \
                  FROM schedules WHERE id = $1";
    let row = hinted::fetch_optional(tx, stands, |q| q.bind(schedule_id)).await?;
    let Some(row) = row else { return Ok(()) };
    let (Some(uid), Some(lifecycle)) = (
        rows::text(&row, "uid"),
        rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)),
    ) else {
        return Ok(());
    };
    let has_end: bool = row.try_get("has_end")?;
    if has_end != lifecycle.is_ended() {
        note_end(tx, schedule_id, now).await?;
    }
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
    let has_open = rows::flag(&row, "has_open");
    let open = sqlx::query("SELECT kind FROM incidents WHERE subject = $1 AND closed_at IS NULL")
        .bind(&uid)
        .fetch_all(&mut **tx)
        .await?;
    let open = open.iter().filter_map(|row| rows::text(row, "kind"));
    for kind in open.filter_map(|kind| IncidentKind::from_word(&kind)) {
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
    close_of_ended(tx, &agent_id, own_end, now).await?;
    Ok(())
}

/// Notes when a schedule has ended, or that it goes on.
pub(super) async fn note_end(tx: &mut Tx, schedule_id: i64, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE schedules SET ended_at = CASE WHEN lifecycle IN ('finished', 'cancelled') \
             THEN coalesce(ended_at, $2) END, row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule_id)
    .bind(DbTime(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How an incident of a schedule ended by where the schedule stands; `None` if it goes on.
fn end_of(kind: IncidentKind, lifecycle: Lifecycle, has_open: bool) -> Option<String> {
    use IncidentKind::{Broken, Clock, Dead, Held, NeedsHuman, Paused, UnknownAgents};
    let ended = lifecycle.is_ended();
    let stands = || format!("the schedule is {lifecycle}");
    match kind {
        Broken if lifecycle == Lifecycle::Active => Some("it can be read again".to_owned()),
        Broken => (lifecycle != Lifecycle::Broken).then(stands),
        Paused if lifecycle == Lifecycle::Active => Some("it was resumed".to_owned()),
        Paused => (lifecycle != Lifecycle::Paused).then(stands),
        Dead => (ended && !has_open).then(stands),
        NeedsHuman => (!has_open).then(|| "its prompt is not to be sent any more".to_owned()),
        Held | Clock | UnknownAgents => None,
    }
}

/// Closes those incidents of an agent that its schedules, as they stand, leave nothing of.
/// `outcome` says how one of them ended, where it knows that better. Returns how many they were.
async fn close_of_ended(
    tx: &mut Tx,
    agent_id: &str,
    outcome: impl Fn(&OfAgent) -> Option<String>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let open = fetch_of_agent(tx, agent_id).await?;
    let mut closed = 0;
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
            closed += 1;
        }
    }
    Ok(closed)
}

/// Whether nothing more comes of an agent's schedules: all have ended, and nothing is open.
async fn has_ended(tx: &mut Tx, agent_id: &str) -> sqlx::Result<bool> {
    let goes_on = "SELECT 1 WHERE EXISTS (SELECT 1 FROM schedules \
                       INDEXED BY ix_schedules_agent_lifecycle WHERE agent_id = $1 \
                       AND lifecycle IN ('active', 'paused', 'broken')) \
                   OR EXISTS (SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
                       WHERE agent_id = $1 AND lifecycle IS NULL) \
                   OR EXISTS (SELECT 1 FROM occurrences INDEXED BY ix_occurrences_open_agent \
                       WHERE agent_id = $1 AND state IN ('waiting', 'sending', 'unknown'))";
    let goes_on = hinted::fetch_optional(tx, goes_on, |q| q.bind(agent_id.to_owned()));
    Ok(goes_on.await?.is_none())
}

/// Whether schedules of an agent are paused since their prompts were given up.
async fn has_paused(tx: &mut Tx, agent_id: &str) -> sqlx::Result<bool> {
    let paused = "SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
                  WHERE agent_id = $1 AND lifecycle = 'paused' AND paused_by_failures = 1 LIMIT 1";
    let paused = hinted::fetch_optional(tx, paused, |q| q.bind(agent_id.to_owned()));
    Ok(paused.await?.is_some())
}

impl Db {
    /// Notices what only the passing of time tells: targets held for long, and incidents of
    /// schedules that another program has deleted, or that went to another agent. It closes some of
    /// them at once, and says whether there are more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn review_incidents(&self, now: Timestamp) -> Result<bool> {
        let doing = "review the incidents";
        let failed = |e| self.failed(doing, e);
        let long_ago = now.checked_sub(LONG_HOLD).unwrap_or(Timestamp::MIN);
        let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
        // Looked for outside the transaction first: almost always there is nothing to write.
        let any = "SELECT 1 FROM held_targets h WHERE held_since <= $1 AND NOT EXISTS \
                   (SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
                    WHERE i.kind = 'held' AND i.subject = h.target AND i.closed_at IS NULL) \
                   UNION ALL SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') AND agent_id IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = i.subject) \
                   UNION ALL SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind IN ('clock', 'unknown_agents') AND opened_at <= $2 LIMIT 1";
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let any = hinted::fetch_optional(&mut connection, any, |q| {
            q.bind(DbTime(long_ago)).bind(DbTime(day_ago))
        });
        let any = any.await.map_err(failed)?;
        let agents = hinted::fetch_all(&mut connection, AGENTS_PERHAPS_ENDED, |q| {
            q.bind(to_i64(AT_ONCE))
        });
        let agents: BTreeSet<String> = (agents.await.map_err(failed)?.iter())
            .filter_map(|row| rows::text(row, "agent_id"))
            .collect();
        drop(connection);
        if any.is_none() && agents.is_empty() {
            return Ok(false);
        }
        let mut tx = self.begin(doing).await?;
        open_held(&mut tx, long_ago, now).await.map_err(failed)?;
        let mut closed = close_deleted(&mut tx, now).await.map_err(failed)?;
        close_shown(&mut tx, day_ago, now).await.map_err(failed)?;
        for agent_id in &agents {
            closed += close_of_ended(&mut tx, agent_id, |_| None, now)
                .await
                .map_err(failed)?;
        }
        self.commit_and_tell(tx, doing).await?;
        Ok(closed >= AT_ONCE)
    }
}

/// The agents with incidents of which, going by their schedules, nothing more may come.
const AGENTS_PERHAPS_ENDED: &str = "SELECT agent_id FROM incidents i INDEXED BY ix_incidents_agent \
     WHERE closed_at IS NULL AND agent_id IS NOT NULL AND CASE kind \
         WHEN 'paused' THEN NOT EXISTS (SELECT 1 FROM schedules s \
             INDEXED BY ix_schedules_agent_lifecycle WHERE s.agent_id = i.agent_id \
             AND s.lifecycle = 'paused' AND s.paused_by_failures = 1) \
         ELSE NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_agent_lifecycle \
             WHERE s.agent_id = i.agent_id AND s.lifecycle IN ('active', 'paused', 'broken')) END \
     AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_agent_lifecycle \
         WHERE s.agent_id = i.agent_id AND s.lifecycle IS NULL) LIMIT $1";

async fn open_held(tx: &mut Tx, long_ago: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let held = sqlx::query("SELECT target, code, reason FROM held_targets WHERE held_since <= $1")
        .bind(DbTime(long_ago))
        .fetch_all(&mut **tx)
        .await?;
    for row in &held {
        let [target, code, reason] =
            ["target", "code", "reason"].map(|column| rows::text(row, column).unwrap_or_default());
        let trouble = Trouble {
            kind: IncidentKind::Held,
            whose: Whose::Target(&target),
            occurrence_id: None,
            code: Some(&code),
            reason: &reason,
        };
        open_incident(tx, &trouble, now).await?;
    }
    Ok(())
}

/// Closes incidents of deleted schedules, at most [`AT_ONCE`]. Returns how many they were.
async fn close_deleted(tx: &mut Tx, now: Timestamp) -> sqlx::Result<u64> {
    let deleted = "SELECT id, told FROM incidents i INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') \
                   AND agent_id IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = i.subject) LIMIT $1";
    let deleted = hinted::fetch_all(tx, deleted, |q| q.bind(to_i64(AT_ONCE))).await?;
    for row in &deleted {
        let id: i64 = row.try_get("id")?;
        sqlx::query("UPDATE incidents SET closed_at = $2, outcome = $3 WHERE id = $1")
            .bind(id)
            .bind(DbTime(now))
            .bind("the schedule was deleted")
            .execute(&mut **tx)
            .await?;
        if rows::flag(row, "told") {
            queue_notice(tx, id, NoticeEvent::Closed, now).await?;
        }
    }
    Ok(u64::try_from(deleted.len()).unwrap_or(AT_ONCE))
}

/// Closes without a word what has no end of its own and was shown for a day.
async fn close_shown(tx: &mut Tx, day_ago: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let shown = "SELECT kind, subject FROM incidents INDEXED BY ix_incidents_one_open \
                 WHERE subject IN ('clock', 'unknown_agents') \
                 AND kind IN ('clock', 'unknown_agents') AND closed_at IS NULL \
                 AND opened_at <= $1";
    let shown = hinted::fetch_all(tx, shown, |q| q.bind(DbTime(day_ago))).await?;
    for row in shown {
        let [kind, subject] =
            ["kind", "subject"].map(|column| rows::text(&row, column).unwrap_or_default());
        if let Some(kind) = IncidentKind::from_word(&kind) {
            close_silently(tx, kind, &subject, "it was shown for a day", now).await?;
        }
    }
    Ok(())
}
