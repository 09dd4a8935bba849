//! Limits on what callers send.

use super::{Changes, Registration, Service, When};
use crate::error::{Code, Error, Result, field, fields, message};
use crate::limits::{self, Amount};
use crate::models::ScheduleType;

/// How many characters of a text that is too long the example proposes.
const PROPOSED: usize = 60;

impl Service {
    /// Refuses a schedule if anything in it is too large to store.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub(super) fn check_size(&self, asked: &Registration) -> Result<()> {
        name(asked.name.as_deref())?;
        when(&asked.when)?;
        match asked.payload {
            // It has a limit of its own.
            Some(_) => Ok(()),
            None => self.check_prompt(&asked.prompt),
        }
    }

    /// The same for changes to a schedule.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub(super) fn check_size_of_changes(&self, changes: &Changes) -> Result<()> {
        name(changes.name.as_deref())?;
        point("start_at", changes.start_at.as_deref())?;
        point("end_at", changes.end_at.as_deref())?;
        match &changes.prompt {
            Some(prompt) => self.check_prompt(prompt),
            None => Ok(()),
        }
    }

    fn check_prompt(&self, prompt: &str) -> Result<()> {
        if prompt.len() <= self.largest_prompt {
            return Ok(());
        }
        Err(Error::new(
            Code::TooLarge,
            format!(
                "the prompt is {} bytes long; the limit is {}: shorten it, or tell the agent where \
                 to read the rest",
                prompt.len(),
                self.largest_prompt
            ),
        )
        .without_example())
    }
}

/// Refuses a name that is too long.
///
/// # Errors
/// [`Code::TooLarge`].
pub(super) fn name(given: Option<&str>) -> Result<()> {
    at_most("name", given, limits::NAME)
}

/// Refuses a note that is too long.
///
/// # Errors
/// [`Code::TooLarge`].
pub(super) fn note(given: Option<&str>) -> Result<()> {
    at_most("note", given, limits::NOTE)
}

/// Refuses points in time that are longer than any valid one. Patterns, intervals and zones are
/// refused where they are parsed.
///
/// # Errors
/// [`Code::TooLarge`].
pub(super) fn when(asked: &When) -> Result<()> {
    let name = match asked.wish.asked.kind() {
        Some(ScheduleType::Once) => Some("time"),
        Some(ScheduleType::Cron | ScheduleType::Interval) => None,
        None => Some("when"),
    };
    if let Some(name) = name {
        point(name, Some(&asked.wish.value))?;
    }
    point("start_at", asked.start_at.as_deref())?;
    point("end_at", asked.end_at.as_deref())
}

/// Refuses a point in time that is longer than any valid one.
///
/// # Errors
/// [`Code::TooLarge`].
pub(super) fn point(name: &'static str, given: Option<&str>) -> Result<()> {
    at_most(name, given, limits::TEXT).map_err(Error::without_example)
}

fn at_most(name: &'static str, given: Option<&str>, most: usize) -> Result<()> {
    let text = given.unwrap_or_default();
    if text.char_indices().nth(most).is_none() {
        return Ok(());
    }
    let error = Error::new(
        Code::TooLarge,
        message![
            field(name),
            " has ",
            text.chars().count(),
            " characters; the limit is ",
            Amount::Characters(most)
        ],
    );
    let shorter: String = text.chars().take(PROPOSED).collect();
    // Text that a shell would interpret is not proposed.
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ',');
    Err(match shorter.chars().all(is_plain) {
        true => error.example(fields([(name, shorter.trim())])),
        false => error,
    })
}
