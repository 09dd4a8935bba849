use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures_util::FutureExt as _;
use rusqlite::Connection;

use super::*;
use crate::db::sql::query;

const SCHEDULER: JobOwner = JobOwner::Scheduler(1);

/// A file with a table `t`, and an engine on it.
struct Scene {
    folder: tempfile::TempDir,
    engine: Arc<Engine>,
}

type Answer<T> = Result<T, Failure<sql::Error>>;

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("t.db")).unwrap();
        let tables = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n UNIQUE); \
             CREATE TABLE schedules (n); CREATE TABLE outbox (n)";
        connection.execute_batch(tables).unwrap();
        let path = folder.path().join("t.db");
        // However slow the machine is, no batch is ended by its time.
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let to_read = path.clone();
        let reader = move || Ok(Connection::open(&to_read)?);
        let engine = Engine::start(&path, connection, reader, clock).unwrap();
        Scene {
            folder,
            engine: Arc::new(engine),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("t.db")
    }

    /// The durable rows, as another process sees them.
    fn stored(&self) -> Vec<i64> {
        let other = Connection::open(self.path()).unwrap();
        query("SELECT n FROM t ORDER BY rowid")
            .all(&Tx::on(&other))
            .unwrap()
    }

    /// Keeps the thread busy until the returned sender is dropped.
    fn hold(&self, owner: JobOwner) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Answer<()>>) {
        let (go, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel::<()>();
        let engine = self.engine.clone();
        let held = tokio::spawn(async move {
            let job = move |_: &Tx<'_>| {
                let _ = begun.send(());
                let _ = wait.recv();
                Ok::<(), sql::Error>(())
            };
            engine.write(owner, job).await
        });
        tokio::task::block_in_place(|| has_begun.recv().unwrap());
        (go, held)
    }

    fn insert(&self, owner: JobOwner, n: i64) -> tokio::task::JoinHandle<Answer<u64>> {
        self.spawn(owner, move |tx| {
            query("INSERT INTO t VALUES ($1)").bind(n).execute(tx)
        })
    }

    fn spawn<T: Send + 'static>(
        &self,
        owner: JobOwner,
        job: impl FnMut(&Tx<'_>) -> sql::Result<T> + Send + 'static,
    ) -> tokio::task::JoinHandle<Answer<T>> {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.write(owner, job).await })
    }

    /// Waits until this many jobs are waiting.
    async fn until_waiting(&self, most: usize) {
        while self.engine.queues.waiting() < most {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_answered_when_it_is_durable() {
    let scene = Scene::new();
    assert_eq!(scene.insert(JobOwner::Face, 7).await.unwrap().unwrap(), 1);
    assert_eq!(scene.stored(), [7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_one_transaction_and_a_job_that_fails_or_panics_is_rolled_back_alone() {
    let scene = Scene::new();
    let (go, held) = scene.hold(SCHEDULER);
    let first = scene.insert(SCHEDULER, 1);
    let again = scene.spawn(SCHEDULER, |tx| {
        query("INSERT INTO t VALUES (2)").execute(tx)?;
        query("INSERT INTO t VALUES (2)").execute(tx)
    });
    let panics = scene.spawn(SCHEDULER, |tx| -> sql::Result<()> {
        query("INSERT INTO t VALUES (3)").execute(tx)?;
        panic!("an index out of bounds")
    });
    let last = scene.insert(SCHEDULER, 4);
    scene.until_waiting(4).await;
    drop(go);
    held.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
    let failed = again.await.unwrap().unwrap_err();
    assert!(matches!(failed, Failure::Job(e) if e.code() == Some(2067)));
    assert!(matches!(panics.await.unwrap(), Err(Failure::Panicked)));
    last.await.unwrap().unwrap();
    let mut stored = scene.stored();
    stored.sort_unstable();
    assert_eq!(stored, [1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_goes_first_and_one_of_the_faces_is_served_in_each_batch() {
    let scene = Scene::new();
    let (go, held) = scene.hold(JobOwner::Face);
    let batches = Arc::new(AtomicUsize::new(0));
    let mut all = Vec::new();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let job = |name: &'static str| {
        let (order, batches) = (order.clone(), batches.clone());
        move |_: &Tx<'_>| {
            batches.fetch_add(1, Ordering::SeqCst);
            order.lock().unwrap().push(name);
            Ok::<(), sql::Error>(())
        }
    };
    all.push(scene.spawn(JobOwner::Face, job("face")));
    all.push(scene.spawn(JobOwner::Face, job("face")));
    scene.until_waiting(2).await;
    for _ in 0..200 {
        all.push(scene.spawn(SCHEDULER, job("scheduler")));
    }
    scene.until_waiting(202).await;
    drop(go);
    held.await.unwrap().unwrap();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let order = order.lock().unwrap().clone();
    assert_eq!(order[0], "scheduler");
    let faces: Vec<usize> = (0..order.len()).filter(|n| order[*n] == "face").collect();
    // In the first two batches after the blocked one, each with a limited number of jobs.
    assert!(faces[0] <= 128 && faces[1] <= 193, "{faces:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_caller_has_left_is_not_begun() {
    let scene = Scene::new();
    let (go, held) = scene.hold(SCHEDULER);
    let left = scene.insert(JobOwner::Face, 1);
    scene.until_waiting(1).await;
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    drop(go);
    held.await.unwrap().unwrap();
    scene.insert(JobOwner::Face, 2).await.unwrap().unwrap();
    assert_eq!(scene.stored(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sqlite_ends_the_whole_transaction_the_other_jobs_run_again_each_alone() {
    let scene = Scene::new();
    let (go, held) = scene.hold(SCHEDULER);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let first = scene.spawn(SCHEDULER, move |tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        query("INSERT INTO t VALUES (1)").execute(tx)
    });
    scene.until_waiting(1).await;
    // As a full disk does, including released savepoints.
    let ends = scene.spawn(SCHEDULER, |tx| {
        query("ROLLBACK").execute(tx)?;
        query("INSERT INTO nowhere VALUES (1)").execute(tx)
    });
    scene.until_waiting(2).await;
    let last = scene.insert(SCHEDULER, 3);
    scene.until_waiting(3).await;
    drop(go);
    // The thread is busy in the transaction that is ended: its job is one of those that run again.
    held.await.unwrap().unwrap();
    assert!(matches!(ends.await.unwrap(), Err(Failure::Job(_))));
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(scene.stored(), [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_is_told_to_every_job_of_its_batch() {
    let scene = Scene::new();
    let tables = "CREATE TABLE parent (id INTEGER PRIMARY KEY); \
                  CREATE TABLE child (p REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
    let other = Connection::open(scene.path()).unwrap();
    other.execute_batch(tables).unwrap();
    let made = scene.spawn(JobOwner::Face, |tx| {
        query("PRAGMA defer_foreign_keys").execute(tx)
    });
    made.await.unwrap().unwrap();
    let (go, held) = scene.hold(SCHEDULER);
    let well = scene.insert(SCHEDULER, 1);
    let orphan = scene.spawn(SCHEDULER, |tx| {
        query("INSERT INTO child VALUES (5)").execute(tx)
    });
    scene.until_waiting(2).await;
    drop(go);
    for told in [
        held.await.unwrap().map(|()| 0),
        well.await.unwrap(),
        orphan.await.unwrap(),
    ] {
        assert!(matches!(told, Err(Failure::CommitUnknown(_))), "{told:?}");
    }
    assert_eq!(scene.stored(), [] as [i64; 0]);
    scene.insert(JobOwner::Face, 2).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_refused_where_too_many_wait_and_the_scheduler_never() {
    let scene = Scene::new();
    let (go, held) = scene.hold(SCHEDULER);
    let all: Vec<_> = (0..1_024)
        .map(|n| scene.insert(JobOwner::Face, n))
        .collect();
    scene.until_waiting(1_024).await;
    let refused = scene.insert(JobOwner::Face, 5_000).await.unwrap();
    assert!(matches!(refused, Err(Failure::Full)));
    let taken = scene.insert(SCHEDULER, 6_000);
    scene.until_waiting(1_025).await;
    drop(go);
    held.await.unwrap().unwrap();
    taken.await.unwrap().unwrap();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(scene.stored().len(), 1_025);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_it_is_closed_is_still_done_and_what_comes_later_refused() {
    let scene = Scene::new();
    let (go, held) = scene.hold(SCHEDULER);
    let waits = scene.insert(JobOwner::Face, 1);
    scene.until_waiting(1).await;
    scene.engine.close();
    let late = scene.insert(SCHEDULER, 2).await.unwrap();
    assert!(matches!(late, Err(Failure::Closed)));
    drop(go);
    held.await.unwrap().unwrap();
    waits.await.unwrap().unwrap();
    assert_eq!(scene.stored(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_no_writer_and_sees_what_is_durable_alone() {
    let scene = Scene::new();
    scene.insert(JobOwner::Face, 1).await.unwrap().unwrap();
    let (go, held) = scene.hold(SCHEDULER);
    let waits = scene.insert(JobOwner::Face, 2);
    scene.until_waiting(1).await;
    let count = |tx: &Tx<'_>| query("SELECT count(*) FROM t").one::<i64>(tx);
    assert_eq!(scene.engine.read(count).await.unwrap(), 1);
    drop(go);
    held.await.unwrap().unwrap();
    waits.await.unwrap().unwrap();
    assert_eq!(scene.engine.read(count).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subscriber_is_notified_of_what_others_have_committed() {
    let scene = Scene::new();
    let engine = &scene.engine;
    let other = JobOwner::Scheduler(2);
    let insert = |owner, into: &'static str| {
        let job = move |tx: &Tx<'_>| query(into).execute(tx);
        async move { engine.write(owner, job).await.unwrap() }
    };
    let (first, second) = (
        engine.subscribe(Topic::Due, SCHEDULER),
        engine.subscribe(Topic::Due, other),
    );
    let notifier = engine.subscribe(Topic::Outbox, JobOwner::Face);
    insert(JobOwner::Face, "INSERT INTO schedules VALUES (1)").await;
    first.changed().await;
    second.changed().await;
    // A scheduler is notified of what another one does.
    insert(SCHEDULER, "UPDATE schedules SET n = 2").await;
    second.changed().await;
    insert(SCHEDULER, "INSERT INTO outbox VALUES (1)").await;
    notifier.changed().await;
    insert(SCHEDULER, "UPDATE outbox SET n = 2").await;
    let failed = |tx: &Tx<'_>| {
        query("INSERT INTO schedules VALUES (3)").execute(tx)?;
        Err::<(), _>(sql::Error::NoRow)
    };
    engine.write(JobOwner::Face, failed).await.unwrap_err();
    insert(JobOwner::Face, "INSERT INTO t VALUES (1)").await;
    for (who, subscription) in [("first", first), ("second", second), ("notifier", notifier)] {
        let hears = subscription.changed().now_or_never().is_some();
        assert!(!hears, "{who} hears of what is nothing to it");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_reads_has_a_lower_priority() {
    let own = |_: &Tx<'_>| -> sql::Result<_> { Ok(rustix::process::getpriority_process(None)) };
    let scene = Scene::new();
    let writer = scene.spawn(JobOwner::Face, own).await.unwrap().unwrap();
    let reader = scene.engine.read(own).await.unwrap();
    assert_eq!(reader, writer.map(|nice| (nice + 10).min(19)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_ends_when_its_caller_leaves() {
    let scene = Scene::new();
    let (begun, has_begun) = mpsc::channel::<()>();
    let endless = scene.engine.read(move |tx| {
        let _ = begun.send(());
        query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n",
        )
        .one::<i64>(tx)
    });
    let mut endless = Box::pin(endless);
    assert!(endless.as_mut().now_or_never().is_none());
    tokio::task::block_in_place(|| has_begun.recv().unwrap());
    drop(endless);
    // There is one reader, and it is free again.
    let one = scene.engine.read(|tx| query("SELECT 1").one::<i64>(tx));
    assert_eq!(one.await.unwrap(), 1);
}
