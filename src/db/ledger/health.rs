//! What `doctor` reads. Nothing here changes anything.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::schedulers::{RunningScheduler, lives};
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::sqlite::connection::{Access, connect};
use crate::db::sqlite::migrations::make_tables;
use crate::db::sqlite::open::{OPEN, apart, is_current};
use crate::db::sqlite::wording::worded;
use crate::db::statements::rows::{self, occurrence_columns};
use crate::db::time::DbTime;
use crate::error::{Code, Error, Result};
use crate::models::State;
use crate::schedule::Zone;

/// Something that was to be done by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: String,
    /// What was to be done, as a state: `waiting` to be sent (again), `unknown` to be looked for.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

/// A prompt that a living scheduler has been sending for very long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: String,
    /// Since when it is being sent.
    pub since: Timestamp,
    /// Letta's run, if that was told.
    pub run_id: Option<String>,
    /// The scheduler that sends it.
    pub owner: Uuid,
}

fn open_to_look(path: &Path, zone: Zone) -> Result<Db> {
    let path = std::fs::canonicalize(path).map_err(|e| {
        Error::new(
            Code::DatabaseUnavailable,
            format!(
                "there is no database {}: give its path with --db or PROMPTYOSELF_DB_PATH, or \
                 make one with the first schedule",
                path.display()
            ),
        )
        .example("promptyoself list")
        .caused_by(e)
    })?;
    let connection = worded(&path, OPEN, || Ok(connect(&path, Access::Read)?))?;
    if !is_current(&Tx::on(&connection), &path)? {
        return Err(Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} is another version's: any other command of this version brings \
                 it up to date",
                path.display()
            ),
        )
        .example("promptyoself list"));
    }
    Db::on(path, zone, connection)
}

impl Db {
    /// Opens a database to look at it: nothing is made, upgraded or changed.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if there is none, [`Code::DatabaseInvalid`] if it is not ours
    /// or still has to be upgraded.
    pub async fn open_to_look(path: &Path, zone: &Zone) -> Result<Db> {
        let (path, zone) = (path.to_owned(), zone.clone());
        apart(move || open_to_look(&path, zone)).await
    }

    /// What SQLite finds wrong with the file: damage, and rows that refer to none.
    ///
    /// # Errors
    /// Those of the database, where not even that can be read.
    pub async fn damages(&self) -> Result<Vec<String>> {
        self.read("check it", |tx| {
            let mut found: Vec<String> = query("PRAGMA integrity_check(10)").all(tx)?;
            found.retain(|line| line != "ok");
            let rows = query("PRAGMA foreign_key_check").fetch_all(tx)?;
            for row in rows.iter().take(10) {
                found.push(format!(
                    "a row of {} refers to one of {} that is not there",
                    rows::text(row, "table").unwrap_or_default(),
                    rows::text(row, "parent").unwrap_or_default(),
                ));
            }
            Ok(found)
        })
        .await
    }

    /// The tables, indexes and triggers that should be there and are not: their names and what
    /// makes them. A program that rebuilds a table loses them.
    pub async fn missing_parts(&self) -> Result<Vec<(String, String)>> {
        self.read("compare its tables", |tx| {
            let ours = Connection::open_in_memory().map_err(sql::Error::from)?;
            let ours = &Tx::on(&ours);
            make_tables(ours)?;
            let mut parts: Vec<(String, String)> = query(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL \
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            )
            .tuples(ours)?;
            let there: Vec<String> = query("SELECT name FROM sqlite_master").all(tx)?;
            parts.retain(|(name, _)| !there.contains(name));
            Ok(parts)
        })
        .await
    }

    /// The numbers of the occurrences that can't be read, and why; the first ten.
    pub async fn unreadable_occurrences(&self) -> Result<Vec<(i64, String)>> {
        self.read("read the occurrences", |tx| {
            let rows = query(concat!(
                "SELECT ",
                occurrence_columns!(),
                " FROM occurrences WHERE length(uid) <> 36 OR \"trigger\" NOT IN ('schedule', \
             'manual') OR state NOT IN ('waiting', 'sending', 'unknown', 'delivered', 'dead', \
                              'coalesced', 'skipped', 'missed', 'cancelled') \
             OR first_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] *' \
             OR intended_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] *' LIMIT 10"
            ))
            .fetch_all(tx)?;
            let unreadable = |row: &Row| {
                let id: i64 = row.get("id").ok()?;
                let why = rows::occurrence(row).err()?;
                Some((id, why.to_string()))
            };
            Ok(rows.iter().filter_map(unreadable).collect())
        })
        .await
    }

    /// The schedulers that have left a heartbeat, with whether they live, and the owners that left
    /// prompts on their way.
    pub async fn examine_owners(
        &self,
    ) -> Result<(Vec<(RunningScheduler, bool)>, Vec<(Uuid, i64)>)> {
        let schedulers = self.all_schedulers().await?;
        let with_life = |s: RunningScheduler| {
            let alive = lives(&self.path, s.owner);
            (s, alive)
        };
        let left = self.read("look for what schedulers left", |tx| {
            let left = query(
                "SELECT owner, count(*) AS n FROM occurrences WHERE state = 'sending' \
                 AND owner IS NOT NULL GROUP BY owner",
            );
            Ok(left.fetch_all(tx)?)
        });
        let left = left.await?;
        let dead = left
            .iter()
            .filter_map(|row| Some((rows::uuid(row, "owner").ok()?, rows::number(row, "n")?)))
            .filter(|(owner, _)| !lives(&self.path, *owner))
            .collect();
        Ok((schedulers.into_iter().map(with_life).collect(), dead))
    }

    /// What living schedulers began to send before `silent_since` without having heard of a run, or
    /// before `running_since` with one.
    pub async fn list_stalled(
        &self,
        silent_since: Timestamp,
        running_since: Timestamp,
    ) -> Result<Vec<Stalled>> {
        let rows = self
            .read("look for what is being sent for too long", move |tx| {
                Ok(query(
            "SELECT s.id AS id, o.agent_id AS agent_id, o.sent_at AS since, o.run_id AS run_id, \
                 o.owner AS owner FROM occurrences o LEFT JOIN schedules s ON s.uid = o.uid \
             WHERE o.state = 'sending' AND o.owner IS NOT NULL \
                 AND o.sent_at < CASE WHEN o.run_id IS NULL THEN $1 ELSE $2 END \
             ORDER BY o.sent_at LIMIT 20",
        )
        .bind(DbTime(silent_since))
        .bind(DbTime(running_since))
        .fetch_all(tx)?)
            })
            .await?;
        let read = |row: &Row| {
            Some(Stalled {
                schedule_id: row.get("id").ok()?,
                agent_id: rows::text(row, "agent_id")?,
                since: rows::lenient_time(row, "since")?,
                run_id: rows::text(row, "run_id"),
                owner: rows::text(row, "owner")?.parse().ok()?,
            })
        };
        let stalled = rows.iter().filter_map(read);
        Ok(stalled.filter(|s| lives(&self.path, s.owner)).collect())
    }

    /// What should have been sent or looked for before `since`, with nothing on its way in its
    /// lane. What is paused, behind its own open occurrence, or not adopted yet is left out.
    pub async fn list_overdue(&self, since: Timestamp) -> Result<Vec<Overdue>> {
        // A lane holds one agent of one target: the agent tells it well enough here.
        let rows = self
            .read("look for what is overdue", move |tx| {
                Ok(query(
            "SELECT s.id AS id, s.agent_id AS agent_id, 'waiting' AS state, s.next_run AS since \
             FROM schedules s WHERE s.active = 1 AND s.touched = 0 AND s.next_run < $1 \
                 AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.agent_id = s.agent_id \
                                 AND o.state IN ('waiting', 'sending', 'unknown')) \
             UNION ALL SELECT s.id, w.agent_id, 'waiting', w.not_before FROM occurrences w \
                 LEFT JOIN schedules s ON s.uid = w.uid WHERE w.state = 'waiting' \
                 AND w.not_before < $1 \
                 AND (s.lifecycle IS NULL OR s.lifecycle <> 'paused' OR w.\"trigger\" = 'manual') \
                 AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.lane = w.lane AND \
                     (o.state IN ('sending', 'unknown') \
                      OR o.state = 'waiting' AND o.not_before >= $1)) \
             UNION ALL SELECT s.id, u.agent_id, 'unknown', u.reconcile_until FROM occurrences u \
                 LEFT JOIN schedules s ON s.uid = u.uid WHERE u.state = 'unknown' \
                 AND u.reconcile_until < $1 AND coalesce(u.not_before, '') < $1 \
             ORDER BY 4 LIMIT 20",
        )
        .bind(DbTime(since))
        .fetch_all(tx)?)
            })
            .await?;
        let read = |row: &Row| {
            Some(Overdue {
                schedule_id: row.get("id").ok()?,
                agent_id: rows::text(row, "agent_id")?,
                state: State::from_word(&rows::text(row, "state")?)?,
                since: rows::lenient_time(row, "since")?,
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// The files of the database that others than their owner may read or write, with their
    /// permissions.
    pub fn open_to_others(&self) -> Vec<(PathBuf, u32)> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let beside = |end: &str| {
                let mut name = self.path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            };
            let files = ["", "-wal", "-shm"].map(beside);
            let wide = |path: PathBuf| {
                let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
                (mode & 0o077 != 0).then_some((path, mode))
            };
            files.into_iter().filter_map(wide).collect()
        }
        #[cfg(not(unix))]
        {
            Vec::new()
        }
    }
}
