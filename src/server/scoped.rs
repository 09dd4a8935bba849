//! The service as callers of the REST API see it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::App;
use crate::models::{Face, RequestKey};
use crate::service::Service;
use crate::web::Problem;
use crate::web::credentials::recognize;

/// The service as the caller of a request sees it.
pub struct Scoped(pub Service);

impl FromRequestParts<App> for Scoped {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &App,
    ) -> std::result::Result<Self, Problem> {
        let (caller, key) = recognize(&app.service, &parts.headers).await?;
        let service = app.service.for_caller(caller).through(Face::Rest, key);
        let request = parts.extensions.get::<Arc<RequestKey>>().cloned();
        Ok(Scoped(Service { request, ..service }))
    }
}
