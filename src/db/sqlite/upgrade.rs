//! In-place upgrades of older databases: the bare table of nine columns, and the Python program's
//! `schedules` and `unified_reminders`. A backup is left next to the file, every row is kept, and
//! nothing outdated is sent.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::adoption::adopt;
use super::connection::{Access, connect};
use super::filesystem::{create_new_private, for_sqlite};
use super::tables::columns_of;
use super::wording::worded;
use crate::db::ledger::plans::Unsent;
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::wording::database_error;
use crate::db::statements::schedules::{fetch, write_lifecycle};
use crate::db::time::DbTime;
use crate::error::{Code, Error, Result, shell};
use crate::models::{Lifecycle, State, UpgradeReport};
use crate::schedule::{Spec, Zone, remaining, timetable_of};

/// The tables of older programs that were found.
#[derive(Clone, Copy, Debug)]
pub(in crate::db) struct Legacy {
    /// A `schedules` table that is not ours.
    schedules: Option<Schedules>,
    /// A `unified_reminders` table that was not taken over yet.
    reminders: bool,
}

/// Which program made the `schedules` table.
#[derive(Clone, Copy, Debug)]
enum Schedules {
    /// The bare table of nine columns.
    Bare,
    /// The Python program's, which counts repetitions.
    Counted,
}

impl Legacy {
    pub(in crate::db) fn is_empty(self) -> bool {
        self.schedules.is_none() && !self.reminders
    }
}

/// The Python program's other table.
const REMINDERS: &str = "unified_reminders";

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
/// [`Code::DatabaseInvalid`] if there is a `schedules` table of an unknown program.
pub(in crate::db) fn look(tx: &Tx<'_>, path: &Path) -> Result<Legacy> {
    let doing = "look for an older version's tables";
    let (columns, reminders) = worded(path, doing, || {
        let reminders = !columns_of(tx, REMINDERS)?.is_empty() && !is_upgraded(tx, REMINDERS)?;
        Ok((columns_of(tx, "schedules")?, reminders))
    })?;
    let has = |column: &str| columns.iter().any(|c| c == column);
    let schedules = if columns.is_empty() || has("uid") {
        None
    } else if let Some(missing) = NEEDED.iter().find(|c| !has(c)) {
        return Err(Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} has a table `schedules` without the column {missing}, so it \
                 belongs to another program: give another path",
                path.display()
            ),
        )
        .example(shell("--db ./promptyoself.db")));
    } else if has("max_repetitions") && has("repetition_count") {
        Some(Schedules::Counted)
    } else {
        Some(Schedules::Bare)
    };
    Ok(Legacy {
        schedules,
        reminders,
    })
}

/// Makes room for our tables: an older `schedules` is kept in a temporary table until it is taken
/// over in the same transaction. It is copied, not renamed, so that anything that refers to the
/// table by name keeps working.
pub(in crate::db) fn set_aside(tx: &Tx<'_>, legacy: Legacy) -> sql::Result<()> {
    if legacy.schedules.is_some() {
        // Rows of other tables may refer to these, which will have the same ids again.
        for statement in [
            "PRAGMA defer_foreign_keys = ON",
            "CREATE TEMP TABLE older_schedules AS SELECT * FROM main.schedules",
            "DROP TABLE main.schedules",
        ] {
            query(statement).execute(tx)?;
        }
    }
    Ok(())
}

/// Takes the rows of older tables over into ours.
pub(in crate::db) fn bring_over(
    tx: &Tx<'_>,
    legacy: Legacy,
    now: Timestamp,
) -> sql::Result<UpgradeReport> {
    let mut report = UpgradeReport::default();
    let mut ids = Vec::new();
    if let Some(whose) = legacy.schedules {
        ids.extend(copy_schedules(tx, whose)?);
    }
    if legacy.reminders {
        ids.extend(copy_reminders(tx, &mut report, now)?);
    }
    report.kept = ids.len();
    for id in ids {
        settle_in(tx, id, now, &mut report)?;
    }
    Ok(report)
}

/// Adopts a copied row, so that nothing of its past is sent.
fn settle_in(tx: &Tx<'_>, id: i64, now: Timestamp, report: &mut UpgradeReport) -> sql::Result<()> {
    let Some(row) = fetch(tx, id)? else {
        return Ok(());
    };
    let mut passed = None;
    if let (true, Some(due), Ok(timetable)) = (row.active, row.next_run, timetable_of(&row))
        && due <= now
        && remaining(&row) != Some(0)
    {
        match (&timetable.spec, timetable.next_after(now)) {
            (Spec::Once(_), _) | (_, None) => passed = Some(due),
            (_, Some(next)) => {
                query("UPDATE schedules SET next_run = $2 WHERE id = $1")
                    .bind(id)
                    .bind(DbTime(next))
                    .execute(tx)?;
                report.restarted.push(id);
            }
        }
    }
    let adopted = adopt(tx, id, &Zone::utc(), now)?;
    if let Some(reason) = adopted.and_then(|a| a.broken_reason) {
        report.broken.push((id, reason));
        return Ok(());
    }
    if remaining(&row) == Some(0) && row.active {
        return write_lifecycle(tx, id, Lifecycle::Finished, None);
    }
    if let Some(due) = passed
        && let Some(uid) = fetch(tx, id)?.and_then(|row| row.uid)
    {
        let missed = Unsent {
            uid,
            agent_id: &row.agent_id,
            target: None,
            first_at: due,
            newest: due,
            count: 1,
            state: State::Missed,
            reason: "its time had passed before the upgrade",
        };
        missed.record(tx, now)?;
        write_lifecycle(tx, id, Lifecycle::Finished, None)?;
        report.missed.push(id);
    }
    Ok(())
}

/// Copies the rows of an older `schedules` table with their ids. The older programs calculated in
/// UTC, so that is the time zone of these schedules, whatever is configured.
fn copy_schedules(tx: &Tx<'_>, whose: Schedules) -> sql::Result<Vec<i64>> {
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
    let ids = query(copy).all(tx)?;
    query("DROP TABLE older_schedules").execute(tx)?;
    Ok(ids)
}

/// Copies the reminders that are for agents. Their table stays, because the web interface shares
/// it, but they are switched off there: two programs must not send the same prompt.
fn copy_reminders(
    tx: &Tx<'_>,
    report: &mut UpgradeReport,
    now: Timestamp,
) -> sql::Result<Vec<i64>> {
    // Those whose id is free come first, so that no other gets it.
    let reminders: Vec<i64> = query(
        "SELECT id FROM unified_reminders r WHERE agent_id IS NOT NULL \
         ORDER BY EXISTS (SELECT 1 FROM schedules s WHERE s.id = r.id), id",
    )
    .all(tx)?;
    let mut ids = Vec::with_capacity(reminders.len());
    for reminder in reminders {
        let row = query(
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
        .fetch_one(tx)?;
        let id: i64 = row.get("id")?;
        if id != reminder {
            report.renumbered.push((reminder, id));
        }
        ids.push(id);
    }
    query("UPDATE unified_reminders SET active = 0 WHERE agent_id IS NOT NULL").execute(tx)?;
    query("INSERT INTO upgrades (source, made_at) VALUES ('unified_reminders', $1)")
        .bind(DbTime(now))
        .execute(tx)?;
    Ok(ids)
}

/// Completes "could not …" while the copy is made.
const BACK_UP: &str = "back it up before the upgrade";

/// Copies the whole database to a file next to it. The caller holds the write lock, so that the
/// copy is what will be upgraded; that is why this reads on a connection of its own.
pub(in crate::db) fn back_up(path: &Path, now: Timestamp) -> Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(
        ".before-upgrade-{}",
        now.strftime("%Y%m%dT%H%M%S%.6fZ")
    ));
    let backup = PathBuf::from(name);
    let unusable = |e: std::io::Error| database_error(path, BACK_UP, None, e);
    create_new_private(&backup).map_err(unusable)?;
    if let Err(e) = copy(path, &backup) {
        let _ = std::fs::remove_file(&backup);
        return Err(e);
    }
    Ok(backup)
}

fn copy(path: &Path, backup: &Path) -> Result<()> {
    let unusable = |e: std::io::Error| database_error(path, BACK_UP, None, e);
    let name = for_sqlite(backup).map_err(unusable)?;
    worded(path, BACK_UP, || {
        let connection = connect(path, Access::Write)?;
        let copy = query("VACUUM INTO $1").bind(name);
        Ok(copy.execute(&Tx::on(&connection))?)
    })?;
    // SQLite leaves it to us to flush the copy to disk.
    std::fs::File::open(backup)
        .and_then(|f| f.sync_all())
        .map_err(unusable)
}

fn is_upgraded(tx: &Tx<'_>, source: &str) -> sql::Result<bool> {
    if columns_of(tx, "upgrades")?.is_empty() {
        return Ok(false);
    }
    let found: Option<i64> = query("SELECT 1 FROM upgrades WHERE source = $1")
        .bind(source)
        .optional(tx)?;
    Ok(found.is_some())
}
