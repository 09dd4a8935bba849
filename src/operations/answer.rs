//! Answers as JSON.

use serde::Serialize;
use serde_json::Value;

use super::definition::Answering;
use crate::error::{Code, Error, Result};

/// An operation's answer as JSON.
pub(super) fn answer<'a, T: Serialize>(
    answered: impl Future<Output = Result<T>> + Send + 'a,
) -> Answering<'a> {
    Box::pin(async move { to_json(&answered.await?) })
}

/// An answer as JSON.
///
/// # Errors
/// [`Code::Internal`] if it has no JSON form.
pub fn to_json(answer: &impl Serialize) -> Result<Value> {
    serde_json::to_value(answer)
        .map_err(|e| Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e))
}
