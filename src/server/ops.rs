//! The routes for operating the server: is it alive, is it ready, what has it counted.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::Mutex;

use super::App;
use super::metrics::Reading;
use super::scoped::Scoped;
use crate::service::Service;
use crate::web::Problem;

/// How long Letta's answer is reused: anybody may ask us, and Letta is not asked each time.
const STAYS_SEEN: SignedDuration = SignedDuration::from_secs(5);

/// Whether Letta answered when it was last asked, and when that was, by the clock that never jumps.
#[derive(Default)]
pub(super) struct LettaSeen(Mutex<Option<(SignedDuration, bool)>>);

impl LettaSeen {
    /// Asks Letta unless it was asked a moment ago; concurrent callers wait for the same answer.
    async fn answers(&self, service: &Service) -> bool {
        let mut seen = self.0.lock().await;
        let now = service.clock.moment().uptime;
        if let Some((at, answers)) = *seen
            && now - at < STAYS_SEEN
        {
            return answers;
        }
        let answers = service.check_letta().await.is_ok();
        *seen = Some((service.clock.moment().uptime, answers));
        answers
    }
}

/// Shows that the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether prompts can be delivered: the database answers, a scheduler is alive, Letta answers. It
/// reveals nothing that strangers should not know, so it needs no key.
pub(super) async fn readyz(app: App, letta: &LettaSeen) -> Response {
    let service = &app.service;
    let database = service.check_database().await.is_ok();
    let scheduler = match service.list_schedulers().await {
        Ok(schedulers) => !schedulers.is_empty(),
        Err(_) => false,
    };
    let letta = letta.answers(service).await;
    let ready = database && scheduler && letta;
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "ready": ready, "database": database, "scheduler": scheduler, "letta": letta,
    });
    (status, Json(body)).into_response()
}

/// The metrics, in the text format of Prometheus (OpenMetrics 1.0).
pub(super) async fn metrics(
    State(app): State<App>,
    Scoped(service): Scoped,
) -> Result<Response, Problem> {
    service.refuse_scoped("reading the metrics")?;
    let now = service.clock.now();
    let reading = Reading {
        backlog: service.backlog().await?,
        gauges: service.gauges().await?,
        targets: service.targets.names().map(ToString::to_string).collect(),
        settle_failures: service.settle_failures(),
        now,
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], app.metrics.encode(&reading)).into_response())
}
