//! How long a server has been answering without a stall.
//!
//! A server that was frozen acts on earlier requests when it continues, however old they are. So
//! what it shows just then proves little.

use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

/// A request that took this long met a stall.
const STALL: SignedDuration = SignedDuration::from_secs(10);

/// Since when a server has been answering without a stall, by the clock that never jumps.
#[derive(Debug, Default)]
pub(super) struct Responsiveness(Mutex<Since>);

#[derive(Clone, Copy, Debug, Default)]
enum Since {
    /// No stall so far.
    #[default]
    Ever,
    /// The last request met a stall.
    NotNow,
    /// The first answer after a stall came at this time.
    At(SignedDuration),
}

impl Responsiveness {
    /// Records when a request was made, and when it was answered or given up.
    pub(super) fn note(&self, asked: SignedDuration, ended: SignedDuration) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *since = match *since {
            _ if ended.saturating_sub(asked) >= STALL => Since::NotNow,
            Since::NotNow => Since::At(ended),
            since => since,
        };
    }

    /// How long that has lasted.
    pub(super) fn lasts(&self, now: SignedDuration) -> SignedDuration {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Since::Ever => SignedDuration::MAX,
            Since::NotNow => SignedDuration::ZERO,
            Since::At(at) => now.saturating_sub(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_prompt_again_from_its_first_quick_answer_after_a_stall_on() {
        let server = Responsiveness::default();
        let at = SignedDuration::from_secs;
        server.note(at(0), at(9));
        assert_eq!(server.lasts(at(9)), SignedDuration::MAX);
        server.note(at(10), at(40));
        assert_eq!(server.lasts(at(70)), at(0));
        server.note(at(70), at(71));
        server.note(at(80), at(81));
        assert_eq!(server.lasts(at(91)), at(20));
        server.note(at(91), at(101));
        assert_eq!(server.lasts(at(102)), at(0));
    }
}
