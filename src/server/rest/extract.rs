//! What a request says, read strictly, with errors that teach.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::queries;
use crate::error::{Code, Error, Example, shell};
use crate::limits;
use crate::server::problem::Problem;
use crate::server::{App, bodies};

/// A JSON body. A field that does not exist is a mistake.
pub struct Body<T>(pub T);

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

/// Query parameters. One that does not exist is a mistake.
pub struct Params<T>(pub T);

/// The id of a schedule in a path.
pub struct Id(pub i64);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (headers, bytes) = read(request, app).await?;
        check_media_type(&headers)?;
        parse(&bytes).map(Body)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (headers, bytes) = read(request, app).await?;
        if bytes.is_empty() {
            return Ok(OptionalBody(T::default()));
        }
        check_media_type(&headers)?;
        parse(&bytes).map(OptionalBody)
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map(Params)
            .map_err(|e| {
                let at = place(&e.path().to_string());
                let text = format!("the query can't be understood: {at}{}", e.into_inner());
                Error::new(Code::RequestInvalid, text).into()
            })
    }
}

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(text)) => text,
            Err(_) => return Err(queries::wrong_id("").into()),
        };
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse().ok().filter(|id| plain && *id >= 1) {
            Some(id) => Ok(Id(id)),
            None => Err(queries::wrong_id(&text.chars().take(80).collect::<String>()).into()),
        }
    }
}

/// A body that is accepted.
fn example() -> Example {
    Example::Json(json!({ "prompt": "Check the backup", "every": "1h" }))
}

/// Watches the bodies of requests, and refuses those that say of themselves that they are too large.
pub(in crate::server) async fn watch_bodies(request: Request, next: Next) -> Response {
    match bodies::bounded(request, limits::BODY) {
        Ok(request) => next.run(request).await,
        Err(unread) => unread.told(Some(example())).into_response(),
    }
}

/// The whole body, unless it is too large.
pub(super) async fn read(request: Request, app: &App) -> Result<(HeaderMap, Bytes), Problem> {
    let headers = request.headers().clone();
    let bytes = Bytes::from_request(request, app).await;
    bytes
        .map(|bytes| (headers, bytes))
        .map_err(too_large_or_cut)
}

fn too_large_or_cut(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => bodies::too_large(limits::BODY).told(None),
        _ => bodies::refused(&rejection, None),
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let kind = given.as_deref().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let what = match given {
        Some(kind) => format!(
            "the body is {:?}",
            kind.chars().take(80).collect::<String>()
        ),
        None => "the body says of itself nothing".to_owned(),
    };
    let error = Error::new(
        Code::RequestInvalid,
        format!("{what}, and only JSON is understood: send it with its Content-Type"),
    )
    .example(shell("Content-Type: application/json"));
    Err(Problem::with_status(
        error,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let wrong = |at: &str, e: serde_json::Error| {
        let text = format!("the body can't be understood: {}{e}", place(at));
        Error::new(Code::RequestInvalid, text)
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json)
        .map_err(|e| wrong(&e.path().to_string(), e.into_inner()))?;
    json.end().map_err(|e| wrong(".", e))?;
    Ok(read)
}

/// Where in a body or a query something is wrong.
fn place(path: &str) -> String {
    match path {
        "" | "." => String::new(),
        path => format!("{path}: "),
    }
}
