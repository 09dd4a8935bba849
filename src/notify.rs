//! Telling people and services: the task that empties the outbox.
//!
//! It runs beside the scheduler and shares nothing with it but the database, so however slow or
//! broken the other side is, no prompt waits for it.

mod command;
mod post;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, doubled};
use crate::config::{Notify, NotifyCommand};
use crate::db::{Db, LONGEST_WAIT, Letter};
use crate::error::{Code, Error, Result};
use crate::http::limits::NOTICE;
use crate::models::Channel;
use post::Post;

/// How often the outbox is looked into for what other processes have put there.
const WATCH: Duration = Duration::from_secs(1);

/// The wait before the second try; it doubles from there.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// The longest wait before another try of a ping.
const LONGEST_PING_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// How long what is due may take to be sent when the scheduler has stopped.
const LAST_CALL: Duration = Duration::from_secs(3);

/// How often it is noted that somebody listens, and what is too old is given up.
const TIDY: SignedDuration = SignedDuration::from_mins(1);

/// Whether a letter was delivered, and if not, why.
type Sent = std::result::Result<(), String>;

/// Sends what is in the outbox.
pub struct Notifier {
    db: Db,
    clock: Clock,
    channels: Vec<Channel>,
    ways: Arc<Ways>,
}

/// How letters are sent.
struct Ways {
    command: Option<NotifyCommand>,
    url: Option<reqwest::Url>,
    post: Post,
}

/// What goes on while the outbox is being emptied.
#[derive(Default)]
struct Round {
    /// One channel for each letter on its way.
    sending: JoinSet<Channel>,
    busy: Vec<Channel>,
    /// When to tidy next.
    tidy_at: Option<Timestamp>,
    /// Whether the database failed last.
    failing: bool,
}

impl Notifier {
    /// A sender of notices and pings. Without settings for notices it sends pings only.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] if the address can't be used.
    pub fn new(db: Db, clock: Clock, notify: &Notify) -> Result<Self> {
        let url = notify.url.as_ref().map(|url| {
            reqwest::Url::parse(url.expose_secret()).map_err(|e| {
                Error::new(Code::ConfigInvalid, format!("the address for notices: {e}"))
                    .example("PROMPTYOSELF_NOTIFY_URL=https://ntfy.sh/my-topic")
            })
        });
        let url = url.transpose()?;
        let mut channels = vec![Channel::Ping];
        channels.extend(notify.command.is_some().then_some(Channel::Command));
        channels.extend(url.is_some().then_some(Channel::Url));
        let post = Post::new(&clock)?;
        let command = notify.command.clone();
        Ok(Notifier {
            db,
            clock,
            channels,
            ways: Arc::new(Ways { command, url, post }),
        })
    }

    /// Notes who listens, so that notices are written from now on. Before a scheduler starts:
    /// nothing that it does goes untold.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn listen(&self) -> Result<()> {
        let of_operator: Vec<Channel> = self
            .channels
            .iter()
            .copied()
            .filter(|c| *c != Channel::Ping)
            .collect();
        match of_operator.is_empty() {
            true => Ok(()),
            false => self.db.listen(&of_operator, self.clock.now()).await,
        }
    }

    /// Sends until `stop`; then what is due has a few seconds, and the rest is left to the next.
    pub async fn run(self, stop: CancellationToken) {
        let mut round = Round::default();
        let abandon = CancellationToken::new();
        loop {
            let worked = self.go_on(&mut round, &abandon).await;
            round.report(worked.err());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = round.sending.join_next() => round.note(ended),
                () = self.db.outbox_changed() => {}
                () = self.clock.sleep(WATCH) => {}
            }
        }
        let over = self.clock.sleep(LAST_CALL);
        tokio::pin!(over);
        loop {
            let worked = self.send_due(&mut round, &abandon).await;
            round.report(worked.err());
            tokio::select! {
                biased;
                ended = round.sending.join_next() => match ended {
                    Some(ended) => round.note(ended),
                    None => return,
                },
                () = &mut over => break,
            }
        }
        abandon.cancel();
        while round.sending.join_next().await.is_some() {}
    }

    async fn go_on(&self, round: &mut Round, abandon: &CancellationToken) -> Result<()> {
        let now = self.clock.now();
        // Also after a clock that was set back.
        let due = round
            .tidy_at
            .is_none_or(|at| now >= at || now < later(at, -TIDY));
        if due {
            self.listen().await?;
            for (letter, error) in self.db.tidy_outbox(now).await? {
                report_given_up(&letter, error.as_deref());
            }
            round.tidy_at = Some(later(now, TIDY));
        }
        self.send_due(round, abandon).await
    }

    /// Starts every letter that is due and has room.
    async fn send_due(&self, round: &mut Round, abandon: &CancellationToken) -> Result<()> {
        for channel in &self.channels {
            while round.busy.iter().filter(|c| *c == channel).count() < room(*channel) {
                let Some(letter) = self.db.take_letter(*channel, self.clock.now()).await? else {
                    break;
                };
                round.busy.push(*channel);
                let (db, clock, ways) = (self.db.clone(), self.clock.clone(), self.ways.clone());
                let abandoned = abandon.clone();
                round.sending.spawn(async move {
                    let channel = letter.channel;
                    deliver(&db, &clock, &ways, letter, abandoned).await;
                    channel
                });
            }
        }
        Ok(())
    }
}

impl Round {
    fn note(&mut self, ended: std::result::Result<Channel, tokio::task::JoinError>) {
        match ended {
            Ok(channel) => {
                if let Some(at) = self.busy.iter().position(|c| *c == channel) {
                    self.busy.swap_remove(at);
                }
            }
            // Its letter is free again when its lease ends.
            Err(_) => {
                tracing::error!("an internal fault broke a notice off");
                self.busy.clear();
            }
        }
    }

    /// Says once that the database fails.
    fn report(&mut self, error: Option<Error>) {
        if let Some(e) = &error
            && !self.failing
        {
            tracing::error!("notices wait: {}", e.chain());
        }
        self.failing = error.is_some();
    }
}

/// How many letters of a channel may be on their way at once: one that hangs delays few others.
fn room(channel: Channel) -> usize {
    match channel {
        Channel::Command | Channel::Url => 4,
        Channel::Ping => 16,
    }
}

/// Sends one letter and notes what became of it.
async fn deliver(
    db: &Db,
    clock: &Clock,
    ways: &Ways,
    letter: Letter,
    abandoned: CancellationToken,
) {
    let sent = tokio::select! {
        biased;
        sent = ways.send(&letter) => sent,
        () = abandoned.cancelled() => {
            // Free for the next scheduler at once.
            let _ = db.return_letter(&letter, None, clock.now()).await;
            return;
        }
        () = clock.sleep(NOTICE) => Err(format!("it took longer than {NOTICE:?}")),
    };
    let noted = match sent {
        Ok(()) => db.letter_delivered(&letter).await,
        Err(error) => {
            let longest = match letter.channel {
                // The next ones wait behind it, and are worthless when they come late.
                Channel::Ping => LONGEST_PING_WAIT,
                Channel::Command | Channel::Url => LONGEST_WAIT,
            };
            let wait = doubled(FIRST_WAIT, letter.tries - 1, longest);
            report_failure(&letter, &error);
            let error = Some(error.as_str());
            db.return_letter(&letter, error, later(clock.now(), wait))
                .await
        }
    };
    if let Err(e) = noted {
        tracing::error!("a notice will be sent again: {}", e.chain());
    }
}

impl Ways {
    async fn send(&self, letter: &Letter) -> Sent {
        let none = || "it is not configured any more".to_owned();
        match letter.channel {
            Channel::Command => {
                let command = self.command.as_ref().ok_or_else(none)?;
                command::run(command, letter).await
            }
            Channel::Url => {
                let url = self.url.as_ref().ok_or_else(none)?;
                self.post.notice(url, letter).await
            }
            Channel::Ping => self.post.ping(letter).await,
        }
    }
}

fn report_failure(letter: &Letter, error: &str) {
    let Letter {
        channel,
        kind,
        event,
        expires_at,
        ..
    } = letter;
    // Once is enough: it is tried again often.
    match letter.tries {
        1 => tracing::warn!(
            "could not send {kind} {event} by {channel}: {error}; it is tried again until \
             {expires_at}"
        ),
        n => tracing::debug!("could not send {kind} {event} by {channel} (try {n}): {error}"),
    }
}

fn report_given_up(letter: &Letter, error: Option<&str>) {
    let Letter {
        channel,
        kind,
        event,
        tries,
        ..
    } = letter;
    let error = error.unwrap_or("nobody was there to send it");
    tracing::warn!("gave up sending {kind} {event} by {channel} after {tries} tries: {error}");
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
