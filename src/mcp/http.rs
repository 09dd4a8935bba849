//! MCP over streamable HTTP, as a part of the server's router.

mod owners;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::caller::SESSION_HEADER;
use super::{Handler, Shared, Transport};
use crate::models::hash_key;
use crate::server::{Problem, credentials};
use crate::service::Service;

use owners::Owners;

/// The largest request, in bytes: prompts may be as large as Letta takes them.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// The largest request that may begin a session, in bytes: it is kept as long as the session.
const LARGEST_BEGINNING: u64 = 64 * 1024;

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
        .with_max_request_body_bytes(LARGEST_REQUEST)
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
    let Some((request, size)) = sized(request).await else {
        return too_large(LARGEST_REQUEST as u64);
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
            return too_large(LARGEST_BEGINNING);
        }
        door.note(id, owner).await;
    }
    response
}

/// A request and the size of its body in bytes. `None` if that is too large.
async fn sized(request: Request) -> Option<(Request, u64)> {
    if let Some(size) = request.body().size_hint().exact() {
        return Some((request, size));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_REQUEST).await.ok()?;
    let size = body.len() as u64;
    Some((Request::from_parts(parts, Body::from(body)), size))
}

fn too_large(largest: u64) -> Response {
    let text = format!("Payload Too Large: this request may have at most {largest} bytes");
    (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
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
