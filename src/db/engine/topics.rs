//! Topics: the kinds of changes that others wait for.
//!
//! SQLite itself reports which tables a job writes to, so that no change can be forgotten; all
//! subscribers are notified after the commit. Only a bare `DELETE FROM` a whole table is not
//! reported (<https://sqlite.org/lang_delete.html#the_truncate_optimization>), so no statement may
//! be one.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::Connection;
use rusqlite::hooks::Action;
use tokio::sync::Notify;

use super::queues::JobOwner;

/// A kind of change that others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Something to deliver: schedules, occurrences and the halt.
    Due,
    /// A message in the outbox.
    Outbox,
}

impl Topic {
    const ALL: [Topic; 2] = [Topic::Due, Topic::Outbox];

    fn bit(self) -> u8 {
        match self {
            Topic::Due => 1,
            Topic::Outbox => 2,
        }
    }

    /// The topic of a change, if it has one.
    fn of(action: Action, table: &str) -> Option<Topic> {
        match (table, action) {
            ("schedules" | "occurrences" | "halt" | "halted_targets", _) => Some(Topic::Due),
            // Whoever delivers it changes it, too, but nobody waits for that.
            ("outbox", Action::SQLITE_INSERT) => Some(Topic::Outbox),
            _ => None,
        }
    }
}

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Raised(u8);

/// The changes of a connection since the last call.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(Arc<AtomicU8>);

impl Changes {
    /// The changes of this connection from now on.
    ///
    /// # Errors
    /// If SQLite does not report them.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let changes = Changes::default();
        let noted = changes.0.clone();
        connection.update_hook(Some(move |action, _: &str, table: &str, _| {
            if let Some(topic) = Topic::of(action, table) {
                noted.fetch_or(topic.bit(), Ordering::Relaxed);
            }
        }))?;
        Ok(changes)
    }

    /// The changes since the last call.
    pub(super) fn take(&self) -> Raised {
        Raised(self.0.swap(0, Ordering::Relaxed))
    }
}

/// A subscription to a topic, from now on.
#[derive(Debug)]
pub struct Subscription(Arc<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    topic: Topic,
    /// Whose changes it ignores: a scheduler isn't woken by its own.
    ignores: Option<JobOwner>,
    changed: Notify,
}

impl Subscription {
    /// Waits until something of the topic has changed since the last call.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// All subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Vec<Weak<Subscriber>>>);

impl Subscribers {
    /// Adds a subscriber with this kind of handle.
    pub(super) fn add(&self, topic: Topic, owner: JobOwner) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            topic,
            ignores: matches!((topic, owner), (Topic::Due, JobOwner::Scheduler(_)))
                .then_some(owner),
            changed: Notify::new(),
        });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|subscriber| subscriber.strong_count() > 0);
        all.push(Arc::downgrade(&subscriber));
        Subscription(subscriber)
    }

    /// Notifies of changes that are durable, or may be.
    pub(super) fn notify(&self, raised: Raised, by: JobOwner) {
        if raised == Raised::default() {
            return;
        }
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for subscriber in all.iter().filter_map(Weak::upgrade) {
            if raised.0 & subscriber.topic.bit() != 0 && subscriber.ignores != Some(by) {
                subscriber.changed.notify_one();
            }
        }
    }

    /// Notifies all subscribers: another program may have changed anything.
    pub(super) fn notify_all(&self) {
        let all = Topic::ALL.iter().fold(0, |all, topic| all | topic.bit());
        self.notify(Raised(all), JobOwner::Face);
    }
}
