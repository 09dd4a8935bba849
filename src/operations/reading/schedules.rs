//! The request to create or change a schedule.

use super::ids::agent_at;
use super::policy::{ping_url, policy};
use super::when::{self, except, repetitions, wish_if_given};
use crate::error::{Code, Error, Result, field, message};
use crate::models::Conversation;
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::fields::*;
use crate::service::{Changes, Registration};

/// The schedule to create.
///
/// # Errors
/// [`Code::PromptMissing`], [`Code::Usage`], and those of its parts.
pub fn registration(values: &Values) -> Result<Registration> {
    let (agent_id, target) = agent_at(values)?;
    let prompt = match prompt(values)? {
        Some(prompt) => prompt,
        None => return Err(prompt_missing("no prompt was given")),
    };
    Ok(Registration {
        agent_id,
        prompt,
        payload: None,
        when: when::when(values)?,
        name: kept(values, &NAME)?,
        target,
        conversation: conversation(values)?,
        policy: policy(values)?,
        ping_url: ping_url(values)?.flatten(),
        skip_validation: values.is_set(&SKIP_VALIDATION),
    })
}

/// The changes to a schedule.
///
/// # Errors
/// [`Code::PromptMissing`], [`Code::Usage`], and those of its parts.
pub fn changes(values: &Values) -> Result<Changes> {
    let (wish, timezone) = wish_if_given(values)?;
    let (agent_id, target) = agent_at(values)?;
    Ok(Changes {
        agent_id,
        prompt: prompt(values)?,
        wish,
        timezone,
        start_at: values.given(&START_AT),
        end_at: values.given(&END_AT),
        except: except(values)?,
        max_repetitions: repetitions(values)?,
        name: kept(values, &NAME)?,
        target,
        conversation: conversation(values)?,
        policy: policy(values)?,
        ping_url: ping_url(values)?,
        skip_validation: values.is_set(&SKIP_VALIDATION),
    })
}

/// The note on why something is stopped, if given.
///
/// # Errors
/// [`Code::Usage`].
pub fn note(values: &Values) -> Result<Option<String>> {
    kept(values, &NOTE)
}

/// The prompt, exactly as given.
fn prompt(values: &Values) -> Result<Option<String>> {
    let Some(text) = values.text(&PROMPT) else {
        return Ok(None);
    };
    refuse_nul(&PROMPT, &text)?;
    match text.trim().is_empty() {
        true => Err(prompt_missing("the prompt is empty")),
        false => Ok(Some(text)),
    }
}

fn prompt_missing(what: &str) -> Error {
    Error::new(
        Code::PromptMissing,
        format!("{what}: say what to tell the agent"),
    )
}

/// The conversation that was given, if one was.
fn conversation(values: &Values) -> Result<Option<Conversation>> {
    let text = values.given(&CONVERSATION);
    text.as_deref().map(Conversation::parse).transpose()
}

/// A text that will be stored.
fn kept(values: &Values, asked: &Field) -> Result<Option<String>> {
    let text = values.given(asked);
    if let Some(text) = &text {
        refuse_nul(asked, text)?;
    }
    Ok(text)
}

/// Letta keeps messages in PostgreSQL, whose text can't contain NUL.
fn refuse_nul(asked: &Field, text: &str) -> Result<()> {
    match text.contains('\0') {
        true => Err(Error::new(
            Code::Usage,
            message![
                field(asked.name),
                " contains a NUL character (\\u0000), which is not allowed: remove it"
            ],
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_letta_can_t_keep_is_refused() {
        let asked = |prompt: &str, name: &str| {
            let values = Values::default().with(&PROMPT, prompt).with(&NAME, name);
            registration(&values.with(&EVERY, "1h"))
        };
        let code = |prompt: &str, name: &str| asked(prompt, name).unwrap_err().code();
        assert_eq!(code("a\0b", "n"), Code::Usage);
        assert_eq!(code("ab", "a\0"), Code::Usage);
        assert_eq!(code(" \n", "n"), Code::PromptMissing);
        assert!(asked("ab", " ").unwrap().name.is_none());
    }
}
