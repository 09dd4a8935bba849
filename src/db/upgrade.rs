//! Upgrades in place of the databases that came before: the bare table of nine columns, and the
//! Python program's `schedules` and `unified_reminders`. A backup is left beside the file, every
//! row is kept, and nothing stale is sent.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};

use super::adoption::adopt;
use super::filesystem::{create_new_private, for_sqlite};
use super::plans::{Unsent, remaining, timetable};
use super::schedules::{fetch, write_lifecycle};
use super::time::DbTime;
use super::{Tx, database_error};
use crate::error::{Code, Error, Result};
use crate::models::{Lifecycle, State};
use crate::schedule::{Spec, Zone};

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

/// What was found of older programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legacy {
    /// A `schedules` table that is not ours.
    schedules: Option<Schedules>,
    /// A `unified_reminders` table that was not brought over yet.
    reminders: bool,
}

/// Whose `schedules` table it is.
#[derive(Clone, Copy, Debug)]
enum Schedules {
    /// The bare table of nine columns.
    Bare,
    /// The Python program's, which counts repetitions.
    Counted,
}

impl Legacy {
    pub(super) fn is_empty(self) -> bool {
        self.schedules.is_none() && !self.reminders
    }
}

/// The columns that every older `schedules` has.
const NEEDED: [&str; 9] = [
    "id",
    "agent_id",
    "prompt_text",
    "schedule_type",
    "schedule_value",
    "next_run",
    "created_at",
    "active",
    "last_run",
];

/// Looks for the tables of older programs.
///
/// # Errors
/// [`Code::DatabaseInvalid`] if there is a `schedules` that is no program's we know.
pub(super) async fn look(connection: &mut SqliteConnection, path: &Path) -> Result<Legacy> {
    let failed = |e| database_error(path, "look for an older version's tables", e);
    let columns = columns_of(connection, "schedules").await.map_err(failed)?;
    let has = |column: &str| columns.iter().any(|c| c == column);
    let schedules = if columns.is_empty() || has("uid") {
        None
    } else if let Some(missing) = NEEDED.iter().find(|c| !has(c)) {
        return Err(Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} has a table `schedules` without the column {missing}, so it is \
                 another program's: give another path",
                path.display()
            ),
        )
        .example("--db ./promptyoself.db"));
    } else if has("max_repetitions") && has("repetition_count") {
        Some(Schedules::Counted)
    } else {
        Some(Schedules::Bare)
    };
    let reminders = !columns_of(connection, "unified_reminders")
        .await
        .map_err(failed)?
        .is_empty()
        && !is_upgraded(connection, "unified_reminders")
            .await
            .map_err(failed)?;
    Ok(Legacy {
        schedules,
        reminders,
    })
}

/// Makes room for our tables: an older `schedules` waits in a temporary table until it is brought
/// over in the same transaction. It is copied, not renamed, so that whatever refers to the table
/// by its name goes on doing so.
pub(super) async fn set_aside(tx: &mut Tx, legacy: Legacy) -> sqlx::Result<()> {
    if legacy.schedules.is_some() {
        // Rows of other tables may refer to these, which come back under the same numbers.
        for statement in [
            "PRAGMA defer_foreign_keys = ON",
            "CREATE TEMP TABLE older_schedules AS SELECT * FROM main.schedules",
            "DROP TABLE main.schedules",
        ] {
            sqlx::query(statement).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Brings the rows of older tables into ours.
pub(super) async fn bring_over(
    tx: &mut Tx,
    legacy: Legacy,
    now: Timestamp,
) -> sqlx::Result<UpgradeReport> {
    let mut report = UpgradeReport::default();
    let mut ids = Vec::new();
    if let Some(whose) = legacy.schedules {
        ids.extend(copy_schedules(tx, whose).await?);
    }
    if legacy.reminders {
        ids.extend(copy_reminders(tx, &mut report, now).await?);
    }
    report.kept = ids.len();
    for id in ids {
        settle_in(tx, id, now, &mut report).await?;
    }
    Ok(report)
}

/// Adopts a copied row, so that nothing of its past is sent.
async fn settle_in(
    tx: &mut Tx,
    id: i64,
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
    let adopted = adopt(tx, id, &Zone::utc(), now).await?;
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
        let missed = Unsent {
            uid,
            agent_id: &row.agent_id,
            first_at: due,
            newest: due,
            count: 1,
            state: State::Missed,
            reason: "its time had passed before the upgrade",
        };
        missed.record(tx, now).await?;
        write_lifecycle(tx, id, Lifecycle::Finished, None).await?;
        report.missed.push(id);
    }
    Ok(())
}

/// Copies the rows of an older `schedules` table under their own numbers. The older programs
/// calculated in UTC, so that is these schedules' zone whatever is configured.
async fn copy_schedules(tx: &mut Tx, whose: Schedules) -> sqlx::Result<Vec<i64>> {
    // The Python program treated a limit of 0 as no limit.
    let copy = match whose {
        Schedules::Counted => {
            "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, last_run, timezone, max_repetitions, repetitions) \
             SELECT id, coalesce(agent_id, ''), coalesce(prompt_text, ''), \
             coalesce(schedule_type, ''), coalesce(schedule_value, ''), coalesce(next_run, ''), \
             created_at, active, last_run, 'UTC', \
             CASE WHEN max_repetitions > 0 THEN max_repetitions END, \
             coalesce(repetition_count, 0) FROM older_schedules RETURNING id"
        }
        Schedules::Bare => {
            "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, last_run, timezone) \
             SELECT id, coalesce(agent_id, ''), coalesce(prompt_text, ''), \
             coalesce(schedule_type, ''), coalesce(schedule_value, ''), coalesce(next_run, ''), \
             created_at, active, last_run, 'UTC' FROM older_schedules RETURNING id"
        }
    };
    let ids = sqlx::query_scalar(copy).fetch_all(&mut **tx).await?;
    sqlx::query("DROP TABLE older_schedules")
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
    // Those whose number is free come first, so that no other is given it.
    let reminders: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM unified_reminders r WHERE agent_id IS NOT NULL \
         ORDER BY EXISTS (SELECT 1 FROM schedules s WHERE s.id = r.id), id",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut ids = Vec::with_capacity(reminders.len());
    for reminder in reminders {
        let row = sqlx::query(
            "INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, last_run, timezone, max_repetitions, repetitions) \
             SELECT CASE WHEN EXISTS (SELECT 1 FROM schedules WHERE id = $1) THEN NULL ELSE id \
             END, agent_id, coalesce(message, ''), coalesce(schedule_type, ''), \
             coalesce(schedule_value, ''), coalesce(next_run, ''), created_at, active, last_run, \
             'UTC', \
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

/// What is being done while a copy is made.
const BACK_UP: &str = "back it up before the upgrade";

/// Copies the whole database to a file beside it. The caller holds the write lock, so that the copy
/// is what is upgraded; hence the connection of its own, which reads.
pub(super) async fn back_up(
    options: &SqliteConnectOptions,
    path: &Path,
    now: Timestamp,
) -> Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(
        ".before-upgrade-{}",
        now.strftime("%Y%m%dT%H%M%S%.6fZ")
    ));
    let backup = PathBuf::from(name);
    let unusable = |e: std::io::Error| database_error(path, BACK_UP, sqlx::Error::Io(e));
    create_new_private(&backup).map_err(unusable)?;
    let copied = async {
        let mut connection = SqliteConnection::connect_with(options).await?;
        sqlx::query("VACUUM INTO $1")
            .bind(for_sqlite(&backup).map_err(sqlx::Error::Io)?)
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        // SQLite leaves it to us to bring the copy to the disk.
        std::fs::File::open(&backup)
            .and_then(|f| f.sync_all())
            .map_err(sqlx::Error::Io)
    };
    if let Err(e) = copied.await {
        let _ = std::fs::remove_file(&backup);
        return Err(database_error(path, BACK_UP, e));
    }
    Ok(backup)
}

/// The columns of a table; none if there is no such table.
async fn columns_of(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
        .bind(table)
        .fetch_all(connection)
        .await
}

async fn is_upgraded(connection: &mut SqliteConnection, source: &str) -> sqlx::Result<bool> {
    if columns_of(connection, "upgrades").await?.is_empty() {
        return Ok(false);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM upgrades WHERE source = $1")
        .bind(source)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}
