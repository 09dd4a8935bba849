//! A list of schedules for people.

use jiff::Timestamp;
use serde_json::Value;

use super::output::{self, Text, Tone};
use crate::error::Result;
use crate::operations::fields::ALL;
use crate::operations::{Values, reading};

/// A list for people.
pub(super) fn list_text(values: &Values, listed: &Value, now: Timestamp) -> Result<Text> {
    let page = reading::page(values)?;
    let mut text = output::schedules_table(rows_of(listed, "schedules"), now);
    let shown = i64::from(page.offset) + number(listed, "count");
    let total = number(listed, "total");
    if shown < total {
        text = text.line(&format!("{shown} of {total}: --offset {shown} shows more"));
    }
    let broken = number(listed, "broken");
    if broken > 0 && !values.is_set(&ALL) {
        let line = format!("{broken} are broken and don't run: list --all shows why");
        text = text.toned(&line, Tone::Bad);
    }
    let incidents = number(listed, "incidents");
    if incidents > 0 {
        let line = format!("{incidents} open incidents: promptyoself test shows them");
        text = text.toned(&line, Tone::Bad);
    }
    Ok(text)
}

/// The rows of a list in an answer.
pub(super) fn rows_of<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer[list].as_array().map_or(&[], Vec::as_slice)
}

/// A number in an answer; 0 if there is none.
pub(super) fn number(answer: &Value, key: &str) -> i64 {
    answer[key].as_i64().unwrap_or_default()
}
