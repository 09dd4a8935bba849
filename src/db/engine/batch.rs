//! Many jobs in one transaction, each in a savepoint of its own.

use std::sync::Arc;

use jiff::SignedDuration;
use rusqlite::Connection;

use super::job::{End, Ran, Waiting, run, statement};
use super::queues::{JobOwner, Queues, Wait};
use super::readers;
use super::topics::{Changes, Raised, Subscribers};
use crate::clock::Clock;
use crate::db::sql;

/// How many jobs one commit contains at most.
const MOST: usize = 64;

/// How long a batch keeps taking jobs: the first ones wait for its commit.
const LONGEST: SignedDuration = SignedDuration::from_millis(10);

/// After this long without a moment in which the file was unlocked, other programs are let in:
/// SQLAlchemy gives up after five seconds.
const UNBROKEN: SignedDuration = SignedDuration::from_millis(100);

/// How long the file is then left unlocked. SQLite tries again after 1, 2, 5, 10, 15 and more ms.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// A job that has run.
struct Done {
    job: Box<dyn Waiting>,
    owner: JobOwner,
    /// Its result.
    ran: Ran,
    /// The topics of what it changed.
    raised: Raised,
}

/// The writer thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) queues: Arc<Queues>,
    /// The changes made by the connection.
    pub(super) changes: Changes,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) clock: Clock,
}

/// Runs jobs until the queues are closed.
pub(super) fn work(writer: &Writer) {
    let Writer { queues, clock, .. } = writer;
    let mut unbroken_since = clock.moment().uptime;
    loop {
        match queues.wait() {
            Wait::Closed => return,
            Wait::Idle => unbroken_since = clock.moment().uptime,
            Wait::AtOnce => {}
        }
        writer.batch();
        if clock.moment().uptime - unbroken_since >= UNBROKEN {
            std::thread::sleep(PAUSE);
            unbroken_since = clock.moment().uptime;
        }
    }
}

impl Writer {
    /// Runs the waiting jobs in one transaction, and answers. Reads at the front need no
    /// transaction.
    fn batch(&self) {
        let (connection, queues, clock) = (&self.connection, &*self.queues, &self.clock);
        let mut done: Vec<Done> = Vec::new();
        let mut is_begun = false;
        let mut is_face_served = false;
        let began = clock.moment().uptime;
        let is_ended = loop {
            let is_full = done.len() >= MOST || clock.moment().uptime - began >= LONGEST;
            let next = match (is_full && !done.is_empty(), is_face_served) {
                (true, true) => None,
                (true, false) => queues.next_of_faces(),
                (false, _) => queues.next(),
            };
            let Some((owner, mut job)) = next else {
                break false;
            };
            is_face_served |= owner == JobOwner::Face;
            if !job.is_wanted() {
                continue;
            }
            if !is_begun && job.only_reads() {
                readers::read(connection, job);
                continue;
            }
            if !is_begun && let Err(e) = statement(connection, "BEGIN IMMEDIATE") {
                refuse(connection, job, queues, e);
                return;
            }
            is_begun = true;
            let ran = in_savepoint(connection, job.as_mut());
            let is_ended = ran.is_err() || connection.is_autocommit();
            done.push(Done {
                job,
                owner,
                ran: ran.unwrap_or(Ran::Failed),
                raised: self.changes.take(),
            });
            if is_ended {
                break true;
            }
        };
        match (is_begun, is_ended) {
            (false, _) => {}
            (true, true) => self.again(done),
            (true, false) => self.finish(done, commit(connection)),
        }
    }

    /// Runs the jobs of a transaction that SQLite itself has ended, as on a full disk, again, each
    /// alone; jobs that had failed on their own stay failed.
    fn again(&self, done: Vec<Done>) {
        let connection = &self.connection;
        if !connection.is_autocommit() {
            roll_back(connection);
        }
        for Done {
            mut job,
            owner,
            ran,
            ..
        } in done
        {
            if ran != Ran::Done {
                job.answer(ran.end());
                continue;
            }
            if let Err(e) = statement(connection, "BEGIN IMMEDIATE") {
                job.answer(End::NotBegun(Arc::new(e)));
                continue;
            }
            let ran = run(connection, job.as_mut());
            let committed = match ran {
                Ran::Done => commit(connection),
                Ran::Failed | Ran::Panicked => {
                    roll_back(connection);
                    Ok(())
                }
            };
            let done = Done {
                job,
                owner,
                ran,
                raised: self.changes.take(),
            };
            self.finish(vec![done], committed);
        }
    }

    /// Notifies subscribers and answers.
    fn finish(&self, done: Vec<Done>, committed: sql::Result<()>) {
        let failed = committed.err().map(Arc::new);
        for done in &done {
            if done.ran == Ran::Done {
                self.subscribers.notify(done.raised, done.owner);
            }
        }
        for Done { job, ran, .. } in done {
            job.answer(match (&failed, ran) {
                (Some(e), Ran::Done | Ran::Failed) => End::CommitUnknown(e.clone()),
                _ => ran.end(),
            });
        }
    }
}

/// Answers all waiting jobs with the failure to begin: each would wait just as long for the same
/// lock.
fn refuse(connection: &Connection, first: Box<dyn Waiting>, queues: &Queues, e: sql::Error) {
    let e = Arc::new(e);
    for job in std::iter::once(first).chain(queues.take_all()) {
        match job.only_reads() {
            true => readers::read(connection, job),
            false => job.answer(End::NotBegun(e.clone())),
        }
    }
}

/// Runs a job in a savepoint, and rolls it back if it fails.
///
/// # Errors
/// If SQLite has ended the whole transaction.
fn in_savepoint(connection: &Connection, job: &mut dyn Waiting) -> sql::Result<Ran> {
    statement(connection, "SAVEPOINT job")?;
    let ran = run(connection, job);
    if ran != Ran::Done && !connection.is_autocommit() {
        statement(connection, "ROLLBACK TO job")?;
    }
    if !connection.is_autocommit() {
        statement(connection, "RELEASE job")?;
    }
    Ok(ran)
}

fn commit(connection: &Connection) -> sql::Result<()> {
    let committed = statement(connection, "COMMIT");
    if committed.is_err() {
        roll_back(connection);
    }
    committed
}

/// Ends the transaction, unless SQLite has done so.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(e) = statement(connection, "ROLLBACK")
    {
        tracing::error!("a transaction could not be rolled back: {e}");
    }
}
