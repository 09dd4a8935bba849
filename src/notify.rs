//! Notifying people and services: the task that empties the outbox.
//!
//! It runs beside the scheduler and shares only the database with it, so no prompt waits for it,
//! however slow or broken the other side is.

mod command;
mod deliver;
mod post;
mod report;
mod round;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, later};
use crate::config::Notify;
use crate::db::{Db, Topic};
use crate::error::{Code, Error, Result, shell};
use crate::models::{Channel, NextMessage};
use deliver::{Senders, deliver};
use post::Post;
use round::{Ended, Round};

/// How often to check the outbox for messages from other processes.
const WATCH: SignedDuration = SignedDuration::from_secs(1);

/// How long sending what is due may take after the scheduler has stopped.
const LAST_CALL: Duration = Duration::from_secs(3);

/// How often to record that a notifier is running, and to give up messages that are too old.
const TIDY: SignedDuration = SignedDuration::from_mins(1);

/// Sends the messages in the outbox.
pub struct Notifier {
    db: Db,
    clock: Clock,
    channels: Vec<Channel>,
    senders: Arc<Senders>,
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
            senders: Arc::new(Senders { command, url, post }),
        })
    }

    /// Records that a notifier is running, so that notices are written from now on. Call it before
    /// a scheduler starts, so that none of its notices are lost.
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

    /// Sends until `stop`; then what is due gets a few more seconds, and the rest is left to the
    /// next notifier.
    pub async fn run(self, stop: CancellationToken) {
        let outbox = self.db.subscribe(Topic::Outbox);
        let mut round = Round::default();
        let abandon = CancellationToken::new();
        // Check for a stop between any two messages.
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

    /// Does the next step if it is time for it. Returns whether there may be more to do at once.
    async fn go_on(&self, round: &mut Round, abandon: &CancellationToken) -> Result<bool> {
        let now = self.clock.now();
        // This also holds after the clock was set back.
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

    /// Sends the next message of each channel that has room. Returns whether there may be more.
    async fn send_next(&self, round: &mut Round, abandon: &CancellationToken) -> Result<bool> {
        let mut more = false;
        for channel in &self.channels {
            let Some(full) = round.full_servers(*channel) else {
                continue;
            };
            let taken = self.db.lease_message(*channel, &full, self.clock.now());
            match taken.await? {
                NextMessage::Nothing => {}
                NextMessage::TooOld(messages) => {
                    round.report.given_up(&messages);
                    more = true;
                }
                NextMessage::Due(message) => {
                    round.busy.push((*channel, message.server.clone()));
                    let (db, clock, senders) =
                        (self.db.clone(), self.clock.clone(), self.senders.clone());
                    let abandoned = abandon.clone();
                    round.sending.spawn(async move {
                        let failure = deliver(&db, &clock, &senders, &message, abandoned).await;
                        Ended {
                            message: *message,
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
