//! What a commit has changed that somebody waits for.
//!
//! SQLite itself tells which tables a job writes to, so that no change can be forgotten; whoever
//! listens hears of it after the commit. Each listener hears of every one, whoever else listens.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::Connection;
use rusqlite::hooks::Action;
use tokio::sync::Notify;

use super::Whose;

/// Something that changes and that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What is to be delivered: schedules, occurrences and the halt.
    Due,
    /// A letter to the operator or a dead-man service was put into the outbox.
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

/// Whoever waits for a topic. It hears of what is committed from now on.
#[derive(Debug)]
pub struct Listener(Arc<Ear>);

#[derive(Debug)]
struct Ear {
    topic: Topic,
    /// A scheduler isn't woken by what it does itself.
    deaf_to: Option<Whose>,
    heard: Notify,
}

impl Listener {
    /// Waits until something of the topic has changed since this was last waited for.
    pub async fn changed(&self) {
        self.0.heard.notified().await;
    }
}

/// All who listen.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<Vec<Weak<Ear>>>);

impl Listeners {
    /// One more, who asks by a handle of this kind.
    pub(super) fn add(&self, topic: Topic, whose: Whose) -> Listener {
        let ear = Arc::new(Ear {
            topic,
            deaf_to: matches!((topic, whose), (Topic::Due, Whose::Scheduler(_))).then_some(whose),
            heard: Notify::new(),
        });
        let mut ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|ear| ear.strong_count() > 0);
        ears.push(Arc::downgrade(&ear));
        Listener(ear)
    }

    /// Tells of changes that are durable, or may be.
    pub(super) fn tell(&self, raised: Raised, by: Whose) {
        if raised == Raised::default() {
            return;
        }
        let ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ear in ears.iter().filter_map(Weak::upgrade) {
            if raised.0 & ear.topic.bit() != 0 && ear.deaf_to != Some(by) {
                ear.heard.notify_one();
            }
        }
    }

    /// Tells of a change that another program has made: it may be any.
    pub(super) fn tell_all(&self) {
        let all = Topic::ALL.iter().fold(0, |all, topic| all | topic.bit());
        self.tell(Raised(all), Whose::Face);
    }
}
