//! A fake App Server under load: it takes time, fails at random, is restarted, and a test can stop it
//! at a chosen moment.

use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use super::state::{Scope, Script};
use super::{FakeAppServer, Inner};
use crate::fake_letta::Moment;

/// How long a server takes over things, and what goes wrong by chance.
pub struct Load {
    /// The chance.
    pub random: fastrand::Rng,
    /// Milliseconds between reading an input and acting on it.
    pub before: Range<u64>,
    /// Milliseconds that a call of the model takes.
    pub turn: Range<u64>,
    /// What happens to some of a thousand inputs.
    pub mishaps: Vec<(u32, Script)>,
}

impl Load {
    fn before(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(self.before.clone()))
    }

    pub fn turn(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(self.turn.clone()))
    }

    fn mishap(&mut self) -> Option<Script> {
        let mut drawn = self.random.u32(0..1_000);
        for (of_a_thousand, script) in &self.mishaps {
            match drawn.checked_sub(*of_a_thousand) {
                None => return Some(script.clone()),
                Some(rest) => drawn = rest,
            }
        }
        None
    }
}

/// An input as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The conversation it was for.
    pub scope: Scope,
    /// The id of its message.
    pub id: String,
    /// Whether its turn was to come, was running, or had stored it already.
    pub is_repeat: bool,
}

/// What happened to a server, for a test's account.
#[derive(Default)]
pub struct Record {
    /// Every input that was looked at, in order.
    pub received: Vec<Received>,
    /// The inputs that were run again, once for each time.
    pub reruns: Vec<String>,
    /// The names of the clients that made them run again by starting their conversation.
    pub rerun_by: Vec<String>,
    /// The inputs in whose turn a conversation was left by its last follower, and whether the
    /// server had taken that turn up again itself.
    pub wedges: Vec<(String, bool)>,
}

/// Stops whoever comes to a moment for the nth time.
pub struct Trap {
    moment: Moment,
    left: u32,
}

impl Trap {
    fn has_sprung(trap: &Option<Trap>) -> bool {
        trap.as_ref().is_some_and(|t| t.left == 0)
    }
}

impl Inner {
    /// Comes to a moment; goes on when it is not kept there.
    pub async fn pass(&self, moment: Moment) {
        let caught = match &mut self.state().trap {
            Some(trap) if trap.moment == moment && trap.left > 0 => {
                trap.left -= 1;
                trap.left == 0
            }
            _ => false,
        };
        if caught {
            self.changed();
            self.until(|s| !Trap::has_sprung(&s.trap)).await;
        }
    }

    /// Takes as long over something as it takes under this load.
    pub async fn take_time(&self, of: fn(&mut Load) -> Duration) {
        let (clock, time) = {
            let mut state = self.state();
            (state.clock.clone(), state.load.as_mut().map(of))
        };
        if let Some(time) = time {
            clock.sleep(time).await;
        }
    }

    /// What comes before an input is looked at. Whether its sender still lives makes no difference.
    pub async fn delay_input(&self, text: &str) {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        if request["type"] != "input" {
            return;
        }
        self.pass(Moment::Read).await;
        self.take_time(Load::before).await;
        let mut state = self.state();
        let Some(script) = state.load.as_mut().and_then(Load::mishap) else {
            return;
        };
        let conversation = request["runtime"]["conversation_id"].as_str();
        let conversation = conversation.unwrap_or_default().to_owned();
        state.scripts.insert(conversation, script);
    }
}

impl FakeAppServer {
    /// Lets it work under a load from now on.
    pub fn set_load(&self, load: Load) {
        self.inner.state().load = Some(load);
    }

    /// Keeps the nth input that comes to a moment there until [`free`](FakeAppServer::free).
    pub fn trap(&self, moment: Moment, nth: u32) {
        self.inner.state().trap = Some(Trap { moment, left: nth });
    }

    /// Waits until an input is kept.
    pub async fn trapped(&self) {
        self.inner.until(|s| Trap::has_sprung(&s.trap)).await;
    }

    /// Lets it go on.
    pub fn free(&self) {
        self.inner.state().trap = None;
        self.inner.changed();
    }

    /// How many turns go on.
    pub fn open_turns(&self) -> usize {
        self.inner.state().active.len()
    }

    /// Is killed and there again at once: whoever is connected is cut off, and what was running is
    /// forgotten until somebody starts its conversation.
    pub fn restart(&self) {
        self.inner.restart();
    }

    /// What has happened so far.
    pub fn record<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        read(&self.inner.state().record)
    }

    /// Every conversation with its messages.
    pub fn all_messages(&self) -> Vec<(Scope, Vec<Value>)> {
        self.inner.state().all_messages()
    }
}
