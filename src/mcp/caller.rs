//! Who is calling, and which agent a call without one is for.

use rmcp::model::ErrorData;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};

use super::call::{Backend, Call};
use super::session::{Transport, parts};
use crate::api::CONVERSATION_HEADER;
use crate::error::{Code, Error, Result};
use crate::models::{AgentAt, AgentId, Caller, NamedAgent, TargetName};
use crate::operations::text::given;
use crate::operations::{AGENTS, Values};

/// The keys in a request's metadata under which clients name the calling agent.
const METADATA: &[&str] = &["agent_id", "agentId", "letta_agent_id", "caller_agent_id"];

/// The caller. Over HTTP each request was identified separately. If the caller is not known as an
/// agent, a model still chooses the arguments, so the budget of agents applies.
///
/// # Errors
/// If an HTTP request was not identified, which is an internal error.
pub(super) fn caller_of(
    context: &RequestContext<RoleServer>,
) -> std::result::Result<Caller, ErrorData> {
    let Some(parts) = parts(context) else {
        return Ok(Caller::SomeAgent);
    };
    match parts.extensions.get::<Caller>() {
        Some(Caller::Operator) => Ok(Caller::SomeAgent),
        Some(caller) => Ok(caller.clone()),
        None => Err(ErrorData::internal_error("no caller was identified", None)),
    }
}

/// The name of the key that came with a request.
#[derive(Clone, Debug)]
pub(super) struct ShownKey(pub(super) Option<String>);

/// The name of the key that was sent, if any.
pub(super) fn key_of(context: &RequestContext<RoleServer>) -> Option<String> {
    let shown = parts(context)?.extensions.get::<ShownKey>()?;
    shown.0.clone()
}

/// The conversation that the calling agent is in, if its client names it.
pub(super) fn conversation_of(context: &RequestContext<RoleServer>) -> Option<String> {
    let named = parts(context)?.headers.get(CONVERSATION_HEADER)?;
    given(named.to_str().ok()).map(str::to_owned)
}

/// Where an agent's id came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An argument of the call.
    Argument,
    /// The caller's key, or the header in which it names its agent.
    Caller,
    /// The request's metadata, under this key.
    Metadata(&'static str),
    /// The session's default.
    ScopedDefault,
    /// The environment or the settings file.
    Configured(String),
    /// The only agent that Letta has.
    OnlyAgent,
}

impl Source {
    /// The source, as shown by diagnostics.
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

    /// The variable or key that contained it.
    pub fn key(&self) -> Option<&str> {
        match self {
            Source::Metadata(key) => Some(key),
            Source::Configured(name) => Some(name),
            _ => None,
        }
    }
}

impl Call {
    /// The agent of a new schedule. `None` if a server on another machine has to decide.
    ///
    /// # Errors
    /// [`Code::AgentMissing`], [`Code::AgentInvalid`], and those of Letta.
    pub async fn agent(&self) -> Result<Option<NamedAgent>> {
        match (self.infer().await?, &self.shared.backend) {
            (Some((agent, _)), _) => Ok(Some(agent)),
            (None, Backend::Elsewhere(_)) => Ok(None),
            (None, Backend::Here(_)) => Err(self.agent_missing()),
        }
    }

    /// The conversation in which this agent called, if it is the caller and that is known.
    pub fn conversation_of(&self, agent: &NamedAgent) -> Option<&str> {
        match self.caller.scope() {
            Some(own) if agent.is(own) => self.conversation.as_deref(),
            Some(_) => None,
            // Only a process that a client has started for itself is in that client's shell.
            None if self.session.is(Transport::Stdio) => {
                let shell = self.shared.agent_shell.as_ref()?;
                shell.conversation_of(agent.id.as_str())
            }
            None => None,
        }
    }

    /// A known agent as it is named to its client: with its target, where there are several.
    pub fn shown(&self, agent: &AgentAt) -> NamedAgent {
        match &self.shared.backend {
            Backend::Here(service) if service.has_several_targets() => agent.clone().into(),
            _ => agent.id.clone().into(),
        }
    }

    /// The agent that a call without one is for, and how it is known.
    ///
    /// # Errors
    /// [`Code::AgentInvalid`], and those of Letta.
    pub async fn infer(&self) -> Result<Option<(NamedAgent, Source)>> {
        if let Some(named) = self.arguments.text("agent_id") {
            return Ok(Some((NamedAgent::parse(&named)?, Source::Argument)));
        }
        if let Some(own) = self.caller.scope() {
            return Ok(Some((self.shown(own), Source::Caller)));
        }
        if let Some((key, id)) = in_metadata(&self.metadata) {
            return Ok(Some((NamedAgent::parse(id)?, Source::Metadata(key))));
        }
        if let Some(agent) = self.session.default_agent(&self.caller) {
            return Ok(Some((agent, Source::ScopedDefault)));
        }
        if let Some(id) = &self.shared.default_agent {
            let source = Source::Configured(self.shared.settings.default_agent_from.clone());
            return Ok(Some((NamedAgent::parse(id)?, source)));
        }
        if !self.shared.settings.single_agent {
            return Ok(None);
        }
        let listed = self.operations.ask(&AGENTS, &Values::default()).await?;
        let agents = listed["agents"].as_array().map_or(&[][..], Vec::as_slice);
        match agents {
            [only] => {
                let id = only["id"].as_str().unwrap_or_default();
                let target = only["target"].as_str().map(TargetName::new);
                let id = AgentId::parse(id)?;
                Ok(Some((NamedAgent { id, target }, Source::OnlyAgent)))
            }
            _ => Ok(None),
        }
    }

    fn agent_missing(&self) -> Error {
        Error::new(
            Code::AgentMissing,
            "no agent was given, and the caller is unknown: give agent_id, or set one for this \
             session with promptyoself_set_scoped_default_agent. The operator can set \
             PROMPTYOSELF_DEFAULT_AGENT_ID, or have the client send the header X-Agent-Id. \
             promptyoself_agents lists the agents; promptyoself_inference_diagnostics shows what \
             is known about this call",
        )
    }
}

/// The agent named in a request's metadata.
fn in_metadata(metadata: &Map<String, Value>) -> Option<(&'static str, &str)> {
    METADATA.iter().find_map(|key| {
        let id = metadata.get(*key)?.as_str()?.trim();
        (!id.is_empty()).then_some((*key, id))
    })
}
