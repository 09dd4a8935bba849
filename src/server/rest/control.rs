//! Pausing, resuming and running a schedule, and halting everything.

use axum::Json;
use axum::http::StatusCode;

use super::extract::{Id, OptionalBody, Params};
use crate::api::bodies::{NoteBody, ResumeBody};
use crate::api::queries::NoParams;
use crate::server::scoped::Scoped;
use crate::service::Operations;
use crate::service::answers::{Halted, PausedSchedule, QueuedRun, ResumedSchedule};
use crate::web::Problem;

/// Pause a schedule
///
/// Nothing of it is sent until it is resumed.
#[utoipa::path(post, path = "/api/v1/schedules/{id}/pause", tag = "control", operation_id = "pause_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    request_body(content = Option<NoteBody>, content_type = "application/json"),
    responses((status = 200, description = "The schedule is paused", body = PausedSchedule)))]
pub(super) async fn pause(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
    OptionalBody(body): OptionalBody<NoteBody>,
) -> Result<Json<PausedSchedule>, Problem> {
    let note = body.read()?;
    Ok(Json(
        Operations::pause(&service, id, note.as_deref()).await?,
    ))
}

/// Let a paused schedule run again
#[utoipa::path(post, path = "/api/v1/schedules/{id}/resume", tag = "control", operation_id = "resume_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    request_body(content = Option<ResumeBody>, content_type = "application/json"),
    responses((status = 200, description = "The schedule runs again", body = ResumedSchedule)))]
pub(super) async fn resume(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
    OptionalBody(body): OptionalBody<ResumeBody>,
) -> Result<Json<ResumedSchedule>, Problem> {
    Ok(Json(Operations::resume(&service, id, body.replay).await?))
}

/// Run a schedule once, now
///
/// Beside its own instants, as soon as its agent is free.
#[utoipa::path(post, path = "/api/v1/schedules/{id}/run", tag = "control", operation_id = "run_schedule",
    params(("id" = i64, Path, minimum = 1, description = "The schedule's number")),
    responses((status = 202, description = "The run is queued", body = QueuedRun)))]
pub(super) async fn run(
    Scoped(service): Scoped,
    Id(id): Id,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(StatusCode, Json<QueuedRun>), Problem> {
    let queued = Operations::run(&service, id).await?;
    Ok((StatusCode::ACCEPTED, Json(queued)))
}

/// Halt all delivery
///
/// Only for the operator. What is on its way ends by itself.
#[utoipa::path(put, path = "/api/v1/halt", tag = "control", operation_id = "halt",
    request_body(content = Option<NoteBody>, content_type = "application/json"),
    responses((status = 200, description = "All delivery is halted", body = Halted)))]
pub(super) async fn halt(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
    OptionalBody(body): OptionalBody<NoteBody>,
) -> Result<Json<Halted>, Problem> {
    let note = body.read()?;
    Ok(Json(Operations::halt(&service, note.as_deref()).await?))
}

/// Lift the halt
///
/// Only for the operator.
#[utoipa::path(delete, path = "/api/v1/halt", tag = "control", operation_id = "lift_halt",
    responses((status = 200, description = "Deliveries go on", body = Halted)))]
pub(super) async fn lift_halt(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Halted>, Problem> {
    Ok(Json(Operations::lift_halt(&service).await?))
}
