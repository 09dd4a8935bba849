//! Telling people and services: the task that empties the outbox.
//!
//! It runs beside the scheduler and shares nothing with it but the database, so however slow or
//! broken the other side is, no prompt waits for it.

mod command;
mod post;
mod report;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, doubled};
use crate::config::{Notify, NotifyCommand};
use crate::db::{Db, Topic};
use crate::error::{Code, Error, Result, shell};
use crate::http::limits::NOTICE;
use crate::models::{Channel, LONGEST_MESSAGE_WAIT, NextMessage, OutboxMessage};
use post::Post;
use report::Report;

/// How often the outbox is looked into for what other processes have put there.
const WATCH: SignedDuration = SignedDuration::from_secs(1);

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
    sending: JoinSet<Ended>,
    /// The channel and the server of each letter on its way.
    busy: Vec<(Channel, String)>,
    /// When to tidy next.
    tidy_at: Option<Timestamp>,
    /// Whether the last tidying has left something.
    tidy_more: bool,
    /// Whether the database failed last.
    failing: bool,
    report: Report,
}

/// A letter that is no longer on its way.
struct Ended {
    letter: OutboxMessage,
    /// Why it was not delivered.
    failure: Option<String>,
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
                    .example(shell("PROMPTYOSELF_NOTIFY_URL=https://ntfy.sh/my-topic"))
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
        let outbox = self.db.subscribe(Topic::Outbox);
        let mut round = Round::default();
        let abandon = CancellationToken::new();
        // Between any two letters it is looked whether to stop.
        while !stop.is_cancelled() {
            round.note_ended();
            let looked_at = self.clock.now();
            let worked = self.go_on(&mut round, &abandon).await;
            if round.is_more(worked) {
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(ended) = round.sending.join_next() => round.note(ended),
                () = outbox.changed() => {}
                () = self.clock.sleep_until(later(looked_at, WATCH), looked_at) => {}
            }
        }
        let over = self.clock.sleep(LAST_CALL);
        tokio::pin!(over);
        loop {
            round.note_ended();
            let worked = self.send_next(&mut round, &abandon).await;
            let more = round.is_more(worked);
            tokio::select! {
                biased;
                () = &mut over => break,
                () = std::future::ready(()), if more => {}
                ended = round.sending.join_next() => match ended {
                    Some(ended) => round.note(ended),
                    None => break,
                },
            }
        }
        abandon.cancel();
        while let Some(ended) = round.sending.join_next().await {
            round.note(ended);
        }
        round.report.sum_up();
    }

    /// Does the next thing that is to be done, if it is time for it. Returns whether there may be
    /// more to do at once.
    async fn go_on(&self, round: &mut Round, abandon: &CancellationToken) -> Result<bool> {
        let now = self.clock.now();
        // Also after a clock that was set back.
        let is_time = round
            .tidy_at
            .is_none_or(|at| now >= at || now < later(at, -TIDY));
        if is_time {
            self.listen().await?;
            round.report.sum_up();
            round.tidy_at = Some(later(now, TIDY));
            round.tidy_more = true;
        }
        if round.tidy_more {
            let tidied = self.db.tidy_outbox(now).await?;
            round.report.given_up(&tidied.given_up);
            round.tidy_more = tidied.more;
        }
        Ok(self.send_next(round, abandon).await? || round.tidy_more)
    }

    /// Sends the next letter of each channel that has room. Returns whether there may be more.
    async fn send_next(&self, round: &mut Round, abandon: &CancellationToken) -> Result<bool> {
        let mut more = false;
        for channel in &self.channels {
            let Some(full) = round.full_servers(*channel) else {
                continue;
            };
            let taken = self.db.take_letter(*channel, &full, self.clock.now());
            match taken.await? {
                NextMessage::Nothing => {}
                NextMessage::TooOld(letters) => {
                    round.report.given_up(&letters);
                    more = true;
                }
                NextMessage::Due(letter) => {
                    round.busy.push((*channel, letter.server.clone()));
                    let (db, clock, ways) =
                        (self.db.clone(), self.clock.clone(), self.ways.clone());
                    let abandoned = abandon.clone();
                    round.sending.spawn(async move {
                        let failure = deliver(&db, &clock, &ways, &letter, abandoned).await;
                        Ended {
                            letter: *letter,
                            failure,
                        }
                    });
                    more = true;
                }
            }
        }
        Ok(more)
    }
}

impl Round {
    /// Notes every letter that has ended, without waiting.
    fn note_ended(&mut self) {
        while let Some(ended) = self.sending.try_join_next() {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: std::result::Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended { letter, failure }) => {
                let is_it = |(channel, server): &(Channel, String)| {
                    *channel == letter.channel && *server == letter.server
                };
                if let Some(at) = self.busy.iter().position(is_it) {
                    self.busy.swap_remove(at);
                }
                if let Some(error) = failure {
                    self.report.failed(&letter, &error);
                }
            }
            // Its letter is free again when its lease ends.
            Err(_) => {
                tracing::error!("an internal fault broke a notice off");
                self.busy.clear();
            }
        }
    }

    /// The servers that get no more pings for now; `None` if the whole channel has no room. Of the
    /// places that others leave a server gets half, so that one that hangs leaves some for the rest.
    fn full_servers(&self, channel: Channel) -> Option<Vec<String>> {
        let busy = self.busy.iter().filter(|(c, _)| *c == channel);
        let busy: Vec<&String> = busy.map(|(_, server)| server).collect();
        let room = room(channel);
        if busy.len() >= room {
            return None;
        }
        let is_full = |server: &&&String| {
            let own = busy.iter().filter(|b| *b == *server).count();
            channel == Channel::Ping && own * 2 >= room - (busy.len() - own)
        };
        Some(busy.iter().filter(is_full).map(|s| (*s).clone()).collect())
    }

    /// Whether there is more to do at once. Says once that the database fails.
    fn is_more(&mut self, worked: Result<bool>) -> bool {
        if let Err(e) = &worked
            && !self.failing
        {
            tracing::error!("notices wait: {}", e.chain());
        }
        self.failing = worked.is_err();
        worked.unwrap_or(false)
    }
}

/// How many letters of a channel may be on their way at once: one that hangs delays few others.
fn room(channel: Channel) -> usize {
    match channel {
        Channel::Command | Channel::Url => 4,
        Channel::Ping => 32,
    }
}

/// Sends one letter and notes what became of it. Returns why it was not delivered.
async fn deliver(
    db: &Db,
    clock: &Clock,
    ways: &Ways,
    letter: &OutboxMessage,
    abandoned: CancellationToken,
) -> Option<String> {
    let sent = tokio::select! {
        biased;
        sent = ways.send(letter) => sent,
        () = abandoned.cancelled() => {
            // Free for the next scheduler at once.
            let _ = db.return_letter(letter, None, clock.now()).await;
            return None;
        }
        () = clock.sleep(NOTICE) => Err(format!("it took longer than {NOTICE:?}")),
    };
    let noted = match &sent {
        Ok(()) => db.letter_delivered(letter).await,
        Err(error) => {
            let longest = match letter.channel {
                // The next ones wait behind it, and are worthless when they come late.
                Channel::Ping => LONGEST_PING_WAIT,
                Channel::Command | Channel::Url => LONGEST_MESSAGE_WAIT,
            };
            let wait = doubled(FIRST_WAIT, letter.tries - 1, longest);
            db.return_letter(letter, Some(error), later(clock.now(), wait))
                .await
        }
    };
    if let Err(e) = noted {
        tracing::error!("a notice will be sent again: {}", e.chain());
    }
    sent.err()
}

impl Ways {
    async fn send(&self, letter: &OutboxMessage) -> Sent {
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

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
