//! The conversations of agents besides their default one.

use reqwest::Method;
use serde_json::{Value, json};

use super::classify::RequestFailure;
use super::http::{Http, segment};
use crate::models::{AgentId, Conversation, ErrorClass, Refusal, RefusalKind};

const PATH: &str = "/v1/conversations/";

impl Http {
    /// Creates a conversation for an agent and returns its id.
    pub(super) async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        let (of_agent, nothing) = ([("agent_id", agent.as_str())], json!({}));
        let made = self.change(Method::POST, PATH, &of_agent, Some(&nothing));
        let made = made.await.map_err(|failure| match failure {
            RequestFailure::NoRoute(refusal) if is_of_letta(&refusal) => has_no_conversations(),
            failure => failure.into_refusal(),
        })?;
        let id = made.get("id").and_then(Value::as_str).unwrap_or_default();
        match Conversation::parse(id) {
            Ok(Conversation::Id(id)) => Ok(id),
            _ => Err(Refusal::new(
                RefusalKind::TargetTrouble,
                ErrorClass::Garbled,
                "Letta created a conversation but did not return its id",
            )),
        }
    }

    /// Refuses a conversation that is not this agent's. Letta itself accepts a prompt for any agent
    /// in any conversation, and gives it to the agent whose conversation it is.
    pub(super) async fn check_conversation(
        &self,
        agent: &AgentId,
        conversation: &str,
    ) -> Result<(), RequestFailure> {
        let path = format!("/v1/conversations/{}", segment(conversation));
        let reply = match self.get(&path, &[]).await {
            Ok(reply) => reply,
            Err(RequestFailure::NoRoute(refusal)) if is_of_letta(&refusal) => {
                return Err(RequestFailure::Refused(has_no_conversations()));
            }
            // Letta refuses what can't be the id of a conversation.
            Err(RequestFailure::Refused(refusal))
                if refusal.class == ErrorClass::InvalidRequest =>
            {
                return Err(unknown(agent, conversation));
            }
            Err(failure) => return Err(failure),
        };
        match reply.body.get("agent_id").and_then(Value::as_str) {
            Some(owner) if owner == agent.as_str() => Ok(()),
            _ => Err(unknown(agent, conversation)),
        }
    }
}

fn unknown(agent: &AgentId, conversation: &str) -> RequestFailure {
    RequestFailure::Refused(Refusal::new(
        RefusalKind::Permanent,
        ErrorClass::ConversationUnknown,
        format!("{agent} has no conversation {conversation}"),
    ))
}

/// Whether a 404 is Letta's own word for a route that it doesn't have.
fn is_of_letta(refusal: &Refusal) -> bool {
    refusal.text == "HTTP 404: Not Found"
}

/// A Letta server that is too old to have conversations.
fn has_no_conversations() -> Refusal {
    Refusal::new(
        RefusalKind::Permanent,
        ErrorClass::ConversationUnknown,
        "this Letta server has no conversations beside the default one of each agent",
    )
}
