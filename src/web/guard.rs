//! Which hosts and origins the server answers: a page of another origin, or a name that was made to
//! point here (DNS rebinding), is refused before anything else.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::api::{AGENT_HEADER, KEY_HEADER};
use crate::config::ServerSettings;
use crate::error::{Code, Error, shell};
use crate::service::Service;

/// Headers that proxies add to a request they pass on.
const FORWARDING: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "via",
];

/// The names the server answers to, and the origins that may call it.
#[derive(Debug)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Whether only this machine can reach it.
    is_local: bool,
}

impl Guard {
    /// The guard of a server that listens at `address`.
    pub fn new(settings: &ServerSettings, address: SocketAddr) -> Self {
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".into(), "[::1]".into()];
        if !address.ip().is_unspecified() {
            hosts.push(match address {
                SocketAddr::V4(v4) => v4.ip().to_string(),
                SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
            });
        }
        hosts.extend(settings.hosts.iter().map(|h| h.to_ascii_lowercase()));
        let origins = settings.origins.iter();
        Guard {
            hosts,
            origins: origins
                .map(|o| o.trim_end_matches('/').to_ascii_lowercase())
                .collect(),
            is_local: settings.is_local(address),
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The names it answers to, without ports.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Refuses a host that is not ours and an origin that may not call.
    fn check(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Error> {
        let host = match headers.get(header::HOST) {
            Some(host) => host.to_str().ok(),
            None => authority,
        };
        let host = host.unwrap_or_default().to_ascii_lowercase();
        // A request may also name its host in the request line.
        let authority = authority.map(str::to_ascii_lowercase);
        if !self.knows(&host) || !authority.is_none_or(|a| self.knows(&a)) {
            return Err(Error::new(
                Code::NotPermitted,
                format!(
                    "{host:?} is not a name of this server: if it should be, add it to \
                     PROMPTYOSELF_HOSTS"
                ),
            )
            .example(shell("PROMPTYOSELF_HOSTS=prompts.example.org")));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if self.origins.contains(&origin) || self.is_own(&origin, &host) {
            return Ok(());
        }
        Err(Error::new(
            Code::NotPermitted,
            format!(
                "pages of {origin:?} may not call this server: to allow it, add it to \
                 PROMPTYOSELF_ORIGINS"
            ),
        )
        .example(shell("PROMPTYOSELF_ORIGINS=https://prompts.example.org")))
    }

    /// Whether a `Host` names this server, whatever the port.
    fn knows(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| {
            let Some(rest) = host.strip_prefix(known.as_str()) else {
                return false;
            };
            let port = rest.strip_prefix(':');
            rest.is_empty() || port.is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    /// Whether an origin is the very address that is called.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let authority = origin.strip_prefix("http://");
        let authority = authority.or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|a| a == host)
    }
}

/// What is needed to decide whether a request is let through.
#[derive(Clone)]
pub(crate) struct Gate {
    /// The allowed hosts and origins.
    pub(crate) guard: Arc<Guard>,
    /// The service, which knows the keys.
    pub(crate) service: Service,
}

/// Lets a request through or refuses it.
pub(crate) async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match check_request(&gate, request.headers(), request.uri()).await {
        Ok(()) => next.run(request).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn check_request(gate: &Gate, headers: &HeaderMap, uri: &Uri) -> Result<(), Error> {
    let authority = uri.authority().map(|a| a.as_str());
    refuse_repeated(headers)?;
    gate.guard.check(headers, authority)?;
    if is_from_elsewhere(headers) && gate.service.is_open_to_all().await? {
        return Err(Error::new(
            Code::NotPermitted,
            "this request comes from a page of another site, and without keys the server can't \
             tell callers apart: open the address directly, or create a key",
        )
        .example(shell("promptyoself key create --name laptop")));
    }
    // Many programs treat an underscore as a hyphen.
    let mut names = headers.keys().map(|n| n.as_str().replace('_', "-"));
    let is_passed_on = names.find(|n| FORWARDING.contains(&n.as_str()));
    match is_passed_on {
        Some(name) if uri.path() != "/healthz" => refuse_unknown_caller(&gate.service, &name).await,
        _ => Ok(()),
    }
}

/// Whether the browser says that a page of another site made the request, without naming it: an
/// `Origin` has been checked.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|s| s.as_bytes().eq_ignore_ascii_case(b"cross-site"))
        && !headers.contains_key(header::ORIGIN)
}

/// Refuses requests from a proxy as long as no key was ever created: everybody who reaches us then
/// counts as the operator, and a proxy on this machine lets others in.
async fn refuse_unknown_caller(service: &Service, name: &str) -> Result<(), Error> {
    if !service.is_open_to_all().await? {
        return Ok(());
    }
    Err(Error::new(
        Code::NotPermitted,
        format!(
            "the header {name} shows that a proxy is calling for someone else, and without keys \
             the server can't tell who: create a key first"
        ),
    )
    .example(shell("promptyoself key create --name laptop")))
}

/// Refuses headers that name two callers or two hosts: a proxy in front of us may have checked the
/// other one.
fn refuse_repeated(headers: &HeaderMap) -> Result<(), Error> {
    let names = [
        header::AUTHORIZATION.as_str(),
        KEY_HEADER,
        AGENT_HEADER,
        header::HOST.as_str(),
        header::ORIGIN.as_str(),
    ];
    match names
        .iter()
        .find(|n| headers.get_all(**n).iter().count() > 1)
    {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Code::RequestInvalid,
            format!("the header {name} was sent more than once: send it once"),
        )
        .example(shell(format!("{name}: …")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let settings = ServerSettings {
            listen: None,
            chosen: false,
            hosts: vec!["Prompts.example.org".into()],
            origins: vec!["https://app.example.org/".into()],
            allow_upload: false,
            proxies: Vec::new(),
        };
        Guard::new(&settings, "127.0.0.1:8465".parse().unwrap())
    }

    fn answer(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        guard().check(&headers, None).is_ok()
    }

    #[test]
    fn only_names_of_this_server_are_answered() {
        for host in [
            "localhost",
            "127.0.0.1:8465",
            "[::1]:1",
            "LOCALHOST:8465",
            "prompts.example.org",
        ] {
            assert!(answer(host, None), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "localhost:8465@evil",
            "localhost:",
        ] {
            let allowed = answer(host, None);
            assert!(!allowed || host == "localhost:", "{host}");
        }
    }

    #[test]
    fn only_pages_of_known_origins_may_call() {
        assert!(answer("localhost:8465", Some("http://localhost:8465")));
        assert!(answer("localhost:8465", Some("https://app.example.org")));
        for origin in [
            "http://localhost:3000",
            "https://evil.example",
            "null",
            "http://localhost:8465.evil.example",
        ] {
            assert!(!answer("localhost:8465", Some(origin)), "{origin}");
        }
    }
}
