//! Incidents: what has gone wrong and needs somebody. They are opened and closed in the transaction
//! of the change that causes them, and the notices of them are written with them.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::outbox::queue_notice;
use super::time::DbTime;
use super::{Db, Tx, rows};
use crate::error::Result;
use crate::models::{Fault, Incident, IncidentKind, Lifecycle, NoticeEvent, State, Verdict};

/// How long a target may be held before somebody is told: a restart takes less.
const LONG_HOLD: SignedDuration = SignedDuration::from_mins(1);

/// How long it is shown that the clock was wrong: that is over, but somebody should look.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// The columns that [`incident`] reads; `i` is the incident.
macro_rules! incident_columns {
    () => {
        "i.id, i.kind, i.subject, i.occurrence_id, i.code, i.reason, i.count, i.opened_at, \
         s.id AS schedule_id, s.name, coalesce(s.agent_id, o.agent_id) AS agent_id, o.intended_at \
         FROM incidents i LEFT JOIN schedules s ON s.uid = i.subject \
         LEFT JOIN occurrences o ON o.id = i.occurrence_id "
    };
}

/// Something that needs somebody, as it is noticed.
pub(super) struct Trouble<'a> {
    pub(super) kind: IncidentKind,
    /// The schedule's uid, or the target's name.
    pub(super) subject: &'a str,
    pub(super) occurrence_id: Option<i64>,
    pub(super) code: Option<&'a str>,
    pub(super) reason: &'a str,
}

impl<'a> Trouble<'a> {
    fn because_of(self, fault: &'a Fault) -> Self {
        Trouble {
            code: Some(&fault.code),
            reason: &fault.text,
            ..self
        }
    }
}

/// What was written of an occurrence.
pub(super) struct Settled<'a> {
    pub(super) occurrence_id: i64,
    pub(super) uid: Uuid,
    pub(super) state: State,
    pub(super) verdict: &'a Verdict,
    /// Whether nothing more is to come of its schedule.
    pub(super) is_last: bool,
}

/// Opens an incident and writes the notice of it. While one of this kind and subject is open, it is
/// only noted there. Returns whether it is new.
pub(super) async fn open_incident(
    tx: &mut Tx,
    trouble: &Trouble<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let again = sqlx::query(
        "UPDATE incidents SET count = count + $3, occurrence_id = coalesce($4, occurrence_id), \
         code = $5, reason = $6 WHERE kind = $1 AND subject = $2 AND closed_at IS NULL",
    )
    .bind(trouble.kind.as_str())
    .bind(trouble.subject)
    .bind(i64::from(trouble.kind == IncidentKind::Dead))
    .bind(trouble.occurrence_id)
    .bind(trouble.code)
    .bind(trouble.reason)
    .execute(&mut **tx)
    .await?;
    if again.rows_affected() > 0 {
        return Ok(false);
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO incidents (kind, subject, occurrence_id, code, reason, opened_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(trouble.kind.as_str())
    .bind(trouble.subject)
    .bind(trouble.occurrence_id)
    .bind(trouble.code)
    .bind(trouble.reason)
    .bind(DbTime(now))
    .fetch_one(&mut **tx)
    .await?;
    queue_notice(tx, id, NoticeEvent::Opened, now).await?;
    Ok(true)
}

/// Closes the incident of this kind and subject, if one is open, and tells whoever was told of it.
pub(super) async fn close_incident(
    tx: &mut Tx,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let closed = close(tx, kind, subject, outcome, now).await?;
    if let Some((id, true)) = closed {
        queue_notice(tx, id, NoticeEvent::Closed, now).await?;
    }
    Ok(())
}

/// Closes an incident without a word; returns its number, and whether anybody was told of it.
async fn close(
    tx: &mut Tx,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sqlx::Result<Option<(i64, bool)>> {
    sqlx::query_as(
        "UPDATE incidents SET closed_at = $3, outcome = $4 \
         WHERE kind = $1 AND subject = $2 AND closed_at IS NULL RETURNING id, told",
    )
    .bind(kind.as_str())
    .bind(subject)
    .bind(DbTime(now))
    .bind(outcome)
    .fetch_optional(&mut **tx)
    .await
}

/// Opens and closes what follows from a verdict.
pub(super) async fn follow_verdict(
    tx: &mut Tx,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    use IncidentKind::{Dead, NeedsHuman};
    let uid = settled.uid.to_string();
    let trouble = |kind| Trouble {
        kind,
        subject: &uid,
        occurrence_id: Some(settled.occurrence_id),
        code: None,
        reason: "",
    };
    match (settled.state, settled.verdict) {
        (State::Delivered, _) => {
            close_incident(tx, NeedsHuman, &uid, "its prompt was delivered", now).await?;
            close_incident(tx, Dead, &uid, "a prompt was delivered again", now).await?;
        }
        (State::Dead, Verdict::Dead { fault }) => {
            close_incident(tx, NeedsHuman, &uid, "its prompt is dead", now).await?;
            let dead = trouble(Dead).because_of(fault);
            let is_new = open_incident(tx, &dead, now).await?;
            // Nothing of it can be delivered any more: there is no recovery to wait for.
            let over = "nothing more comes of its schedule";
            match (settled.is_last, is_new) {
                (true, true) => drop(close(tx, Dead, &uid, over, now).await?),
                (true, false) => close_incident(tx, Dead, &uid, over, now).await?,
                (false, _) => {}
            }
        }
        (State::Waiting, Verdict::Waiting { fault, .. }) if fault.needs_human => {
            open_incident(tx, &trouble(NeedsHuman).because_of(fault), now).await?;
        }
        (state, _) if !state.is_open() => {
            close_incident(tx, NeedsHuman, &uid, "its schedule was ended", now).await?;
            if settled.is_last {
                close_incident(tx, Dead, &uid, "its schedule was ended", now).await?;
            }
        }
        _ => {}
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
        "SELECT uid, lifecycle, broken_reason, EXISTS (SELECT 1 FROM occurrences o \
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
            subject: &uid,
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
    Ok(())
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

impl Db {
    /// Notices what only the passing of time tells: targets held for long, and incidents of
    /// schedules that another program has deleted.
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
             AND kind NOT IN ('held', 'clock') \
             AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = i.subject) \
             UNION ALL SELECT 1 FROM incidents WHERE closed_at IS NULL AND kind = 'clock' \
             AND opened_at <= $2 LIMIT 1",
        )
        .bind(DbTime(long_ago))
        .bind(DbTime(day_ago))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        if any.is_none() {
            return Ok(());
        }
        let mut tx = self.begin(doing).await?;
        open_held(&mut tx, long_ago, now).await.map_err(failed)?;
        close_deleted(&mut tx, now).await.map_err(failed)?;
        close_clock(&mut tx, day_ago, now).await.map_err(failed)?;
        self.commit_and_tell(tx, doing).await
    }

    /// What is wrong now and needs somebody, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_open_incidents(&self) -> Result<Vec<Incident>> {
        let failed = |e| self.failed("look for open incidents", e);
        let rows = sqlx::query(concat!(
            "SELECT ",
            incident_columns!(),
            "WHERE i.closed_at IS NULL ORDER BY i.id"
        ))
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.iter().map(|r| incident(r).map_err(failed)).collect()
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
            subject: target,
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
         AND kind NOT IN ('held', 'clock') \
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
        close(tx, kind, kind.as_str(), "it was shown for a day", now).await?;
    }
    Ok(())
}

/// An incident of a number, within a transaction.
pub(super) async fn fetch_incident(
    connection: &mut SqliteConnection,
    id: i64,
) -> sqlx::Result<Incident> {
    let row = sqlx::query(concat!("SELECT ", incident_columns!(), "WHERE i.id = $1"))
        .bind(id)
        .fetch_one(connection)
        .await?;
    incident(&row)
}

fn incident(row: &SqliteRow) -> sqlx::Result<Incident> {
    let kind: String = row.try_get("kind")?;
    let kind = IncidentKind::from_word(&kind).ok_or_else(|| rows::unreadable("kind", &kind))?;
    let subject: String = row.try_get("subject")?;
    let incident = Incident {
        id: row.try_get("id")?,
        kind,
        text: String::new(),
        opened_at: row.try_get::<DbTime, _>("opened_at")?.0,
        code: row.try_get("code")?,
        reason: row.try_get("reason")?,
        count: row.try_get("count")?,
        schedule_id: row.try_get("schedule_id")?,
        name: rows::text(row, "name"),
        agent_id: rows::text(row, "agent_id"),
        occurrence_id: row.try_get("occurrence_id")?,
        intended_at: rows::lenient_time(row, "intended_at"),
        target: (kind == IncidentKind::Held).then_some(subject),
    };
    Ok(Incident {
        text: incident.describe(None),
        ..incident
    })
}
