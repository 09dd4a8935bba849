//! How long settled history is kept.

use jiff::SignedDuration;
use serde::Deserialize;

use super::Environment;
use super::value::{filled, invalid};
use crate::error::Result;
use crate::schedule::read_duration;

/// How long history is kept by default.
const DEFAULT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The word for keeping everything.
const FOREVER: &str = "forever";

/// The `[keeping]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    retention: Option<String>,
}

/// Combines environment and file; `None` keeps everything.
pub(super) fn combine(env: &Environment, file: FileTable) -> Result<Option<SignedDuration>> {
    const VARIABLE: &str = "PROMPTYOSELF_RETENTION";
    let (source, text) = match (env.get(VARIABLE), filled(file.retention)) {
        (Some(text), _) => (VARIABLE, text.to_owned()),
        (None, Some(text)) => ("retention in [keeping] of the settings file", text),
        (None, None) => return Ok(Some(DEFAULT)),
    };
    if text.eq_ignore_ascii_case(FOREVER) {
        return Ok(None);
    }
    read_duration(&text).map(Some).map_err(|problem| {
        let problem = format!("{problem}; \"{FOREVER}\" keeps everything");
        invalid(source, problem, &format!("{VARIABLE}=90d"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(env: &[(&str, &str)], file: Option<&str>) -> Result<Option<SignedDuration>> {
        let file = FileTable {
            retention: file.map(str::to_owned),
        };
        combine(&env.iter().copied().collect(), file)
    }

    #[test]
    fn history_is_kept_for_90_days_unless_something_else_is_said() {
        let days = |n: i64| Some(SignedDuration::from_hours(24 * n));
        assert_eq!(retention(&[], None).unwrap(), days(90));
        assert_eq!(retention(&[], Some("30d")).unwrap(), days(30));
        let env = [("PROMPTYOSELF_RETENTION", "7d")];
        assert_eq!(retention(&env, Some("30d")).unwrap(), days(7));
        assert_eq!(retention(&[], Some("Forever")).unwrap(), None);
    }

    #[test]
    fn a_retention_that_is_none_is_refused_with_its_place() {
        for wrong in ["0", "-1d", "soon", "3 months"] {
            let error = retention(&[], Some(wrong)).unwrap_err();
            assert!(error.to_string().contains("[keeping]"), "{error}");
            assert_eq!(
                error.corrected().as_deref(),
                Some("PROMPTYOSELF_RETENTION=90d")
            );
        }
    }
}
