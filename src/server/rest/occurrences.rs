//! What became of occurrences.

use axum::Json;

use super::extract::Params;
use crate::api::queries::{self, OccurrenceParams};
use crate::server::auth::Scoped;
use crate::server::problem::Problem;
use crate::service::answers::History;
use crate::service::{HistoryQuery, Operations, asked};

/// List occurrences
///
/// What became of every intended instant and every run by hand, the newest first, with each try.
#[utoipa::path(get, path = "/api/v1/occurrences", tag = "occurrences", operation_id = "list_occurrences",
    params(OccurrenceParams),
    responses((status = 200, description = "A page of occurrences", body = History)))]
pub(super) async fn list(
    Scoped(service): Scoped,
    Params(params): Params<OccurrenceParams>,
) -> Result<Json<History>, Problem> {
    let now = service.clock.now();
    let since = params.since.as_deref().and_then(|s| asked::given(Some(s)));
    let asked = HistoryQuery {
        id: params.schedule_id.map(queries::id).transpose()?,
        agent_id: queries::agent(params.agent_id.as_deref())?,
        state: params.state,
        since: since
            .map(|text| asked::point(text, "since", service.zone.name(), now))
            .transpose()?,
        limit: queries::limit(params.limit)?,
        offset: params.offset.unwrap_or(0),
    };
    Ok(Json(Operations::history(&service, &asked).await?))
}
