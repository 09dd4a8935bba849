//! Adoption: interprets rows that another program created or changed.
//!
//! Such a row differs from what we last knew about it: its latest revision, its planned `next_run`
//! and its lifecycle. The difference shows what was meant.

mod changed;
mod reading;

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::ledger::changes::{About, note_change};
use crate::db::ledger::notices::follow_lifecycle;
use crate::db::ledger::plans::to_i64;
use crate::db::ledger::revisions::begin_revision;
use crate::db::sql::{self, Tx, statement};
use crate::db::statements::schedules::{change_schedule, fetch, write_lifecycle, write_plan};
use crate::db::time::optional;
use crate::db::{AT_ONCE, Db};
use crate::error::{Code, Error, Result};
use crate::failpoint::failpoint;
use crate::ids::new_id;
use crate::models::{
    Adoption, AgentId, By, Lifecycle, Operation, Plan, PromptSchedule, ScheduleType, State,
};
use crate::schedule::{Zone, remaining};
use changed::{adopt_changed, deactivate, set_aside};
use reading::{Known, Readable, fetch_known, fetch_unreadable, read};

impl Db {
    /// Adopts rows that another program created or changed, at most [`AT_ONCE`]: if it is that
    /// many, there may be more. `zone` is the zone of rows that have none.
    ///
    /// # Errors
    /// If the database fails. A row that can't be read is not an error, it becomes `broken`.
    pub async fn adopt_touched(&self, zone: &Zone, now: Timestamp) -> Result<Vec<Adoption>> {
        const DOING: &str = "adopt the changes of other programs";
        // Looked for first: almost always there is nothing to write.
        let touched = self.read(DOING, |tx| Ok(list_touched(tx, 1)?));
        if touched.await?.is_empty() {
            return Ok(Vec::new());
        }
        let zone = zone.clone();
        let adopted = self.write(DOING, move |tx| {
            let mut adopted = Vec::new();
            for id in list_touched(tx, to_i64(AT_ONCE))? {
                adopted.extend(adopt(tx, id, &zone, now)?);
            }
            failpoint!(AdoptionMade);
            Ok(adopted)
        });
        let adopted = adopted.await?;
        failpoint!(AdoptionCommitted);
        Ok(adopted)
    }
}

/// The rows that another program created or changed, up to a number.
fn list_touched(tx: &Tx<'_>, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM schedules INDEXED BY ix_schedules_touched WHERE touched <> 0 \
         ORDER BY id LIMIT $1"
    )
    .bind(most)
    .all(tx)
}

/// Adopts a row before we change it ourselves, so that our change doesn't hide another program's.
pub(in crate::db) fn adopt_if_touched(
    tx: &Tx<'_>,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sql::Result<()> {
    let touched: Option<i64> = statement!("SELECT 1 FROM schedules WHERE id = $1 AND touched <> 0")
        .bind(id)
        .optional(tx)?;
    if touched.is_some() {
        adopt(tx, id, zone, now)?;
    }
    Ok(())
}

/// Adopts one row.
pub(in crate::db) fn adopt(
    tx: &Tx<'_>,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sql::Result<Option<Adoption>> {
    let Some(mut row) = fetch(tx, id)? else {
        return Ok(None);
    };
    if let Ok(agent) = AgentId::parse(&row.agent_id) {
        row.agent_id = agent.to_string();
    }
    let known = fetch_known(tx, id)?;
    let known = known.as_ref();
    let uid = known.map_or_else(new_id, |k| k.uid);
    write_identity(tx, &row, uid)?;
    let zone = row
        .timezone
        .as_deref()
        .and_then(|z| Zone::parse(z).ok())
        .unwrap_or(zone.clone());
    let readable = match fetch_unreadable(tx, &row)? {
        None => read(&row, known, &zone, now),
        Some(what) => Err(Error::new(Code::ScheduleBroken, what)),
    };
    let (lifecycle, broken_reason) = match readable {
        Ok(read) => {
            let lifecycle = match known {
                None => adopt_new(tx, &row, uid, &read, now)?,
                Some(known) => adopt_changed(tx, &row, &read, known, now)?,
            };
            (lifecycle, None)
        }
        // Whatever it says, it is not supposed to run.
        Err(_) if !row.active && known.is_none_or(|k| k.lifecycle != Lifecycle::Broken) => {
            (deactivate(tx, &row, known, now)?, None)
        }
        Err(e) => {
            let reason = e.to_string();
            set_aside(tx, &row, known, State::Skipped, &reason, now)?;
            (Lifecycle::Broken, Some(reason))
        }
    };
    write_lifecycle(tx, id, lifecycle, broken_reason.as_deref())?;
    follow_lifecycle(tx, id, now)?;
    note_adoption(tx, &row, uid, known, lifecycle, now)?;
    Ok(Some(Adoption {
        id,
        lifecycle,
        broken_reason,
    }))
}

/// Records what another program did to a row, as far as that is visible from what we knew about it.
fn note_adoption(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    uid: Uuid,
    known: Option<&Known>,
    lifecycle: Lifecycle,
    now: Timestamp,
) -> sql::Result<()> {
    let before = known.map(|k| k.lifecycle);
    let (operation, mut what) = match (before, lifecycle) {
        (None, _) => (Operation::Register, row.schedule_type.clone()),
        (Some(Lifecycle::Active), Lifecycle::Cancelled) => (Operation::Cancel, String::new()),
        (Some(Lifecycle::Paused | Lifecycle::Cancelled), Lifecycle::Active) => {
            (Operation::Resume, String::new())
        }
        _ => (Operation::Update, String::new()),
    };
    if let Some(known) = known {
        what = known.changed_columns(row).join(", ");
    }
    if lifecycle == Lifecycle::Broken {
        what.push_str("; it can't be read");
    }
    let about = About {
        uid: Some(uid),
        ..About::schedule(row)
    };
    let (by, what) = (By::another_program(), what.trim_start_matches("; "));
    note_change(tx, &by, operation, about, Some(what), now)?;
    Ok(())
}

/// A row that another program created: its `next_run` is its first instant.
fn adopt_new(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    uid: Uuid,
    read: &Readable,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    let plan = Plan {
        anchor: read.plan.next_run,
        ..read.plan.clone()
    };
    let over = remaining(row) == Some(0)
        || (row.last_run.is_some() && plan.schedule_type == ScheduleType::Once);
    let lifecycle = match (row.active, over) {
        (true, _) => Lifecycle::Active,
        (false, true) => Lifecycle::Finished,
        (false, false) => Lifecycle::Cancelled,
    };
    begin_revision(tx, uid, &plan, lifecycle, now)?;
    write_plan(tx, row.id, &plan, lifecycle)?;
    Ok(lifecycle)
}

/// Gives a row its uid, and writes its agent and its times in our form: in another form, or as
/// bytes, they sort and compare differently. What can't be read is left alone.
fn write_identity(tx: &Tx<'_>, row: &PromptSchedule, uid: Uuid) -> sql::Result<()> {
    statement!(change_schedule!(
        "uid = $2, agent_id = coalesce($6, agent_id), next_run = coalesce($3, next_run), \
         created_at = coalesce($4, created_at), last_run = coalesce($5, last_run)",
        " WHERE id = $1"
    ))
    .bind(row.id)
    .bind(uid.to_string())
    .bind(optional(row.next_run))
    .bind(optional(row.created_at))
    .bind(optional(row.last_run))
    .bind(
        AgentId::parse(&row.agent_id)
            .ok()
            .as_ref()
            .map(AgentId::as_str),
    )
    .execute(tx)?;
    Ok(())
}
