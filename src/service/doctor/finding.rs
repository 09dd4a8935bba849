//! The findings of an examination.

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
    /// A stable code for programs.
    pub code: &'static str,
    /// The problem, for people.
    pub problem: String,
    /// The command that fixes it, or shows more.
    pub mend: String,
}
