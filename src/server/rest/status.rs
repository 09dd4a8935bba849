//! Agents, the account, and whether anything is delivered.

use axum::Json;

use super::extract::Params;
use crate::api::queries::{self, AccountParams, NoParams};
use crate::server::scoped::Scoped;
use crate::service::answers::{Accounts, AgentsListed, Overview, Tested};
use crate::service::{AccountQuery, Operations};
use crate::web::Problem;

/// List the agents of the Letta server
///
/// Only for the operator.
#[utoipa::path(get, path = "/api/v1/agents", tag = "status", operation_id = "list_agents",
    responses((status = 200, description = "Every agent", body = AgentsListed)))]
pub(super) async fn agents(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<AgentsListed>, Problem> {
    Ok(Json(Operations::agents(&service).await?))
}

/// Show the account
///
/// What was planned and what became of it, for each schedule and in sum. It is balanced when every
/// planned instant is open or has exactly one outcome.
#[utoipa::path(get, path = "/api/v1/account", tag = "occurrences", operation_id = "show_account",
    params(AccountParams),
    responses((status = 200, description = "The account", body = Accounts)))]
pub(super) async fn account(
    Scoped(service): Scoped,
    Params(params): Params<AccountParams>,
) -> Result<Json<Accounts>, Problem> {
    let asked = AccountQuery {
        id: params.schedule_id.map(queries::id).transpose()?,
        limit: queries::limit(params.limit)?,
        offset: params.offset.unwrap_or(0),
    };
    Ok(Json(service.accounts(&asked).await?))
}

/// Show who delivers, and what stands in the way
///
/// Letta is not asked.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", operation_id = "show_status",
    responses((status = 200, description = "How it stands", body = Overview)))]
pub(super) async fn status(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Overview>, Problem> {
    Ok(Json(service.overview().await?))
}

/// Ask Letta whether it is well
///
/// Whether it answers and takes our credentials, and whether somebody delivers.
#[utoipa::path(get, path = "/api/v1/test", tag = "status", operation_id = "test",
    responses((status = 200, description = "Letta answers", body = Tested)))]
pub(super) async fn test(
    Scoped(service): Scoped,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Tested>, Problem> {
    Ok(Json(Operations::test(&service).await?))
}
