//! The Letta server behind us: passes requests on to it, and its answers back.

use std::io;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use reqwest::{Client, Url};
use serde_json::Value;

use super::headers;
use super::refusal::{self, Refused};
use crate::clock::Clock;
use crate::error::{Code, Error, Result, call, shell};
use crate::http::body::{self, Unread};
use crate::http::{self, cause, limits};
use crate::models::AgentId;
use crate::web::bodies;

/// The Letta server that requests are passed on to.
pub(super) struct Upstream {
    /// Sends no credentials of ours, and opens a new connection for each request: if a reused one
    /// is closed at that moment, nobody knows what Letta has read.
    client: Client,
    base: Url,
    /// The setting that holds its address.
    url_setting: String,
    clock: Clock,
}

impl Upstream {
    /// Prepares requests to the server at an address.
    pub(super) fn new(address: &str, url_setting: String, clock: Clock) -> Result<Self> {
        let base = Url::parse(address).map_err(|e| {
            Error::new(
                Code::ConfigInvalid,
                format!("Letta's address {address:?} can't be read"),
            )
            .caused_by(e)
        })?;
        let client = http::builder(http::is_loopback(&base), &clock)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|e| {
                Error::new(Code::Internal, "could not prepare the HTTP client").caused_by(e)
            })?;
        Ok(Upstream {
            client,
            base,
            url_setting,
            clock,
        })
    }

    /// Passes a request on unchanged, and the answer back piece by piece.
    pub(super) async fn pass(&self, request: Request) -> std::result::Result<Response, Refused> {
        let (parts, body) = request.into_parts();
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            return Ok(refusal::not_allowed("GET, HEAD, POST, PUT, PATCH, DELETE"));
        }
        let query = parts.uri.query();
        if headers::holds_our_key(parts.uri.to_string().as_bytes()) {
            return Err(headers::misplaced_key().into());
        }
        let url = self.url(parts.uri.path(), query);
        let mut passed = self
            .client
            .request(parts.method.clone(), url.clone())
            .headers(headers::of_request(&parts.headers)?);
        let has_body = parts.headers.contains_key(CONTENT_LENGTH)
            || parts.headers.contains_key(TRANSFER_ENCODING)
            || !body.is_end_stream();
        if has_body {
            passed = passed.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let began = self.clock.moment().uptime;
        let answer = self.clock.within(limits::PASSED_ON, passed.send()).await;
        let answer = match answer {
            Some(Ok(answer)) => answer,
            Some(Err(e)) => match bodies::cause(&e) {
                // Our client broke off, not Letta.
                Some(unread) => return Err(unread.error().into()),
                None => return Err(self.no_answer(&e).into()),
            },
            None => return Err(self.too_late(limits::PASSED_ON).into()),
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = headers::of_answer(answer.headers(), &url, &self.base);
        *response.body_mut() = self.piece_by_piece(answer, began);
        Ok(response)
    }

    /// The body of an answer, piece by piece. It is cut off if it is silent for too long or never
    /// ends.
    fn piece_by_piece(&self, answer: reqwest::Response, began: SignedDuration) -> Body {
        let start = (answer, self.clock.clone());
        let pieces =
            futures_util::stream::try_unfold(start, move |(mut answer, clock)| async move {
                let passed = (clock.moment().uptime - began).unsigned_abs();
                let left = limits::PASSED_ON_IN_ALL.saturating_sub(passed);
                let limit = limits::PASSED_ON.min(left);
                let piece = match limit.is_zero() {
                    true => None,
                    false => clock.within(limit, answer.chunk()).await,
                };
                match piece {
                    Some(Ok(piece)) => Ok(piece.map(|piece| (piece, (answer, clock)))),
                    Some(Err(e)) => Err(io::Error::other(e)),
                    None => Err(io::ErrorKind::TimedOut.into()),
                }
            });
        Body::from_stream(pieces)
    }

    /// Refuses unless Letta shows an agent to these credentials.
    pub(super) async fn vouch(
        &self,
        headers: &HeaderMap,
        agent: &AgentId,
    ) -> std::result::Result<(), Refused> {
        let url = self.url(&format!("/v1/agents/{agent}"), None);
        let request = self
            .client
            .get(url.clone())
            .headers(headers::credentials(headers)?);
        let asked = async {
            let answer = request.send().await.map_err(|e| self.no_answer(&e))?;
            let (status, kept) = (
                answer.status(),
                headers::of_answer(answer.headers(), &url, &self.base),
            );
            let body = body::read(answer, &limits::ANSWER).await;
            Ok((status, kept, body.map_err(|e| self.unread(&e))?))
        };
        let answer = self.clock.within(limits::QUESTION, asked).await;
        let (status, kept, body) =
            answer.unwrap_or_else(|| Err(self.too_late(limits::QUESTION)))?;
        if status != StatusCode::OK {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = kept;
            return Err(Refused::Letta(Box::new(response)));
        }
        // Not every answer at such a path is an agent.
        let found: Option<Value> = serde_json::from_slice(&body).ok();
        match found.is_some_and(|found| found["id"] == agent.as_str()) {
            true => Ok(()),
            false => Err(Error::new(
                Code::AgentUnknown,
                format!(
                    "Letta does not show agent {agent} to these \
                    credentials"
                ),
            )
            .example(shell("GET /v1/agents/"))
            .into()),
        }
    }

    /// Whether Letta rejects requests without credentials.
    pub(super) async fn checks_credentials(&self) -> Result<bool> {
        let url = self.url("/v1/agents/", Some("limit=1"));
        let asked = self.client.get(url).send();
        let Some(answer) = self.clock.within(limits::QUESTION, asked).await else {
            return Err(self.too_late(limits::QUESTION));
        };
        let status = answer.map_err(|e| self.no_answer(&e))?.status();
        Ok(matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ))
    }

    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        url.set_query(query);
        url
    }

    fn no_answer(&self, error: &reqwest::Error) -> Error {
        let place = self.base.as_str().trim_end_matches('/');
        let cause = cause(error);
        if error.is_connect() {
            return Error::new(
                Code::LettaUnreachable,
                format!(
                    "could not pass this on to Letta: cannot connect to {place}: {cause}. Is Letta \
                     running, and is {} right?",
                    self.url_setting
                ),
            )
            .example(call("test"));
        }
        self.unanswered(&format!(
            "the connection ended before Letta answered: {cause}"
        ))
    }

    fn too_late(&self, limit: std::time::Duration) -> Error {
        self.unanswered(&format!(
            "Letta did not complete its answer within {limit:?}"
        ))
    }

    fn unread(&self, unread: &Unread) -> Error {
        match unread {
            Unread::Cut(e) => self.no_answer(e),
            Unread::TooMuch => self.unanswered("its answer is too large"),
        }
    }

    fn unanswered(&self, why: &str) -> Error {
        let place = self.base.as_str().trim_end_matches('/');
        Error::new(
            Code::LettaError,
            format!("{why} ({place}). It is unknown whether the request was carried out"),
        )
        .example(call("test"))
    }
}
