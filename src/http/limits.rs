//! How long a server may keep us waiting, and how much of what it says is taken in. Every wait on
//! the network and every answer that is read has its limit here; the documents show both tables.

use std::time::Duration;

macro_rules! waits {
    ($($(#[$doc:meta])* $name:ident = $seconds:expr, $what:literal;)+) => {
        $($(#[$doc])* pub const $name: Duration = Duration::from_secs($seconds);)+

        /// Every limit of a wait, with what it is for as the documents say it.
        pub const WAITS: &[(&str, Duration)] = &[$(($what, $name),)+];
    };
}

waits! {
    /// Finding a server's address, connecting to it and agreeing on TLS, in all.
    CONNECT = 10, "a connection: name, TCP and TLS";
    /// A question to Letta, from the first byte sent to the last one read.
    QUESTION = 30, "a question to Letta";
    /// Any sign that a server lives which has just left a question unanswered.
    SIGN = 10, "the question whether Letta answers at all";
    /// A change at Letta, which may ask another server before it answers.
    CHANGE = 120, "a change at Letta (`connect`, `upload`)";
    /// Every page of a list of agents together.
    LISTING = 300, "the list of all agents";
    /// Every page of a search through an agent's messages together.
    SEARCH = 300, "a search through an agent's messages";
    /// A turn that tells something new all the time.
    TURN = 24 * 3600, "a whole turn";
    /// A stream that sends only signs of life, until Letta is asked whether its turn goes on.
    SIGNS_OF_LIFE = 300, "a turn that sends only signs of life, until Letta is asked after it";
    /// A turn of an App Server that tells nothing new: a model that thinks and a tool that runs are
    /// silent.
    NO_NEWS = 60, "a turn of an App Server without news, until it is asked whether the turn goes on";
    /// An App Server's first news of a prompt that it has taken.
    FIRST_NEWS = 3, "an App Server's first news of a prompt that it took, until it is asked";
    /// Ending the turns that still go on at an App Server when we stop.
    LEAVING = 5, "ending the turns at an App Server when the program stops";
    /// A request to a promptyoself server elsewhere, which may ask Letta meanwhile.
    ELSEWHERE = 90, "a request to the server at `PROMPTYOSELF_URL`";
    /// One try to deliver a notice or a ping. Shorter than the lease of a message, so that nobody
    /// else tries meanwhile.
    NOTICE = 30, "one try of a notice or a ping";
    /// Letta's next word in answer to a request that is passed on: a turn that is not streamed is
    /// answered when it has ended.
    PASSED_ON = 3600, "Letta's silence in answer to a request passed on at `/v1`";
    /// A whole answer to a request that is passed on.
    PASSED_ON_IN_ALL = 24 * 3600, "a request passed on at `/v1`, in all";
}

/// How much of an answer is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it is for, as the documents say it.
    pub what: &'static str,
    /// The most bytes that are read.
    pub read: u64,
    /// The most bytes that are held, once long texts are cut.
    pub held: usize,
    /// How long a text may be, in bytes as it stands in JSON, before its rest is left out; without
    /// one an answer is held whole or not at all.
    pub text: Option<usize>,
}

/// The most values (numbers, texts, lists, objects) of one answer: each costs far more memory than
/// the bytes that tell it.
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
    /// An answer about one thing. What is in it may be written back, so nothing of it is cut.
    ANSWER = 8 * MIB, 8 * MIB, None, "an answer about one agent, run, tool or server";
    /// One page of a list. The length of a text holds 2,000 characters, however they are written.
    PAGE = 64 * MIB, 8 * MIB, Some(32 * KIB), "a page of agents, messages or runs";
    /// One event of a turn's stream.
    EVENT = 256 * MIB, MIB, Some(128 * KIB), "an event of a turn";
    /// A whole turn, where Letta does not stream.
    WHOLE_TURN = 64 * MIB, 8 * MIB, Some(128 * KIB), "a turn that is not streamed";
    /// One message of an App Server's WebSocket. It is not streamed, so it is held whole or not at all.
    MESSAGE = 32 * MIB, 32 * MIB, None, "a message of an App Server";
    /// An answer whose status says that it is an error.
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
