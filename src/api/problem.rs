//! Errors in the form HTTP clients get them (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Code, Error, Example, Message, shell};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong: for a program in `code`, for a person or a language model in `detail`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// The code as a URI.
    #[serde(rename = "type")]
    #[schema(example = "about:blank#time_past")]
    pub kind: String,
    /// The name of the HTTP status.
    #[schema(example = "Bad Request")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What was understood, what is wrong with it and what to do.
    #[schema(
        example = "\"2020-01-01T09:00:00Z\" is 2020-01-01T09:00:00Z, which has passed: it is now …"
    )]
    pub detail: String,
    /// The stable code; docs/errors.md lists them all.
    #[schema(example = "time_past")]
    pub code: String,
    /// A corrected form that is accepted: a part of the body or a whole request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "{\"time\":\"2030-01-31T09:00:00Z\"}")]
    pub example: Option<String>,
    /// The parts of the texts, for a client of ours that words them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub parts: Option<Parts>,
}

/// The parts that the texts of a problem are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    message: Message,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    example: Option<Example>,
}

impl ProblemBody {
    /// An error with its HTTP status, in the words of the command line.
    pub fn new(error: &Error, status: u16, title: &str) -> Self {
        ProblemBody {
            kind: format!("about:blank#{}", error.code()),
            title: title.to_owned(),
            status,
            detail: error.chain(),
            code: error.code().as_str().to_owned(),
            example: error.corrected(),
            parts: None,
        }
    }

    /// Adds the parts that the texts are made of.
    pub fn with_parts(self, error: &Error) -> Self {
        let parts = Parts {
            message: error.whole(),
            example: error.correction().cloned(),
        };
        ProblemBody {
            parts: Some(parts),
            ..self
        }
    }

    /// The original error; `None` if its code is unknown to us.
    pub fn into_error(self) -> Option<Error> {
        let code = Code::from_word(&self.code)?;
        Some(match self.parts {
            Some(parts) => Error::new(code, parts.message).example_if(parts.example),
            None => Error::new(code, self.detail).example_if(self.example.map(shell)),
        })
    }
}
