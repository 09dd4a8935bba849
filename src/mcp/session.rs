//! What a client's session remembers.

use std::sync::{Mutex, PoisonError};

use axum::http::request::Parts;
use rmcp::service::{RequestContext, RoleServer};

use crate::error::{Code, Error, Result};
use crate::models::{Caller, NamedAgent};

/// The header by which a client names its session.
pub(super) const SESSION_HEADER: &str = "mcp-session-id";

/// How a client reaches this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// It started this process, and is the only client.
    Stdio,
    /// Over HTTP.
    Http,
}

/// What a session remembers.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    /// The client's id for it; since 2026-07-28, HTTP clients have none.
    id: Mutex<Option<String>>,
    /// The default agent of each caller: one session may carry requests of several callers.
    default_agents: Mutex<Vec<(Caller, NamedAgent)>>,
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

    /// Takes the session's id from a request.
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

    /// The client's id for it, if it lasts longer than this call.
    pub fn id(&self) -> Option<String> {
        lock(&self.id).clone()
    }

    /// Whether the client reaches this server in this way.
    pub fn is(&self, transport: Transport) -> bool {
        self.transport == transport
    }

    /// How the client reaches this server.
    pub fn transport(&self) -> &'static str {
        match self.transport {
            Transport::Stdio => "stdio",
            Transport::Http => "http",
        }
    }

    /// The default agent that this caller set in this session.
    pub fn default_agent(&self, caller: &Caller) -> Option<NamedAgent> {
        let set = lock(&self.default_agents);
        let own = set.iter().find(|(by, _)| by == caller);
        own.map(|(_, agent)| agent.clone())
    }

    /// Sets this caller's default agent in this session.
    ///
    /// # Errors
    /// [`Code::Usage`] if the client has no lasting session.
    pub fn set_default_agent(&self, caller: &Caller, agent: NamedAgent) -> Result<String> {
        let Some(id) = self.id() else {
            return Err(Error::new(
                Code::Usage,
                "this client has no session, so nothing can be remembered between calls: give \
                 agent_id in each call, or have the client send the header X-Agent-Id",
            ));
        };
        let mut set = lock(&self.default_agents);
        // An agent is known without a default, so only the latest agent's is kept, however many
        // agents a client acts for.
        set.retain(|(by, _)| by != caller && by.scope().is_none());
        set.push((caller.clone(), agent));
        Ok(id)
    }
}

/// A panic elsewhere leaves these values intact.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The HTTP request that carried a call, if any.
pub(super) fn parts(context: &RequestContext<RoleServer>) -> Option<&Parts> {
    context.extensions.get::<Parts>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::TargetName;

    #[test]
    fn a_default_is_its_callers_alone_and_outlasts_those_of_others() {
        let session = Session::new(Transport::Stdio);
        let agent = |id: &str| NamedAgent::parse(id).unwrap();
        let caller = |id: &str| Caller::Agent(agent(id).at(&TargetName::new("home")));
        let (one, two) = (caller("one"), caller("two"));
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
