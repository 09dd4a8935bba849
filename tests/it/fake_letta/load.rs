//! A fake Letta under load: it takes time, fails at random, and a test can stop it at a chosen
//! moment.

use std::ops::Range;
use std::time::Duration;

use super::state::Script;
use super::{FakeLetta, Inner};

/// How long a server takes over things, and what goes wrong by chance.
pub struct Load {
    /// The chance.
    pub random: fastrand::Rng,
    /// Milliseconds between reading a prompt and acting on it.
    pub before: Range<u64>,
    /// The same for one prompt in thirty.
    pub long_before: Range<u64>,
    /// Milliseconds that a turn takes.
    pub turn: Range<u64>,
    /// What happens to some of a thousand prompts.
    pub mishaps: Vec<(u32, Script)>,
}

impl Load {
    pub fn before(&mut self) -> Duration {
        let range = match self.random.u32(0..30) {
            0 => self.long_before.clone(),
            _ => self.before.clone(),
        };
        Duration::from_millis(self.random.u64(range))
    }

    pub fn turn(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(self.turn.clone()))
    }

    pub fn mishap(&mut self) -> Option<Script> {
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

/// A moment in the life of a prompt, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The prompt was read, and nothing is done.
    Read,
    /// Its turn has begun, and nothing was told of it.
    Begun,
    /// Its turn has ended, and its end was not told.
    Ended,
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
            self.wait(|s| !Trap::has_sprung(&s.trap)).await;
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
}

impl FakeLetta {
    /// Puts the server under load.
    pub fn set_load(&self, load: Load) {
        self.inner.state().load = Some(load);
    }

    /// Keeps the nth prompt that comes to a moment from now on there, until [`FakeLetta::free`].
    pub fn trap(&self, moment: Moment, nth: u32) {
        self.inner.state().trap = Some(Trap { moment, left: nth });
    }

    /// Waits until a prompt is kept.
    pub async fn trapped(&self) {
        self.inner.wait(|s| Trap::has_sprung(&s.trap)).await;
    }

    /// Lets it go on.
    pub fn free(&self) {
        self.inner.state().trap = None;
        self.inner.changed();
    }

    /// How many turns go on.
    pub fn open_turns(&self) -> usize {
        let state = self.inner.state();
        let open = |r: &&super::Received| r.ended.is_none() && !r.dead;
        state.received.iter().filter(open).count()
    }
}
