//! Admits a request: identifies its caller, and checks whether that caller may make another one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::active_requests::{self, ActiveRequests, Holder, Kind};
use super::answer::Answer;
use super::credentials::credentials;
use super::places::Place;
use super::problem::Problem;
use crate::error::Result;
use crate::models::hash_key;
use crate::service::Service;

/// How often to check whether a key was revoked while its answers are still being sent.
const LOOK_FOR_REVOKED: Duration = Duration::from_secs(2);

/// An admitted request. Whatever works on it keeps this, even after its connection has ended.
#[derive(Debug)]
pub(crate) struct Admitted {
    place: Arc<Place>,
    request: active_requests::Request,
}

impl Admitted {
    /// The place of its connection.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Records that this many bytes of its body are kept.
    ///
    /// # Errors
    /// Those of [`active_requests::Request::keep`].
    pub(crate) fn keep(&self, bytes: usize) -> Result<()> {
        self.request.keep(bytes)
    }
}

/// Admits a request, or refuses it for now.
pub(crate) async fn admit(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(place) = request.extensions_mut().remove::<Arc<Place>>() else {
        return next.run(request).await;
    };
    let kind = kind(request.uri().path());
    let active_requests = place.places().active_requests.clone();
    let holder = holder(&service, &active_requests, request.headers()).await;
    let held = match active_requests.begin(holder, kind) {
        Ok(held) => held,
        Err(error) => return last(Problem::from(error).into_response()),
    };
    let ended = held.ended();
    let admitted = Arc::new(Admitted {
        place,
        request: held,
    });
    admitted.place.keep_until_sent(admitted.clone());
    request.extensions_mut().insert(admitted.clone());
    let response = next.run(request).await;
    let response = response.map(|body| Body::new(Answer::until(body, ended, admitted)));
    match response.status() {
        // What remains of the body is not worth reading.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => last(response),
        _ => response,
    }
}

/// Makes this the last answer on its connection.
fn last(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn kind(path: &str) -> Kind {
    match path {
        "/healthz" | "/readyz" => Kind::Health,
        "/mcp" => Kind::Mcp,
        path if path == "/v1" || path.starts_with("/v1/") => Kind::Passed,
        _ => Kind::Own,
    }
}

async fn holder(
    service: &Service,
    active_requests: &ActiveRequests,
    headers: &HeaderMap,
) -> Holder {
    let now = service.clock.moment().uptime;
    let keys = match active_requests.keys.read(service, now).await {
        Ok(keys) if keys.is_empty() => return Holder::Anybody,
        Ok(keys) => keys,
        Err(_) => return Holder::Stranger,
    };
    let shown = credentials(headers).ok().and_then(|c| c.key);
    let Some(hash) = shown.as_ref().map(hash_key) else {
        return Holder::Stranger;
    };
    let found = keys.iter().filter(|k| k.revoked_at.is_none());
    match found.into_iter().find(|k| k.hash == hash) {
        Some(key) if key.agent.is_some() => Holder::Agent(hash),
        Some(_) => Holder::Operator(hash),
        None => Holder::Stranger,
    }
}

/// Ends answers that are still being sent to keys revoked since, and streams that began before
/// there was any key. Runs forever.
pub(crate) async fn end_revoked(service: Service, active_requests: Arc<ActiveRequests>) {
    loop {
        active_requests.clock().sleep(LOOK_FOR_REVOKED).await;
        if active_requests.is_empty() {
            continue;
        }
        let Ok(keys) = service.stored_keys().await else {
            continue;
        };
        let opens = |hash: &str| {
            let mut valid = keys.iter().filter(|k| k.revoked_at.is_none());
            valid.any(|k| k.hash == hash)
        };
        active_requests.end_unless(|holder, kind| match holder {
            Holder::Operator(hash) | Holder::Agent(hash) => opens(hash),
            Holder::Anybody => keys.is_empty() || kind != Kind::Mcp,
            Holder::Stranger => true,
        });
    }
}
