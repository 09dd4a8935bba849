//! What happens to a prompt between a scheduler and the server.

use jiff::SignedDuration;
use promptyoself::letta_client::Answer;
use promptyoself::models::Job;
use promptyoself::scheduler::core::Event;

use super::faults::{happens, pick};
use super::model_letta::{Arrival, Fate, QUIET, Request, run_id};
use super::process::Message;
use super::trace::{Law, MINUTE, SECOND, broken};
use super::world::{Happening, World};

impl World {
    /// A prompt is sent.
    pub fn send(&mut self, life: u64, job: Box<Job>) -> Law {
        for earlier in &self.letta.requests {
            let is_copy = earlier.job.occurrence_id == job.occurrence_id;
            let is_known = self.letta.dedup && earlier.job.otid == job.otid;
            if is_copy && !is_known && self.letta.can_turn_up(earlier) {
                return broken!("{} is sent again while it may turn up", job.occurrence_id);
            }
            if earlier.client.is_some() && earlier.job.lane == job.lane {
                return broken!("two prompts are sent at once in {}", job.lane.as_str());
            }
        }
        let request = self.letta.requests.len();
        let refused = self.letta.ask_before(&job.agent_id, self.now());
        self.letta.requests.push(Request {
            job,
            client: Some(life),
            fate: if refused.is_some() {
                Fate::Void
            } else {
                Fate::UnderWay
            },
            told: false,
            stray: false,
        });
        if happens(&mut self.rng, 2 * self.faults.crash) {
            let meanwhile = self.rng.i64(0..2 * SECOND);
            self.plan(meanwhile, Happening::Kill(life));
        }
        let (rng, faults) = (&mut self.rng, &self.faults);
        if let Some(refusal) = refused {
            self.answer(request, Answer::Refused(refusal));
        } else if happens(rng, faults.lost) {
            self.letta.requests[request].fate = Fate::Void;
            let patience = rng.i64(SECOND / 10..MINUTE);
            self.plan(patience, Happening::GiveUp(request));
        } else if happens(rng, faults.late) {
            // A server that knows otids takes a copy for what it is, however late it comes.
            let strays = self.letta.dedup && rng.u8(0..3) == 0;
            let latest = if strays { 10 * MINUTE } else { QUIET - SECOND };
            let (late, patience) = (rng.i64(0..latest), rng.i64(SECOND / 10..QUIET));
            self.letta.requests[request].stray = late > QUIET;
            if happens(rng, 20 * faults.clock_set) {
                let far = pick(rng, &[400, 6_000, 90_000]);
                let by = SignedDuration::from_secs(rng.i64(-far..far));
                let meanwhile = rng.i64(0..late.max(1));
                self.plan(meanwhile, Happening::SetClock(by));
            }
            self.plan(late, Happening::Arrive(request));
            self.plan(patience, Happening::GiveUp(request));
        } else {
            let soon = rng.i64(1_000..50_000);
            self.plan(soon, Happening::Arrive(request));
        }
        Ok(())
    }

    /// A prompt reaches the server.
    pub fn arrive(&mut self, request: usize) -> Law {
        if self.letta.requests[request].fate != Fate::UnderWay {
            return Ok(());
        }
        let now = self.now();
        let arrival = self
            .letta
            .arrive(request, now, &self.faults, &mut self.rng)?;
        let job = &self.letta.requests[request].job;
        let of = job.occurrence_id;
        match arrival {
            Arrival::Answer(answer) => {
                match self.letta.run_of(request) {
                    Some(run) => self.note(format!("letta: {of} joins {run}, which is over")),
                    None => self.note(format!("letta: answers {of}")),
                }
                self.answer(request, answer);
            }
            Arrival::Began(run, length) => {
                self.note(format!("letta: {} begins for {of}", run_id(run)));
                self.plan(length, Happening::RunEnds(run));
                self.plan(length.min(20_000), Happening::Told(request));
                if happens(&mut self.rng, self.faults.server_crash) {
                    let meanwhile = self.rng.i64(0..length);
                    self.plan(meanwhile, Happening::ServerDies);
                }
                if happens(&mut self.rng, self.faults.cut) {
                    let heard = self.rng.i64(0..length);
                    self.plan(heard, Happening::GiveUp(request));
                }
            }
            Arrival::Attached(run) | Arrival::Hangs(run) => {
                self.note(format!("letta: {of} joins {}", run_id(run)));
                self.plan(20_000, Happening::Told(request));
                // Should nothing ever come of it.
                self.plan(55 * MINUTE, Happening::GiveUp(request));
            }
        }
        Ok(())
    }

    /// An answer leaves the server.
    pub fn answer(&mut self, request: usize, answer: Answer) {
        let soon = self.rng.i64(1_000..100_000);
        self.plan(soon, Happening::Answer(request, answer));
    }

    /// A client hears an answer, or gives up, whichever comes first.
    pub fn hear(&mut self, request: usize, answer: Answer) {
        let waiting = &mut self.letta.requests[request];
        if let Some(life) = waiting.client.take() {
            let job = waiting.job.clone();
            self.tell(life, Message::Event(Event::Answered(job, answer)));
        }
    }

    /// Nobody waits any more for what a life of a scheduler sent; what has not arrived may be lost.
    pub fn hang_up(&mut self, life: u64) {
        for request in &mut self.letta.requests {
            if request.client == Some(life) {
                request.client = None;
                if request.fate == Fate::UnderWay && self.rng.bool() {
                    request.fate = Fate::Void;
                }
            }
        }
    }
}
