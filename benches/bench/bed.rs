//! A daemon on a database of its own, into which prompts are planned from outside.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use reqwest::RequestBuilder;
use rusqlite::TransactionBehavior;
use serde_json::{Value, json};

use crate::Bench;
use crate::program::{Daemon, Program};
use crate::rows::{self, Copy, DUE, Schedules};

/// What every prompt says.
pub const PROMPT: &str = "Look at the backups of last night, and tell the operator if one is missing or \
                          smaller than the one before.";

/// How the names of folders begin that are in use only as long as something is measured.
pub const PREFIX: &str = "measuring-";

/// A prompt that is to be sent at an instant.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The agent; no other prompt is for it.
    pub agent: String,
    /// The schedule's uid.
    pub uid: String,
    /// The instant, in microseconds since 1970.
    pub at: i64,
}

/// Prompts for agents that nobody has used yet, at instants of so many microseconds after `first`.
pub fn plan(first: i64, after: impl Iterator<Item = i64>) -> Vec<Planned> {
    let all = fastrand::u32(..);
    let plans = after.enumerate().map(|(n, after)| Planned {
        agent: format!("agent-{all:08x}-0000-4000-8000-{n:012}"),
        uid: format!("{all:08x}-0000-4000-8000-{n:012x}"),
        at: first + after,
    });
    plans.collect()
}

/// A daemon on a database of its own.
pub struct Bed {
    folder: tempfile::TempDir,
    /// The daemon.
    pub daemon: Daemon,
    schedules: Schedules,
}

impl Bed {
    /// Starts a daemon on an empty database, or on a copy of a filled one.
    pub fn start(bench: &Bench, program: &Program, filled: Option<&Path>) -> Bed {
        let folder = bench.new_folder();
        if let Some(filled) = filled {
            let copy = database(folder.path());
            fs::copy(filled, &copy).expect("the filled database can be copied");
            // What the copy has left to write must not make the daemon's commits wait.
            File::open(copy)
                .and_then(|f| f.sync_all())
                .expect("it can be synced");
        }
        Bed::in_folder(bench, program, folder)
    }

    /// Starts a daemon with a settings file, on an empty database.
    pub fn with_settings(bench: &Bench, program: &Program, settings: &str) -> Bed {
        let folder = bench.new_folder();
        let file = folder.path().join(".config/promptyoself/config.toml");
        let written = fs::create_dir_all(file.parent().expect("a folder"))
            .and_then(|()| fs::write(&file, settings));
        written.expect("settings can be written");
        Bed::in_folder(bench, program, folder)
    }

    fn in_folder(bench: &Bench, program: &Program, folder: tempfile::TempDir) -> Bed {
        let daemon = Daemon::start(program, folder.path(), bench.letta.url());
        let schedules = template(bench, &daemon, folder.path(), &json!({}));
        Bed {
            folder,
            daemon,
            schedules,
        }
    }

    /// What prompts to another target are copied from.
    pub fn schedules_of(&self, bench: &Bench, target: &str) -> Schedules {
        let more = json!({"target": target, "skip_validation": true});
        template(bench, &self.daemon, self.folder.path(), &more)
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        database(self.folder.path())
    }

    /// Writes one-shots into the database, in one transaction.
    pub fn write(&self, plans: &[Planned]) {
        let mut database = rows::open(&self.database());
        self.write_into(&mut database, plans);
    }

    /// The same, over a connection of the caller's.
    pub fn write_into(&self, database: &mut rusqlite::Connection, plans: &[Planned]) {
        copy(&self.schedules, database, plans);
    }

    /// Writes one-shots like another schedule, in one transaction.
    pub fn write_like(&self, schedules: &Schedules, plans: &[Planned]) {
        copy(schedules, &mut rows::open(&self.database()), plans);
    }

    /// How many prompts the database says were delivered.
    pub fn delivered(&self) -> usize {
        let delivered = "SELECT count(*) FROM occurrences WHERE state = 'delivered'";
        let count = rows::open(&self.database()).query_row(delivered, [], |row| row.get(0));
        let count: i64 = count.expect("occurrences can be counted");
        usize::try_from(count).unwrap_or_default()
    }

    /// The number of a schedule that is due in a far future.
    pub fn a_schedule(&self) -> i64 {
        let one = "SELECT min(id) FROM schedules";
        let id = rows::open(&self.database()).query_row(one, [], |row| row.get(0));
        id.expect("a schedule")
    }

    /// The number of a schedule that has a history.
    pub fn a_schedule_with_history(&self) -> i64 {
        let one = "SELECT min(id) FROM schedules WHERE schedule_type = 'interval'";
        let id = rows::open(&self.database()).query_row(one, [], |row| row.get(0));
        id.expect("a schedule with a history")
    }

    /// Stops the daemon and keeps the folder.
    pub fn stop(self) -> tempfile::TempDir {
        self.daemon.stop();
        self.folder
    }
}

impl Bench {
    /// A folder that goes when it is no longer needed.
    pub fn new_folder(&self) -> tempfile::TempDir {
        tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&self.folder)
            .expect("a folder")
    }

    /// Posts JSON and gives the JSON that is answered.
    ///
    /// # Panics
    /// If the answer is no success.
    pub fn post(&self, url: &str, body: &Value) -> Value {
        self.answer(crate::letta::client().post(url).json(body))
    }

    /// Reads JSON.
    ///
    /// # Panics
    /// If the answer is no success.
    pub fn get(&self, url: &str) -> Value {
        self.answer(crate::letta::client().get(url))
    }

    fn answer(&self, request: RequestBuilder) -> Value {
        self.runtime.block_on(async {
            let response = request.send().await.expect("the daemon answers");
            let (status, url) = (response.status(), response.url().clone());
            let text = response.text().await.expect("the answer is whole");
            assert!(status.is_success(), "{url}: {status} {text}");
            serde_json::from_str(&text).expect("JSON")
        })
    }
}

/// The database of a folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("promptyoself.db")
}

/// Writes one-shots like a schedule.
fn copy(schedules: &Schedules, database: &mut rusqlite::Connection, plans: &[Planned]) {
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate);
    let tx = tx.expect("the database can be written to");
    for plan in plans {
        let copy = Copy {
            uid: &plan.uid,
            agent: &plan.agent,
            at: plan.at,
        };
        schedules.copy(&tx, &copy);
    }
    tx.commit().expect("the rows are kept");
}

/// Registers a schedule that is due in a far future, to be copied.
fn template(bench: &Bench, daemon: &Daemon, folder: &Path, more: &Value) -> Schedules {
    let mut body = json!({"agent_id": "agent-00000000-0000-4000-8000-000000000000",
                          "prompt": PROMPT, "time": DUE});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let id = bench.post(&format!("{}/api/v1/schedules", daemon.url), &body)["id"]
        .as_i64()
        .expect("a new schedule has an id");
    Schedules::like(&rows::open(&database(folder)), id)
}
