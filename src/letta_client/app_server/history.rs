//! Searching the messages of a conversation for a prompt.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::connection::NoAnswer;
use super::protocol::{MessagePage, Outcome, Scope, StoredMessage, read};
use super::server::Server;
use crate::http::limits;
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// The most messages that are read to find one prompt.
const MOST_MESSAGES: usize = 10_000;

/// How many messages are requested at once, unless the page is too large.
const PAGE: usize = 50;

/// The search ends at a message that is dated this long before the prompt was sent.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// How many messages of the agent's reply are kept.
const MOST_SAID: usize = 100;

/// Whether a prompt is among the messages of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HistorySearch {
    /// It is there, with what the agent said before the next user message.
    Found(Option<String>),
    /// It is not.
    Absent,
    /// It is not among those that can be read, but may be among older ones.
    Incomplete,
}

impl Server {
    /// Looks for any of `otids`, from the newest message back to those older than `since_sent`.
    pub(super) async fn search(
        &self,
        scope: &Scope,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<HistorySearch, Refusal> {
        let search = self.search_pages(scope, otids, since_sent);
        let found = self.http.clock().within(limits::SEARCH, search).await;
        found.unwrap_or(Ok(HistorySearch::Incomplete))
    }

    async fn search_pages(
        &self,
        scope: &Scope,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<HistorySearch, Refusal> {
        let otids: Vec<String> = otids.iter().map(Uuid::to_string).collect();
        // Messages are dated by the server's clock, which may differ from ours.
        let oldest = since_sent.saturating_add(MARGIN);
        let oldest = self
            .date()
            .await?
            .and_then(|now| now.checked_sub(oldest).ok());
        let mut said: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        let mut before: Option<String> = None;
        while seen.len() < MOST_MESSAGES {
            let Some(page) = self.message_page(scope, before.as_deref()).await? else {
                return Ok(HistorySearch::Incomplete);
            };
            let new = page
                .messages
                .iter()
                .filter(|m| seen.insert(m.id.clone()))
                .count();
            if new == 0 {
                // An empty page means that the beginning was reached; otherwise the server ignores
                // the cursor.
                return Ok(match page.messages.is_empty() {
                    true => HistorySearch::Absent,
                    false => HistorySearch::Incomplete,
                });
            }
            for message in &page.messages {
                match message.message_type.as_str() {
                    "assistant_message" if said.len() < MOST_SAID => {
                        said.push(message.content.clone());
                    }
                    "user_message" if message.otid.as_ref().is_some_and(|o| otids.contains(o)) => {
                        said.reverse();
                        return Ok(HistorySearch::Found(
                            (!said.is_empty()).then(|| said.join("\n")),
                        ));
                    }
                    // What follows another user message is the reply to that one.
                    "user_message" => said.clear(),
                    _ => {}
                }
            }
            let last = page.messages.last();
            if !page.has_more || is_older(last, oldest) {
                return Ok(HistorySearch::Absent);
            }
            before = last.map(|message| message.id.clone());
        }
        Ok(HistorySearch::Incomplete)
    }

    /// One page, newest first; `None` if even a single message is too large. A page that is too
    /// large ends its connection, which is why such requests have a connection of their own.
    async fn message_page(
        &self,
        scope: &Scope,
        before: Option<&str>,
    ) -> Result<Option<MessagePage>, Refusal> {
        for limit in [PAGE, PAGE / 10, 1] {
            let mut query = json!({"agent_id": scope.agent_id, "limit": limit});
            if let Some(before) = before {
                query["before"] = before.into();
            }
            let body = json!({"conversation_id": scope.conversation_id, "query": query});
            match self.question("conversation_messages_list", body).await? {
                Ok(text) => {
                    let outcome = read::<Outcome>(&text);
                    if let Some(error) = outcome.and_then(|o| (!o.success).then_some(o.error)) {
                        let error = error.unwrap_or_else(|| "no messages were listed".to_owned());
                        return Err(super::outcome::refusal_to_start(&error));
                    }
                    return match read(&text) {
                        Some(page) => Ok(Some(page)),
                        None => Err(Refusal::new(
                            RefusalKind::TargetTrouble,
                            ErrorClass::Garbled,
                            "the list of messages could not be read",
                        )),
                    };
                }
                Err(NoAnswer::Unknown(ErrorClass::TooLarge, _)) => {}
                Err(no_answer) => return Err(self.trouble(no_answer)),
            }
        }
        Ok(None)
    }
}

fn is_older(message: Option<&StoredMessage>, than: Option<Timestamp>) -> bool {
    let date = message.and_then(|m| m.date.as_ref()?.parse::<Timestamp>().ok());
    matches!((date, than), (Some(date), Some(than)) if date < than)
}
