//! Requests about agents and their conversations.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::outcome::{refusal_to_start, unknown_conversation};
use super::protocol::{
    AgentBody, AgentFound, AgentPage, ConversationFound, Created, Outcome, read,
};
use super::server::Server;
use crate::http::limits;
use crate::letta_client::directory::Agent;
use crate::letta_client::v1::turn::beginning;
use crate::models::{AgentId, ErrorClass, Refusal, RefusalKind};

/// The most agents read.
const MOST_AGENTS: usize = 100_000;

/// How many are requested at once: each comes with its whole system prompt.
const PAGE: usize = 20;

/// The longest name or date that is kept, in bytes.
const LONGEST_TEXT: usize = 1_000;

impl Server {
    /// Every agent, each once.
    pub(super) async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        let listed = self
            .http
            .clock()
            .within(limits::LISTING, self.list_every_agent());
        listed.await.unwrap_or_else(|| {
            let text = format!(
                "{} did not list its agents within {:?}",
                self.http.address(),
                limits::LISTING
            );
            Err(Refusal::new(
                RefusalKind::TargetTrouble,
                ErrorClass::Timeout,
                text,
            ))
        })
    }

    async fn list_every_agent(&self) -> Result<Vec<Agent>, Refusal> {
        let mut agents: Vec<Agent> = Vec::new();
        let mut seen = HashSet::new();
        while agents.len() < MOST_AGENTS {
            let mut query = json!({"limit": PAGE});
            if let Some(last) = agents.last() {
                query["after"] = last.id.as_str().into();
            }
            let page: AgentPage = self.request("agent_list", json!({"query": query})).await?;
            let before = agents.len();
            let new = page.agents.into_iter().map(agent);
            agents.extend(new.filter(|agent| seen.insert(agent.id.clone())));
            // If the server doesn't know the cursor, it returns the first page again.
            if agents.len() == before {
                break;
            }
        }
        Ok(agents)
    }

    /// One agent.
    pub(super) async fn get_agent(&self, id: &AgentId) -> Result<Agent, Refusal> {
        let body = json!({"agent_id": id.as_str()});
        let found: AgentFound = self.request("agent_retrieve", body).await?;
        found
            .agent
            .map(agent)
            .ok_or_else(|| self.garbled("agent_retrieve"))
    }

    /// Creates a conversation for an agent and returns its id.
    pub(super) async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        let body = json!({"body": {"agent_id": agent.as_str()}});
        let created: Created = self.request("conversation_create", body).await?;
        let conversation = created.conversation.map(|made| made.id);
        conversation.ok_or_else(|| self.garbled("conversation_create"))
    }

    /// Checks that a conversation belongs to this agent.
    pub(super) async fn check_conversation(
        &self,
        agent: &AgentId,
        id: &str,
    ) -> Result<(), Refusal> {
        let body = json!({"conversation_id": id});
        let found: ConversationFound = self.request("conversation_retrieve", body).await?;
        let owner = found.conversation.and_then(|found| found.agent_id);
        match owner {
            Some(owner) if owner == agent.as_str() => Ok(()),
            _ => Err(unknown_conversation(agent, id)),
        }
    }

    /// Makes a request whose answer is either what was asked for or the reason why not.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        kind: &str,
        body: Value,
    ) -> Result<T, Refusal> {
        let text = self.question(kind, body).await?;
        let text = text.map_err(|no_answer| self.trouble(no_answer))?;
        let outcome: Option<Outcome> = read(&text);
        match outcome {
            Some(Outcome { success: true, .. }) => read(&text).ok_or_else(|| self.garbled(kind)),
            Some(Outcome { error, .. }) => Err(refusal_to_start(&error.unwrap_or_default())),
            None => Err(self.garbled(kind)),
        }
    }

    fn garbled(&self, kind: &str) -> Refusal {
        let text = format!(
            "{}: the answer to {kind} could not be read",
            self.http.address()
        );
        Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Garbled, text)
    }
}

fn agent(body: AgentBody) -> Agent {
    let cut = |text: String| beginning(&text, LONGEST_TEXT).to_owned();
    Agent {
        id: cut(body.id),
        target: None,
        name: body.name.map(cut),
        created_at: body.created_at.map(cut),
        last_updated: body.updated_at.map(cut),
    }
}
