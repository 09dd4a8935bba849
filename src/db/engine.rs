//! Runs whole transactions on a thread of its own, with many of them in one commit.
//!
//! A job is a closure that carries out one transaction. The thread runs all waiting jobs in one
//! SQLite transaction, with a savepoint for each, and answers after the commit: nothing is
//! acknowledged before it is durable. A batch never waits to fill.

mod batch;
mod job;
mod queues;
mod readers;
mod topics;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::sql::{self, Tx};
use crate::clock::Clock;
use crate::ids;
use batch::Writer;
use job::{End, Waiting};
use queues::Queues;
use readers::Readers;
use topics::{Changes, Subscribers};

pub(super) use queues::JobOwner;
pub use topics::{Subscription, Topic};

/// The writer and the readers of one file. They stop when this is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    queues: Arc<Queues>,
    /// The writer waits for the readers and closes the file last, so that nothing is left in the
    /// write-ahead log.
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Readers>,
    subscribers: Arc<Subscribers>,
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure<E> {
    /// The job failed, and was rolled back.
    #[error("{0}")]
    Job(E),
    /// Its transaction could not begin: nothing has changed.
    #[error("{0}")]
    NotBegun(Arc<sql::Error>),
    /// The commit failed: it is unknown whether anything was kept.
    #[error("{0}")]
    CommitUnknown(Arc<sql::Error>),
    /// Too many jobs are waiting.
    #[error("too many changes are waiting for the database")]
    Full,
    /// The job panicked, and was rolled back.
    #[error("stopped by an internal error")]
    Panicked,
    /// The database is closed.
    #[error("the database is closed")]
    Closed,
}

/// A job with the channel for its result.
struct Work<J, T, E> {
    job: J,
    /// Cancelled when the caller of a read has gone.
    left: CancellationToken,
    only_reads: bool,
    /// The caller's tracing span.
    span: Span,
    /// The caller's source of ids.
    ids: ids::Source,
    result: Option<Result<T, E>>,
    to: oneshot::Sender<Result<T, Failure<E>>>,
}

/// The receiver of a job's result.
type Coming<T, E> = oneshot::Receiver<Result<T, Failure<E>>>;

impl<J, T, E> Work<J, T, E> {
    fn new(job: J, only_reads: bool) -> (Box<Self>, Coming<T, E>) {
        let (to, coming) = oneshot::channel();
        let work = Work {
            job,
            left: CancellationToken::new(),
            only_reads,
            span: Span::current(),
            ids: ids::Source::current(),
            result: None,
            to,
        };
        (Box::new(work), coming)
    }
}

impl<J, T, E> Waiting for Work<J, T, E>
where
    J: FnMut(&Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn is_wanted(&self) -> bool {
        !self.to.is_closed()
    }

    fn only_reads(&self) -> bool {
        self.only_reads
    }

    fn left(&self) -> CancellationToken {
        self.left.clone()
    }

    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let _in_span = self.span.enter();
        self.result = None;
        let Work { job, ids, .. } = self;
        let result = ids.within(|| job(tx));
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, end: End) {
        let Work { result, to, .. } = *self;
        let answer = match (end, result) {
            (End::Committed, Some(Ok(done))) => Ok(done),
            // It failed on its own, whatever happened to the others.
            (End::Committed | End::CommitUnknown(_), Some(Err(e))) => Err(Failure::Job(e)),
            (End::CommitUnknown(e), Some(Ok(_))) => Err(Failure::CommitUnknown(e)),
            (End::NotBegun(e), _) => Err(Failure::NotBegun(e)),
            (End::Panicked, _) | (_, None) => Err(Failure::Panicked),
        };
        // The caller may have gone.
        let _ = to.send(answer);
    }
}

impl Engine {
    /// Starts the writer thread, which ends a batch by the uptime of `clock`. Reader threads are
    /// started when needed, and open their connections with `reader`.
    ///
    /// # Errors
    /// If the system can't start a thread.
    pub(super) fn start(
        path: &Path,
        connection: Connection,
        reader: impl Fn() -> sql::Result<Connection> + Send + Sync + 'static,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let subscribers = Arc::new(Subscribers::default());
        let queues = Arc::new(Queues::default());
        let name = path.file_name().map_or_else(String::new, |name| {
            format!("writes {}", name.to_string_lossy())
        });
        let readers = Readers::new(Box::new(reader));
        let reading = readers.clone();
        let work = Writer {
            changes: Changes::of(&connection).map_err(std::io::Error::other)?,
            connection,
            queues: queues.clone(),
            subscribers: subscribers.clone(),
            clock,
        };
        let writer = std::thread::Builder::new().name(name).spawn(move || {
            batch::work(&work);
            reading.take_threads().into_iter().for_each(wait_for);
        })?;
        Ok(Engine {
            queues,
            writer: Mutex::new(Some(writer)),
            readers,
            subscribers,
        })
    }

    /// Subscribes to commits from now on.
    pub(super) fn subscribe(&self, topic: Topic, owner: JobOwner) -> Subscription {
        self.subscribers.add(topic, owner)
    }

    /// Notifies every subscriber, because another program has written.
    pub(super) fn notify_all(&self) {
        self.subscribers.notify_all();
    }

    /// Runs a transaction. The job may run more than once, and must have no effects outside of it.
    /// It is not begun if its caller has gone.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) async fn write<T, E>(
        &self,
        owner: JobOwner,
        job: impl FnMut(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (work, answer) = Work::new(job, false);
        self.hand_to_writer(owner, work)?;
        answer.await.unwrap_or(Err(Failure::Closed))
    }

    /// Reads through the connection that writes: in the order of the jobs, but without waiting for
    /// other programs' locks.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) async fn read_by_writer<T, E>(
        &self,
        owner: JobOwner,
        job: impl FnMut(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (work, answer) = Work::new(job, true);
        self.hand_to_writer(owner, work)?;
        answer.await.unwrap_or(Err(Failure::Closed))
    }

    fn hand_to_writer<E>(&self, owner: JobOwner, work: Box<dyn Waiting>) -> Result<(), Failure<E>> {
        self.queues
            .add(owner, work)
            .map_err(|refused| match refused {
                queues::Refused::Full => Failure::Full,
                queues::Refused::Closed => Failure::Closed,
            })
    }

    /// Reads one snapshot, concurrently with writes. It is interrupted when its caller goes.
    ///
    /// # Errors
    /// [`Failure`], except those of a commit.
    pub(super) async fn read<T, E>(
        &self,
        job: impl FnMut(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (work, answer) = Work::new(job, true);
        let _caller = work.left.clone().drop_guard();
        match self.readers.add(work) {
            true => answer.await.unwrap_or(Err(Failure::Closed)),
            false => Err(Failure::Closed),
        }
    }

    /// Stops the threads when all waiting jobs are done; later jobs are refused.
    fn close(&self) {
        self.readers.close();
        // The writer waits for the readers that exist then.
        self.queues.close();
    }

    /// The same, but waits until the file is closed.
    pub(super) async fn end(&self) {
        self.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else { return };
        if let Err(e) = tokio::task::spawn_blocking(move || wait_for(writer)).await {
            tracing::error!("could not wait for the threads of the database: {e}");
        }
    }
}

fn wait_for(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the database stopped with an internal error");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
