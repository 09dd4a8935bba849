//! Points between two steps at which a test can kill the program, as SIGKILL would.
//!
//! `PROMPTYOSELF_FAILPOINT=claim_committed:3` kills the process when it reaches that point for the
//! third time; `send_ready:1:words` panics there with these words instead. All of this is compiled
//! only with the feature `failpoints`, which this package's own tests enable through its
//! dev-dependency on itself; in any other build `failpoint!` does nothing.

/// Dies here if this point was chosen and has been reached often enough.
#[cfg(feature = "failpoints")]
macro_rules! failpoint {
    ($point:ident) => {
        $crate::failpoint::Failpoint::$point.reach()
    };
    ($condition:expr, $holds:ident, $else:ident) => {
        match $condition {
            true => failpoint!($holds),
            false => failpoint!($else),
        }
    };
}
#[cfg(not(feature = "failpoints"))]
macro_rules! failpoint {
    ($($point:tt)*) => {};
}
pub(crate) use failpoint;

#[cfg(feature = "failpoints")]
pub use points::Failpoint;

#[cfg(feature = "failpoints")]
mod points {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The variable that chooses a point and which time it is reached.
    const CHOICE: &str = "PROMPTYOSELF_FAILPOINT";

    macro_rules! points {
        ($($(#[$doc:meta])* $point:ident => $name:literal,)+) => {
            /// A point at which the program can be killed, in the order of a prompt's life.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub enum Failpoint { $($(#[$doc])* $point,)+ }

            impl Failpoint {
                /// Every point.
                pub const ALL: &'static [Failpoint] = &[$(Failpoint::$point,)+];

                /// The name that chooses it.
                pub fn name(self) -> &'static str {
                    match self { $(Failpoint::$point => $name,)+ }
                }
            }
        };
    }

    points! {
        /// Rows of another program are adopted, but not committed.
        AdoptionMade => "adoption_made",
        /// The adoption is committed.
        AdoptionCommitted => "adoption_committed",
        /// A dead scheduler was found; its prompts still belong to it.
        OwnerFoundDead => "owner_found_dead",
        /// A dead scheduler's prompts are taken over; its own row is still there.
        OwnerTakenOver => "owner_taken_over",
        /// A due schedule is claimed, but that is not committed.
        ClaimMade => "claim_made",
        /// The claim is committed, but nothing is sent.
        ClaimCommitted => "claim_committed",
        /// A waiting occurrence is claimed, but that is not committed.
        RetryMade => "retry_made",
        /// The claim for a retry is committed, but nothing is sent.
        RetryCommitted => "retry_committed",
        /// The agent was found free; the first byte of the prompt is about to be sent.
        SendReady => "send_ready",
        /// Letta named the run, which is not recorded yet.
        RunTold => "run_told",
        /// The run is recorded, and the turn is still running.
        RunNoted => "run_noted",
        /// The answer has arrived, but nothing is decided.
        AnswerHeard => "answer_heard",
        /// The evidence about an unknown outcome has arrived, but nothing is decided.
        EvidenceHeard => "evidence_heard",
        /// A verdict is written, but not committed.
        VerdictMade => "verdict_made",
        /// The verdict on an answer is committed.
        AnswerSettled => "answer_settled",
        /// The verdict on an unknown outcome is committed.
        EvidenceSettled => "evidence_settled",
    }

    impl Failpoint {
        /// Dies if this is the chosen point and it has been reached often enough.
        pub fn reach(self) {
            static CHOSEN: OnceLock<Option<Chosen>> = OnceLock::new();
            static PASSED: AtomicU32 = AtomicU32::new(0);
            let Some(chosen) = CHOSEN.get_or_init(chosen) else {
                return;
            };
            if chosen.name == self.name() && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == chosen.nth
            {
                match &chosen.words {
                    Some(words) => panic!("{words}"),
                    None => die(),
                }
            }
        }
    }

    /// The point that was chosen.
    struct Chosen {
        name: String,
        nth: u32,
        /// The panic message, to panic instead of dying.
        words: Option<String>,
    }

    fn chosen() -> Option<Chosen> {
        let text = std::env::var(CHOICE).ok()?;
        let mut parts = text.splitn(3, ':');
        Some(Chosen {
            name: parts.next()?.to_owned(),
            nth: parts.next()?.parse().ok()?,
            words: parts.next().map(str::to_owned),
        })
    }

    /// No destructor runs, no buffer is flushed, and this thread does nothing more.
    fn die() {
        let me = rustix::process::getpid();
        let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
