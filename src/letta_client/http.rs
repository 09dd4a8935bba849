//! HTTP as the promise needs it: what was certainly not sent is told apart from everything else.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::address;
use super::classify::{Fault, classify};
use super::runs::Sightings;
use super::{ErrorClass, Refusal, RefusalKind};
use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::http::{self, cause};

/// How long a question may take in all. Turns have no such limit.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// How long a change may take in all: Letta may ask another server before it answers.
const CHANGE_LIMIT: Duration = Duration::from_secs(120);

/// What a path segment may hold as it stands.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The connection to one server.
pub(super) struct Http {
    /// Asks questions, which may be asked twice.
    asking: Client,
    /// Sends prompts, which may not: no redirects, no retries, and a fresh connection each time,
    /// since on a reused one a server that closes it just then leaves open what it has read.
    sending: Client,
    base: Url,
    idle: Duration,
    clock: Clock,
    sightings: Sightings,
}

/// A complete answer to a question.
pub(super) struct Reply {
    /// The body, understood as JSON.
    pub body: Value,
    /// The time by the server's own clock, where it tells it.
    pub date: Option<Timestamp>,
    /// The time by the server's own clock where it tells it, ours otherwise. Ages of what the
    /// server dates are counted by it: a virtual machine's clock may be hours behind ours.
    pub server_now: Timestamp,
}

impl Http {
    pub(super) fn new(
        base_url: &str,
        api_key: Option<&SecretString>,
        idle: Duration,
        clock: Clock,
    ) -> Result<Self, Error> {
        let base = address::read(base_url)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .map_err(|_| {
                    Error::new(
                        Code::ConfigInvalid,
                        "the API key for Letta holds characters that no HTTP header can hold, \
                         such as a line break",
                    )
                    .example("LETTA_API_KEY=my-password")
                })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let build = |asking: bool| {
            let client = http::builder(http::is_loopback(&base)).default_headers(headers.clone());
            let client = if asking {
                client
                    .timeout(QUESTION_LIMIT)
                    // uvicorn closes an idle connection after 5 seconds.
                    .pool_idle_timeout(Duration::from_secs(3))
                    .redirect(redirect::Policy::limited(5))
            } else {
                client
                    .pool_max_idle_per_host(0)
                    .redirect(redirect::Policy::none())
            };
            client.build().map_err(|e| {
                Error::new(Code::Internal, "could not prepare the HTTP client").caused_by(e)
            })
        };
        Ok(Http {
            asking: build(true)?,
            sending: build(false)?,
            base,
            idle,
            clock,
            sightings: Sightings::default(),
        })
    }

    /// Where the server is, for people.
    pub(super) fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether the server runs on this machine.
    pub(super) fn is_local(&self) -> bool {
        http::is_loopback(&self.base)
    }

    /// How long a turn may be silent.
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    /// The clock everything here is timed by.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When runs were first seen that don't say how old they are.
    pub(super) fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Asks a question and understands the answer.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, Fault> {
        let ask = || self.asking.get(self.url(path)).query(query).send();
        let response = match ask().await {
            // A connection kept from an earlier question may have been closed meanwhile.
            Err(error) if !error.is_connect() && !error.is_timeout() => ask().await,
            asked => asked,
        };
        let response = response.map_err(|e| self.no_answer(&e))?;
        self.complete(response).await
    }

    /// Changes something on the server in a way that comes to the same when it is done twice, and
    /// understands the answer. The server may ask others before it answers.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Fault> {
        let mut request = self.asking.request(method, self.url(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = request.timeout(CHANGE_LIMIT).send().await;
        let response = sent.map_err(|e| self.no_answer(&e))?;
        self.complete(response).await.map(|reply| reply.body)
    }

    /// Sends what may be sent only once, and gives the answer as soon as its headers are there.
    /// Statuses other than success are faults.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Response, Fault> {
        let sent = self.sending.post(self.url(path)).json(body).send();
        let response = match tokio::time::timeout(self.idle, sent).await {
            Ok(sent) => sent.map_err(|e| self.no_answer(&e))?,
            Err(_) => return Err(self.silent()),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let limit = self.idle.min(QUESTION_LIMIT);
        match tokio::time::timeout(limit, self.complete(response)).await {
            Ok(Err(fault)) => Err(fault),
            Ok(Ok(_)) => Err(Fault::doubt(ErrorClass::Garbled, "an error that was none")),
            Err(_) => Err(self.silent()),
        }
    }

    /// Reads the whole of a response and understands it.
    pub(super) async fn complete(&self, response: Response) -> Result<Reply, Fault> {
        let status = response.status();
        let now = self.clock.now();
        let date = date(response.headers());
        let server_now = date.unwrap_or(now);
        let retry_after = retry_after(response.headers(), server_now);
        let bytes = response.bytes().await.map_err(|e| self.broken(&e))?;
        let body = serde_json::from_slice::<Value>(&bytes).ok();
        match body {
            Some(body) if status.is_success() => Ok(Reply {
                body,
                date,
                server_now,
            }),
            None if status.is_success() => Err(Fault::doubt(
                ErrorClass::Garbled,
                format!(
                    "{} answered {status} with something other than JSON",
                    self.address()
                ),
            )),
            body => Err(classify(status.as_u16(), body.as_ref(), retry_after)),
        }
    }

    /// What a request that got no response means.
    fn no_answer(&self, error: &reqwest::Error) -> Fault {
        if error.is_connect() {
            return Fault::Refused(Refusal::new(
                RefusalKind::TargetTrouble,
                ErrorClass::Unreachable,
                format!("cannot connect to {}: {}", self.address(), cause(error)),
            ));
        }
        self.broken(error)
    }

    /// What a response that did not end means.
    pub(super) fn broken(&self, error: &reqwest::Error) -> Fault {
        let class = match error.is_timeout() {
            true => ErrorClass::Timeout,
            false => ErrorClass::Cut,
        };
        Fault::doubt(
            class,
            format!(
                "the connection to {} ended early: {}",
                self.address(),
                cause(error)
            ),
        )
    }

    /// What silence means.
    pub(super) fn silent(&self) -> Fault {
        Fault::doubt(
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

/// One path segment, encoded.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(reqwest::header::DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    static PARSER: jiff::fmt::rfc2822::DateTimeParser = jiff::fmt::rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text.trim()).ok()
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(text)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let http = Http::new(given, None, Duration::from_secs(1), Clock::system()).unwrap();
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
        let made = Http::new(
            "http://h",
            Some(&key),
            Duration::from_secs(1),
            Clock::system(),
        );
        let error = made.err().unwrap();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn retry_after_is_understood_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let wait = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            wait("Sun, 22 Nov 2026 10:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(wait("Sun, 22 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-3"), None);
    }

    #[test]
    fn nothing_escapes_a_path_segment() {
        assert_eq!(segment("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
        assert_eq!(segment("agent-1_2.3"), "agent-1_2.3");
    }
}
