//! The observer itself: a process that follows conversations of an App Server and does nothing else.
//!
//! While the process that started it is there, it follows what it is told to. Once that process is
//! gone, it stays until each of those turns has ended. It sends no prompt and answers no question.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::following::Following;
use super::orders::{Order, Report, line};
use super::protocol::{Scope, read};
use super::send::ListenOutcome;
use super::server::Server;
use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::http::limits;
use crate::letta_client::v1::RestSettings;
use crate::models::LETTA;

/// How long it stays although there is nothing to follow. The next prompt starts another.
const IDLE: Duration = Duration::from_secs(60);

/// The pause before it looks again at a turn that it could not follow for a moment.
const PAUSE: Duration = Duration::from_secs(1);

/// Where its answers go.
type Answers = Arc<dyn Fn(&str) + Send + Sync>;

/// Follows conversations as the lines of `orders` say, and gives lines to `answers`. When the
/// orders end, it returns once every turn has ended; after `stop` it ends them instead, in order.
///
/// # Errors
/// If the first order doesn't name a server that can be used.
pub async fn observe(
    mut orders: mpsc::Receiver<String>,
    answers: Answers,
    stop: CancellationToken,
    clock: Clock,
) -> Result<(), Error> {
    let Some(first) = orders.recv().await else {
        return Ok(());
    };
    let Some(Order::Connect { url, token }) = read(&first) else {
        return Err(Error::new(
            Code::Usage,
            "promptyoself starts this command itself; there is no other use for it",
        ));
    };
    let settings = RestSettings {
        target: LETTA.to_owned(),
        base_url: url,
        api_key: token.map(SecretString::from),
        idle_timeout: limits::QUESTION,
        orphan_age: SignedDuration::ZERO,
    };
    let server = Server::of_observer(&settings, clock.clone())?;
    let mut watching = Watching {
        server: Arc::new(server),
        answers,
        alone: watch::Sender::new(false),
        watches: HashMap::new(),
        tasks: JoinSet::new(),
    };
    let mut is_alone = false;
    loop {
        let is_idle = watching.watches.is_empty();
        if is_alone && (is_idle || stop.is_cancelled()) {
            break;
        }
        tokio::select! {
            order = orders.recv(), if !is_alone => match order {
                Some(order) => watching.take(&order),
                None => {
                    is_alone = true;
                    watching.alone.send_replace(true);
                }
            },
            Some(ended) = watching.tasks.join_next_with_id() => {
                let id = ended.map_or_else(|e| e.id(), |(id, ())| id);
                watching.watches.retain(|_, task| task.id() != id);
            }
            // The turns of a process that is still there are left to it.
            () = stop.cancelled(), if is_alone => {}
            () = clock.sleep(IDLE), if is_idle => break,
        }
    }
    watching.server.leave().await;
    Ok(())
}

/// The conversations that are followed.
struct Watching {
    server: Arc<Server>,
    answers: Answers,
    /// Whether the process that gives the orders is gone.
    alone: watch::Sender<bool>,
    watches: HashMap<Scope, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Watching {
    fn take(&mut self, order: &str) {
        match read(order) {
            Some(Order::Watch { scope, ids, number }) => {
                let watch = Watch {
                    server: self.server.clone(),
                    answers: self.answers.clone(),
                    alone: self.alone.subscribe(),
                    scope: scope.clone(),
                    number,
                    ids: ids.iter().filter_map(|id| id.parse().ok()).collect(),
                };
                let task = self.tasks.spawn(watch.run());
                // Another one on the same connection, so nobody leaves the conversation.
                if let Some(earlier) = self.watches.insert(scope, task) {
                    earlier.abort();
                }
            }
            Some(Order::Done { scope }) => {
                self.server.forget_turn(&scope);
                if let Some(task) = self.watches.remove(&scope) {
                    task.abort();
                }
            }
            Some(Order::Connect { .. }) | None => {}
        }
    }
}

/// One conversation that is followed for one prompt.
struct Watch {
    server: Arc<Server>,
    answers: Answers,
    alone: watch::Receiver<bool>,
    scope: Scope,
    number: u64,
    ids: Vec<Uuid>,
}

impl Watch {
    async fn run(self) {
        let clock = self.server.http.clock();
        let followed = clock.within(limits::TURN, self.follow()).await;
        self.server.forget_turn(&self.scope);
        self.answer(Some(match followed {
            Some(Err(why)) => why,
            Some(Ok(())) => "its turn is over".to_owned(),
            None => "its turn has lasted for too long".to_owned(),
        }));
    }

    /// Follows the conversation until the turn has ended, or the connection.
    async fn follow(&self) -> Result<(), String> {
        let begun = self.server.start_and_refresh(&self.scope, &self.ids).await;
        let (talking, mut following) = begun.map_err(|refusal| refusal.text)?;
        self.server.note_turn(&self.scope);
        self.answer(None);
        loop {
            following.watch.expect();
            let heard = self
                .server
                .listen(&self.scope, &talking, &mut following, &|_| ());
            let is_over = match heard.await {
                // The prompt may not have been sent yet.
                ListenOutcome::Silence => *self.alone.borrow(),
                // The server stands still, or there were too many events at once.
                ListenOutcome::Lost(..) => talking.has_ended(),
                ListenOutcome::Ended(_) | ListenOutcome::Asks | ListenOutcome::Removed => true,
            };
            if is_over {
                return Ok(());
            }
            self.server.http.clock().sleep(PAUSE).await;
            following = Following::new(&talking, &self.scope, &self.ids);
            // If this fails, listening does too.
            let _ = self
                .server
                .refresh(&talking, &self.scope, &mut following)
                .await;
        }
    }

    fn answer(&self, error: Option<String>) {
        let report = Report {
            scope: self.scope.clone(),
            number: self.number,
            error,
        };
        (self.answers)(&line(&report));
    }
}
