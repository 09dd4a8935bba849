//! The routes of all operations.

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, RequestExt};
use serde_json::Value;

use super::extract;
use crate::api::BASE;
use crate::error::{Code, Error, call, message, operation, quoted};
use crate::operations::definition::{Body, Operation};
use crate::operations::fields::{ID, LIMIT};
use crate::operations::{Ask, Offer, Values, reading, strict};
use crate::server::App;
use crate::server::scoped::Scoped;
use crate::service::Service;
use crate::web::Problem;

/// The default page size.
const USUAL_PAGE: u32 = 100;

/// The routes of operations.
pub(super) fn router(offer: Offer) -> Router<App> {
    let mut router = Router::new();
    for operation in offer {
        let route = &operation.route;
        let handler = async move |Scoped(service): Scoped, request: Request| {
            answer(operation, service, request).await
        };
        router = router.route(
            &format!("{BASE}{}", route.path),
            on(filter(route.method), handler),
        );
    }
    router
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

async fn answer(
    operation: &'static Operation,
    service: Service,
    request: Request,
) -> Result<Response, Problem> {
    let values = read(operation, request).await?;
    let answered = service.ask(operation, &values).await.map_err(of_request)?;
    let status = status(operation, &answered);
    Ok((status, Json(answered)).into_response())
}

/// Reads the values of a request.
async fn read(operation: &'static Operation, mut request: Request) -> Result<Values, Problem> {
    let id = match operation.route.has_id() {
        true => Some(read_id(&mut request).await?),
        false => None,
    };
    let query = request.uri().query().unwrap_or_default();
    let mut values = match operation.route.body {
        Body::None if operation.route.method == "GET" => strict::read_query(operation, query)?,
        Body::None => {
            strict::refuse_query(query)?;
            Values::default()
        }
        body => {
            strict::refuse_query(query)?;
            let (headers, bytes) = extract::read(request).await?;
            match body == Body::Optional && bytes.is_empty() {
                true => Values::default(),
                false => {
                    extract::check_media_type(&headers)?;
                    strict::read_body(operation, &bytes)?
                }
            }
        }
    };
    if let Some(id) = id {
        values.set(&ID, id);
    }
    if operation.answer.page_of.is_some() {
        values.set_default(&LIMIT, USUAL_PAGE);
        reading::refuse_large(&values).map_err(of_request)?;
    }
    Ok(values)
}

/// The schedule in a path: an id in plain digits, or a name, which no number is.
async fn read_id(request: &mut Request) -> Result<String, Problem> {
    let text = match request.extract_parts::<Path<String>>().await {
        Ok(Path(text)) => text,
        Err(_) => String::new(),
    };
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_number = text.trim().is_empty()
        || text.contains('\0')
        || text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_id = || {
        let id = text.parse::<i64>().ok().filter(|_| is_plain);
        id.is_some_and(|id| ID.kind.numbers().contains(&id))
    };
    if !is_number || is_id() {
        return Ok(text);
    }
    let text: String = text.chars().take(80).collect();
    let what = message![
        quoted(text),
        " is not the id of a schedule: give a whole number, as ",
        operation("list"),
        " shows it, or the schedule's name"
    ];
    Err(Error::new(Code::IdInvalid, what)
        .example(call("list").with("all", true))
        .into())
}

/// Wrong usage of the command line is an invalid request here.
fn of_request(error: Error) -> Error {
    match error.code() {
        Code::Usage => error.with_code(Code::RequestInvalid),
        _ => error,
    }
}

/// The usual status, or the one for a schedule that already existed.
fn status(operation: &Operation, answered: &Value) -> StatusCode {
    let answers = operation.route.answers;
    let existed = answers.len() > 1 && answered["existed"] == true;
    let (status, _) = answers[usize::from(existed)];
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}
