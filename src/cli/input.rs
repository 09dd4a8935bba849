//! Reads what only the command line has: files, and the numbers of its own commands.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::dates;
use crate::error::{Code, Error, Result, call, field, message, quoted};
use crate::limits;
use crate::models::NamedAgent;
use crate::operations::Values;
use crate::operations::fields::{EXCEPT, EXCEPT_FILE, ID, INTERVAL, PROMPT, PROMPT_FILE, TIMEZONE};
use crate::operations::reading::schedule_number;
use crate::operations::text::whole;
use crate::schedule::{Zone, corrected_interval, read_duration};

pub use crate::operations::reading::point;
pub use crate::operations::text::given;

/// The agent that was given, if any: its id, or `target/agent`.
///
/// # Errors
/// [`Code::AgentMissing`] if it is blank, [`Code::AgentInvalid`].
pub fn named_agent(flag: Option<&str>) -> Result<Option<NamedAgent>> {
    flag.map(NamedAgent::parse).transpose()
}

/// The schedule id that was given, if any.
///
/// # Errors
/// [`Code::IdInvalid`].
pub fn id_filter(flag: Option<&str>) -> Result<Option<i64>> {
    flag.map(|text| schedule_number(&ID, Some(text)))
        .transpose()
}

/// Reads the prompt from the given file (`-` is `stdin`), unchanged.
///
/// # Errors
/// [`Code::FileUnusable`] if the file can't be read, is not UTF-8 or is too large.
pub fn read_prompt(values: &mut Values, stdin: impl Read) -> Result<()> {
    if let Some(file) = values.text(&PROMPT_FILE) {
        let path = Path::new(&file);
        let prompt = read_path(path, stdin, limits::LARGEST_PROMPT)
            .map_err(|e| unusable("prompt", path, e))?;
        values.take(&PROMPT_FILE);
        values.set(&PROMPT, prompt);
    }
    Ok(())
}

/// Adds the dates in the given file (`-` is `stdin`) to those that are left out.
///
/// # Errors
/// [`Code::FileUnusable`] as for a prompt, [`Code::ExceptInvalid`] for what is not understood in it.
pub fn read_dates(values: &mut Values, stdin: impl Read) -> Result<()> {
    let Some(file) = values.text(&EXCEPT_FILE) else {
        return Ok(());
    };
    let path = Path::new(&file);
    let text =
        read_path(path, stdin, limits::DATES_FILE).map_err(|e| unusable("dates", path, e))?;
    let zone = values.given(&TIMEZONE);
    let zone = zone.as_deref().map(Zone::parse).transpose()?;
    let found = dates::of_file(&text, zone.as_ref()).map_err(|wrong| {
        let whole = message![field(EXCEPT_FILE.name), " ", quoted(&*file), ": ", wrong];
        Error::new(Code::ExceptInvalid, whole)
    })?;
    let given = values.given(&EXCEPT).into_iter();
    let all: Vec<String> = given.chain([found.to_string()]).collect();
    values.take(&EXCEPT_FILE);
    values.set(&EXCEPT, all.join(", "));
    Ok(())
}

/// The source of a tool: the content of the file (`-` is `stdin`).
///
/// # Errors
/// [`Code::SourceMissing`] if no file was given, [`Code::FileUnusable`] as for a prompt.
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

/// The text of a file, or of `stdin` for `-`, up to `most` bytes.
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
        format!("it is not UTF-8 text (byte {at} is invalid)")
    })?;
    match text.find('\0') {
        // Letta keeps messages in PostgreSQL, whose text can't contain one.
        Some(at) => Err(format!("it contains a NUL byte at position {}", at + 1).into()),
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

/// The longest time between two checks of `execute --loop`.
///
/// # Errors
/// [`Code::Usage`] if it is not a whole number of seconds from 1 to a day.
pub fn interval(flag: Option<&str>) -> Result<Duration> {
    let text = given(flag).unwrap_or("60");
    let allowed = INTERVAL.kind.numbers();
    whole(text)
        .filter(|n| allowed.contains(n))
        .and_then(|n| u64::try_from(n).ok())
        .map(Duration::from_secs)
        .ok_or_else(|| {
            let (least, most) = (allowed.start(), allowed.end());
            Error::new(
                Code::Usage,
                message![
                    field(INTERVAL.name),
                    " ",
                    quoted(text),
                    " is not a whole number of seconds from {least} to {most}"
                ],
            )
            .example_if(
                corrected_seconds(text)
                    .filter(|n| allowed.contains(n))
                    .map(|n| call("execute").with("loop", true).with(INTERVAL.name, n)),
            )
        })
}

/// `5m` as seconds.
fn corrected_seconds(text: &str) -> Option<i64> {
    let written = corrected_interval(text)?;
    Some(read_duration(&written).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::reading;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_prompt_arrives_unchanged_or_not_at_all() {
        let prompt = |mut values: Values, stdin: &mut dyn Read| {
            read_prompt(&mut values, stdin)?;
            values.set(&crate::operations::fields::EVERY, "1h");
            reading::registration(&values).map(|asked| asked.prompt)
        };
        let flag = |text: &str| Values::default().with(&PROMPT, text);
        let file = |path: &Path| Values::default().with(&PROMPT_FILE, path.to_str().unwrap());
        let odd = " 'a' \"b\"\r\n👋🏽 -- ; DROP TABLE schedules; \t";
        assert_eq!(prompt(flag(odd), &mut &b""[..]).unwrap(), odd);
        let dash = || file(Path::new("-"));
        assert_eq!(prompt(dash(), &mut odd.as_bytes()).unwrap(), odd);
        let large = "x".repeat(1_000_000);
        let stored = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(stored.path(), &large).unwrap();
        assert_eq!(prompt(file(stored.path()), &mut &b""[..]).unwrap(), large);
        for blank in ["", " \n\t", "\u{a0}"] {
            assert_eq!(
                code(prompt(flag(blank), &mut &b""[..])),
                Code::PromptMissing
            );
            let given = &mut blank.as_bytes();
            assert_eq!(code(prompt(dash(), given)), Code::PromptMissing);
        }
        let none = prompt(Values::default(), &mut &b""[..]);
        assert_eq!(code(none), Code::PromptMissing);
        for mut odd in [&b"ab\xff"[..], b"a\0b"] {
            assert_eq!(code(prompt(dash(), &mut odd)), Code::FileUnusable);
        }
        let endless = prompt(dash(), &mut std::io::repeat(b'x'));
        assert_eq!(code(endless), Code::FileUnusable);
        for path in ["/nowhere/at/all", "/"] {
            let unread = prompt(file(Path::new(path)), &mut &b""[..]);
            assert_eq!(code(unread), Code::FileUnusable);
        }
    }

    #[test]
    fn an_interval_is_a_sensible_number() {
        assert_eq!(interval(None).unwrap(), Duration::from_secs(60));
        for bad in ["0", "-1", "x", "86401"] {
            assert_eq!(code(interval(Some(bad))), Code::Usage);
        }
    }
}
