//! MCP over streamable HTTP, as a part of the server's router.

mod owners;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use rmcp::model::ErrorCode;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::caller::SESSION_HEADER;
use super::message::{self, LARGEST, Reading, Refusal};
use super::{Handler, Shared, Transport};
use crate::models::hash_key;
use crate::server::{Problem, credentials};
use crate::service::Service;

use owners::Owners;

/// The largest request that may begin a session, in bytes: it is kept as long as the session.
const LARGEST_BEGINNING: usize = 64 * 1024;

/// How long a session is kept that nobody uses. Clients begin another one when it has ended.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// How long calls that go on may take when the server stops.
const LONGEST_CALL: Duration = Duration::from_secs(3);

/// How long an answer that was given takes to be on its way.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Who identifies callers, and whose each session is.
#[derive(Clone)]
struct Door {
    service: Service,
    sessions: Arc<LocalSessionManager>,
    owners: Arc<Mutex<Owners>>,
}

/// The route `/mcp`. Host and origin are checked by whoever mounts it.
pub fn routes<S>(service: &Service, shared: &Shared) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = Some(IDLE);
    // Clients of before 2025-11-25, as Letta's is, take the empty first event of a stream for a
    // broken message, and log an error for each.
    manager.session_config.sse_retry = None;
    let sessions = Arc::new(manager);
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_sse_retry(None)
        .with_max_request_body_bytes(LARGEST)
        .with_cancellation_token(end_of_calls(shared));
    let shared = Arc::new(shared.clone());
    let mcp = StreamableHttpService::new(
        move || Ok(Handler::new(shared.clone(), Transport::Http)),
        sessions.clone(),
        config,
    );
    let door = Door {
        service: service.clone(),
        sessions,
        owners: Arc::default(),
    };
    Router::new()
        .route_service("/mcp", mcp)
        .layer(middleware::from_fn_with_state(door, admit))
}

/// A token that is cancelled a moment after we are told to stop and every call has been answered:
/// sessions end with it, and with them what is still to be sent.
fn end_of_calls(shared: &Shared) -> CancellationToken {
    let ended = CancellationToken::new();
    let (shared, told) = (shared.clone(), ended.clone());
    tokio::spawn(async move {
        shared.stop.cancelled().await;
        shared.calls.close();
        tokio::select! {
            () = shared.calls.wait() => {}
            () = shared.clock.sleep(LONGEST_CALL) => {}
        }
        shared.clock.sleep(LAST_WORDS).await;
        told.cancel();
    });
    ended
}

/// Identifies the caller of each request, whatever session it names: a session is of use only with
/// the key that began it.
async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let credentials = match credentials(headers) {
        Ok(credentials) => credentials,
        Err(error) => return Problem::from(error).into_response(),
    };
    let caller = match door.service.identify(&credentials).await {
        Ok(caller) => caller,
        Err(error) => return Problem::from(error).into_response(),
    };
    let owner = credentials.key.as_ref().map(hash_key);
    let session = headers.get(SESSION_HEADER).and_then(|v| v.to_str().ok());
    if session.is_some_and(|id| !door.owners().may_use(id, owner.as_deref())) {
        // As for a session that there is not.
        return (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response();
    }
    request.extensions_mut().insert(caller);
    let is_delete = request.method() == Method::DELETE;
    let (request, size) = match understood(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let mut response = next.run(request).await;
    if is_delete && response.status() == StatusCode::ACCEPTED {
        // Clients take only these two for the end of a session.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let begun = response.headers().get(SESSION_HEADER);
    if let Some(id) = begun.and_then(|v| v.to_str().ok()) {
        if size > LARGEST_BEGINNING {
            door.end(id).await;
            return too_large(&[], LARGEST_BEGINNING);
        }
        door.note(id, owner).await;
    }
    response
}

/// A request whose message is understood, and the size of that in bytes.
///
/// # Errors
/// The answer to one that is not.
async fn understood(request: Request) -> Result<(Request, usize), Response> {
    if request.method() != Method::POST {
        return Ok((request, 0));
    }
    let (mut parts, body) = request.into_parts();
    let body = whole(body).await?;
    let size = body.len();
    let body = match message::read(&body) {
        Reading::Message { mended: None, .. } => Body::from(body),
        Reading::Message {
            mended: Some(message),
            ..
        } => {
            parts
                .headers
                .insert(header::CONTENT_LENGTH, message.len().into());
            Body::from(message)
        }
        // Whoever posts waits for an answer, if only for that nothing was read.
        Reading::Nothing if body.trim_ascii().is_empty() => {
            return Err(refused(&Refusal::nothing()));
        }
        Reading::Nothing => return Err(StatusCode::ACCEPTED.into_response()),
        Reading::Refused(refusal) => return Err(refused(&refusal)),
    };
    Ok((Request::from_parts(parts, body), size))
}

/// A body in one piece. Of one that is too large some more is read, since a client that still sends
/// sees no answer.
///
/// # Errors
/// The answer to a body that is too large, or was cut off.
async fn whole(body: Body) -> Result<Vec<u8>, Response> {
    let mut stream = body.into_data_stream();
    let (mut whole, mut dropped) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else {
            return Err(refused(&Refusal::nothing()));
        };
        if dropped == 0 && whole.len() + chunk.len() <= LARGEST {
            whole.extend_from_slice(&chunk);
            continue;
        }
        dropped += chunk.len();
        if dropped > LARGEST {
            break;
        }
    }
    match dropped {
        0 => Ok(whole),
        _ => Err(too_large(&whole, LARGEST)),
    }
}

/// The answer to a message that is not understood. Wrong params are an answer to the request;
/// before that there is no request at all.
fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.code() {
        ErrorCode::INVALID_PARAMS => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, refusal.to_json()).into_response()
}

fn too_large(beginning: &[u8], largest: usize) -> Response {
    let mut response = refused(&Refusal::too_large(beginning, largest));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

impl Door {
    /// A panic elsewhere leaves them whole.
    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose a session is, and ends those that are too many with it.
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
