//! Reading what was given: the checks every command shares, with errors that teach.

mod history;
mod which;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::args::{IdArgs, PolicyArgs, UpdateArgs, WhenArgs};
use crate::error::{Code, Error, Message, Result, call, field, fields, message, operation, quoted};
use crate::limits;
use crate::models::{AgentId, PingUrl, Policy};
use crate::schedule::{meant_count, meant_span, read_duration};
use crate::service::asked::{self, PolicyText, WhenText, whole};
use crate::service::{Changes, When, Wish};

pub use crate::service::asked::{filled, given, point, repetitions};
pub use history::{change_log, history};
pub use which::{Which, which};

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// After leaving out this many.
    pub offset: u32,
}

/// The agent of a new schedule: the one that was given, else the configured default, else the one
/// that whoever keeps the schedules knows to be meant.
///
/// # Errors
/// [`Code::AgentMissing`] or [`Code::AgentInvalid`].
pub fn agent(flag: Option<&str>, default: Option<&str>) -> Result<Option<AgentId>> {
    flag.or(default).map(AgentId::parse).transpose()
}

/// The agent to narrow a list to, if one was given.
///
/// # Errors
/// [`Code::AgentMissing`] if it was given but is blank, [`Code::AgentInvalid`].
pub fn agent_filter(flag: Option<&str>) -> Result<Option<AgentId>> {
    flag.map(AgentId::parse).transpose()
}

impl WhenArgs {
    fn text(&self) -> WhenText {
        let args = self.clone();
        WhenText {
            time: args.time,
            cron: args.cron,
            every: args.every,
            timezone: args.timezone,
            start_at: args.start_at,
            end_at: args.end_at,
            max_repetitions: args.max_repetitions,
        }
    }
}

impl PolicyArgs {
    fn text(&self) -> PolicyText {
        let args = self.clone();
        PolicyText {
            catch_up: args.catch_up,
            grace: args.grace,
            pause_on_failure: args.pause_on_failure,
            envelope: args.envelope,
            max_age: args.max_age,
        }
    }
}

/// Everything that says when.
///
/// # Errors
/// Those of [`asked::when`].
pub fn when(args: &WhenArgs) -> Result<When> {
    asked::when(&args.text())
}

/// When, and in which zone, as far as that was given.
///
/// # Errors
/// Those of [`asked::wish_if_given`].
pub fn wish_if_given(args: &WhenArgs) -> Result<(Option<Wish>, Option<String>)> {
    asked::wish_if_given(&args.text())
}

/// What was given of a policy.
///
/// # Errors
/// Those of [`asked::policy`].
pub fn policy(args: &PolicyArgs) -> Result<Policy> {
    asked::policy(&args.text())
}

/// The dead-man service that was given; `Some(None)` if there is to be none.
///
/// # Errors
/// Those of [`asked::ping_url`].
pub fn ping_url(args: &PolicyArgs) -> Result<Option<Option<PingUrl>>> {
    asked::ping_url(args.ping_url.as_deref())
}

/// What is to be changed of a schedule.
///
/// # Errors
/// Those of each part.
pub fn changes(args: &UpdateArgs, stdin: impl Read) -> Result<Changes> {
    let flags = &args.when;
    let (wish, timezone) = wish_if_given(flags)?;
    let prompt = match (&args.prompt, &args.prompt_file) {
        (None, None) => None,
        (flag, file) => Some(prompt(flag.as_deref(), file.as_deref(), stdin)?),
    };
    Ok(Changes {
        agent_id: agent_filter(args.agent_id.as_deref())?,
        prompt,
        wish,
        timezone,
        start_at: filled(flags.start_at.as_deref()),
        end_at: filled(flags.end_at.as_deref()),
        max_repetitions: repetitions(flags.max_repetitions.as_deref())?,
        name: filled(args.name.as_deref()),
        policy: policy(&args.policy)?,
        ping_url: ping_url(&args.policy)?,
        skip_validation: args.skip_validation,
    })
}

/// How many runs a preview shows.
///
/// # Errors
/// [`Code::Usage`] if it is not a whole number from 1 to 1000.
pub fn count(flag: Option<&str>) -> Result<usize> {
    let text = given(flag).unwrap_or("10");
    whole(text)
        .filter(|n| (1..=1_000).contains(n))
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field("count"),
                    " ",
                    quoted(text),
                    " is not a whole number from 1 to 1000"
                ],
            )
            .example_if(
                meant_count(text, &["runs", "times"])
                    .filter(|n| (1..=1_000).contains(n))
                    .map(|n| fields([("count", n)])),
            )
        })
}

/// The prompt: `--prompt`, or what is in `--prompt-file` (`-` is `stdin`), exactly as it is.
///
/// # Errors
/// [`Code::PromptMissing`] if there is none or it is blank, [`Code::FileUnusable`] if the file
/// can't be read, is not UTF-8 or is too large.
pub fn prompt(flag: Option<&str>, file: Option<&Path>, stdin: impl Read) -> Result<String> {
    asked::prompt(match (flag, file) {
        (Some(prompt), _) => prompt.to_owned(),
        (None, Some(path)) => read_path(path, stdin, limits::LARGEST_PROMPT)
            .map_err(|e| unusable("prompt", path, e))?,
        (None, None) => return Err(asked::prompt_missing("no prompt was given")),
    })
}

/// The source of a tool: what is in the file (`-` is `stdin`).
///
/// # Errors
/// [`Code::SourceMissing`] if no file was named, [`Code::FileUnusable`] as for a prompt.
pub fn source_code(file: Option<&Path>, stdin: impl Read) -> Result<String> {
    let Some(path) = file else {
        return Err(Error::new(
            Code::SourceMissing,
            message![
                "no source code was given: name a file that holds one Python function with ",
                field("source_code")
            ],
        ));
    };
    read_path(path, stdin, limits::SOURCE_CODE).map_err(|e| unusable("source code", path, e))
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The text of a file, or of `stdin` if it is named `-`, of `most` bytes.
fn read_path(path: &Path, stdin: impl Read, most: usize) -> std::result::Result<String, Cause> {
    match path.as_os_str() == "-" {
        true => read(stdin, most),
        false => read(std::fs::File::open(path)?, most),
    }
}

fn read(source: impl Read, most: usize) -> std::result::Result<String, Cause> {
    let mut bytes = Vec::new();
    source.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let most = limits::Amount::Bytes(most);
        return Err(format!("it is larger than {most}").into());
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to() + 1;
        format!("it is not UTF-8 text: byte {at} can't be understood")
    })?;
    match text.find('\0') {
        // Letta keeps messages in PostgreSQL, whose text can't hold one.
        Some(at) => Err(format!("byte {} of it is NUL", at + 1).into()),
        None => Ok(text),
    }
}

fn unusable(what: &str, path: &Path, cause: Cause) -> Error {
    let name = match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    Error::new(
        Code::FileUnusable,
        format!("could not read the {what} from {name}"),
    )
    .caused_by(cause)
}

/// The id of a schedule.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn schedule_id(args: &IdArgs) -> Result<i64> {
    id(args.id.as_deref().or(args.position.as_deref()))
}

/// The id of a schedule to narrow a list to, if one was given.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn id_filter(flag: Option<&str>) -> Result<Option<i64>> {
    flag.map(|text| id(Some(text))).transpose()
}

fn id(text: Option<&str>) -> Result<i64> {
    let wrong = |problem: Message| {
        Error::new(
            Code::IdInvalid,
            message![
                problem,
                ": give ",
                field("id"),
                " with a whole number, as ",
                operation("list"),
                " shows it"
            ],
        )
        .example(call("list").with("all", true))
    };
    let Some(text) = given(text) else {
        return Err(wrong("no schedule id was given".into()));
    };
    whole(text).filter(|id| *id >= 1).ok_or_else(|| {
        // Only figures: a word is too little to end a schedule by.
        let figures = Some(text).filter(|text| text.contains(|c: char| c.is_ascii_digit()));
        let meant =
            figures.and_then(|t| meant_count(t, &["id", "id:", "no.", "number", "schedule"]));
        wrong(message![quoted(text), " is not the id of a schedule"])
            .example_if(meant.filter(|id| *id >= 1).map(|id| fields([("id", id)])))
    })
}

/// The part of a list that was asked for.
///
/// # Errors
/// [`Code::Usage`] if a number is not one.
pub fn page(limit: Option<&str>, offset: Option<&str>) -> Result<Page> {
    let number = |name: &'static str, text: Option<&str>, least: u32, usual: u32| {
        let Some(text) = given(text) else {
            return Ok(usual);
        };
        let number = whole(text).and_then(|n| u32::try_from(n).ok());
        number.filter(|n| *n >= least).ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field(name),
                    " ",
                    quoted(text),
                    " is not a whole number of at least {least}"
                ],
            )
            .example_if(
                meant_count(text, &["schedules", "deliveries"])
                    .filter(|n| *n >= i64::from(least))
                    .map(|n| fields([(name, n)])),
            )
        })
    };
    Ok(Page {
        limit: number("limit", limit, 1, 1000)?,
        offset: number("offset", offset, 0, 0)?,
    })
}

/// The longest time between two looks of `execute --loop`.
///
/// # Errors
/// [`Code::Usage`] if it is not a whole number of seconds from 1 to a day.
pub fn interval(flag: Option<&str>) -> Result<Duration> {
    let text = given(flag).unwrap_or("60");
    whole(text)
        .filter(|n| (1..=86_400).contains(n))
        .and_then(|n| u64::try_from(n).ok())
        .map(Duration::from_secs)
        .ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field("interval"),
                    " ",
                    quoted(text),
                    " is not a whole number of seconds from 1 to 86400"
                ],
            )
            .example_if(
                seconds_meant(text).map(|n| call("execute").with("loop", true).with("interval", n)),
            )
        })
}

/// `5m` as seconds, if it is at most a day.
fn seconds_meant(text: &str) -> Option<i64> {
    let written = meant_span(text)?;
    let seconds = read_duration(&written).ok()?.as_secs();
    (1..=86_400).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::RegisterArgs;

    fn prompt(args: &RegisterArgs, stdin: impl Read) -> Result<String> {
        let (flag, file) = (args.prompt.as_deref(), args.prompt_file.as_deref());
        super::prompt(flag, file, stdin)
    }

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_number_may_come_as_json_writes_it() {
        let id = |text| {
            schedule_id(&IdArgs {
                id: Some(text),
                position: None,
            })
        };
        assert_eq!(id("5".to_owned()).unwrap(), 5);
        assert_eq!(id(" 5.0 ".to_owned()).unwrap(), 5);
        for bad in [
            "",
            "x",
            "5.5",
            "5.",
            ".0",
            "-5",
            "0",
            "1e3",
            "9223372036854775808",
            "٥",
        ] {
            assert_eq!(code(id(bad.to_owned())), Code::IdInvalid, "{bad:?}");
        }
        assert_eq!(code(schedule_id(&IdArgs::default())), Code::IdInvalid);
    }

    #[test]
    fn repetitions_are_at_least_one_or_left_out() {
        assert_eq!(repetitions(None).unwrap(), None);
        assert_eq!(repetitions(Some("")).unwrap(), None);
        assert_eq!(repetitions(Some("3.0")).unwrap(), Some(3));
        for bad in ["0", "-1", "three", "2.5", "99999999999999999999"] {
            assert_eq!(code(repetitions(Some(bad))), Code::RepetitionsInvalid);
        }
    }

    #[test]
    fn a_prompt_arrives_unchanged_or_not_at_all() {
        let flag = |text: &str| RegisterArgs {
            prompt: Some(text.to_owned()),
            ..RegisterArgs::default()
        };
        let file = |path: &Path| RegisterArgs {
            prompt_file: Some(path.to_owned()),
            ..RegisterArgs::default()
        };
        let odd = " 'a' \"b\"\r\n👋🏽 -- ; DROP TABLE schedules; \t";
        assert_eq!(prompt(&flag(odd), &b""[..]).unwrap(), odd);
        let dash = file(Path::new("-"));
        assert_eq!(prompt(&dash, odd.as_bytes()).unwrap(), odd);
        let large = "x".repeat(1_000_000);
        let stored = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(stored.path(), &large).unwrap();
        assert_eq!(prompt(&file(stored.path()), &b""[..]).unwrap(), large);
        for blank in ["", " \n\t", "\u{a0}"] {
            assert_eq!(code(prompt(&flag(blank), &b""[..])), Code::PromptMissing);
            assert_eq!(code(prompt(&dash, blank.as_bytes())), Code::PromptMissing);
        }
        let none = RegisterArgs::default();
        assert_eq!(code(prompt(&none, &b""[..])), Code::PromptMissing);
        for odd in [&b"ab\xff"[..], b"a\0b"] {
            assert_eq!(code(prompt(&dash, odd)), Code::FileUnusable);
        }
        assert_eq!(
            code(prompt(&dash, std::io::repeat(b'x'))),
            Code::FileUnusable
        );
        for path in ["/nowhere/at/all", "/"] {
            assert_eq!(
                code(prompt(&file(Path::new(path)), &b""[..])),
                Code::FileUnusable
            );
        }
    }

    #[test]
    fn a_default_agent_stands_in_only_when_none_is_given() {
        assert_eq!(
            agent(None, Some("agent-1")).unwrap().unwrap().as_str(),
            "agent-1"
        );
        assert_eq!(
            agent(Some("agent-2"), Some("agent-1"))
                .unwrap()
                .unwrap()
                .as_str(),
            "agent-2"
        );
        assert_eq!(code(agent(Some(" "), Some("agent-1"))), Code::AgentMissing);
        assert_eq!(agent(None, None).unwrap(), None);
        assert_eq!(code(agent_filter(Some(""))), Code::AgentMissing);
        assert_eq!(agent_filter(None).unwrap(), None);
    }

    #[test]
    fn a_page_and_an_interval_are_sensible_numbers() {
        let whole = Page {
            limit: 1000,
            offset: 0,
        };
        assert_eq!(page(None, None).unwrap(), whole);
        assert_eq!(
            page(Some("5.0"), Some("2")).unwrap(),
            Page {
                limit: 5,
                offset: 2
            }
        );
        assert_eq!(code(page(Some("0"), None)), Code::Usage);
        assert_eq!(code(page(None, Some("-1"))), Code::Usage);
        assert_eq!(interval(None).unwrap(), Duration::from_secs(60));
        for bad in ["0", "-1", "x", "86401"] {
            assert_eq!(code(interval(Some(bad))), Code::Usage);
        }
    }
}
