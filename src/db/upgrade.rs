//! Upgrades in place of the databases that came before: the bare table of nine columns, and the
//! Python program's `schedules` and `unified_reminders`. A backup is left beside the file, every
//! row is kept, and nothing stale is sent.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqlitePool;

use super::adoption::adopt;
use super::plans::{insert_settled, remaining, timetable};
use super::schedules::{fetch, write_lifecycle};
use super::time::DbTime;
use super::{Db, Tx, database_error};
use crate::error::Result;
use crate::models::{Lifecycle, State};
use crate::schedule::{Passed, Spec, Zone};

/// What an upgrade did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeReport {
    /// Where the database is kept as it was.
    pub backup: Option<PathBuf>,
    /// How many schedules were brought over.
    pub kept: usize,
    /// One-shots whose time had passed: they are not sent.
    pub missed: Vec<i64>,
    /// Recurring schedules whose time had passed: they start at their next instant.
    pub restarted: Vec<i64>,
    /// Schedules that can't be read, and why.
    pub broken: Vec<(i64, String)>,
    /// Schedules whose number was taken: the old one and the new one.
    pub renumbered: Vec<(i64, i64)>,
}

impl fmt::Display for UpgradeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upgraded the database: {} schedules kept", self.kept)?;
        if let Some(backup) = &self.backup {
            write!(f, "; it is kept as it was in {}", backup.display())?;
        }
        for id in &self.missed {
            write!(f, "; {id} had passed and is missed")?;
        }
        for id in &self.restarted {
            write!(f, "; {id} starts at its next instant")?;
        }
        for (old, new) in &self.renumbered {
            write!(f, "; reminder {old} is now {new}")?;
        }
        for (id, reason) in &self.broken {
            write!(f, "; {id} can't be read: {reason}")?;
        }
        Ok(())
    }
}

/// What was found of an older program.
pub(super) struct Legacy {
    backup: Option<PathBuf>,
}

/// The name under which an older `schedules` table waits to be brought over. It survives a crash
/// between the two halves of the upgrade.
const ASIDE: &str = "schedules_before_upgrade";

/// Makes room for our tables: backs up a database of an older program and sets its `schedules`
/// aside. Returns what [`bring_over`] then needs; `None` if there is nothing to upgrade.
pub(super) async fn set_aside(
    pool: &SqlitePool,
    path: &Path,
    now: Timestamp,
) -> Result<Option<Legacy>> {
    let failed = |e| database_error(path, "look for an older version's tables", e);
    let waiting = has_table(pool, ASIDE).await.map_err(failed)?;
    // The table is looked for first: another process may be making ours at this moment, and one
    // that appears between the two questions must not be taken for an older one.
    let there = has_table(pool, "schedules").await.map_err(failed)?;
    let ours = has_column(pool, "schedules", "uid").await.map_err(failed)?;
    let old = there && !ours;
    let reminders = has_table(pool, "unified_reminders").await.map_err(failed)?
        && !is_upgraded(pool, "unified_reminders")
            .await
            .map_err(failed)?;
    if !old && !reminders {
        return Ok(waiting.then_some(Legacy { backup: None }));
    }
    let backup = back_up(pool, path, now).await?;
    if old {
        let doing = "set the older schedules aside";
        let failed = |e| database_error(path, doing, e);
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        // Index names are global: the old ones would stand in the way of ours.
        let indexes: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'schedules' \
             AND sql IS NOT NULL",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        for index in indexes {
            let quoted = index.replace('"', "\"\"");
            let drop = sqlx::AssertSqlSafe(format!("DROP INDEX \"{quoted}\""));
            sqlx::query(drop).execute(&mut *tx).await.map_err(failed)?;
        }
        sqlx::query("ALTER TABLE schedules RENAME TO schedules_before_upgrade")
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
    }
    Ok(Some(Legacy {
        backup: Some(backup),
    }))
}

/// Brings the rows of older tables into ours, in one transaction.
pub(super) async fn bring_over(
    db: &Db,
    legacy: Legacy,
    zone: &Zone,
    now: Timestamp,
) -> Result<UpgradeReport> {
    let doing = "bring the older schedules over";
    let failed = |e| db.failed(doing, e);
    let mut report = UpgradeReport {
        backup: legacy.backup,
        ..UpgradeReport::default()
    };
    let schedules = has_table(&db.pool, ASIDE).await.map_err(failed)?;
    let counted = has_column(&db.pool, ASIDE, "max_repetitions")
        .await
        .map_err(failed)?;
    let reminders = has_table(&db.pool, "unified_reminders")
        .await
        .map_err(failed)?
        && !is_upgraded(&db.pool, "unified_reminders")
            .await
            .map_err(failed)?;

    let mut tx = db.begin(doing).await?;
    let mut ids = Vec::new();
    if schedules {
        ids.extend(copy_schedules(&mut tx, counted).await.map_err(failed)?);
    }
    if reminders {
        ids.extend(
            copy_reminders(&mut tx, &mut report, now)
                .await
                .map_err(failed)?,
        );
    }
    report.kept = ids.len();
    for id in ids {
        settle_in(&mut tx, id, zone, now, &mut report)
            .await
            .map_err(failed)?;
    }
    db.commit(tx, doing).await?;
    Ok(report)
}

/// Adopts a copied row, so that nothing of its past is sent.
async fn settle_in(
    tx: &mut Tx,
    id: i64,
    zone: &Zone,
    now: Timestamp,
    report: &mut UpgradeReport,
) -> sqlx::Result<()> {
    let Some(row) = fetch(tx, id).await? else {
        return Ok(());
    };
    let mut passed = None;
    if let (true, Some(due), Ok(timetable)) = (row.active, row.next_run, timetable(&row))
        && due <= now
        && remaining(&row) != Some(0)
    {
        match (&timetable.spec, timetable.next_after(now)) {
            (Spec::Once(_), _) | (_, None) => passed = Some(due),
            (_, Some(next)) => {
                sqlx::query("UPDATE schedules SET next_run = $2 WHERE id = $1")
                    .bind(id)
                    .bind(DbTime(next))
                    .execute(&mut **tx)
                    .await?;
                report.restarted.push(id);
            }
        }
    }
    let adopted = adopt(tx, id, zone, now).await?;
    if let Some(reason) = adopted.and_then(|a| a.broken_reason) {
        report.broken.push((id, reason));
        return Ok(());
    }
    if remaining(&row) == Some(0) && row.active {
        return write_lifecycle(tx, id, Lifecycle::Finished, None).await;
    }
    if let Some(due) = passed
        && let Some(uid) = fetch(tx, id).await?.and_then(|row| row.uid)
    {
        let one = Passed {
            count: 1,
            newest: due,
            before_newest: None,
        };
        let reason = "its time had passed before the upgrade";
        insert_settled(
            tx,
            uid,
            &row.agent_id,
            due,
            &one,
            State::Missed,
            reason,
            now,
        )
        .await?;
        write_lifecycle(tx, id, Lifecycle::Finished, None).await?;
        report.missed.push(id);
    }
    Ok(())
}

/// Copies the rows of an older `schedules` table under their own numbers, and drops it.
async fn copy_schedules(tx: &mut Tx, counted: bool) -> sqlx::Result<Vec<i64>> {
    // The Python program treated a limit of 0 as no limit.
    let copy = if counted {
        "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
         next_run, created_at, active, last_run, max_repetitions, repetitions) \
         SELECT id, agent_id, prompt_text, schedule_type, schedule_value, next_run, created_at, \
         active, last_run, CASE WHEN max_repetitions > 0 THEN max_repetitions END, \
         coalesce(repetition_count, 0) FROM schedules_before_upgrade RETURNING id"
    } else {
        "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
         next_run, created_at, active, last_run) \
         SELECT id, agent_id, prompt_text, schedule_type, schedule_value, next_run, created_at, \
         active, last_run FROM schedules_before_upgrade RETURNING id"
    };
    let ids = sqlx::query_scalar(copy).fetch_all(&mut **tx).await?;
    sqlx::query("DROP TABLE schedules_before_upgrade")
        .execute(&mut **tx)
        .await?;
    Ok(ids)
}

/// Copies the reminders that are for agents. Their table stays, since the web interface shares it,
/// but they are switched off there: two programs must not send the same prompt.
async fn copy_reminders(
    tx: &mut Tx,
    report: &mut UpgradeReport,
    now: Timestamp,
) -> sqlx::Result<Vec<i64>> {
    let reminders: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM unified_reminders WHERE agent_id IS NOT NULL ORDER BY id",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut ids = Vec::with_capacity(reminders.len());
    for reminder in reminders {
        let row = sqlx::query(
            "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, last_run, max_repetitions, repetitions) \
             SELECT CASE WHEN EXISTS (SELECT 1 FROM schedules WHERE id = $1) THEN NULL ELSE id \
             END, agent_id, message, coalesce(schedule_type, ''), coalesce(schedule_value, ''), \
             next_run, created_at, active, last_run, \
             CASE WHEN max_repetitions > 0 THEN max_repetitions END, \
             coalesce(repetition_count, 0) FROM unified_reminders WHERE id = $1 RETURNING id",
        )
        .bind(reminder)
        .fetch_one(&mut **tx)
        .await?;
        let id: i64 = row.try_get("id")?;
        if id != reminder {
            report.renumbered.push((reminder, id));
        }
        ids.push(id);
    }
    sqlx::query("UPDATE unified_reminders SET active = 0 WHERE agent_id IS NOT NULL")
        .execute(&mut **tx)
        .await?;
    sqlx::query("INSERT INTO upgrades (source, made_at) VALUES ('unified_reminders', $1)")
        .bind(DbTime(now))
        .execute(&mut **tx)
        .await?;
    Ok(ids)
}

/// Copies the whole database to a file beside it, as of now.
async fn back_up(pool: &SqlitePool, path: &Path, now: Timestamp) -> Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(
        ".before-upgrade-{}",
        now.strftime("%Y%m%dT%H%M%S%.6fZ")
    ));
    let backup = PathBuf::from(name);
    super::open::create_private(&backup)?;
    sqlx::query("VACUUM INTO $1")
        .bind(backup.to_string_lossy().into_owned())
        .execute(pool)
        .await
        .map_err(|e| database_error(path, "back it up before the upgrade", e))?;
    Ok(backup)
}

async fn has_table(pool: &SqlitePool, table: &str) -> sqlx::Result<bool> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
            .bind(table)
            .fetch_optional(pool)
            .await?;
    Ok(found.is_some())
}

async fn has_column(pool: &SqlitePool, table: &str, column: &str) -> sqlx::Result<bool> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM pragma_table_info($1) WHERE name = $2")
            .bind(table)
            .bind(column)
            .fetch_optional(pool)
            .await?;
    Ok(found.is_some())
}

async fn is_upgraded(pool: &SqlitePool, source: &str) -> sqlx::Result<bool> {
    if !has_table(pool, "upgrades").await? {
        return Ok(false);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM upgrades WHERE source = $1")
        .bind(source)
        .fetch_optional(pool)
        .await?;
    Ok(found.is_some())
}
