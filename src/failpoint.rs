//! Points between two steps at which a test can make the program die, as by SIGKILL.
//!
//! `PROMPTYOSELF_FAILPOINT=claim_committed:3` ends the process when it comes to that point for the
//! third time; `send_ready:1:words` panics there with these words instead. All of this is compiled only with the feature `failpoints`, which this package's own
//! tests enable through its dev-dependency on itself; in any other build `failpoint!` is nothing.

/// Dies here if this is the point and the time that were chosen.
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

    /// The variable that chooses a point, and which pass through it.
    const CHOICE: &str = "PROMPTYOSELF_FAILPOINT";

    macro_rules! points {
        ($($(#[$doc:meta])* $point:ident => $name:literal,)+) => {
            /// A point at which the program can be made to die, in the order of a prompt's life.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub enum Failpoint { $($(#[$doc])* $point,)+ }

            impl Failpoint {
                /// Every point there is.
                pub const ALL: &'static [Failpoint] = &[$(Failpoint::$point,)+];

                /// The name by which it is chosen.
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
        /// A dead scheduler was found; its prompts are still its own.
        OwnerFoundDead => "owner_found_dead",
        /// A dead scheduler's prompts are taken over; it is not forgotten yet.
        OwnerTakenOver => "owner_taken_over",
        /// A due schedule is claimed, but that is not committed.
        ClaimMade => "claim_made",
        /// The claim is committed, and nothing is sent.
        ClaimCommitted => "claim_committed",
        /// A waiting occurrence is claimed, but that is not committed.
        RetryMade => "retry_made",
        /// The claim for another try is committed, and nothing is sent.
        RetryCommitted => "retry_committed",
        /// The conversation of a prompt is made, but that is not noted.
        ConversationMade => "conversation_made",
        /// The conversation of a prompt is noted, and nothing is sent.
        ConversationNoted => "conversation_noted",
        /// The agent was found free; the first byte of the prompt is about to leave.
        SendReady => "send_ready",
        /// Letta told the run, which is not noted yet.
        RunTold => "run_told",
        /// The run is noted while the turn goes on.
        RunNoted => "run_noted",
        /// The answer is here, and nothing is decided.
        AnswerHeard => "answer_heard",
        /// The evidence about an unknown fate is here, and nothing is decided.
        EvidenceHeard => "evidence_heard",
        /// A verdict is written, but not committed.
        VerdictMade => "verdict_made",
        /// The verdict on an answer is committed.
        AnswerSettled => "answer_settled",
        /// The verdict on an unknown fate is committed.
        EvidenceSettled => "evidence_settled",
    }

    impl Failpoint {
        /// Dies if this is the chosen point and it was passed often enough.
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
        /// What to panic with there, instead of dying.
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

    /// No destructor runs, no buffer is flushed, and nothing of this thread goes on.
    fn die() {
        let me = rustix::process::getpid();
        let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
