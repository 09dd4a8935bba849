//! Letta's API at `/v1`: the schedule routes are answered here, everything else by the Letta server
//! that this program delivers to. So the official SDKs can schedule on a self-hosted Letta.

mod access;
mod create;
mod face;
mod headers;
mod path;
mod proxy;
mod refusal;
mod views;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::Value;

use super::App;
use crate::config::url_setting;
use crate::error::{Code, Error, Result, shell};
use crate::models::{AgentId, LARGEST_REQUEST};
use crate::service::{Registration, ScheduledMessage};
use crate::web::bodies;
use access::Admitted;
use face::Face;
use path::Place;
use proxy::Upstream;
use refusal::Refused;

/// How many schedules or runs an answer holds by default, and at most.
const DEFAULT_PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

/// The routes.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(app: &App) -> Router<S> {
    let face = Face {
        service: app.service.clone(),
        guard: app.guard.clone(),
        upstream: Upstream::new(
            &app.service.letta.address(),
            url_setting(&app.service.letta.name()),
            app.service.clock.clone(),
        ),
        checks_seen: Mutex::default(),
    };
    // A single route, so that the meaning of a path is decided in one place only.
    Router::new()
        .route("/v1", any(answer))
        .route("/v1/", any(answer))
        .route("/v1/{*rest}", any(answer))
        .with_state(Arc::new(face))
}

async fn answer(State(face): State<Arc<Face>>, request: Request) -> Response {
    match face.answer(request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

impl Face {
    async fn answer(&self, request: Request) -> std::result::Result<Response, Refused> {
        self.check_is_on().await?;
        match path::read(request.version(), request.uri())? {
            Place::Elsewhere => {
                self.check_passage(request.headers()).await?;
                self.upstream()?.pass(bodies::passed_on(request)).await
            }
            Place::Schedules(agent) => match *request.method() {
                Method::GET | Method::HEAD => self.list(&agent, request).await,
                Method::POST => self.create(&agent, request).await,
                _ => Ok(refusal::not_allowed("GET, HEAD, POST")),
            },
            Place::Schedule(agent, id) => match *request.method() {
                Method::GET | Method::HEAD => {
                    let service = self.admit(request.headers(), &agent).await?.service;
                    let message = service.scheduled_message(&agent, &id).await?;
                    Ok(views::json(views::message(&message)))
                }
                Method::DELETE => {
                    let service = self.admit(request.headers(), &agent).await?.service;
                    service.cancel_message(&agent, &id).await?;
                    Ok(views::json(views::deleted()))
                }
                _ => Ok(refusal::not_allowed("GET, HEAD, DELETE")),
            },
            Place::History(agent, id) => match *request.method() {
                Method::GET | Method::HEAD => self.history(&agent, &id, request).await,
                _ => Ok(refusal::not_allowed("GET, HEAD")),
            },
        }
    }

    async fn list(
        &self,
        agent: &AgentId,
        request: Request,
    ) -> std::result::Result<Response, Refused> {
        let service = self.admit(request.headers(), agent).await?.service;
        let query = Query::of(request.uri());
        let limit = query.number("limit", DEFAULT_PAGE)?.min(LARGEST_PAGE);
        let after = query.text("after");
        let (page, more) = service.scheduled_messages(agent, after, limit).await?;
        Ok(views::json(views::page(&page, more)))
    }

    async fn create(
        &self,
        agent: &AgentId,
        request: Request,
    ) -> std::result::Result<Response, Refused> {
        let Admitted { service, vouched } = self.admit(request.headers(), agent).await?;
        let body = read_json(request).await?;
        let asked = Registration {
            skip_validation: vouched,
            ..create::read(&body, agent, service.clock.now())?
        };
        let made: ScheduledMessage = service
            .schedule_message(&asked)
            .await
            .map_err(|e| create::explained(e, &service))?;
        Ok(views::json(views::created(&made)))
    }

    async fn history(
        &self,
        agent: &AgentId,
        id: &str,
        request: Request,
    ) -> std::result::Result<Response, Refused> {
        let service = self.admit(request.headers(), agent).await?.service;
        let query = Query::of(request.uri());
        let limit = query.number("limit", DEFAULT_PAGE)?.min(LARGEST_PAGE);
        let offset = match query.text("offset") {
            Some("0") => 0,
            _ => query.number("offset", 0)?,
        };
        let (sent, more) = service.sent_of_message(agent, id, limit, offset).await?;
        Ok(views::json(views::history(id, &sent, more, offset)))
    }

    fn upstream(&self) -> Result<&Upstream> {
        self.upstream.as_ref().map_err(|e| {
            Error::new(e.code(), e.to_string())
                .example(shell("LETTA_BASE_URL=http://localhost:8283"))
        })
    }
}

async fn read_json(request: Request) -> Result<Value> {
    let limit = LARGEST_REQUEST / (1024 * 1024);
    let too_large = || {
        Error::new(
            Code::RequestInvalid,
            format!("the body can't be read or is larger than {limit} MiB"),
        )
    };
    let request = bodies::bounded(request, LARGEST_REQUEST).map_err(|_| too_large())?;
    let bytes = axum::body::to_bytes(request.into_body(), LARGEST_REQUEST)
        .await
        .map_err(|e| match bodies::cause(&e) {
            Some(own) if !own.is_too_large() => own.error(),
            _ => too_large(),
        })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::new(Code::RequestInvalid, "the body is not JSON").caused_by(e))
}

/// The query of a request.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        Query(query.map(|q| q.0).unwrap_or_default())
    }

    /// The value of a parameter; an empty one counts as absent.
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    fn number(&self, name: &str, default: u32) -> Result<u32> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        text.parse().ok().filter(|n| *n >= 1).ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            Error::new(
                Code::RequestInvalid,
                format!("{name} is {shown:?}: it must be a whole number of at least 1"),
            )
        })
    }
}
