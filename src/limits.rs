//! Limits on everything that a caller chooses. `docs/limits.md` shows [`TABLE`], and a test
//! compares the two.

use std::fmt;
use std::time::Duration;

/// The longest name of a schedule or a key, in characters.
pub const NAME: usize = 255;
/// The longest note of a pause or a halt, in characters.
pub const NOTE: usize = 1_000;
/// The longest time, pattern or agent id, in characters.
pub const TEXT: usize = 255;

/// How many cron patterns a schedule may have.
pub const PATTERNS: usize = 16;

/// The size of a file of dates to leave out, in bytes.
pub const DATES_FILE: usize = 1_000_000;

/// How many dates and ranges of dates a schedule may leave out.
pub const LEFT_OUT: usize = 1_000;
/// The longest address of a dead-man service, in characters.
pub const ADDRESS: usize = 2_048;
/// The largest prompt by default, in bytes: what Letta was seen to accept.
pub const PROMPT: usize = 5_000_000;
/// The largest value for the setting of the largest prompt, in bytes.
pub const LARGEST_PROMPT: usize = 8_000_000;
/// The largest request that Letta's schedule API keeps, in bytes.
pub const SCHEDULED_REQUEST: usize = 8 * 1024 * 1024;
/// The largest file of source code, in bytes.
pub const SOURCE_CODE: usize = 1_000_000;
/// The largest settings file, in bytes.
pub const SETTINGS_FILE: usize = 1_000_000;
/// The longest text of an error, in characters.
pub const ERROR: usize = 2_000;
/// The longest line of the log, in characters.
pub const LOG_LINE: usize = 8_000;

/// How much of a prompt a list shows, in characters.
pub const LISTED_PROMPT: usize = 100;
/// The most bytes of whole prompts in one answer.
pub const LISTED_PROMPTS: usize = 32_000_000;
/// How many rows an answer contains at most.
pub const PAGE: u32 = 1_000;

/// The largest request body, in bytes: a large prompt and what JSON adds to it.
pub const BODY: usize = 16 * 1024 * 1024;
/// The most bytes of request bodies held at a time.
pub const BODIES: usize = 32 * 1024 * 1024;
/// The most bytes of one key's request bodies held at a time.
pub const BODIES_OF_KEY: usize = 20 * 1024 * 1024;
/// A body of this many bytes is always read, however many others are held.
pub const SMALL_BODY: usize = 64 * 1024;
/// The largest message that may begin an MCP session, in bytes: it is kept as long as the session.
pub const BEGINNING: usize = 64 * 1024;
/// The longest pause within a request body.
pub const BODY_SILENCE: Duration = Duration::from_secs(30);
/// How long a whole request body may take.
pub const BODY_TIME: Duration = Duration::from_secs(300);

/// How many connections there may be, however many files the process may open.
pub const CONNECTIONS: usize = 512;
/// How many answers about many rows are worked on at a time: other requests wait behind them for
/// the database.
pub const READERS: usize = 2;
/// The share of all places that one key, or one address of another machine, may hold: one in this
/// many.
pub const PART: usize = 4;
/// How long the header of a request may take, and how long a connection may wait for one.
pub const HEADER: Duration = Duration::from_secs(10);
/// How long a client may read nothing while there is something to send.
pub const UNREAD: Duration = Duration::from_secs(30);
/// How long the rest of a request that was answered early is read and discarded.
pub const DISCARD_TIME: Duration = Duration::from_secs(2);

/// How many sessions one key may have, and all callers without a key together.
pub const SESSIONS_OF_KEY: usize = 64;
/// How many MCP sessions there may be in total.
pub const SESSIONS: usize = 1_024;
/// How many streams one session may have.
pub const STREAMS_OF_SESSION: usize = 4;
/// How many streams one key may have.
pub const STREAMS_OF_KEY: usize = 32;

/// The longest `Idempotency-Key`, in characters.
pub const IDEMPOTENCY_KEY: usize = 255;
/// How many answers are kept for the idempotency keys of one caller within a day.
pub const KEPT_ANSWERS: i64 = 10_000;

/// How much there may be of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Characters.
    Characters(usize),
    /// Bytes.
    Bytes(usize),
    /// A number of things.
    Number(usize),
    /// A time.
    Time(Duration),
    /// One in this many of all places.
    OneIn(usize),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Characters(n) => write!(f, "{} characters", grouped(*n)),
            Amount::Bytes(n) if n % (1024 * 1024) == 0 => write!(f, "{} MiB", n / (1024 * 1024)),
            Amount::Bytes(n) if n % 1_000_000 == 0 => write!(f, "{} MB", n / 1_000_000),
            Amount::Bytes(n) => write!(f, "{} KiB", n / 1024),
            Amount::Number(n) => f.write_str(&grouped(*n)),
            Amount::Time(time) if time.as_secs() % 60 == 0 => {
                write!(f, "{} minutes", time.as_secs() / 60)
            }
            Amount::Time(time) => write!(f, "{} seconds", time.as_secs()),
            Amount::OneIn(n) => write!(f, "one in {n}"),
        }
    }
}

/// A number with commas between its thousands.
fn grouped(n: usize) -> String {
    match n {
        0..1_000 => n.to_string(),
        _ => format!("{},{:03}", grouped(n / 1_000), n % 1_000),
    }
}

/// A limit as the documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is limited.
    pub what: &'static str,
    /// How much there may be of it.
    pub most: Amount,
    /// What happens beyond the limit.
    pub over: &'static str,
}

const fn limit(what: &'static str, most: Amount, over: &'static str) -> Limit {
    Limit { what, most, over }
}

const REFUSED: &str = "refused, 413 `too_large`";
const BODY_REFUSED: &str = "refused, 413 `request_invalid`";
const LATER: &str = "refused for now, 429 `too_many`";

/// Every limit.
pub const TABLE: &[Limit] = &[
    limit(
        "name of a schedule or key",
        Amount::Characters(NAME),
        REFUSED,
    ),
    limit(
        "note of `pause` and `halt`",
        Amount::Characters(NOTE),
        REFUSED,
    ),
    limit(
        "`time`, `start_at` and `end_at`",
        Amount::Characters(TEXT),
        REFUSED,
    ),
    limit(
        "cron pattern",
        Amount::Characters(TEXT),
        "refused, 400 `cron_invalid`",
    ),
    limit(
        "cron patterns of a schedule",
        Amount::Number(PATTERNS),
        "refused, 400 `cron_invalid`",
    ),
    limit(
        "dates that a schedule leaves out; a range of up to ten years counts as one",
        Amount::Number(LEFT_OUT),
        "refused, 400 `except_invalid`",
    ),
    limit(
        "id of an agent",
        Amount::Characters(TEXT),
        "refused, 400 `agent_invalid`",
    ),
    limit(
        "`ping_url`",
        Amount::Characters(ADDRESS),
        "refused, 400 `policy_invalid`",
    ),
    limit(
        "prompt, unless [`largest_prompt`](settings.md#what-can-be-set) says otherwise",
        Amount::Bytes(PROMPT),
        REFUSED,
    ),
    limit(
        "`largest_prompt` itself",
        Amount::Bytes(LARGEST_PROMPT),
        "refused, `config_invalid`",
    ),
    limit(
        "request kept by Letta's schedule API",
        Amount::Bytes(SCHEDULED_REQUEST),
        "refused, 400 `request_invalid`",
    ),
    limit(
        "file of source code for `upload`",
        Amount::Bytes(SOURCE_CODE),
        "refused, `file_unusable`",
    ),
    limit(
        "file of dates to leave out",
        Amount::Bytes(DATES_FILE),
        "refused, `file_unusable`",
    ),
    limit(
        "settings file",
        Amount::Bytes(SETTINGS_FILE),
        "refused, `file_unusable`",
    ),
    limit("text of an error", Amount::Characters(ERROR), "cut short"),
    limit("line of the log", Amount::Characters(LOG_LINE), "cut short"),
    limit(
        "prompt in a list, unless `full` is asked for",
        Amount::Characters(LISTED_PROMPT),
        "cut short",
    ),
    limit(
        "all prompts of a list with `full`",
        Amount::Bytes(LISTED_PROMPTS),
        "refused, 413 `too_large`: ask for a smaller `limit`",
    ),
    limit(
        "rows of a list over HTTP",
        Amount::Number(PAGE as usize),
        "refused, 400: use `offset` for later pages",
    ),
    limit(
        "request body read by this server",
        Amount::Bytes(BODY),
        BODY_REFUSED,
    ),
    limit(
        "all request bodies being read",
        Amount::Bytes(BODIES),
        LATER,
    ),
    limit("the bodies of one key", Amount::Bytes(BODIES_OF_KEY), LATER),
    limit(
        "request body that is always read, however much others have sent",
        Amount::Bytes(SMALL_BODY),
        "counts toward the others' limit",
    ),
    limit(
        "message that begins an MCP session",
        Amount::Bytes(BEGINNING),
        BODY_REFUSED,
    ),
    limit(
        "pause within a request body",
        Amount::Time(BODY_SILENCE),
        "400, and the connection is closed",
    ),
    limit(
        "time for a whole request body",
        Amount::Time(BODY_TIME),
        "400, and the connection is closed",
    ),
    limit(
        "lists, histories and accounts that are read at the same time",
        Amount::Number(READERS),
        "wait for each other",
    ),
    limit(
        "connections, at most a quarter of the files that may be open",
        Amount::Number(CONNECTIONS),
        "wait to be accepted",
    ),
    limit(
        "places that one key may hold, or all callers without a key together once keys exist",
        Amount::OneIn(PART),
        LATER,
    ),
    limit(
        "places that one address of another machine may hold, unless it is one of `proxies`",
        Amount::OneIn(PART),
        "closed unanswered",
    ),
    limit(
        "places reserved for the operator",
        Amount::OneIn(PART),
        "429 `too_many` for others",
    ),
    limit(
        "time for the header of a request, or for waiting for one",
        Amount::Time(HEADER),
        "closed",
    ),
    limit(
        "time without the client reading the answer",
        Amount::Time(UNREAD),
        "closed",
    ),
    limit(
        "time for the rest of a request that was answered early",
        Amount::Time(DISCARD_TIME),
        "closed",
    ),
    limit(
        "MCP sessions of one key",
        Amount::Number(SESSIONS_OF_KEY),
        "the one used least recently ends",
    ),
    limit(
        "MCP sessions in total",
        Amount::Number(SESSIONS),
        "the one used least recently ends",
    ),
    limit(
        "streams of one session",
        Amount::Number(STREAMS_OF_SESSION),
        "the oldest ends",
    ),
    limit("streams of one key", Amount::Number(STREAMS_OF_KEY), LATER),
    limit(
        "`Idempotency-Key`",
        Amount::Characters(IDEMPOTENCY_KEY),
        "refused, 400",
    ),
    limit(
        "answers kept for the `Idempotency-Key`s of one caller within a day",
        Amount::Number(KEPT_ANSWERS as usize),
        LATER,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_as_people_say_them() {
        for (amount, shown) in [
            (Amount::Characters(1_000), "1,000 characters"),
            (Amount::Bytes(5_000_000), "5 MB"),
            (Amount::Bytes(16 * 1024 * 1024), "16 MiB"),
            (Amount::Bytes(64 * 1024), "64 KiB"),
            (Amount::Time(Duration::from_secs(30)), "30 seconds"),
            (Amount::Time(Duration::from_secs(300)), "5 minutes"),
            (Amount::OneIn(4), "one in 4"),
        ] {
            assert_eq!(amount.to_string(), shown);
        }
    }
}
