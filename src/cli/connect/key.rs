//! The key that an agent's calls carry, if keys are required.

use secrecy::{ExposeSecret, SecretString};

use super::link::Link;
use crate::error::{Code, Error, Result, field, message, shell};
use crate::models::Caller;
use crate::service::Credentials;

/// The agent's secret that holds its key. Letta inserts it into the header of the agent's calls.
pub(super) const SECRET: &str = "PROMPTYOSELF_AGENT_KEY";

/// How every key begins.
const PREFIX: &str = "pys_";

/// The key of an agent.
pub(super) enum Key {
    /// No key is required.
    None,
    /// It existed before.
    Known(SecretString),
    /// It was just created, with this id.
    Made(i64, SecretString),
}

impl Key {
    pub(super) fn secret(&self) -> Option<&SecretString> {
        match self {
            Key::None => None,
            Key::Known(key) | Key::Made(_, key) => Some(key),
        }
    }
}

impl Link<'_> {
    /// The key that was given, otherwise the one that the agent has, otherwise a new one: keys are
    /// required as soon as any was created.
    pub(super) async fn choose_key(
        &self,
        shown: Option<SecretString>,
        kept: Option<&SecretString>,
    ) -> Result<Key> {
        if let Some(key) = shown {
            return match self.opens_for(&key).await? {
                Caller::Agent(agent) if agent == self.agent => Ok(Key::Known(key)),
                _ => Err(Error::new(
                    Code::NotPermitted,
                    message![
                        field("key"),
                        " is not a key of agent ",
                        self.shown(),
                        ", and that agent will be able to read it: leave it out, and a key is \
                         created for it"
                    ],
                )
                .example(shell(format!(
                    "promptyoself key create --agent-id {}",
                    self.shown()
                )))),
            };
        }
        if self.service.list_keys().await?.is_empty() {
            return Ok(Key::None);
        }
        if let Some(key) = kept
            && let Ok(Caller::Agent(agent)) = self.opens_for(key).await
            && agent == self.agent
        {
            return Ok(Key::Known(key.clone()));
        }
        let name = format!("connect {}", self.shown());
        let (id, key) = self.service.create_key(&name, Some(&self.agent)).await?;
        Ok(Key::Made(id, key))
    }

    /// The caller that a key identifies.
    async fn opens_for(&self, key: &SecretString) -> Result<Caller> {
        let credentials = Credentials {
            key: Some(key.clone()),
            agent: None,
        };
        self.service.identify(&credentials).await
    }

    /// The header that Letta will send: with the calling agent's own key. If there is no calling
    /// agent, as when Letta lists the tools, a fallback is sent that is still valid: the one in
    /// `sent`, or this agent's key.
    pub(super) async fn authorization(
        &self,
        key: &Key,
        sent: Option<&SecretString>,
    ) -> Result<Option<SecretString>> {
        let Some(own) = key.secret() else {
            return Ok(None);
        };
        let header = |fallback: &SecretString| {
            let fallback = fallback.expose_secret();
            SecretString::from(format!("Bearer {{{{ {SECRET} | {fallback} }}}}"))
        };
        let fallback = sent.and_then(fallback_of);
        if let Some(fallback) = fallback
            && let Ok(Caller::Agent(_)) = self.opens_for(&fallback).await
        {
            return Ok(Some(header(&fallback)));
        }
        Ok(Some(header(own)))
    }
}

/// The fallback key in a header made by [`Link::authorization`].
fn fallback_of(header: &SecretString) -> Option<SecretString> {
    let text = header.expose_secret();
    let (_, after) = text.split_once('|')?;
    let key = after.trim_end_matches('}').trim();
    key.starts_with(PREFIX)
        .then(|| SecretString::from(key.to_owned()))
}

/// The text without any key in it: Letta may repeat what it was sent.
pub(super) fn hide(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        hidden.push_str("pys_…");
        hidden.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::new_key;

    #[test]
    fn no_key_is_left_in_a_text() {
        let (a, b) = (new_key(), new_key());
        let (a, b) = (a.expose_secret(), b.expose_secret());
        let text = format!("{{'input': 'Bearer {a}'}} and {b}.");
        assert_eq!(hide(&text), "{'input': 'Bearer pys_…'} and pys_….");
        assert_eq!(hide("no key"), "no key");
    }

    #[test]
    fn the_fallback_is_found_in_the_header_that_was_made() {
        let header = SecretString::from("Bearer {{ X | pys_12ab }}".to_owned());
        assert_eq!(fallback_of(&header).unwrap().expose_secret(), "pys_12ab");
        for other in ["Bearer pys_12ab", "Bearer {{ X }}", "Bearer {{ X | sk-1 }}"] {
            assert!(fallback_of(&SecretString::from(other.to_owned())).is_none());
        }
    }
}
