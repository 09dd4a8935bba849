//! Our side of the observer: a process that follows the conversations in which turns of ours are
//! running, and outlives us.
//!
//! If the last client that follows a conversation disconnects while the model is being called, the
//! App Server cancels the turn and refuses everything in that conversation until it is restarted.
//! So another process follows it too before a prompt is sent, and stays until the turn has ended,
//! even if this process is killed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::orders::{Order, Report, line};
use super::protocol::{Scope, read};
use crate::clock::Clock;
use crate::http::limits;
use crate::letta_client::v1::RestSettings;

/// How long prompts are sent without an observer after one could not be started or did not answer.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// How many orders may be waiting to be written.
const MOST_UNWRITTEN: usize = 1_024;

/// The program that observes.
#[derive(Clone, Debug)]
pub struct ObserverProgram {
    /// The file.
    pub path: PathBuf,
    /// Its only argument.
    pub argument: &'static str,
}

/// The observer of one server, started when it is first needed.
pub(super) struct Observer {
    program: Option<ObserverProgram>,
    url: String,
    token: Option<SecretString>,
    clock: Clock,
    running: Mutex<Option<Running>>,
    /// When it last could not be used, by the clock that never jumps.
    failed_at: Mutex<Option<SignedDuration>>,
    has_warned: AtomicBool,
}

/// An observer that was started. It knows that we are gone when the sender is dropped.
#[derive(Clone)]
struct Running {
    orders: mpsc::Sender<String>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// The orders that wait for an answer, with their numbers.
    waiting: HashMap<Scope, (u64, oneshot::Sender<Result<(), String>>)>,
    /// The conversations that it follows, and by which order.
    watched: HashMap<Scope, u64>,
    orders: u64,
    has_ended: bool,
}

impl Observer {
    /// The observer of a server; nothing is started yet. Without a program there is none.
    pub(super) fn new(
        program: Option<ObserverProgram>,
        server: &RestSettings,
        clock: Clock,
    ) -> Self {
        Observer {
            program,
            url: server.base_url.clone(),
            token: server.api_key.clone(),
            clock,
            running: Mutex::default(),
            failed_at: Mutex::default(),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Makes it follow a conversation for a prompt that is sent under one of these ids, and waits
    /// until it does. If it can't be had, that is logged once, and the prompt is sent all the same.
    pub(super) async fn watch(&self, scope: &Scope, ids: &[Uuid]) {
        let Some(program) = &self.program else { return };
        let uptime = self.clock.moment().uptime;
        if locked(&self.failed_at).is_some_and(|at| uptime - at < PAUSE) {
            return;
        }
        let asked = self.clock.within(limits::OBSERVER, async {
            match self.ask(program, scope, ids).await {
                // It may have ended a moment ago because there was nothing to follow.
                Err(_) if self.has_ended() => self.ask(program, scope, ids).await,
                asked => asked,
            }
        });
        let failed = match asked.await {
            Some(Ok(())) => return,
            Some(Err(text)) => text,
            None => format!("it did not answer within {:?}", limits::OBSERVER),
        };
        *locked(&self.failed_at) = Some(uptime);
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "no observer follows the turns at {}: {failed}. Prompts are sent all the same, but \
                 if this process is killed during a turn, the App Server may refuse everything in \
                 that conversation until it is restarted",
                self.url
            );
        }
    }

    /// Tells it that a turn is over.
    pub(super) fn forget(&self, scope: &Scope) {
        if let Some(running) = &*locked(&self.running)
            && running.shared.state().watched.remove(scope).is_some()
        {
            let scope = scope.clone();
            // If this is lost, it sees the end of the turn itself.
            let _ = running.orders.try_send(line(&Order::Done { scope }));
        }
    }

    /// Whether it follows a conversation now.
    pub(super) fn is_watching(&self, scope: &Scope) -> bool {
        let running = locked(&self.running);
        (running.as_ref()).is_some_and(|running| running.shared.state().watched.contains_key(scope))
    }

    fn has_ended(&self) -> bool {
        (locked(&self.running).as_ref()).is_none_or(Running::has_ended)
    }

    async fn ask(
        &self,
        program: &ObserverProgram,
        scope: &Scope,
        ids: &[Uuid],
    ) -> Result<(), String> {
        let running = self.started(program)?;
        let (answer, answered) = oneshot::channel();
        let number = running.shared.await_answer(scope, answer);
        let order = Order::Watch {
            scope: scope.clone(),
            ids: ids.iter().map(Uuid::to_string).collect(),
            number,
        };
        let ended = || "it ended".to_owned();
        running
            .orders
            .send(line(&order))
            .await
            .map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The observer, started if it isn't running.
    fn started(&self, program: &ObserverProgram) -> Result<Running, String> {
        let mut running = locked(&self.running);
        if let Some(running) = running.as_ref().filter(|running| !running.has_ended()) {
            return Ok(running.clone());
        }
        let started = Running::start(program)
            .map_err(|e| format!("{} could not be started: {e}", program.path.display()))?;
        let connect = Order::connect(&self.url, self.token.as_ref());
        // The queue is empty.
        let _ = started.orders.try_send(line(&connect));
        *running = Some(started.clone());
        Ok(started)
    }
}

impl Running {
    fn start(program: &ObserverProgram) -> std::io::Result<Self> {
        let mut child = Command::new(&program.path)
            .arg(program.argument)
            // It must not keep a folder busy, nor an output open that somebody reads to its end.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (orders, unwritten) = mpsc::channel(MOST_UNWRITTEN);
        let shared = Arc::<Shared>::default();
        if let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
            tokio::spawn(write(stdin, unwritten));
            tokio::spawn({
                let shared = shared.clone();
                async move {
                    hear(stdout, &shared).await;
                    shared.end();
                    // So that nothing of it stays behind in the list of processes.
                    let _ = child.wait().await;
                }
            });
        }
        Ok(Running { orders, shared })
    }

    fn has_ended(&self) -> bool {
        self.shared.state().has_ended
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.0)
    }

    /// Has the next report on a conversation sent to whoever waits for it, and returns the number
    /// of the order to follow it.
    fn await_answer(&self, scope: &Scope, answer: oneshot::Sender<Result<(), String>>) -> u64 {
        let mut state = self.state();
        state.orders += 1;
        let number = state.orders;
        if !state.has_ended {
            state.waiting.insert(scope.clone(), (number, answer));
        }
        number
    }

    fn take(&self, report: Report) {
        let mut state = self.state();
        let Report {
            scope,
            number,
            error,
        } = report;
        let is_awaited = (state.waiting.get(&scope)).is_some_and(|(of, _)| *of == number);
        let waiting = match is_awaited {
            true => state.waiting.remove(&scope),
            false => None,
        };
        let answer = match error {
            None => {
                state.watched.insert(scope, number);
                Ok(())
            }
            Some(error) => {
                if state.watched.get(&scope) == Some(&number) {
                    state.watched.remove(&scope);
                }
                Err(error)
            }
        };
        if let Some((_, waiting)) = waiting {
            // The caller may no longer be waiting.
            let _ = waiting.send(answer);
        }
    }

    fn end(&self) {
        let mut state = self.state();
        state.has_ended = true;
        state.waiting.clear();
        state.watched.clear();
    }
}

async fn write(mut stdin: ChildStdin, mut unwritten: mpsc::Receiver<String>) {
    while let Some(line) = unwritten.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn hear(stdout: ChildStdout, shared: &Shared) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(report) = read::<Report>(&line) {
            shared.take(report);
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_earlier_turn_is_no_answer_to_the_order_to_follow_the_next() {
        let scope = Scope {
            agent_id: "agent-local-1".to_owned(),
            conversation_id: "default".to_owned(),
        };
        let shared = Shared::default();
        let report = |number, error: Option<&str>| Report {
            scope: scope.clone(),
            number,
            error: error.map(str::to_owned),
        };
        let (answer, _first) = oneshot::channel();
        let first = shared.await_answer(&scope, answer);
        shared.take(report(first, None));
        let (answer, mut answered) = oneshot::channel();
        let second = shared.await_answer(&scope, answer);
        shared.take(report(first, Some("its turn is over")));
        assert!(answered.try_recv().is_err());
        shared.take(report(second, None));
        assert_eq!(answered.try_recv(), Ok(Ok(())));
        shared.take(report(first, Some("its turn is over")));
        assert!(shared.state().watched.contains_key(&scope));
    }
}
