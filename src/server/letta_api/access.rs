//! Who may do what at `/v1`.
//!
//! Letta decides by its own credentials wherever it really checks them. As long as no key was ever
//! created, everybody who reaches this machine's loopback is let through. Once a key exists, the
//! address may be reachable from anywhere (through a TLS proxy, say), so a Letta without a password
//! no longer counts.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::SignedDuration;

use super::face::Face;
use super::headers;
use super::refusal::Refused;
use crate::api::{AGENT_HEADER, KEY_HEADER};
use crate::error::{Code, Error, Result, message, shell};
use crate::models::{self, AgentAt, AgentId, Caller, NamedAgent};
use crate::service::Service;
use crate::web::credentials::{identify, recognize};

/// How long to remember that Letta checks credentials.
const STAYS_SEEN: SignedDuration = SignedDuration::from_secs(60);

/// A caller who may schedule for an agent.
pub(super) struct Admitted {
    /// The service as this caller sees it.
    pub(super) service: Service,
    /// Whether Letta has just confirmed that the agent exists.
    pub(super) vouched: bool,
}

impl Face {
    /// Refuses everything if other machines can reach this server and there is no key.
    pub(super) async fn check_is_on(&self) -> Result<()> {
        if self.guard.is_local() || self.service.has_keys().await? {
            return Ok(());
        }
        Err(Error::new(
            Code::NotPermitted,
            message![
                "Letta's API at /v1 is off, because other machines can reach this server and there \
                 is no key: create one, or listen on loopback only (",
                shell("--listen 127.0.0.1:8465"),
                ")"
            ],
        )
        .example(shell("promptyoself key create --name laptop")))
    }

    /// The service for a caller who may schedule for an agent: one with a key of ours, or with
    /// credentials for which Letta shows that agent.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        agent: &AgentId,
    ) -> std::result::Result<Admitted, Refused> {
        if shows_our_key(headers) {
            let (caller, key) = recognize(&self.service, headers).await?;
            let service = self
                .service
                .for_caller(caller)
                .through(models::Face::LettaApi, key);
            // Refused whether the other agent exists or not.
            service.refuse_other(agent.clone().into())?;
            return Ok(Admitted {
                service,
                vouched: false,
            });
        }
        let upstream = self.upstream()?;
        if !self.is_open().await? && !self.letta_checks().await? {
            return Err(unguarded("scheduling").into());
        }
        upstream.vouch(headers, agent).await?;
        let agent = AgentAt::new(self.service.letta.name(), agent.clone());
        let service = self.service.for_caller(Caller::Agent(agent));
        let service = service.through(models::Face::LettaApi, None);
        if let Some(said) = headers.get(AGENT_HEADER) {
            service.refuse_other(NamedAgent::parse(said.to_str().unwrap_or_default())?)?;
        }
        Ok(Admitted {
            service,
            vouched: true,
        })
    }

    /// Refuses to pass on a request whose caller neither we nor Letta would check.
    pub(super) async fn check_passage(&self, headers: &HeaderMap) -> Result<()> {
        if headers.contains_key(KEY_HEADER)
            && identify(&self.service, headers).await? == Caller::Operator
        {
            return Ok(());
        }
        if shows_bearer_key(headers) {
            return Err(headers::misplaced_key());
        }
        match self.is_open().await? || self.letta_checks().await? {
            true => Ok(()),
            false => Err(unguarded("passing requests on")),
        }
    }

    /// Whether everybody who reaches this server is the operator.
    async fn is_open(&self) -> Result<bool> {
        Ok(self.guard.is_local() && self.service.is_open_to_all().await?)
    }

    /// Whether Letta checks credentials itself, as seen a moment ago.
    async fn letta_checks(&self) -> Result<bool> {
        let now = self.service.clock.moment().uptime;
        let seen = *self
            .checks_seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.is_some_and(|at| now - at < STAYS_SEEN) {
            return Ok(true);
        }
        let checks = self.upstream()?.checks_credentials().await?;
        *self
            .checks_seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = checks.then_some(now);
        Ok(checks)
    }
}

fn shows_our_key(headers: &HeaderMap) -> bool {
    headers.contains_key(KEY_HEADER) || shows_bearer_key(headers)
}

fn shows_bearer_key(headers: &HeaderMap) -> bool {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    shown.any(|v| headers::holds_our_key(v.as_bytes()))
}

fn unguarded(what: &str) -> Error {
    Error::new(
        Code::NotPermitted,
        format!(
            "{what} needs a key: Letta does not ask for a password, and this server has keys. Send \
             an operator's key as X-Promptyoself-Key (an agent's own key schedules for that \
             agent), or give Letta a password"
        ),
    )
    .example(shell("promptyoself key create --name laptop"))
}
