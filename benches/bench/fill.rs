//! Large databases, created once for each build and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;

use crate::Bench;
use crate::bed::{self, Bed};
use crate::program::Program;
use crate::rows::{self, Copy, Occurrences};

/// How long a file is used. A database that nobody has written to for a month makes the program doubt
/// its clock, and old occurrences are pruned.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the files of builds are kept that are not measured now.
const KEPT_OF_OTHERS: Duration = Duration::from_secs(24 * 60 * 60);

const SECOND: i64 = 1_000_000;

/// 2099-01-01, when dormant schedules begin to be due.
const FAR: i64 = 4_070_908_800 * SECOND;

/// How many schedules the stored occurrences are of.
const WITH_HISTORY: usize = 1_000;

/// Between two occurrences of one schedule.
const BETWEEN: i64 = 40 * 60 * SECOND;

/// A database with so many schedules that are not due in this century.
pub fn dormant(bench: &Bench, program: &Program, count: usize) -> PathBuf {
    kept(bench, program, &format!("schedules-{count}"), || {
        let bed = Bed::start(bench, program, None);
        let mut database = quick(&bed.database());
        let mut plans = bed::plan(FAR, (0..count as i64).map(|n| n * SECOND));
        plans
            .iter_mut()
            .for_each(|p| p.agent = format!("{}-dormant", p.agent));
        bed.write_into(&mut database, &plans);
        drop(database);
        bed.stop()
    })
}

/// A database with so many delivered occurrences, of a thousand paused schedules.
pub fn history(bench: &Bench, program: &Program, count: usize) -> PathBuf {
    kept(bench, program, &format!("occurrences-{count}"), || {
        bench.begin(0);
        let bed = Bed::start(bench, program, None);
        bed.write(&bed::plan(bench.soon(), [0].into_iter()));
        wait_for_one(&bed);
        let schedules = format!("{}/api/v1/schedules", bed.daemon.url);
        let each = (count / WITH_HISTORY.min(count)) as i64;
        let first = crate::stub::now() - each * BETWEEN;
        for n in 0..WITH_HISTORY.min(count) {
            let body = json!({"agent_id": format!("agent-{n:08x}-0000-4000-8000-000000000001"),
                              "prompt": bed::PROMPT, "every": "40m", "start_at": rows::DUE});
            let id = bench.post(&schedules, &body)["id"].as_i64().expect("an id");
            bench.post(&format!("{schedules}/{id}/pause"), &json!({}));
        }
        let folder = bed.stop();
        write_history(&mut quick(&bed::database(folder.path())), first, each);
        folder
    })
}

/// Gives each paused schedule a past: occurrences at every interval since `first`.
fn write_history(database: &mut Connection, first: i64, each: i64) {
    let mut occurrences = Occurrences::like_the_newest(database);
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate);
    let tx = tx.expect("the database can be written to");
    let paused: Vec<(String, String)> = {
        let all = "SELECT uid, agent_id FROM schedules WHERE schedule_type = 'interval'";
        let mut statement = tx.prepare(all).expect("SQL");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("schedules")
            .map(|row| row.expect("a schedule"))
            .collect()
    };
    for n in 0..each {
        for (uid, agent) in &paused {
            let at = first + n * BETWEEN;
            occurrences.copy(&tx, &Copy { uid, agent, at });
        }
    }
    rows::begin_at(&tx, first, first + each * BETWEEN);
    tx.commit().expect("the rows are kept");
}

fn wait_for_one(bed: &Bed) {
    for _ in 0..1_000 {
        if bed.delivered() > 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("a prompt was not delivered within 20 seconds");
}

/// Removes what interrupted measurements and earlier builds have left: files may be of gigabytes.
pub fn tidy(folder: &Path, programs: &[Program]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_measured = programs.iter().any(|p| name.to_str() == Some(&p.hash));
        let is_left = name.to_string_lossy().starts_with(bed::PREFIX);
        if is_left || (!is_measured && age(&entry.path()).is_some_and(|age| age > KEPT_OF_OTHERS)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// How long ago a file or folder was changed.
fn age(file: &Path) -> Option<Duration> {
    fs::metadata(file).ok()?.modified().ok()?.elapsed().ok()
}

/// The kept file of that name, made now if it is not there.
fn kept(
    bench: &Bench,
    program: &Program,
    name: &str,
    make: impl FnOnce() -> tempfile::TempDir,
) -> PathBuf {
    let folder = bench.folder.join(&program.hash);
    let file = folder.join(format!("{name}.db"));
    if age(&file).is_some_and(|age| age < KEPT) {
        return file;
    }
    eprintln!("filling {name} for {}", program.name);
    fs::create_dir_all(&folder).expect("a folder");
    let made = make();
    let database = bed::database(made.path());
    // So that the file alone is the database.
    let whole = "PRAGMA wal_checkpoint(TRUNCATE)";
    let left = quick(&database).query_row(whole, [], |row| row.get::<_, i64>(0));
    assert_eq!(left, Ok(0), "the database is in use");
    fs::rename(database, &file).expect("the file can be kept");
    file
}

/// A connection that does not wait for the disk.
fn quick(file: &Path) -> Connection {
    let database = rows::open(file);
    database
        .pragma_update(None, "synchronous", "OFF")
        .expect("a pragma");
    database
}
