//! What goes wrong in a simulation, and how often.

use fastrand::Rng;

/// How often each thing goes wrong, in thousandths of its opportunities.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A scheduler dies between two actions.
    pub crash: u32,
    /// The database fails.
    pub database: u32,
    /// A prompt never reaches the server.
    pub lost: u32,
    /// A prompt reaches the server long after it was sent, and the client gives up meanwhile.
    pub late: u32,
    /// The connection ends before the turn does.
    pub cut: u32,
    /// The server refuses a prompt.
    pub refused: u32,
    /// The server says yes and runs nothing.
    pub nothing_ran: u32,
    /// The turn fails before anything was kept.
    pub failed: u32,
    /// The turn takes many minutes.
    pub long_turn: u32,
    /// The turn stops for an approval.
    pub approval: u32,
    /// A search has no clear answer.
    pub unclear: u32,
    /// Per minute: the server dies, and its runs are orphaned.
    pub server_crash: u32,
    /// Per minute: the server can't be reached.
    pub absence: u32,
    /// Per minute: somebody sets the clock.
    pub clock_set: u32,
    /// Per start of a scheduler: the machine's clock is far ahead until it is set right.
    pub false_start: u32,
    /// Per minute: the machine or one process sleeps.
    pub sleep: u32,
    /// Per minute: somebody else speaks with an agent.
    pub foreign_run: u32,
    /// Per minute: a scheduler is stopped or killed, and started later.
    pub stop: u32,
}

impl Faults {
    /// The faults of one seed: each kind is there in half of the seeds, more or less often.
    pub fn draw(rng: &mut Rng) -> Self {
        // In a few seeds no search ever says anything.
        let never_clear = if rng.u8(0..10) == 0 { 995 } else { 0 };
        let mut rate = |most: u32| match rng.bool() {
            true => rng.u32(1..=most),
            false => 0,
        };
        Faults {
            crash: rate(25),
            database: rate(60),
            lost: rate(120),
            late: rate(250),
            cut: rate(200),
            refused: rate(250),
            nothing_ran: rate(60),
            failed: rate(150),
            long_turn: rate(120),
            approval: rate(30),
            unclear: rate(300).max(never_clear),
            server_crash: rate(40),
            absence: rate(20),
            clock_set: rate(12),
            false_start: rate(300),
            sleep: rate(12),
            foreign_run: rate(100),
            stop: rate(25),
        }
    }

    /// Nothing goes wrong.
    pub fn none() -> Self {
        Faults::default()
    }
}

/// Whether something happens that does so `rate` times out of a thousand.
pub fn happens(rng: &mut Rng, rate: u32) -> bool {
    rate > 0 && rng.u32(0..1_000) < rate
}

/// One of several, each as likely.
pub fn pick<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())].clone()
}
