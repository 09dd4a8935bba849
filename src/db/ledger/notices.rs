//! What opens and closes incidents, and is told with that: it happens in the transaction of the
//! change that causes it.
//!
//! A trouble of an agent is one incident for all of its schedules. It is over when the agent has
//! taken a prompt again, or nothing more comes of its schedules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::incidents::{
    OfAgent, Trouble, Whose, close_incident, close_silently, fetch_of_agent, open_incident,
};
use super::outbox::queue_notice;
use super::plans::to_i64;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::db::{AT_ONCE, Db};
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
pub(in crate::db) struct Settled<'a> {
    pub(in crate::db) occurrence_id: i64,
    pub(in crate::db) uid: &'a str,
    pub(in crate::db) agent_id: &'a str,
    /// The lane in which its agent is spoken to.
    pub(in crate::db) lane: &'a str,
    pub(in crate::db) state: State,
    pub(in crate::db) verdict: &'a Verdict,
    /// Whether nothing more is to come of its schedule.
    pub(in crate::db) is_last: bool,
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
    pub(in crate::db) fn whose(&self, fault: &Fault) -> Whose<'a> {
        match fault.is_agents() {
            true => self.agent(),
            false => Whose::Schedule(self.uid),
        }
    }
}

/// Opens and closes what follows from a verdict.
pub(in crate::db) fn follow_verdict(
    tx: &Tx<'_>,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    use IncidentKind::{Dead, NeedsHuman, UnknownAgents};
    let &Settled { uid, is_last, .. } = settled;
    match (settled.state, settled.verdict) {
        (State::Delivered, _) => close_delivered(tx, settled, now),
        (State::Dead, Verdict::Dead { fault }) => {
            close_incident(tx, NeedsHuman, uid, "its prompt is dead", now)?;
            if is_one_of_many(tx, settled, fault, now)? {
                let whose = Whose::Machine(UnknownAgents.as_str());
                let dead = Trouble::of(UnknownAgents, whose, settled.occurrence_id, fault);
                open_incident(tx, &dead, now)?;
                return Ok(());
            }
            let whose = settled.whose(fault);
            let dead = Trouble::of(Dead, whose, settled.occurrence_id, fault);
            let is_new = open_incident(tx, &dead, now)?;
            let is_agents = matches!(whose, Whose::Agent { .. });
            let is_over = match is_agents {
                true => is_last && has_ended(tx, settled.agent_id)?,
                false => is_last,
            };
            // Nothing of it can be delivered any more: there is no recovery to wait for.
            let over = match is_agents {
                true => NOTHING_FOLLOWS,
                false => "nothing more comes of its schedule",
            };
            match (is_over, is_new) {
                (true, true) => {
                    close_silently(tx, Dead, whose.subject(), over, now)?;
                }
                (true, false) => close_incident(tx, Dead, whose.subject(), over, now)?,
                (false, _) => {}
            }
            if is_last {
                close_of_ended(tx, settled.agent_id, |_| None, now)?;
            }
            Ok(())
        }
        (State::Waiting, Verdict::Waiting { fault, .. }) if fault.needs_human => {
            let whose = settled.whose(fault);
            let waits = Trouble::of(NeedsHuman, whose, settled.occurrence_id, fault);
            open_incident(tx, &waits, now)?;
            Ok(())
        }
        (state, _) if !state.is_open() => {
            close_incident(tx, NeedsHuman, uid, "its schedule was ended", now)?;
            if is_last {
                close_incident(tx, Dead, uid, "its schedule was ended", now)?;
                close_of_ended(tx, settled.agent_id, |_| None, now)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a fault is that of one more agent that Letta does not know, after many others.
pub(in crate::db) fn is_one_of_many(
    tx: &Tx<'_>,
    settled: &Settled<'_>,
    fault: &Fault,
    now: Timestamp,
) -> sql::Result<bool> {
    if !fault.is_of_unknown_agent() {
        return Ok(false);
    }
    let own = "SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
               WHERE subject = $1 AND kind = 'dead' AND closed_at IS NULL";
    let own = query(own).bind(settled.lane).fetch_optional(tx)?;
    if own.is_some() {
        return Ok(false);
    }
    let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
    let others = "SELECT 1 FROM incidents INDEXED BY ix_incidents_unknown_agents \
                  WHERE code = 'agent_unknown' AND agent_id IS NOT NULL AND opened_at > $1 LIMIT \
                  $2";
    let others = query(others)
        .bind(DbTime(day_ago))
        .bind(MANY_UNKNOWN)
        .fetch_all(tx);
    Ok(to_i64(others?.len() as u64) >= MANY_UNKNOWN)
}

/// Closes what a delivery proves to be over, of the schedule and of its agent.
fn close_delivered(tx: &Tx<'_>, settled: &Settled<'_>, now: Timestamp) -> sql::Result<()> {
    let open = "SELECT id, kind, subject FROM incidents INDEXED BY ix_incidents_one_open \
                WHERE subject IN ($1, $2) AND kind IN ('dead', 'needs_human') \
                AND closed_at IS NULL";
    let open = query(open)
        .bind(settled.uid.to_owned())
        .bind(settled.lane.to_owned())
        .fetch_all(tx);
    let mut open = open?;
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
        close_incident(tx, kind, &subject, outcome, now)?;
    }
    Ok(())
}

/// Opens and closes what follows from where a schedule stands, after its lifecycle was written.
pub(in crate::db) fn follow_lifecycle(
    tx: &Tx<'_>,
    schedule_id: i64,
    now: Timestamp,
) -> sql::Result<()> {
    let stands = "SELECT uid, agent_id, lifecycle, broken_reason, \
                   ended_at IS NOT NULL AS has_end, EXISTS (\
                      SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open_uid \
                      WHERE o.uid = schedules.uid \
                      AND o.state IN ('waiting', 'sending', 'unknown')) AS has_open \
                  FROM schedules WHERE id = $1";
    let row = query(stands).bind(schedule_id).fetch_optional(tx)?;
    let Some(row) = row else { return Ok(()) };
    let (Some(uid), Some(lifecycle)) = (
        rows::text(&row, "uid"),
        rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)),
    ) else {
        return Ok(());
    };
    let has_end: bool = row.get("has_end")?;
    if has_end != lifecycle.is_ended() {
        note_end(tx, schedule_id, now)?;
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
        open_incident(tx, &broken, now)?;
    }
    let has_open = rows::flag(&row, "has_open");
    let open = query("SELECT kind FROM incidents WHERE subject = $1 AND closed_at IS NULL")
        .bind(&uid)
        .fetch_all(tx)?;
    let open = open.iter().filter_map(|row| rows::text(row, "kind"));
    for kind in open.filter_map(|kind| IncidentKind::from_word(&kind)) {
        if let Some(outcome) = end_of(kind, lifecycle, has_open) {
            close_incident(tx, kind, &uid, &outcome, now)?;
        }
    }
    // Of an agent's incident that only this schedule has met, it says how that ended.
    let own_end = |incident: &OfAgent| match incident.uid.as_ref() == Some(&uid) {
        true => end_of(incident.kind, lifecycle, has_open),
        false => None,
    };
    let agent_id = rows::text(&row, "agent_id").unwrap_or_default();
    close_of_ended(tx, &agent_id, own_end, now)?;
    Ok(())
}

/// Notes when a schedule has ended, or that it goes on.
pub(in crate::db) fn note_end(tx: &Tx<'_>, schedule_id: i64, now: Timestamp) -> sql::Result<()> {
    query(
        "UPDATE schedules SET ended_at = CASE WHEN lifecycle IN ('finished', 'cancelled') \
             THEN coalesce(ended_at, $2) END, row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule_id)
    .bind(DbTime(now))
    .execute(tx)?;
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
fn close_of_ended(
    tx: &Tx<'_>,
    agent_id: &str,
    outcome: impl Fn(&OfAgent) -> Option<String>,
    now: Timestamp,
) -> sql::Result<u64> {
    let open = fetch_of_agent(tx, agent_id)?;
    let mut closed = 0;
    for incident in &open {
        let (is_over, usual) = match incident.kind {
            IncidentKind::Paused => (
                !has_paused(tx, agent_id)?,
                "its schedules were resumed or have ended",
            ),
            _ => (has_ended(tx, agent_id)?, NOTHING_FOLLOWS),
        };
        if is_over {
            let outcome = outcome(incident).unwrap_or_else(|| usual.to_owned());
            close_incident(tx, incident.kind, &incident.subject, &outcome, now)?;
            closed += 1;
        }
    }
    Ok(closed)
}

/// Whether nothing more comes of an agent's schedules: all have ended, and nothing is open.
fn has_ended(tx: &Tx<'_>, agent_id: &str) -> sql::Result<bool> {
    let goes_on = "SELECT 1 WHERE EXISTS (SELECT 1 FROM schedules \
                       INDEXED BY ix_schedules_agent_lifecycle WHERE agent_id = $1 \
                       AND lifecycle IN ('active', 'paused', 'broken')) \
                   OR EXISTS (SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
                       WHERE agent_id = $1 AND lifecycle IS NULL) \
                   OR EXISTS (SELECT 1 FROM occurrences INDEXED BY ix_occurrences_open_agent \
                       WHERE agent_id = $1 AND state IN ('waiting', 'sending', 'unknown'))";
    let goes_on = query(goes_on).bind(agent_id.to_owned()).fetch_optional(tx);
    Ok(goes_on?.is_none())
}

/// Whether schedules of an agent are paused since their prompts were given up.
fn has_paused(tx: &Tx<'_>, agent_id: &str) -> sql::Result<bool> {
    let paused = "SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
                  WHERE agent_id = $1 AND lifecycle = 'paused' AND paused_by_failures = 1 LIMIT 1";
    let paused = query(paused).bind(agent_id.to_owned()).fetch_optional(tx);
    Ok(paused?.is_some())
}

impl Db {
    /// Notices what only the passing of time tells: targets held for long, and incidents of
    /// schedules that another program has deleted, or that went to another agent. It closes some of
    /// them at once, and says whether there are more.
    pub async fn review_incidents(&self, now: Timestamp) -> Result<bool> {
        const DOING: &str = "review the incidents";
        let long_ago = now.checked_sub(LONG_HOLD).unwrap_or(Timestamp::MIN);
        let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
        // Looked for first: almost always there is nothing to write.
        let found = self.read(DOING, move |tx| {
            let any = "SELECT 1 FROM held_targets h WHERE held_since <= $1 AND NOT EXISTS \
                   (SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
                    WHERE i.kind = 'held' AND i.subject = h.target AND i.closed_at IS NULL) \
                   UNION ALL SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') \
                   AND agent_id IS NULL AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY \
                       ix_schedules_uid WHERE s.uid = i.subject) \
                   UNION ALL SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind IN ('clock', 'unknown_agents') AND opened_at \
                   <= $2 LIMIT 1";
            let any = query(any)
                .bind(DbTime(long_ago))
                .bind(DbTime(day_ago))
                .fetch_optional(tx);
            let any = any?.is_some();
            let agents = query(AGENTS_PERHAPS_ENDED)
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx);
            let agents: BTreeSet<String> = (agents?.iter())
                .filter_map(|row| rows::text(row, "agent_id"))
                .collect();
            Ok((any, agents))
        });
        let (any, agents) = found.await?;
        if !any && agents.is_empty() {
            return Ok(false);
        }
        self.write_and_tell(DOING, move |tx| {
            open_held(tx, long_ago, now)?;
            let mut closed = close_deleted(tx, now)?;
            close_shown(tx, day_ago, now)?;
            for agent_id in &agents {
                closed += close_of_ended(tx, agent_id, |_| None, now)?;
            }
            Ok(closed >= AT_ONCE)
        })
        .await
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

fn open_held(tx: &Tx<'_>, long_ago: Timestamp, now: Timestamp) -> sql::Result<()> {
    let held = query("SELECT target, code, reason FROM held_targets WHERE held_since <= $1")
        .bind(DbTime(long_ago))
        .fetch_all(tx)?;
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
        open_incident(tx, &trouble, now)?;
    }
    Ok(())
}

/// Closes incidents of deleted schedules, at most [`AT_ONCE`]. Returns how many they were.
fn close_deleted(tx: &Tx<'_>, now: Timestamp) -> sql::Result<u64> {
    let deleted = "SELECT id, told FROM incidents i INDEXED BY ix_incidents_one_open \
                   WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') \
                   AND agent_id IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = i.subject) LIMIT $1";
    let deleted = query(deleted).bind(to_i64(AT_ONCE)).fetch_all(tx)?;
    for row in &deleted {
        let id: i64 = row.get("id")?;
        query("UPDATE incidents SET closed_at = $2, outcome = $3 WHERE id = $1")
            .bind(id)
            .bind(DbTime(now))
            .bind("the schedule was deleted")
            .execute(tx)?;
        if rows::flag(row, "told") {
            queue_notice(tx, id, NoticeEvent::Closed, now)?;
        }
    }
    Ok(u64::try_from(deleted.len()).unwrap_or(AT_ONCE))
}

/// Closes without a word what has no end of its own and was shown for a day.
fn close_shown(tx: &Tx<'_>, day_ago: Timestamp, now: Timestamp) -> sql::Result<()> {
    let shown = "SELECT kind, subject FROM incidents INDEXED BY ix_incidents_one_open \
                 WHERE subject IN ('clock', 'unknown_agents') \
                 AND kind IN ('clock', 'unknown_agents') AND closed_at IS NULL \
                 AND opened_at <= $1";
    let shown = query(shown).bind(DbTime(day_ago)).fetch_all(tx)?;
    for row in shown {
        let [kind, subject] =
            ["kind", "subject"].map(|column| rows::text(&row, column).unwrap_or_default());
        if let Some(kind) = IncidentKind::from_word(&kind) {
            close_silently(tx, kind, &subject, "it was shown for a day", now)?;
        }
    }
    Ok(())
}
