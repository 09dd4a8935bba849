//! What may go wrong at any minute, apart from faults of single requests.

use jiff::SignedDuration;

use super::faults::{happens, pick};
use super::model_letta::cut;
use super::process::Message;
use super::trace::{At, HOUR, MINUTE, SECOND};
use super::world::{Happening, World};
use promptyoself::letta_client::ErrorClass;
use promptyoself::scheduler::core::Event;

impl World {
    /// Lets go wrong what does in this minute.
    pub fn disturb(&mut self) {
        let faults = self.faults.clone();
        if happens(&mut self.rng, faults.server_crash) {
            self.crash_server();
        }
        if happens(&mut self.rng, faults.absence) && self.letta.up {
            self.letta.trouble = pick(
                &mut self.rng,
                &[
                    ErrorClass::Unreachable,
                    ErrorClass::Unreachable,
                    ErrorClass::Timeout,
                    ErrorClass::ServerError,
                    ErrorClass::Blocked,
                    ErrorClass::Unauthorized,
                    ErrorClass::RateLimited,
                ],
            );
            self.note(match self.letta.trouble {
                ErrorClass::Unreachable => "the server can't be reached".to_owned(),
                class => format!("the whole server says no: {class}"),
            });
            self.letta.up = false;
            let back = self.rng.i64(SECOND..40 * MINUTE);
            self.plan(back, Happening::ServerUp);
        }
        if happens(&mut self.rng, faults.clock_set) {
            let minutes = [-1_500, -90, -4, -1, 1, 4, 6, 90, 1_500];
            let by = pick(&mut self.rng, &minutes);
            let by = SignedDuration::from_mins(by) + SignedDuration::from_secs(self.rng.i64(0..60));
            self.plan(0, Happening::SetClock(by));
        }
        if happens(&mut self.rng, faults.sleep) {
            self.sleep();
        }
        if happens(&mut self.rng, faults.foreign_run) {
            let agent = pick(&mut self.rng, &self.agents);
            let now = self.now();
            let run = self.letta.begin_foreign(&agent, now);
            let length = self.rng.i64(SECOND..10 * MINUTE);
            self.note(format!(
                "somebody speaks with {agent} in {}",
                super::model_letta::run_id(run)
            ));
            self.plan(length, Happening::RunEnds(run));
        }
        if happens(&mut self.rng, faults.stop) {
            let slot = self.rng.usize(0..self.processes.len());
            if self.rng.bool() {
                self.kill(slot);
            } else if let Some(process) = &mut self.processes[slot] {
                process.inbox.push_back(Message::Event(Event::Stop));
            }
        }
    }

    /// The machine starts with a clock that is far ahead, and is told the time later: mostly within
    /// the minute in which such a clock is not believed.
    pub fn start_falsely(&mut self) {
        let days = pick(&mut self.rng, &[40, 400]);
        let ahead = SignedDuration::from_hours(24 * days);
        self.set_clock(self.clock.now() + ahead);
        let back = self.rng.i64(SECOND..100 * SECOND);
        self.plan(back, Happening::SetClock(-ahead));
    }

    /// The server dies and is started again.
    pub fn crash_server(&mut self) {
        self.note("the server dies");
        self.letta.trouble = ErrorClass::Unreachable;
        for request in self.letta.die() {
            let told = self.letta.requests[request].told;
            let run = self.letta.run_of(request).filter(|_| told);
            self.answer(request, cut(run));
        }
        let back = self.rng.i64(SECOND..10 * MINUTE);
        self.plan(back, Happening::ServerUp);
    }

    /// The whole machine sleeps, or one process is stopped for a while.
    fn sleep(&mut self) {
        let longest: At = pick(&mut self.rng, &[MINUTE, 30 * MINUTE, 9 * HOUR]);
        let until = self.now() + self.rng.i64(SECOND..longest);
        let all = self.rng.bool();
        let one = self.rng.usize(0..self.processes.len());
        self.note(format!(
            "sleeps until {until}: {}",
            if all { "all".into() } else { one.to_string() }
        ));
        for (slot, process) in self.processes.iter_mut().enumerate() {
            if let Some(process) = process.as_mut().filter(|_| all || slot == one) {
                process.frozen_until = until;
            }
        }
    }
}
