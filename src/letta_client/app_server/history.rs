//! Looking for a prompt among the messages of a conversation.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::connection::NoAnswer;
use super::protocol::{MessagePage, Outcome, Scope, StoredMessage, read};
use super::server::Server;
use crate::http::limits;
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// The most messages read in search of one prompt.
const MOST_MESSAGES: usize = 10_000;

/// How many messages are asked for at once, unless that is too large.
const PAGE: usize = 50;

/// How much older than the sending a message may be dated and still be looked at.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// How much is kept of what the agent said afterwards, in messages.
const MOST_SAID: usize = 100;

/// What the messages of a conversation say of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HistorySearch {
    /// It is there, with what the agent said before the next message of a user.
    Found(Option<String>),
    /// It is not.
    Absent,
    /// It is not among those that can be seen, but may be behind them.
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
        // Messages are dated by the server's clock, which need not show what ours does.
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
                // Without a message the first of all was reached; otherwise the cursor is not heeded.
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
                    // What was said after another message was said to that.
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

    /// One page, newest first; none where even a single message is too large to be taken in. A page
    /// that is too large ends its connection, which is why questions have one of their own.
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
                            "the list of messages could not be understood",
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
