//! Adoption: making sense of rows that another program made or changed.
//!
//! Such a row differs from what we last knew of it: its latest revision, its planned `next_run`
//! and where it stood. The difference tells what was meant.

use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use super::plans::{cancel_waiting, record_revision, schedule_type, settle_backlog, timetable};
use super::rows;
use super::schedules::{fetch, write_lifecycle, write_plan};
use super::time::DbTime;
use super::{Db, Tx};
use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Lifecycle, Plan, PromptSchedule, ScheduleType, State};
use crate::schedule::{Spec, Timetable, Zone};

/// What adoption made of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The row.
    pub id: i64,
    /// Where the schedule stands now.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
}

/// What we last knew of a row.
struct Known {
    uid: Uuid,
    lifecycle: Lifecycle,
    planned_next_run: Option<Timestamp>,
    schedule_type: String,
    schedule_value: String,
}

impl Known {
    fn spec_changed(&self, row: &PromptSchedule) -> bool {
        (row.schedule_type.as_str(), row.schedule_value.as_str())
            != (self.schedule_type.as_str(), self.schedule_value.as_str())
    }

    fn next_changed(&self, row: &PromptSchedule) -> bool {
        row.next_run != self.planned_next_run
    }

    fn only_value_changed(&self, row: &PromptSchedule) -> bool {
        self.spec_changed(row) && !self.next_changed(row)
    }
}

impl Db {
    /// Adopts every row that another program has made or changed. `zone` is the zone of rows that
    /// have none.
    ///
    /// # Errors
    /// Those of the database; a row that can't be read is no error, it becomes `broken`.
    pub async fn adopt_touched(&self, zone: &Zone, now: Timestamp) -> Result<Vec<Adopted>> {
        let doing = "adopt the changes of other programs";
        let failed = |e| self.failed(doing, e);
        // Looked for outside the transaction: almost always there is nothing to write.
        let touched: Vec<i64> = sqlx::query_scalar("SELECT id FROM schedules WHERE touched = 1")
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin(doing).await?;
        let mut adopted = Vec::with_capacity(touched.len());
        for id in touched {
            if let Some(done) = adopt(&mut tx, id, zone, now).await.map_err(failed)? {
                adopted.push(done);
            }
        }
        self.commit(tx, doing).await?;
        Ok(adopted)
    }
}

/// Adopts one row.
pub(super) async fn adopt(
    tx: &mut Tx,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sqlx::Result<Option<Adopted>> {
    let Some(row) = fetch(tx, id).await? else {
        return Ok(None);
    };
    let known = fetch_known(tx, id).await?;
    let zone = row
        .timezone
        .as_deref()
        .and_then(|z| Zone::parse(z).ok())
        .unwrap_or(zone.clone());
    let was = known.as_ref().map(|k| k.lifecycle);
    let lifecycle = match (read(&row, known.as_ref(), &zone), known.as_ref()) {
        (Ok(read), None) => adopt_new(tx, &row, &read, now).await?,
        (Ok(read), Some(known)) => adopt_changed(tx, &row, &read, known, now).await?,
        // Whatever it says, it is not to run.
        (Err(_), known) if !row.active && was != Some(Lifecycle::Broken) => {
            set_aside(
                tx,
                &row,
                known,
                State::Cancelled,
                "the schedule was deactivated",
                now,
            )
            .await?;
            Lifecycle::Cancelled
        }
        (Err(e), known) => {
            let reason = e.to_string();
            set_aside(tx, &row, known, State::Skipped, &reason, now).await?;
            if known.is_none() {
                write_uid(tx, id, Uuid::new_v4()).await?;
            }
            write_lifecycle(tx, id, Lifecycle::Broken, Some(&reason)).await?;
            let broken_reason = Some(reason);
            return Ok(Some(Adopted {
                id,
                lifecycle: Lifecycle::Broken,
                broken_reason,
            }));
        }
    };
    write_lifecycle(tx, id, lifecycle, None).await?;
    Ok(Some(Adopted {
        id,
        lifecycle,
        broken_reason: None,
    }))
}

/// A row's parts, each of them readable.
struct Readable {
    plan: Plan,
    timetable: Timetable,
}

/// Reads every part of a row.
///
/// # Errors
/// With what can't be read and why: the reason that the row is broken.
fn read(row: &PromptSchedule, known: Option<&Known>, zone: &Zone) -> Result<Readable> {
    AgentId::parse(&row.agent_id)?;
    if row.prompt_text.trim().is_empty() {
        return Err(Error::new(Code::PromptMissing, "prompt_text is empty"));
    }
    if row.prompt_text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Error::new(
            Code::ScheduleBroken,
            "prompt_text is not valid UTF-8",
        ));
    }
    let next_run = row.next_run.ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            "next_run is not a date and time in UTC",
        )
    })?;
    let kind = schedule_type(&row.schedule_type)?;
    let spec = match Spec::read_stored(kind, &row.schedule_value, zone) {
        Ok(spec) => spec,
        // next_run says when, unless the value alone was changed to say so.
        Err(_)
            if kind == ScheduleType::Once && !known.is_some_and(|k| k.only_value_changed(row)) =>
        {
            Spec::Once(next_run)
        }
        Err(e) => return Err(e),
    };
    let anchor = row.anchor.unwrap_or(next_run);
    Ok(Readable {
        plan: Plan {
            schedule_type: kind,
            schedule_value: row.schedule_value.clone(),
            timezone: zone.name().to_owned(),
            anchor,
            next_run,
            start_at: row.start_at,
            end_at: row.end_at,
            max_repetitions: row.max_repetitions,
        },
        timetable: Timetable {
            spec,
            zone: zone.clone(),
            anchor,
            end_at: row.end_at,
        },
    })
}

/// A row that another program made: its `next_run` is its first instant.
async fn adopt_new(
    tx: &mut Tx,
    row: &PromptSchedule,
    read: &Readable,
    now: Timestamp,
) -> sqlx::Result<Lifecycle> {
    let uid = Uuid::new_v4();
    write_uid(tx, row.id, uid).await?;
    let plan = Plan {
        anchor: read.plan.next_run,
        ..read.plan.clone()
    };
    record_revision(tx, uid, &plan, now).await?;
    let lifecycle = match (row.active, row.last_run) {
        (true, _) => Lifecycle::Active,
        (false, Some(_)) => Lifecycle::Finished,
        (false, None) => Lifecycle::Cancelled,
    };
    write_plan(tx, row.id, &plan, lifecycle).await?;
    Ok(lifecycle)
}

/// A row of ours that another program changed.
async fn adopt_changed(
    tx: &mut Tx,
    row: &PromptSchedule,
    read: &Readable,
    known: &Known,
    now: Timestamp,
) -> sqlx::Result<Lifecycle> {
    let spec_changed = known.spec_changed(row);
    let next_changed = known.next_changed(row);
    let was_active = known.lifecycle == Lifecycle::Active;
    // Being broken was our finding, not anybody's wish: what can be read again runs again.
    let wanted = row.active || known.lifecycle == Lifecycle::Broken;
    if !wanted {
        if was_active || known.lifecycle == Lifecycle::Paused {
            let reason = "the schedule was deactivated";
            set_aside(tx, row, Some(known), State::Cancelled, reason, now).await?;
            return Ok(Lifecycle::Cancelled);
        }
        return Ok(known.lifecycle);
    }
    if was_active && !spec_changed && !next_changed {
        return Ok(Lifecycle::Active);
    }
    if was_active {
        account_for(
            tx,
            row,
            known,
            State::Skipped,
            "the schedule was changed",
            now,
        )
        .await?;
    }
    let next = if next_changed {
        // A foreign next_run wins: it is the first intended instant, in the past or not.
        Some(read.plan.next_run)
    } else if spec_changed {
        Timetable {
            anchor: now,
            ..read.timetable.clone()
        }
        .first(now, None)
    } else {
        // Resumed without replay: what passed meanwhile is not sent.
        Some(read.plan.next_run)
            .filter(|t| *t > now)
            .or_else(|| read.timetable.next_after(now))
    };
    let Some(next) = next else {
        let reason = "it passed while the schedule was not active";
        account_for(tx, row, known, State::Skipped, reason, now).await?;
        return Ok(Lifecycle::Finished);
    };
    let anchor = match (next_changed, spec_changed) {
        (true, _) => next,
        (false, true) => now,
        (false, false) => read.plan.anchor,
    };
    let plan = Plan {
        next_run: next,
        anchor,
        ..read.plan.clone()
    };
    clear_taken_name(tx, row).await?;
    record_revision(tx, known.uid, &plan, now).await?;
    write_plan(tx, row.id, &plan, Lifecycle::Active).await?;
    Ok(Lifecycle::Active)
}

/// Accounts for the instants of the plan as we knew it that have passed unsent.
async fn account_for(
    tx: &mut Tx,
    row: &PromptSchedule,
    known: &Known,
    state: State,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let before = PromptSchedule {
        schedule_type: known.schedule_type.clone(),
        schedule_value: known.schedule_value.clone(),
        next_run: known.planned_next_run,
        ..row.clone()
    };
    if let Ok(timetable) = timetable(&before) {
        settle_backlog(tx, &before, &timetable, now, state, reason).await?;
    }
    Ok(())
}

/// Settles what a schedule leaves behind that will not run any more.
async fn set_aside(
    tx: &mut Tx,
    row: &PromptSchedule,
    known: Option<&Known>,
    state: State,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(known) = known else { return Ok(()) };
    if known.lifecycle == Lifecycle::Active {
        account_for(tx, row, known, state, reason, now).await?;
    }
    cancel_waiting(tx, known.uid, reason, now).await
}

async fn fetch_known(tx: &mut Tx, id: i64) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query(
        "SELECT s.uid, s.lifecycle, s.planned_next_run, r.schedule_type, r.schedule_value \
         FROM schedules s LEFT JOIN schedule_revisions r ON r.id = \
             (SELECT max(id) FROM schedule_revisions WHERE uid = s.uid) \
         WHERE s.id = $1 AND s.uid IS NOT NULL",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let lifecycle = rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l));
    Ok(Some(Known {
        uid: rows::uuid(&row, "uid")?,
        lifecycle: lifecycle.unwrap_or(Lifecycle::Cancelled),
        planned_next_run: row
            .try_get::<Option<DbTime>, _>("planned_next_run")?
            .map(|t| t.0),
        // A row that was broken from the start has no revision: anything readable is a change.
        schedule_type: rows::text(&row, "schedule_type").unwrap_or_default(),
        schedule_value: rows::text(&row, "schedule_value").unwrap_or_default(),
    }))
}

async fn write_uid(tx: &mut Tx, id: i64, uid: Uuid) -> sqlx::Result<()> {
    sqlx::query("UPDATE schedules SET uid = $2, row_version = row_version + 1 WHERE id = $1")
        .bind(id)
        .bind(uid.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A schedule that comes back to life gives up its name if another has taken it meanwhile.
async fn clear_taken_name(tx: &mut Tx, row: &PromptSchedule) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE schedules SET name = NULL, row_version = row_version + 1 WHERE id = $1 \
         AND EXISTS (SELECT 1 FROM schedules o WHERE o.id <> $1 AND o.agent_id = $2 \
                     AND o.name = $3 AND o.lifecycle IN ('active', 'paused'))",
    )
    .bind(row.id)
    .bind(&row.agent_id)
    .bind(&row.name)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
