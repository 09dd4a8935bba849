//! What a commit has changed that somebody waits for.
//!
//! SQLite itself tells which tables a job writes to, so that no change can be forgotten; every
//! subscriber is notified of it after the commit, whoever else is. One thing SQLite does not tell is
//! a bare `DELETE FROM` a whole table (<https://sqlite.org/lang_delete.html#the_truncate_optimization>):
//! no statement may be one.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::Connection;
use rusqlite::hooks::Action;
use tokio::sync::Notify;

use super::queues::Whose;

/// Something that changes and that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What is to be delivered: schedules, occurrences and the halt.
    Due,
    /// A message to the operator or a dead-man service was put into the outbox.
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
            ("schedules" | "occurrences" | "halt", _) => Some(Topic::Due),
            // Whoever delivers it changes it, too, and waits for nothing by that.
            ("outbox", Action::SQLITE_INSERT) => Some(Topic::Outbox),
            _ => None,
        }
    }
}

/// The topics of some changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Raised(u8);

/// What a connection has changed since it was asked last.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(Arc<AtomicU8>);

impl Changes {
    /// Those of this connection from now on.
    ///
    /// # Errors
    /// If SQLite doesn't tell them.
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

    /// What has changed, once.
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
    /// Whose changes it is not notified of: a scheduler isn't woken by what it does itself.
    ignores: Option<Whose>,
    changed: Notify,
}

impl Subscription {
    /// Waits until something of the topic has changed since this was last waited for.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// All subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Vec<Weak<Subscriber>>>);

impl Subscribers {
    /// Adds one, who asks by a handle of this kind.
    pub(super) fn add(&self, topic: Topic, whose: Whose) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            topic,
            ignores: matches!((topic, whose), (Topic::Due, Whose::Scheduler(_))).then_some(whose),
            changed: Notify::new(),
        });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|subscriber| subscriber.strong_count() > 0);
        all.push(Arc::downgrade(&subscriber));
        Subscription(subscriber)
    }

    /// Notifies of changes that are durable, or may be.
    pub(super) fn notify(&self, raised: Raised, by: Whose) {
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

    /// Notifies all of them: what another program has changed may be anything.
    pub(super) fn notify_all(&self) {
        let all = Topic::ALL.iter().fold(0, |all, topic| all | topic.bit());
        self.notify(Raised(all), Whose::Face);
    }
}
