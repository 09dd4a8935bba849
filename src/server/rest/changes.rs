//! Who changed what.

use axum::Json;

use super::extract::Params;
use crate::api::queries::{self, ChangeParams};
use crate::models::ChangeQuery;
use crate::server::auth::Scoped;
use crate::server::problem::Problem;
use crate::service::answers::ChangeLog;
use crate::service::{Operations, asked};

/// List changes
///
/// Who made, changed, paused, cancelled… what, when and by which face, the newest first. To an agent
/// only those of its own schedules are told.
#[utoipa::path(get, path = "/api/v1/changes", tag = "occurrences", operation_id = "list_changes",
    params(ChangeParams),
    responses((status = 200, description = "A page of changes", body = ChangeLog)))]
pub(super) async fn list(
    Scoped(service): Scoped,
    Params(params): Params<ChangeParams>,
) -> Result<Json<ChangeLog>, Problem> {
    let now = service.clock.now();
    let since = params.since.as_deref().and_then(|s| asked::given(Some(s)));
    let asked = ChangeQuery {
        schedule_id: params.schedule_id.map(queries::id).transpose()?,
        agent_id: queries::agent(params.agent_id.as_deref())?,
        since: since
            .map(|text| asked::point(text, "since", service.zone.name(), now))
            .transpose()?,
        limit: queries::limit(params.limit)?,
        offset: params.offset.unwrap_or(0),
    };
    Ok(Json(Operations::changes(&service, &asked).await?))
}
