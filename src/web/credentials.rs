//! Who is calling over HTTP.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::SecretString;

use crate::api::{AGENT_HEADER, KEY_HEADER, ON_BEHALF_HEADER};
use crate::error::Result;
use crate::models::{Caller, NamedAgent};
use crate::service::{Credentials, Service, key_refused};

/// Identifies the caller from the headers of a request.
///
/// # Errors
/// Those of [`Service::identify`] and [`credentials`].
pub async fn identify(service: &Service, headers: &HeaderMap) -> Result<Caller> {
    Ok(recognize(service, headers).await?.0)
}

/// Identifies the caller, and names the key that was sent.
///
/// # Errors
/// Those of [`identify`].
pub async fn recognize(service: &Service, headers: &HeaderMap) -> Result<(Caller, Option<String>)> {
    let (caller, key) = service.recognize(&credentials(headers)?).await?;
    let caller = match caller {
        Caller::Operator if headers.contains_key(ON_BEHALF_HEADER) => Caller::SomeAgent,
        caller => caller,
    };
    Ok((caller, key))
}

/// The credentials in the headers of a request.
///
/// # Errors
/// As for a missing key if the header is not text, and as for an invalid agent id.
pub fn credentials(headers: &HeaderMap) -> Result<Credentials> {
    // Something that isn't text isn't a key either.
    let text = |name: &str| match headers.get(name) {
        Some(value) => value
            .to_str()
            .map(|v| Some(v.trim()))
            .map_err(|_| key_refused()),
        None => Ok(None),
    };
    let bearer = text(AUTHORIZATION.as_str())?.map(|v| {
        let (scheme, key) = v.split_once(' ').unwrap_or(("", v));
        match scheme.eq_ignore_ascii_case("bearer") {
            true => key.trim(),
            false => v,
        }
    });
    let key = match text(KEY_HEADER)? {
        Some(key) => Some(key),
        None => bearer,
    };
    Ok(Credentials {
        key: key.map(|k| SecretString::from(k.to_owned())),
        agent: text(AGENT_HEADER)?
            .filter(|id| !id.is_empty())
            .map(NamedAgent::parse)
            .transpose()?,
    })
}
