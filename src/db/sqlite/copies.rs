//! Copies: a backup taken while the scheduler runs, and its way back.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::adoption::adopt;
use super::connection::{Access, connect};
use super::filesystem::{create_new_private, for_sqlite, with_end};
use super::liveness::{lives, owners_folder};
use super::open::apart;
use crate::db::ledger::changes::{About, note_change};
use crate::db::ledger::control::skip_to_now;
use crate::db::ledger::notices::follow_lifecycle;
use crate::db::ledger::plans::timetable;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows::{self, schedule_columns};
use crate::db::time::DbTime;
use crate::db::{Db, database_error};
use crate::error::{Code, Error, Result};
use crate::models::{Operation, PromptSchedule};
use crate::schedule::Zone;

/// Why an instant is not sent that passed between a backup and its way back.
const BETWEEN: &str =
    "it passed after the backup was taken that was restored: it may have been sent before that";

/// What was restored.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Restored {
    /// How many schedules there are.
    pub schedules: i64,
    /// When the backup was taken, or was last written to before that.
    pub as_of: Option<Timestamp>,
    /// The schedules of which instants have passed since; they are skipped, or with `replay` caught
    /// up with.
    pub passed: Vec<i64>,
    /// Where the database is kept that was in its place.
    pub set_aside: Option<PathBuf>,
}

impl Db {
    /// Copies the whole database to a new file that only this user can read, and checks the copy.
    /// It works while others write.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] if there is such a file or it can't be made, and those of the
    /// database.
    pub async fn back_up(&self, to: &Path) -> Result<i64> {
        for_sqlite(to).map_err(|e| unusable(to, "make the backup", e))?;
        create_new_private(to).map_err(|e| unusable(to, "make the backup", e))?;
        let copied = self.copy_and_check(to).await;
        if copied.is_err() {
            let _ = std::fs::remove_file(to);
        }
        copied
    }

    async fn copy_and_check(&self, to: &Path) -> Result<i64> {
        let (path, to) = (self.path.clone(), to.to_owned());
        apart(move || {
            let name = for_sqlite(&to).map_err(|e| unusable(&to, "make the backup", e))?;
            // On a connection of its own: meanwhile others write.
            let copied = connect(&path, Access::Write).and_then(|connection| {
                let copy = query("VACUUM INTO $1").bind(name);
                copy.execute(&Tx::on(&connection))
            });
            copied.map_err(|e| failed(&path, "back it up", e))?;
            // SQLite leaves it to us to bring the copy to the disk.
            std::fs::File::open(&to)
                .and_then(|file| file.sync_all())
                .map_err(|e| unusable(&to, "write the backup", e))?;
            check_copy(&to)
        })
        .await
    }

    /// Puts a backup into the place of a database. What is there is set aside, never deleted.
    ///
    /// The copy becomes a database of its own: what it sends has other otids than what the original
    /// would send, should that still run. Prompts that were on their way are looked for under their
    /// old otids. What has passed since is skipped, since the original may have sent it, or with
    /// `replay` caught up with.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] if the backup can't be used, [`Code::DatabaseUnavailable`] if the
    /// place is in use.
    pub async fn restore(
        from: &Path,
        to: &Path,
        zone: &Zone,
        replay: bool,
        now: Timestamp,
    ) -> Result<Restored> {
        let copy = from.to_owned();
        apart(move || check_copy(&copy)).await?;
        put_in_place(from, to, zone, replay, now).await
    }

    /// Does to a database what [`Db::restore`] does to a backup: it is one that was put into its place
    /// by other means, so nobody can know what was sent since it was copied. What was there is kept.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if there is none or anybody has it open, and those of a restore.
    pub async fn settle_in_place(path: &Path, zone: &Zone, now: Timestamp) -> Result<Restored> {
        if !holds_something(path) {
            return Err(Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "there is no database {} to settle: name the one that was put into its place \
                     with --db or PROMPTYOSELF_DB_PATH",
                    path.display()
                ),
            )
            .example("promptyoself restore promptyoself-backup.db"));
        }
        let place = path.to_owned();
        apart(move || {
            refuse_if_in_use(&place)?;
            check_copy(&place)
        })
        .await?;
        put_in_place(path, path, zone, false, now).await
    }
}

/// Makes a copy of a database ready for use and puts it into its place.
async fn put_in_place(
    from: &Path,
    to: &Path,
    zone: &Zone,
    replay: bool,
    now: Timestamp,
) -> Result<Restored> {
    if holds_something(to) {
        let place = to.to_owned();
        apart(move || refuse_if_in_use(&place)).await?;
    }
    let coming = beside(to, &format!("restoring-{}", Uuid::new_v4()));
    let prepared = prepare(from, &coming, zone, replay, now).await;
    let mut restored = match prepared {
        Ok(restored) => restored,
        Err(e) => {
            remove_all(&coming);
            return Err(e);
        }
    };
    let place = to.to_owned();
    let put = apart(move || {
        let put = put_there(&coming, &place, now);
        if put.is_err() {
            remove_all(&coming);
        }
        put
    });
    restored.set_aside = put.await?;
    Ok(restored)
}

/// Puts a copy into its place. Returns where is kept what was there.
fn put_there(coming: &Path, to: &Path, now: Timestamp) -> Result<Option<PathBuf>> {
    let in_place = holds_something(to);
    // Again, as late as can be: to prepare the copy took a while.
    if in_place {
        refuse_if_in_use(to)?;
    }
    let aside = beside(
        to,
        &format!("before-restore-{}", now.strftime("%Y%m%dT%H%M%S%.6fZ")),
    );
    if in_place {
        // What is set aside replaces nothing.
        create_new_private(&aside).map_err(|e| unusable(&aside, "set it aside as", e))?;
    }
    // A log that a crash left behind would be played into whatever gets this name.
    for end in FILES {
        let there = with_end(to, end);
        if there.exists() {
            std::fs::rename(&there, with_end(&aside, end))
                .map_err(|e| unusable(&there, "set it aside", e))?;
        }
    }
    std::fs::rename(coming, to).map_err(|e| unusable(to, "put the backup there", e))?;
    Ok(in_place.then_some(aside))
}

/// What SQLite keeps of one database: itself, and what is not yet written into it.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn remove_all(path: &Path) {
    for end in FILES {
        let _ = std::fs::remove_file(with_end(path, end));
    }
}

/// Makes a copy of the backup ready for use, beside the place where it is to be.
async fn prepare(
    from: &Path,
    coming: &Path,
    zone: &Zone,
    replay: bool,
    now: Timestamp,
) -> Result<Restored> {
    let (backup, place) = (from.to_owned(), coming.to_owned());
    apart(move || copy(&backup, &place)).await?;
    let (db, _) = Db::open(coming, zone, now).await?;
    let as_of = db.latest_past().await?;
    let what = as_of.map_or("a database".to_owned(), |as_of| {
        format!("a database of {as_of}")
    });
    let settled = db.settle_restored(&what, replay, now).await;
    db.close().await;
    let (schedules, passed) = settled?;
    std::fs::File::open(coming)
        .and_then(|file| file.sync_all())
        .map_err(|e| unusable(coming, "write the database", e))?;
    Ok(Restored {
        schedules,
        as_of,
        passed,
        set_aside: None,
    })
}

/// Copies a backup to where its database is made ready.
fn copy(from: &Path, coming: &Path) -> Result<()> {
    create_new_private(coming).map_err(|e| unusable(coming, "make the database", e))?;
    let connection = look_at(from)?;
    let tx = &Tx::on(&connection);
    let name = for_sqlite(coming).map_err(|e| unusable(coming, "make the database", e))?;
    // The copy is another file, but SQLite takes it for a change of this one.
    (query("PRAGMA query_only = OFF").execute(tx))
        .and_then(|_| query("VACUUM INTO $1").bind(name).execute(tx))
        .map_err(|e| failed(from, "read the backup", e))?;
    Ok(())
}

impl Db {
    /// Gives a copy its own identity, and settles what has passed since it was taken.
    async fn settle_restored(
        &self,
        what: &str,
        replay: bool,
        now: Timestamp,
    ) -> Result<(i64, Vec<i64>)> {
        let what = what.to_owned();
        let db = self.clone();
        self.write("make the backup a database of its own", move |tx| {
            let what = &what;
            query("INSERT OR IGNORE INTO former_installs (install_id, until) VALUES ($1, $2)")
                .bind(db.install_id.to_string())
                .bind(DbTime(now))
                .execute(tx)?;
            // Whoever restores a backup sees what time it is taken for, however old it is.
            query("DELETE FROM clock_readings").execute(tx)?;
            query("INSERT INTO clock_readings (trusted, at, uptime) VALUES (1, $1, 0)")
                .bind(DbTime(now))
                .execute(tx)?;
            query("UPDATE install SET install_id = $1")
                .bind(Uuid::new_v4().to_string())
                .execute(tx)?;
            let touched: Vec<i64> = query("SELECT id FROM schedules WHERE touched <> 0").all(tx)?;
            for id in touched {
                adopt(tx, id, &db.zone, now)?;
            }
            let mut passed = Vec::new();
            for schedule in with_passed(tx, now)? {
                passed.push(schedule.id);
                if let (false, Ok(timetable)) = (replay, timetable(&schedule)) {
                    skip_to_now(tx, &schedule, &timetable, BETWEEN, now)?;
                }
            }
            if !replay {
                query(
                    "UPDATE occurrences SET state = 'skipped', reason = $1, finished_at = $2, \
                 not_before = NULL, fence = fence + 1 WHERE state = 'waiting'",
                )
                .bind(BETWEEN)
                .bind(DbTime(now))
                .execute(tx)?;
            }
            let troubled: Vec<i64> = query(
                "SELECT s.id FROM schedules s JOIN incidents i \
             ON i.subject = s.uid OR i.agent_id = s.agent_id \
             WHERE i.closed_at IS NULL GROUP BY s.id",
            )
            .all(tx)?;
            for id in troubled {
                follow_lifecycle(tx, id, now)?;
            }
            let none = About::none();
            note_change(tx, &db.by, Operation::Restore, none, Some(what), now)?;
            let schedules = query("SELECT count(*) FROM schedules").one(tx)?;
            Ok((schedules, passed))
        })
        .await
    }
}

/// The active schedules with an instant that has passed or waits.
fn with_passed(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Vec<PromptSchedule>> {
    let rows = query(concat!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE lifecycle = 'active' AND next_run <= $1 ORDER BY id"
    ))
    .bind(DbTime(now))
    .fetch_all(tx)?;
    rows.iter().map(rows::schedule).collect()
}

/// Checks that a file is a database of this program, whole. Returns how many schedules it holds.
fn check_copy(path: &Path) -> Result<i64> {
    let damaged = |what: String| {
        Error::new(
            Code::FileUnusable,
            format!(
                "{} is not a whole database of promptyoself: {what}",
                path.display()
            ),
        )
        .example("promptyoself restore promptyoself-backup.db")
    };
    let connection = look_at(path)?;
    let tx = &Tx::on(&connection);
    let checked: sql::Result<Vec<String>> = query("PRAGMA integrity_check(1)").all(tx);
    match checked {
        Ok(lines) if lines == ["ok"] => {}
        Ok(lines) => return Err(damaged(lines.join("; "))),
        Err(e) => return Err(damaged("it can't be read".to_owned()).caused_by(e)),
    }
    query("SELECT (SELECT count(*) FROM schedules) AS n, install_id FROM install")
        .one(tx)
        .map_err(|e| damaged("it has no schedules".to_owned()).caused_by(e))
}

/// Opens a file to read it.
fn look_at(path: &Path) -> Result<Connection> {
    if let Err(e) = std::fs::metadata(path) {
        return Err(unusable(path, "read the backup", e));
    }
    connect(path, Access::Read).map_err(|e| failed(path, "read it", e))
}

/// Refuses a database that anybody has open; else everything of it is in the one file afterwards.
fn refuse_if_in_use(path: &Path) -> Result<()> {
    let in_use = || {
        Error::new(
            Code::DatabaseUnavailable,
            format!(
                "the database {} is in use: stop the scheduler and whatever else has it open, or \
                 restore to another path with --db",
                path.display()
            ),
        )
        .example("--db ./promptyoself-restored.db")
    };
    let full = std::fs::canonicalize(path).map_err(|e| unusable(path, "find it", e))?;
    let locks = std::fs::read_dir(owners_folder(&full))
        .into_iter()
        .flatten();
    let owners = locks.filter_map(|f| f.ok()?.file_name().to_str()?.parse::<Uuid>().ok());
    if owners.into_iter().any(|owner| lives(&full, owner)) {
        return Err(in_use());
    }
    let Ok(connection) = connect(&full, Access::Write) else {
        // It is damaged: nobody can use it, and it is set aside as it is.
        return Ok(());
    };
    // SQLite leaves the write-ahead log only while nobody else is connected.
    let leave = query("PRAGMA journal_mode = DELETE");
    let mode: sql::Result<String> = leave.one(&Tx::on(&connection));
    match mode {
        Ok(mode) if mode == "wal" => Err(in_use()),
        Err(e) if e.is_busy() => Err(in_use()),
        _ => Ok(()),
    }
}

fn failed(path: &Path, doing: &str, error: sql::Error) -> Error {
    let code = error.code();
    database_error(path, doing, code, error)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    with_end(path, &format!(".{end}"))
}

fn unusable(path: &Path, doing: &str, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            ": there is such a file already, and it is not overwritten; give another name"
        }
        std::io::ErrorKind::NotFound => ": there is no such file or folder",
        _ => "",
    };
    Error::new(
        Code::FileUnusable,
        format!("could not {doing} {}{hint}", path.display()),
    )
    .example("promptyoself backup promptyoself-backup.db")
    .caused_by(error)
}
