//! Who is calling, and which agent is meant where none is named.

use std::sync::{Mutex, PoisonError};

use axum::http::request::Parts;
use rmcp::model::ErrorData;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};

use super::{Backend, Call};
use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Caller};
use crate::operations::{AGENTS, Values};

/// The header by which a client names its session.
pub(super) const SESSION_HEADER: &str = "mcp-session-id";

/// The keys of a request's metadata under which clients name the calling agent.
const METADATA: &[&str] = &["agent_id", "agentId", "letta_agent_id", "caller_agent_id"];

/// How a client reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// It started us, and is the only one.
    Stdio,
    /// Over HTTP.
    Http,
}

/// What a session remembers.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    /// What the client calls it; since 2026-07-28 clients over HTTP have none.
    id: Mutex<Option<String>>,
    /// The agent that each caller set for itself: one session may carry requests of several.
    default_agents: Mutex<Vec<(Caller, AgentId)>>,
}

impl Session {
    pub(super) fn new(transport: Transport) -> Self {
        let id = match transport {
            Transport::Stdio => Some("stdio".to_owned()),
            Transport::Http => None,
        };
        Session {
            transport,
            id: Mutex::new(id),
            default_agents: Mutex::default(),
        }
    }

    /// Learns its id from a request.
    pub(super) fn see(&self, context: &RequestContext<RoleServer>) {
        let stateless = context
            .protocol_version()
            .is_some_and(|v| v.as_str() >= "2026-07-28");
        let id = parts(context)
            .filter(|_| !stateless)
            .and_then(|p| p.headers.get(SESSION_HEADER))
            .and_then(|v| v.to_str().ok());
        if let Some(id) = id {
            *lock(&self.id) = Some(id.to_owned());
        }
    }

    /// What the client calls it, if it lasts longer than this call.
    pub fn id(&self) -> Option<String> {
        lock(&self.id).clone()
    }

    /// How the client reaches us.
    pub fn transport(&self) -> &'static str {
        match self.transport {
            Transport::Stdio => "stdio",
            Transport::Http => "http",
        }
    }

    /// The agent that this caller set as its default in this session.
    pub fn default_agent(&self, caller: &Caller) -> Option<AgentId> {
        let set = lock(&self.default_agents);
        let own = set.iter().find(|(by, _)| by == caller);
        own.map(|(_, agent)| agent.clone())
    }

    /// Sets this caller's default in this session.
    ///
    /// # Errors
    /// [`Code::Usage`] if the client has no session that lasts.
    pub fn set_default_agent(&self, caller: &Caller, agent: AgentId) -> Result<String> {
        let Some(id) = self.id() else {
            return Err(Error::new(
                Code::Usage,
                "this client has no session, so nothing can be remembered for it from one call to \
                 the next: name the agent as agent_id in each call, or let the client send the \
                 header X-Agent-Id",
            ));
        };
        let mut set = lock(&self.default_agents);
        // An agent's own id is known without one, so that of the latest is enough, however many
        // agents a client speaks for.
        set.retain(|(by, _)| by != caller && by.scope().is_none());
        set.push((caller.clone(), agent));
        Ok(id)
    }
}

/// A panic elsewhere leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The HTTP request that brought a call, if one did.
fn parts(context: &RequestContext<RoleServer>) -> Option<&Parts> {
    context.extensions.get::<Parts>()
}

/// Who calls. Over HTTP each request has been identified on its own. A model chooses the arguments
/// of whoever is not known as an agent, so that an agent's budget binds it.
///
/// # Errors
/// If a request over HTTP was not identified, which is a fault of ours.
pub(super) fn caller_of(
    context: &RequestContext<RoleServer>,
) -> std::result::Result<Caller, ErrorData> {
    let Some(parts) = parts(context) else {
        return Ok(Caller::SomeAgent);
    };
    match parts.extensions.get::<Caller>() {
        Some(Caller::Operator) => Ok(Caller::SomeAgent),
        Some(caller) => Ok(caller.clone()),
        None => Err(ErrorData::internal_error("nobody was identified", None)),
    }
}

/// What the key is called that came with a request.
#[derive(Clone, Debug)]
pub(super) struct ShownKey(pub(super) Option<String>);

/// What the key is called that was shown, if one was.
pub(super) fn key_of(context: &RequestContext<RoleServer>) -> Option<String> {
    let shown = parts(context)?.extensions.get::<ShownKey>()?;
    shown.0.clone()
}

/// Where the id of an agent came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An argument of the call.
    Argument,
    /// The caller's key, or the header by which it says which agent it is.
    Caller,
    /// The request's metadata, under this key.
    Metadata(&'static str),
    /// The session's default.
    ScopedDefault,
    /// The environment or the settings file.
    Configured(String),
    /// The one agent that Letta has.
    OnlyAgent,
}

impl Source {
    /// As diagnostics show it.
    pub fn to_word(&self) -> &str {
        match self {
            Source::Argument => "argument",
            Source::Caller => "caller",
            Source::Metadata(_) => "context.metadata",
            Source::ScopedDefault => "scoped-default",
            Source::Configured(_) => "env",
            Source::OnlyAgent => "single-agent-fallback",
        }
    }

    /// The variable or key that held it.
    pub fn key(&self) -> Option<&str> {
        match self {
            Source::Metadata(key) => Some(key),
            Source::Configured(name) => Some(name),
            _ => None,
        }
    }
}

impl Call {
    /// The agent of a new schedule. `None` if a server on another machine is to say which it is.
    ///
    /// # Errors
    /// [`Code::AgentMissing`], [`Code::AgentInvalid`], and those of Letta.
    pub async fn agent(&self) -> Result<Option<AgentId>> {
        match (self.infer().await?, &self.shared.backend) {
            (Some((agent, _)), _) => Ok(Some(agent)),
            (None, Backend::Elsewhere(_)) => Ok(None),
            (None, Backend::Here(_)) => Err(self.agent_missing()),
        }
    }

    /// Which agent is meant, and where that is known from.
    ///
    /// # Errors
    /// [`Code::AgentInvalid`], and those of Letta.
    pub async fn infer(&self) -> Result<Option<(AgentId, Source)>> {
        if let Some(named) = self.arguments.text("agent_id") {
            return Ok(Some((AgentId::parse(&named)?, Source::Argument)));
        }
        if let Some(own) = self.caller.scope() {
            return Ok(Some((own.clone(), Source::Caller)));
        }
        if let Some((key, id)) = in_metadata(&self.metadata) {
            return Ok(Some((AgentId::parse(id)?, Source::Metadata(key))));
        }
        if let Some(agent) = self.session.default_agent(&self.caller) {
            return Ok(Some((agent, Source::ScopedDefault)));
        }
        if let Some(id) = &self.shared.default_agent {
            let source = Source::Configured(self.shared.settings.default_agent_from.clone());
            return Ok(Some((AgentId::parse(id)?, source)));
        }
        if !self.shared.settings.single_agent {
            return Ok(None);
        }
        let listed = self.operations.ask(&AGENTS, &Values::default()).await?;
        let agents = listed["agents"].as_array().map_or(&[][..], Vec::as_slice);
        match agents {
            [only] => {
                let id = only["id"].as_str().unwrap_or_default();
                Ok(Some((AgentId::parse(id)?, Source::OnlyAgent)))
            }
            _ => Ok(None),
        }
    }

    fn agent_missing(&self) -> Error {
        Error::new(
            Code::AgentMissing,
            "no agent was named, and nothing says which one calls: give agent_id, or set one for \
             this session with promptyoself_set_scoped_default_agent; the operator can set \
             PROMPTYOSELF_DEFAULT_AGENT_ID, or let the client send the header X-Agent-Id. \
             promptyoself_agents lists the agents, promptyoself_inference_diagnostics says what is \
             known of this call",
        )
    }
}

/// The agent that a request's metadata names.
fn in_metadata(metadata: &Map<String, Value>) -> Option<(&'static str, &str)> {
    METADATA.iter().find_map(|key| {
        let id = metadata.get(*key)?.as_str()?.trim();
        (!id.is_empty()).then_some((*key, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_its_callers_alone_and_outlasts_those_of_others() {
        let session = Session::new(Transport::Stdio);
        let agent = |id: &str| AgentId::parse(id).unwrap();
        let (one, two) = (Caller::Agent(agent("one")), Caller::Agent(agent("two")));
        session
            .set_default_agent(&Caller::SomeAgent, agent("three"))
            .unwrap();
        assert_eq!(session.default_agent(&one), None);
        session.set_default_agent(&one, agent("one")).unwrap();
        assert_eq!(session.default_agent(&one), Some(agent("one")));
        assert_eq!(session.default_agent(&two), None);
        session.set_default_agent(&two, agent("two")).unwrap();
        let kept = session.default_agent(&Caller::SomeAgent);
        assert_eq!(kept, Some(agent("three")));
        assert_eq!(lock(&session.default_agents).len(), 2);
    }
}
