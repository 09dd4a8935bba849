//! Requests to the server, and its answers.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::problem::ProblemBody;
use crate::api::{BASE, FLAGS, IDEMPOTENCY_KEY, ON_BEHALF_HEADER, WORDING_HEADER};
use crate::clock::Clock;
use crate::config::RemoteSettings;
use crate::error::{Code, Error, Result, call, message, shell};
use crate::http::body::{self, Unread};
use crate::http::{self, limits, redirect};
use crate::ids::new_id;
use crate::models::Caller;

/// The result of a request.
type Answer<T> = std::result::Result<T, Lost>;

/// The connection to a server.
pub(super) struct Wire {
    client: Client,
    /// The server's address, as configured.
    base: Url,
    /// The same, safe to show.
    url: String,
    clock: Clock,
    /// A note about the key that was used, for when it is refused.
    key_note: String,
}

/// Why a request failed.
enum Lost {
    /// It was never sent, and why.
    Unsent(String),
    /// It may have been carried out; this is why the answer was lost.
    Cut(String),
    /// Its answer is larger than the limit.
    TooLarge,
    /// The server refused it with this error.
    Refused(Error),
}

impl Wire {
    pub(super) fn new(settings: &RemoteSettings, caller: Caller, clock: Clock) -> Result<Self> {
        let unusable = |e: String| {
            Error::new(
                Code::ConfigInvalid,
                format!("could not prepare to speak to {}: {e}", settings.url),
            )
            .example(shell("PROMPTYOSELF_URL=http://127.0.0.1:8465"))
        };
        let base = Url::parse(&settings.url).map_err(|e| unusable(e.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(WORDING_HEADER, HeaderValue::from_static(FLAGS));
        if caller.has_budget() {
            headers.insert(ON_BEHALF_HEADER, HeaderValue::from_static("agent"));
        }
        if let Some(key) = &settings.key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
                .map_err(|_| unusable("PROMPTYOSELF_KEY is not the text of a key".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = http::builder(http::is_loopback(&base), &clock)
            .default_headers(headers)
            .build()
            .map_err(|e| unusable(http::cause(&e)))?;
        Ok(Wire {
            client,
            base,
            url: settings.url.clone(),
            clock,
            key_note: match &settings.key_withheld {
                Some(withheld) => format!("; {withheld}"),
                None if settings.key_from_file => {
                    "; the key used is the one in [remote] of the settings file".to_owned()
                }
                None => "; the key used is the one in PROMPTYOSELF_KEY".to_owned(),
            },
        })
    }

    /// Sends a `GET` request.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T> {
        let request = || self.client.get(self.at(path)).query(query);
        self.twice(request).await
    }

    /// Requests a page of a list. If it is too large, asks for a smaller one, down to a single
    /// entry; `limit` is the size requested in the end.
    pub(super) async fn page<T: DeserializeOwned, Q: Serialize>(
        &self,
        path: &str,
        limit: &mut u32,
        query: impl Fn(u32) -> Q,
    ) -> Result<T> {
        loop {
            let asked = query(*limit);
            let request = || self.client.get(self.at(path)).query(&asked);
            match self.once(request()).await {
                Err(Lost::TooLarge) if *limit > 1 => *limit = (*limit / 10).max(1),
                Err(Lost::Cut(_)) => {
                    let again = self.once(request()).await;
                    return again.map_err(|lost| self.error(lost));
                }
                answer => return answer.map_err(|lost| self.error(lost)),
            }
        }
    }

    /// Sends a request that changes something. A `POST` may be repeated, because it carries an
    /// idempotency key.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let key = new_id().to_string();
        let request = || {
            let request = self.client.request(method.clone(), self.at(path));
            let request = match method == Method::POST {
                true => request.header(IDEMPOTENCY_KEY, &key),
                false => request,
            };
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        match method == Method::POST {
            true => self.twice(request).await,
            false => self.once(request()).await.map_err(|lost| self.error(lost)),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{BASE}{path}", self.url)
    }

    /// Sends a request, and repeats it once if the answer was lost.
    async fn twice<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Result<T> {
        let answer = match self.once(request()).await {
            Err(Lost::Cut(_)) => self.once(request()).await,
            answer => answer,
        };
        answer.map_err(|lost| self.error(lost))
    }

    async fn once<T: DeserializeOwned>(&self, request: RequestBuilder) -> Answer<T> {
        let answer = self.clock.within(limits::ELSEWHERE, self.answer(request));
        answer.await.unwrap_or_else(|| {
            let limit = limits::ELSEWHERE;
            Err(Lost::Cut(format!("no complete answer within {limit:?}")))
        })
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Answer<T> {
        let response = request.send().await.map_err(|e| match e.is_connect() {
            true => Lost::Unsent(http::cause(&e)),
            false => Lost::Cut(http::cause(&e)),
        })?;
        let status = response.status();
        if status.is_redirection() {
            let (asked, headers) = (response.url(), response.headers());
            let led = redirect::explain(&self.base, asked, headers, "PROMPTYOSELF_URL");
            return Err(Lost::Refused(self.moved(status.as_u16(), &led)));
        }
        let bytes = match body::read(response, &limits::ELSEWHERE_ANSWER).await {
            Ok(bytes) => bytes,
            Err(Unread::TooMuch) => return Err(Lost::TooLarge),
            Err(Unread::Cut(e)) => return Err(Lost::Cut(http::cause(&e))),
        };
        if status.is_success() {
            let read = serde_json::from_slice(&bytes);
            return read
                .map_err(|e| Lost::Refused(self.wrong("its answer can't be read", Some(e))));
        }
        Err(Lost::Refused(match serde_json::from_slice(&bytes) {
            Ok(problem) => self.server_error(problem),
            Err(_) => self.wrong(&format!("it answered {status}"), None),
        }))
    }

    /// The error that the server reported.
    fn server_error(&self, problem: ProblemBody) -> Error {
        let (code, detail) = (problem.code.clone(), problem.detail.clone());
        match problem.into_error() {
            Some(error) if error.code() == Code::KeyInvalid => error.hint(&self.key_note),
            Some(error) => error,
            None => self.wrong(&format!("it answered {code}: {detail}"), None),
        }
    }

    /// The server's address redirects elsewhere.
    fn moved(&self, status: u16, led: &str) -> Error {
        Error::new(
            Code::ServerWrong,
            format!("the server at {} answered HTTP {status}: {led}", self.url),
        )
        .example(call("test"))
    }

    pub(super) fn wrong(&self, what: &str, cause: Option<serde_json::Error>) -> Error {
        let error = Error::new(
            Code::ServerWrong,
            format!(
                "the server at {} is not a compatible promptyoself ({what}): check PROMPTYOSELF_URL",
                self.url
            ),
        )
        .example(call("test"));
        match cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }

    fn error(&self, lost: Lost) -> Error {
        let unreachable = |what: &str, why: &str| {
            Error::new(
                Code::ServerUnreachable,
                message![
                    "{what} the server with the schedules at ",
                    &self.url,
                    ": check that ",
                    shell("promptyoself serve"),
                    " is running there and that PROMPTYOSELF_URL is right: {why}"
                ],
            )
            .example(call("test"))
        };
        match lost {
            Lost::Refused(error) => error,
            Lost::TooLarge => self.wrong("its answer is too large", None),
            Lost::Unsent(why) => unreachable("could not reach", &why),
            Lost::Cut(why) => unreachable(
                "it is unknown whether this was done, because no answer came from",
                &why,
            ),
        }
    }
}
