//! Letting a request in: whose it is, and whether its holder may make another one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::App;
use super::answer::Answer;
use super::auth::credentials;
use super::holders::{self, Holder, Holders, Kind};
use super::places::Place;
use super::problem::Problem;
use crate::db::Db;
use crate::error::Result;
use crate::models::{StoredKey, hash_key};

/// How long it is gone by the keys that were read. Who may do what is always asked of the database.
const KEYS_STAY: SignedDuration = SignedDuration::from_secs(1);

/// How often it is looked whether a key was revoked while its answers are still being sent.
const LOOK_FOR_REVOKED: Duration = Duration::from_secs(2);

/// A request that was let in. Whatever works on it keeps it, also when its connection has ended.
#[derive(Debug)]
pub(crate) struct Admitted {
    place: Arc<Place>,
    request: holders::Request,
}

impl Admitted {
    /// The place of its connection.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Notes that so many bytes of its body are kept.
    ///
    /// # Errors
    /// Those of [`holders::Request::keep`].
    pub(super) fn keep(&self, bytes: usize) -> Result<()> {
        self.request.keep(bytes)
    }
}

/// The keys as they were a moment ago, so that counting requests asks the database for little.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<Option<(SignedDuration, Arc<Vec<StoredKey>>)>>);

impl Keys {
    async fn read(&self, db: &Db, now: SignedDuration) -> Result<Arc<Vec<StoredKey>>> {
        let known = self.lock().clone();
        if let Some((at, keys)) = known
            && now - at < KEYS_STAY
        {
            return Ok(keys);
        }
        let keys = Arc::new(db.list_keys().await?);
        *self.lock() = Some((now, keys.clone()));
        Ok(keys)
    }

    /// A panic elsewhere leaves it whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(SignedDuration, Arc<Vec<StoredKey>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a request in, or refuses it for now.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(place) = request.extensions_mut().remove::<Arc<Place>>() else {
        return next.run(request).await;
    };
    let kind = kind(request.uri().path());
    let holders = place.places().holders.clone();
    let holder = holder(&app, &holders, request.headers()).await;
    let held = match holders.begin(holder, kind) {
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
        // What is left of the body is not worth reading.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => last(response),
        _ => response,
    }
}

/// The last answer on its connection.
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

async fn holder(app: &App, holders: &Holders, headers: &HeaderMap) -> Holder {
    let now = app.service.clock.moment().uptime;
    let keys = match holders.keys.read(&app.service.db, now).await {
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
        Some(key) if key.agent_id.is_some() => Holder::Agent(hash),
        Some(_) => Holder::Operator(hash),
        None => Holder::Stranger,
    }
}

/// Ends the answers that are still being sent to keys that were revoked meanwhile, and streams that
/// began before there was any key. Goes on for ever.
pub(super) async fn end_revoked(db: Db, holders: Arc<Holders>) {
    loop {
        holders.clock().sleep(LOOK_FOR_REVOKED).await;
        if holders.is_empty() {
            continue;
        }
        let Ok(keys) = db.list_keys().await else {
            continue;
        };
        let opens = |hash: &str| {
            let mut valid = keys.iter().filter(|k| k.revoked_at.is_none());
            valid.any(|k| k.hash == hash)
        };
        holders.end_unless(|holder, kind| match holder {
            Holder::Operator(hash) | Holder::Agent(hash) => opens(hash),
            Holder::Anybody => keys.is_empty() || kind != Kind::Mcp,
            Holder::Stranger => true,
        });
    }
}
