//! What an examination finds.

use serde::Serialize;

use crate::models::words;

words! {
    /// How bad a finding is.
    Severity {
        /// Prompts are not delivered, or the account is wrong.
        Error => "error",
        /// It may come to that.
        Warning => "warning",
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for programs.
    pub code: &'static str,
    /// What it is, for people.
    pub problem: String,
    /// The command that mends it, or shows more of it.
    pub mend: String,
}
