//! MCP over streamable HTTP, as part of the server's router.

mod owners;
mod read;
mod streams;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::caller::ShownKey;
use super::message::Refusal;
use super::session::SESSION_HEADER;
use super::{Handler, Shared, Transport};
use crate::limits;
use crate::models::hash_key;
use crate::service::Service;
use crate::web::{Admitted, Answer, Problem, credentials, too_many};

use owners::Owners;
use streams::{Calls, Streams};

/// How long an unused session is kept. Clients begin another one after that.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// How long running calls may take when the server stops.
const LONGEST_CALL: Duration = Duration::from_secs(3);

/// How long to wait for the last answers to be sent.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Identifies callers and knows the owner of each session.
#[derive(Clone)]
struct Sessions {
    service: Service,
    sessions: Arc<LocalSessionManager>,
    owners: Arc<Mutex<Owners>>,
    streams: Streams,
    calls: Calls,
}

/// The route `/mcp`. The router it is mounted on checks host and origin.
pub fn routes<S>(service: &Service, shared: &Shared) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = Some(IDLE);
    // Clients from before 2025-11-25, such as Letta's, take the empty first event of a stream for a
    // broken message, and log an error for each.
    manager.session_config.sse_retry = None;
    let sessions = Arc::new(manager);
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_sse_retry(None)
        .with_max_request_body_bytes(limits::BODY)
        .with_cancellation_token(end_of_calls(shared));
    let shared = Arc::new(shared.clone());
    let mcp = StreamableHttpService::new(
        move || Ok(Handler::new(shared.clone(), Transport::Http)),
        sessions.clone(),
        config,
    );
    let sessions = Sessions {
        service: service.clone(),
        sessions,
        owners: Arc::default(),
        streams: Streams::default(),
        calls: Calls::default(),
    };
    Router::new()
        .route_service("/mcp", mcp)
        .layer(middleware::from_fn_with_state(sessions, admit))
}

/// A token that is cancelled a moment after stopping was requested and every call has been
/// answered: it ends the sessions, and with them whatever is still to be sent.
fn end_of_calls(shared: &Shared) -> CancellationToken {
    let ended = CancellationToken::new();
    let (shared, token) = (shared.clone(), ended.clone());
    tokio::spawn(async move {
        shared.stop.cancelled().await;
        shared.calls.close();
        tokio::select! {
            () = shared.calls.wait() => {}
            () = shared.clock.sleep(LONGEST_CALL) => {}
        }
        shared.clock.sleep(LAST_WORDS).await;
        token.cancel();
    });
    ended
}

/// Identifies the caller of each request, whatever session it names: a session can only be used
/// with the key that began it.
async fn admit(State(sessions): State<Sessions>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let credentials = match credentials(headers) {
        Ok(credentials) => credentials,
        Err(error) => return Problem::from(error).into_response(),
    };
    let (caller, key) = match sessions.service.recognize(&credentials).await {
        Ok(recognized) => recognized,
        Err(error) => return Problem::from(error).into_response(),
    };
    let owner = credentials.key.as_ref().map(hash_key);
    let session = headers.get(SESSION_HEADER).and_then(|v| v.to_str().ok());
    if session.is_some_and(|id| !sessions.owners().may_use(id, owner.as_deref())) {
        // The same answer as for an unknown session.
        return (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response();
    }
    let session = session.map(str::to_owned);
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(ShownKey(key));
    match (request.method(), session) {
        (&Method::POST, session) => sessions.post(request, session, owner, next).await,
        (&Method::GET, Some(session)) => sessions.stream(request, &session, owner, next).await,
        (&Method::DELETE, _) => {
            let mut response = next.run(request).await;
            if response.status() == StatusCode::ACCEPTED {
                // Clients only accept these two statuses as the end of a session.
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            response
        }
        _ => next.run(request).await,
    }
}

impl Sessions {
    /// Passes a message on when it has been read completely.
    async fn post(
        self,
        request: Request,
        session: Option<String>,
        owner: Option<String>,
        next: Next,
    ) -> Response {
        let (mut parts, message) = match read::message(request).await {
            Ok(read) => read,
            Err(response) => return response,
        };
        let size = message.body.len();
        let body = Body::from(message.body);
        match (session, message.request) {
            (Some(session), Some(request)) => {
                let Some(call) = self.calls.begin(&session, &request.id).map(Arc::new) else {
                    return read::refused(&Refusal::taken(&request.id));
                };
                // Whatever works on the call keeps it too.
                parts.extensions.insert(call.clone());
                let response = next.run(Request::from_parts(parts, body)).await;
                response.map(|body| Body::new(Answer::new(body, call)))
            }
            (None, Some(request)) if request.method == "initialize" => {
                if size > limits::BEGINNING {
                    let refusal = Refusal::too_large(&request.id, limits::BEGINNING);
                    return read::with_status(StatusCode::PAYLOAD_TOO_LARGE, &refusal);
                }
                // The session keeps the extensions of its first message.
                let admitted = parts.extensions.remove::<Arc<Admitted>>();
                let request = Request::from_parts(parts, body);
                self.begin(request, owner, next, admitted).await
            }
            _ => next.run(Request::from_parts(parts, body)).await,
        }
    }

    /// Begins a session. It counts even if its client leaves before getting the answer.
    async fn begin(
        self,
        request: Request,
        owner: Option<String>,
        next: Next,
        admitted: Option<Arc<Admitted>>,
    ) -> Response {
        let begun = tokio::spawn(async move {
            let response = next.run(request).await;
            let id = response.headers().get(SESSION_HEADER);
            if let Some(id) = id.and_then(|v| v.to_str().ok()) {
                self.note(id, owner).await;
            }
            drop(admitted);
            response
        });
        begun.await.unwrap_or_else(|e| {
            tracing::warn!("a session did not begin: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        })
    }

    /// Opens a stream of a session, unless its owner already has as many as allowed.
    async fn stream(
        &self,
        request: Request,
        session: &str,
        owner: Option<String>,
        next: Next,
    ) -> Response {
        let Some(open) = self.streams.open(session, owner.as_deref()) else {
            let error = too_many("this key has as many open streams as it may have");
            return Problem::from(error).into_response();
        };
        let response = next.run(request).await;
        response.map(|body| Body::new(Answer::ending_with(body, open.ended(), open)))
    }

    /// A panic elsewhere leaves the owners intact.
    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the owner of a session, and ends those that exceed the limit.
    async fn note(&self, session: &str, owner: Option<String>) {
        let too_many = {
            let live = self.sessions.sessions.read().await;
            let mut owners = self.owners();
            owners.keep(|id| live.contains_key(id));
            owners.add(session, owner)
        };
        for id in too_many {
            self.end(&id).await;
        }
    }

    async fn end(&self, session: &str) {
        if let Err(e) = self.sessions.close_session(&session.into()).await {
            tracing::warn!("could not end a session: {e}");
        }
    }
}
