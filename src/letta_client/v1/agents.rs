//! Requests about a server and its agents.

use std::collections::HashSet;

use serde_json::Value;

use super::classify::RequestFailure;
use super::http::{Http, segment};
use super::pages::PageSize;
use super::turn::beginning;
use crate::http::limits;
use crate::letta_client::directory::Agent;
use crate::letta_client::target::ServerInfo;
use crate::models::{AgentId, ErrorClass, Refusal, RefusalKind};

/// The most agents that are read.
const MOST_AGENTS: usize = 100_000;

/// The longest name or date that is kept, in bytes.
const LONGEST_TEXT: usize = 1_000;

impl Http {
    /// Checks whether the server is well and accepts our credentials.
    pub(super) async fn check(&self) -> Result<ServerInfo, Refusal> {
        let health = match self.get("/v1/health/", &[]).await {
            Ok(reply) => Some(reply.body),
            Err(RequestFailure::Refused(r) | RequestFailure::Failed(r))
                if r.text.starts_with("HTTP 5") =>
            {
                return Err(self.unhealthy(&r.text));
            }
            Err(RequestFailure::Doubt(doubt)) if doubt.class == ErrorClass::Gateway => {
                return Err(self.unhealthy(&doubt.text));
            }
            // It isn't a Letta server, or it doesn't report its health: its list of agents decides.
            Err(
                RequestFailure::NoRoute(_) | RequestFailure::Refused(_) | RequestFailure::Failed(_),
            ) => None,
            Err(RequestFailure::Doubt(doubt)) if doubt.class == ErrorClass::Garbled => None,
            Err(failure) => return Err(failure.into_refusal()),
        };
        if let Some(status) = health.as_ref().and_then(|h| h.get("status")?.as_str())
            && status != "ok"
        {
            return Err(self.unhealthy(&format!("its health is {status:?}")));
        }
        let one = [("limit", "1")];
        let agents = self.ask("/v1/agents/", &one, &limits::PAGE).await;
        match agents {
            Ok(reply) if reply.body.is_array() => {
                let version = health.as_ref().and_then(|h| h.get("version")?.as_str());
                Ok(ServerInfo {
                    version: version.map(str::to_owned),
                    date: reply.date,
                })
            }
            Ok(_) | Err(RequestFailure::NoRoute(_)) => Err(self.wrong_server().await),
            Err(RequestFailure::Doubt(doubt)) if doubt.class == ErrorClass::Garbled => {
                Err(self.wrong_server().await)
            }
            Err(failure) => {
                let mut refusal = failure.into_refusal();
                refusal.kind = RefusalKind::TargetTrouble;
                Err(refusal)
            }
        }
    }

    /// Every agent, each once.
    pub(super) async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        let listed = async { Ok(self.list_every_agent().await) };
        let listed = self.within(limits::LISTING, listed).await;
        listed.map_err(RequestFailure::into_refusal)?
    }

    async fn list_every_agent(&self) -> Result<Vec<Agent>, Refusal> {
        let mut agents: Vec<Agent> = Vec::new();
        let mut seen = HashSet::new();
        let mut size = PageSize::default();
        while agents.len() < MOST_AGENTS {
            let last = agents
                .last()
                .map(|last: &Agent| ("after", last.id.as_str()));
            let query: Vec<_> = last.into_iter().collect();
            let page = self
                .page("/v1/agents/", &query, &mut size)
                .await
                .map_err(RequestFailure::into_refusal)?;
            let Value::Array(page) = page.body else {
                return Err(self.wrong_server().await);
            };
            let before = agents.len();
            for agent in page.iter().filter_map(read_agent) {
                if seen.insert(agent.id.clone()) {
                    agents.push(agent);
                }
            }
            // Letta answers an unknown cursor (its agent was deleted meanwhile) with the first page
            // again, so only a page with something new in it has a next one. A short page proves
            // nothing: a server may return less than it was asked for.
            if agents.len() == before {
                break;
            }
        }
        Ok(agents)
    }

    /// One agent.
    pub(super) async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal> {
        let path = format!("/v1/agents/{}", segment(agent.as_str()));
        let reply = match self.get(&path, &[]).await {
            Ok(reply) => reply,
            Err(RequestFailure::NoRoute(_)) => return Err(self.wrong_server().await),
            Err(failure) => return Err(failure.into_refusal()),
        };
        match read_agent(&reply.body) {
            Some(agent) => Ok(agent),
            None => Err(self.wrong_server().await),
        }
    }

    fn unhealthy(&self, text: &str) -> Refusal {
        Refusal::new(
            RefusalKind::TargetTrouble,
            ErrorClass::Unhealthy,
            format!("{} is not well: {text}", self.address()),
        )
    }

    /// Whether the server is a Letta Code App Server.
    pub(super) async fn is_app_server(&self) -> bool {
        match self.get("/app-server-info", &[]).await {
            Ok(_) => true,
            Err(RequestFailure::Refused(refusal)) => refusal.class == ErrorClass::Unauthorized,
            Err(_) => false,
        }
    }

    /// Says what answers instead of Letta, if that is known.
    async fn wrong_server(&self) -> Refusal {
        let text = match self.is_app_server().await {
            true => format!(
                "{} is a Letta Code App Server, which this version does not support; it supports \
                 Letta servers with the V1 REST API and Letta Cloud",
                self.address()
            ),
            false => format!("{} answers, but is not a Letta server", self.address()),
        };
        Refusal::new(RefusalKind::TargetTrouble, ErrorClass::WrongServer, text)
    }
}

fn read_agent(agent: &Value) -> Option<Agent> {
    let text = |key: &str| {
        let text = agent.get(key).and_then(Value::as_str)?;
        Some(beginning(text, LONGEST_TEXT).to_owned())
    };
    Some(Agent {
        id: text("id")?,
        name: text("name"),
        created_at: text("created_at"),
        last_updated: text("updated_at").or_else(|| text("last_updated")),
    })
}
