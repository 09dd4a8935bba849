//! Schedules: make, list, show, change, end; and what a time would come to.

use axum::Json;
use axum::http::StatusCode;

use super::extract::{Body, Id, Params};
use crate::api::bodies::{ChangesBody, NewScheduleBody, PreviewBody};
use crate::api::queries::{self, NoParams, ScheduleParams};
use crate::server::scoped::Scoped;
use crate::service::answers::{CancelledSchedule, Listed, Planned, Previewed, Shown};
use crate::service::{ListQuery, Operations};
use crate::web::Problem;

/// List schedules
///
/// By their next run.
#[utoipa::path(get, path = "/api/v1/schedules", tag = "schedules", operation_id = "list_schedules",
    params(ScheduleParams), responses((status = 200, description = "A page of schedules", body = Listed)))]
pub(super) async fn list(
    Scoped(service): Scoped,
    Params(params): Params<ScheduleParams>,
) -> Result<Json<Listed>, Problem> {
    let asked = ListQuery {
        agent_id: queries::agent(params.agent_id.as_deref())?,
        all: params.all,
        full: params.full,
        limit: queries::limit(params.limit)?,
        offset: params.offset.unwrap_or(0),
    };
    Ok(Json(Operations::list(&service, &asked).await?))
}

/// Schedule a prompt
#[utoipa::path(post, path = "/api/v1/schedules", tag = "schedules", operation_id = "create_schedule",
    request_body = NewScheduleBody, responses(
        (status = 201, description = "The schedule was made", body = Planned),
        (status = 200, description = "It was there already, under the same name", body = Planned)))]
pub(super) async fn create(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<NewScheduleBody>,
) -> Result<(StatusCode, Json<Planned>), Problem> {
    let made = Operations::register(&service, &body.read()?).await?;
    let status = match made.existed {
        Some(true) => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(made)))
}

/// Show a schedule
///
/// With its next runs, what became of the last ones, and its account.
#[utoipa::path(get, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "show_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    responses((status = 200, description = "The schedule", body = Shown)))]
pub(super) async fn show(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(Operations::show(&service, id).await?))
}

/// Change a schedule
///
/// What is left out stays. What is on its way is not changed any more.
#[utoipa::path(patch, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "update_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    request_body = ChangesBody,
    responses((status = 200, description = "The schedule was changed", body = Planned)))]
pub(super) async fn update(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<ChangesBody>,
) -> Result<Json<Planned>, Problem> {
    let changes = body.read()?;
    Ok(Json(Operations::update(&service, id, &changes).await?))
}

/// End a schedule
///
/// What waits to be sent is cancelled with it; what is on its way ends by itself. It stays in the
/// list of `all`, with its history.
#[utoipa::path(delete, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "cancel_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    responses((status = 200, description = "The schedule has ended", body = CancelledSchedule)))]
pub(super) async fn cancel(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<CancelledSchedule>, Problem> {
    Ok(Json(Operations::cancel(&service, id).await?))
}

/// Show when something would run
///
/// Nothing is made.
#[utoipa::path(post, path = "/api/v1/preview", tag = "schedules", operation_id = "preview",
    request_body = PreviewBody,
    responses((status = 200, description = "The next runs", body = Previewed)))]
pub(super) async fn preview(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<PreviewBody>,
) -> Result<Json<Previewed>, Problem> {
    let (when, count) = body.read()?;
    Ok(Json(Operations::preview(&service, &when, count).await?))
}
