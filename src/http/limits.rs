//! How long a server may keep us waiting, and how much of its answer is read. Every network wait
//! and every answer has its limit here, and docs/limits.md shows both tables.

use std::time::Duration;

macro_rules! waits {
    ($($(#[$doc:meta])* $name:ident = $seconds:expr, $what:literal;)+) => {
        $($(#[$doc])* pub const $name: Duration = Duration::from_secs($seconds);)+

        /// Every time limit, with the wording of the documentation.
        pub const WAITS: &[(&str, Duration)] = &[$(($what, $name),)+];
    };
}

waits! {
    /// Resolving a server's name, connecting and negotiating TLS together.
    CONNECT = 10, "a connection: name, TCP and TLS";
    /// A question to Letta, from the first byte sent to the last one read.
    QUESTION = 30, "a question to Letta";
    /// Any sign of life from a server that has just left a question unanswered.
    SIGN = 10, "the question whether Letta answers at all";
    /// A change at Letta, for which Letta may contact another server.
    CHANGE = 120, "a change at Letta (`connect`, `upload`)";
    /// All pages of a list of agents together.
    LISTING = 300, "the list of all agents";
    /// All pages of a search through an agent's messages together.
    SEARCH = 300, "a search through an agent's messages";
    /// A turn that keeps sending something new.
    TURN = 24 * 3600, "a whole turn";
    /// A stream that sends only keep-alives, until Letta is asked whether its turn is still
    /// running.
    KEEP_ALIVES = 300, "a turn that sends only keep-alives, until Letta is asked about it";
    /// A turn of an App Server that tells nothing new: a model that thinks and a tool that runs are
    /// silent.
    NO_NEWS = 60, "a turn of an App Server without news, until it is asked whether the turn goes on";
    /// An App Server's first news of a prompt that it has taken.
    FIRST_NEWS = 3, "an App Server's first news of a prompt that it took, until it is asked";
    /// The observer of an App Server, which is to follow a conversation before a prompt is sent there.
    OBSERVER = 5, "the process that stays with the turns at an App Server, until it follows one";
    /// Ending the turns that still go on at an App Server when we stop.
    LEAVING = 5, "ending the turns at an App Server when the program stops";
    /// A request to a promptyoself server elsewhere, which may contact Letta.
    ELSEWHERE = 90, "a request to the server at `PROMPTYOSELF_URL`";
    /// One try to deliver a notice or a ping. Shorter than the lease of a message, so that nobody
    /// else tries at the same time.
    NOTICE = 30, "one try of a notice or a ping";
    /// The wait for Letta's next byte in a request that is passed on: a turn that is not streamed
    /// is only answered when it has ended.
    PASSED_ON = 3600, "silence of Letta in a request passed on at `/v1`";
    /// A whole answer to a request that is passed on.
    PASSED_ON_IN_ALL = 24 * 3600, "a whole request passed on at `/v1`";
}

/// How much of an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What the answer is, in the wording of the documentation.
    pub what: &'static str,
    /// The most bytes that are read.
    pub read: u64,
    /// The most bytes that are kept after long texts are cut.
    pub held: usize,
    /// The longest text, in bytes as encoded in JSON; longer ones are cut. With `None`, an answer
    /// is kept whole or not at all.
    pub text: Option<usize>,
}

/// The most values (numbers, texts, lists, objects) in one answer: each costs far more memory than
/// its bytes.
pub const VALUES: usize = 250_000;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

macro_rules! bounds {
    ($($(#[$doc:meta])* $name:ident = $read:expr, $held:expr, $text:expr, $what:literal;)+) => {
        $($(#[$doc])* pub const $name: Bound = Bound {
            what: $what,
            read: $read as u64,
            held: $held,
            text: $text,
        };)+

        /// Every bound.
        pub const BOUNDS: &[Bound] = &[$($name,)+];
    };
}

bounds! {
    /// An answer about one thing. Its content may be written back, so nothing is cut.
    ANSWER = 8 * MIB, 8 * MIB, None, "an answer about one agent, run, tool or server";
    /// One page of a list. A text of this length holds 2,000 characters in any encoding.
    PAGE = 64 * MIB, 8 * MIB, Some(32 * KIB), "a page of agents, messages or runs";
    /// One event of a turn's stream.
    EVENT = 256 * MIB, MIB, Some(128 * KIB), "an event of a turn";
    /// A whole turn, if Letta does not stream.
    WHOLE_TURN = 64 * MIB, 8 * MIB, Some(128 * KIB), "a turn that is not streamed";
    /// One message of an App Server's WebSocket. It is not streamed, so it is held whole or not at all.
    MESSAGE = 32 * MIB, 32 * MIB, None, "a message of an App Server";
    /// An answer whose status is an error.
    ERROR = MIB, MIB, Some(32 * KIB), "an error";
    /// An answer of a promptyoself server elsewhere.
    ELSEWHERE_ANSWER = 64 * MIB, 64 * MIB, None, "an answer of the server at `PROMPTYOSELF_URL`";
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../docs/limits.md");

    #[test]
    fn every_limit_of_a_wait_is_documented() {
        for (what, limit) in WAITS {
            let shown = jiff::SignedDuration::try_from(*limit).unwrap();
            let row = format!("| {what} | {shown:#} |");
            assert!(DOCS.contains(&row), "{row}");
        }
    }

    #[test]
    fn every_bound_of_an_answer_is_documented() {
        for bound in BOUNDS {
            let size = |bytes: usize| match bytes {
                _ if bytes >= MIB => format!("{} MiB", bytes / MIB),
                _ => format!("{} KiB", bytes / KIB),
            };
            let read = size(bound.read as usize);
            let text = bound.text.map_or_else(|| "whole".to_owned(), size);
            let row = format!(
                "| {} | {read} | {} | {text} |",
                bound.what,
                size(bound.held)
            );
            assert!(DOCS.contains(&row), "{row}");
        }
    }
}
