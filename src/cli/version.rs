//! The version of this program.

use std::sync::LazyLock;

use crate::service::schema_version;

/// The commit it was built from, and its date; empty if unknown.
const COMMIT: &str = env!("PROMPTYOSELF_COMMIT");

/// The version, the commit it was built from if that is known, and the version of the database
/// schema: `0.1.0 (54494bc 2026-11-25, schema 15)`.
pub(super) fn full() -> &'static str {
    static FULL: LazyLock<String> = LazyLock::new(|| text(COMMIT, schema_version()));
    &FULL
}

fn text(commit: &str, schema: i64) -> String {
    let commit = match commit {
        "" => String::new(),
        commit => format!("{commit}, "),
    };
    format!("{} ({commit}schema {schema})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_its_commit_where_that_is_known_and_its_schema() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text("54494bc 2026-11-25", 15),
            format!("{version} (54494bc 2026-11-25, schema 15)")
        );
        assert_eq!(text("", 15), format!("{version} (schema 15)"));
    }
}
