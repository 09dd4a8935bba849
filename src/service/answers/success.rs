//! How every answer begins.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a successful answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Success {
    /// The operation succeeded.
    #[default]
    #[serde(rename = "success")]
    Success,
}
