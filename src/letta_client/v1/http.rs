//! HTTP in the way the promise needs it: what was certainly not sent is told apart from everything
//! else.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::address;
use super::classify::{RequestFailure, classify};
use super::headers::{date, retry_after};
use super::responsiveness::Responsiveness;
use super::settings::RestSettings;
use super::sightings::Sightings;
use crate::clock::Clock;
use crate::error::{Code, Error, shell};
use crate::http::body::{self, Unread};
use crate::http::limits::{self, Bound};
use crate::http::{self, cause, redirect};
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// Characters of a path segment that must be encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The connection to one server. Every wait has a limit by our clock, and every answer a size
/// limit.
pub(in crate::letta_client) struct Http {
    /// For reading, which may be repeated.
    asking: Client,
    /// For sending prompts, which may not: no retries, and a new connection each time, because when
    /// a server closes a reused one nobody knows what it has read.
    sending: Client,
    base: Url,
    /// The setting that holds the address.
    url_setting: String,
    idle: Duration,
    clock: Clock,
    sightings: Sightings,
    responsiveness: Responsiveness,
}

/// A complete answer.
pub(in crate::letta_client) struct Reply {
    /// The body, parsed as JSON.
    pub body: Value,
    /// The time by the server's clock, if reported.
    pub date: Option<Timestamp>,
    /// The time by the server's clock if reported, otherwise ours. The ages of things the server
    /// dates are measured by it: a virtual machine's clock may be hours behind ours.
    pub server_now: Timestamp,
}

impl Http {
    pub(in crate::letta_client) fn new(
        settings: &RestSettings,
        clock: Clock,
    ) -> Result<Self, Error> {
        let base = address::read(&settings.base_url)?;
        let headers = credentials(settings.api_key.as_ref())?;
        let build = |asking: bool| {
            let client =
                http::builder(http::is_loopback(&base), &clock).default_headers(headers.clone());
            let client = match asking {
                // uvicorn closes an idle connection after 5 seconds.
                true => client.pool_idle_timeout(Duration::from_secs(3)),
                false => client.pool_max_idle_per_host(0),
            };
            client.build().map_err(|e| {
                Error::new(Code::Internal, "could not prepare the HTTP client").caused_by(e)
            })
        };
        Ok(Http {
            asking: build(true)?,
            sending: build(false)?,
            base,
            url_setting: settings.url_setting(),
            idle: settings.idle_timeout,
            clock,
            sightings: Sightings::default(),
            responsiveness: Responsiveness::default(),
        })
    }

    /// The server's address, safe to show.
    pub(in crate::letta_client) fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether the server runs on this machine.
    pub(in crate::letta_client) fn is_local(&self) -> bool {
        http::is_loopback(&self.base)
    }

    /// How long a turn may be silent.
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    /// The clock for all timeouts here.
    pub(in crate::letta_client) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When runs without a start time were first seen.
    pub(super) fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// How long the server has been answering without a stall.
    pub(in crate::letta_client) fn responsive_for(&self) -> SignedDuration {
        self.responsiveness.lasts(self.clock.moment().uptime)
    }

    /// Makes a read-only request about one thing and parses the answer.
    pub(in crate::letta_client) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Reply, RequestFailure> {
        self.ask(path, query, &limits::ANSWER).await
    }

    /// Makes a read-only request whose answer has a size limit.
    pub(super) async fn ask(
        &self,
        path: &str,
        query: &[(&str, &str)],
        bound: &Bound,
    ) -> Result<Reply, RequestFailure> {
        let asked = async {
            let ask = || self.asking.get(self.url(path)).query(query).send();
            let response = match ask().await {
                // A connection kept from an earlier request may have been closed since.
                Err(error) if !error.is_connect() && !error.is_timeout() => ask().await,
                asked => asked,
            };
            let response = response.map_err(|e| self.no_answer(&e))?;
            self.complete(response, bound).await
        };
        let began = self.clock.moment().uptime;
        let answer = self.within(limits::QUESTION, asked).await;
        self.responsiveness.note(began, self.clock.moment().uptime);
        answer
    }

    /// Makes an idempotent change on the server and parses the answer. The server may contact
    /// others before it answers.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, RequestFailure> {
        let mut request = self.asking.request(method, self.url(path)).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let changed = async {
            let response = request.send().await.map_err(|e| self.no_answer(&e))?;
            self.complete(response, &limits::ANSWER).await
        };
        let changed = self.within(limits::CHANGE, changed).await;
        changed.map(|reply| reply.body)
    }

    /// Sends what may only be sent once, and returns the response when its headers have arrived.
    /// Any status but success is a failure.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Response, RequestFailure> {
        let sent = self.sending.post(self.url(path)).json(body).send();
        let response = match self.clock.within(self.idle, sent).await {
            Some(sent) => sent.map_err(|e| self.no_answer(&e))?,
            None => return Err(self.silent()),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        match self.complete_soon(response).await {
            Err(failure) => Err(failure),
            Ok(_) => Err(RequestFailure::doubt(
                ErrorClass::Garbled,
                "an error that was none",
            )),
        }
    }

    /// Reads a whole response that can only be an answer about one thing, and parses it.
    pub(super) async fn complete_soon(&self, response: Response) -> Result<Reply, RequestFailure> {
        let limit = self.idle.min(limits::QUESTION);
        self.within(limit, self.complete(response, &limits::ANSWER))
            .await
    }

    /// Reads a whole response and parses it. Takes as long as the server does.
    pub(super) async fn complete(
        &self,
        response: Response,
        bound: &Bound,
    ) -> Result<Reply, RequestFailure> {
        let status = response.status();
        if status.is_redirection() {
            return Err(self.led_elsewhere(&response));
        }
        let now = self.clock.now();
        let date = date(response.headers());
        let server_now = date.unwrap_or(now);
        let retry_after = retry_after(response.headers(), server_now);
        let bound = match status.is_success() {
            true => bound,
            false => &limits::ERROR,
        };
        let bytes = match body::read(response, bound).await {
            Ok(bytes) => bytes,
            // Letta's own errors are short: something this long comes from another server.
            Err(Unread::TooMuch) if !status.is_success() => Vec::new(),
            Err(unread) => return Err(self.unread(unread, bound)),
        };
        let body = serde_json::from_slice::<Value>(&bytes).ok();
        match body {
            Some(body) if status.is_success() => Ok(Reply {
                body,
                date,
                server_now,
            }),
            None if status.is_success() => Err(RequestFailure::doubt(
                ErrorClass::Garbled,
                format!(
                    "{} answered {status} with something other than JSON",
                    self.address()
                ),
            )),
            body => Err(classify(status.as_u16(), body.as_ref(), retry_after)),
        }
    }

    /// Waits for an answer, but no longer than the limit.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, RequestFailure>>,
    ) -> Result<T, RequestFailure> {
        match self.clock.within(limit, answer).await {
            Some(answer) => answer,
            None => Err(RequestFailure::doubt(
                ErrorClass::Timeout,
                format!(
                    "{} did not complete its answer within {limit:?}",
                    self.address()
                ),
            )),
        }
    }

    /// What a redirect means. The server has not carried out the request.
    fn led_elsewhere(&self, response: &Response) -> RequestFailure {
        let (asked, headers) = (response.url(), response.headers());
        let text = redirect::explain(&self.base, asked, headers, &self.url_setting);
        RequestFailure::Refused(Refusal::new(
            RefusalKind::TargetTrouble,
            ErrorClass::Redirected,
            format!("HTTP {}: {text}", response.status().as_u16()),
        ))
    }

    /// What it means that a request got no response.
    fn no_answer(&self, error: &reqwest::Error) -> RequestFailure {
        if error.is_connect() {
            return RequestFailure::Refused(Refusal::new(
                RefusalKind::TargetTrouble,
                ErrorClass::Unreachable,
                format!("cannot connect to {}: {}", self.address(), cause(error)),
            ));
        }
        self.broken(error)
    }

    /// What it means that a response was not read completely.
    fn unread(&self, unread: Unread, bound: &Bound) -> RequestFailure {
        match unread {
            Unread::Cut(error) => self.broken(&error),
            Unread::TooMuch => self.too_large(bound),
        }
    }

    /// What it means that an answer exceeds its limit.
    pub(super) fn too_large(&self, bound: &Bound) -> RequestFailure {
        RequestFailure::doubt(
            ErrorClass::TooLarge,
            format!(
                "{} answered with more than the limit for {}",
                self.address(),
                bound.what
            ),
        )
    }

    /// What it means that a response did not end.
    pub(super) fn broken(&self, error: &reqwest::Error) -> RequestFailure {
        let class = match error.is_timeout() {
            true => ErrorClass::Timeout,
            false => ErrorClass::Cut,
        };
        RequestFailure::doubt(
            class,
            format!(
                "the connection to {} ended early: {}",
                self.address(),
                cause(error)
            ),
        )
    }

    /// What silence means.
    pub(super) fn silent(&self) -> RequestFailure {
        RequestFailure::doubt(
            ErrorClass::Timeout,
            format!("{} sent nothing for {:?}", self.address(), self.idle),
        )
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

/// The header with our key.
pub(in crate::letta_client) fn credentials(
    api_key: Option<&SecretString>,
) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    if let Some(key) = api_key {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| {
                Error::new(
                    Code::ConfigInvalid,
                    "the API key for Letta contains characters that are not allowed in an HTTP \
                     header, such as a line break",
                )
                .example(shell("LETTA_API_KEY=my-password"))
            })?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Ok(headers)
}

/// One path segment, encoded.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_url: &str, api_key: Option<SecretString>) -> RestSettings {
        RestSettings {
            target: "letta".to_owned(),
            base_url: base_url.to_owned(),
            api_key,
            idle_timeout: Duration::from_secs(1),
            orphan_age: jiff::SignedDuration::from_secs(1),
        }
    }

    #[test]
    fn a_base_url_is_taken_as_people_write_it() {
        for (given, shown) in [
            ("http://localhost:8283", "http://localhost:8283"),
            (" http://localhost:8283/ ", "http://localhost:8283"),
            ("https://api.letta.com/v1/", "https://api.letta.com"),
            ("http://host/letta/v1", "http://host/letta"),
            ("http://host/letta//", "http://host/letta"),
            ("http://[::1]:8283/v1", "http://[::1]:8283"),
        ] {
            let http = Http::new(&settings(given, None), Clock::system()).unwrap();
            assert_eq!(http.address(), shown, "{given}");
            assert_eq!(
                http.url("/v1/health/").as_str(),
                format!("{shown}/v1/health/")
            );
        }
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused_without_showing_it() {
        let key = SecretString::from("hunter2\n".to_owned());
        let made = Http::new(&settings("http://h", Some(key)), Clock::system());
        let error = made.err().unwrap();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_escapes_a_path_segment() {
        assert_eq!(segment("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
        assert_eq!(segment("agent-1_2.3"), "agent-1_2.3");
    }
}
