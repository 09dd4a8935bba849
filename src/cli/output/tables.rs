//! Tables for people.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::printable::printable;

/// A column of a table: the key in each row and the heading.
pub(super) type Column<'a> = (&'a str, &'a str);

/// Schedules as a table. Each row has the keys of a schedule in JSON.
pub fn schedules_table(rows: &[Value]) -> String {
    let columns: &[Column] = &[
        ("id", "id"),
        ("next_run", "next run"),
        ("lifecycle", "state"),
        ("schedule_value", "when"),
        ("agent_id", "agent"),
        ("name", "name"),
        ("prompt_text", "prompt"),
        ("broken_reason", "why broken"),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        let runs = row["active"] == true || row["lifecycle"] == "paused";
        row["next_run"] = match (runs, row["next_run_local"].as_str()) {
            (true, Some(local)) => to_the_minute(local).into(),
            _ => Value::Null,
        };
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        row["prompt_text"] = beginning(&plain(&row["prompt_text"]), 40).into();
        row["schedule_value"] = match row["schedule_type"] == "once" {
            true => "once".into(),
            false => beginning(&plain(&row["schedule_value"]), 25).into(),
        };
        row["name"] = beginning(&plain(&row["name"]), 14).into();
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(columns, &rows, "no schedules")
}

/// The findings, each with how to fix it. Each row has the keys of a finding in JSON.
pub fn findings_text(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let part = |key: &str| cell(&row[key]);
        let (severity, code) = (part("severity"), part("code"));
        let (problem, mend) = (part("problem"), part("mend"));
        text.push_str(&format!(
            "{severity:7}  {code}: {problem}\n         {mend}\n"
        ));
    }
    match text.is_empty() {
        true => "all is well".to_owned(),
        false => text.trim_end().to_owned(),
    }
}

/// Agents as a table. Each row has the keys of an agent in JSON.
pub fn agents_table(rows: &[Value]) -> String {
    let columns: &[Column] = &[("id", "id"), ("name", "name"), ("created_at", "created")];
    table(columns, rows, "no agents")
}

/// Keys as a table. Each row has the keys of a key in JSON.
pub fn keys_table(rows: &[Value]) -> String {
    let columns: &[Column] = &[
        ("id", "id"),
        ("name", "name"),
        ("agent_id", "agent"),
        ("created_at", "created"),
        ("revoked_at", "revoked"),
    ];
    table(columns, rows, "no keys")
}

/// Changes as a table. Each row has the keys of a change in JSON.
pub fn changes_table(rows: &[Value]) -> String {
    let columns: &[Column] = &[
        ("at", "at"),
        ("caller", "who"),
        ("face", "by"),
        ("operation", "did"),
        ("schedule_id", "schedule"),
        ("agent_id", "agent"),
        ("what", "what"),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["at"] = to_the_second(&cell(&row["at"])).into();
        let who = plain(&row["caller"]);
        row["caller"] = match row["key"].as_str() {
            Some(key) => format!("{who} ({})", plain(&key.into())).into(),
            None => who.into(),
        };
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(columns, &rows, "no changes")
}

/// Occurrences as a table. Each row has the keys of an occurrence in JSON.
pub fn occurrences_table(rows: &[Value]) -> String {
    let columns: &[Column] = &[
        ("schedule_id", "schedule"),
        ("intended_at", "intended"),
        ("late", "sent"),
        ("took", "ended"),
        ("state", "state"),
        ("count", "count"),
        ("agent_id", "agent"),
        ("turn", "turn"),
        ("reply", "reply"),
        ("error", "error"),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        row["late"] = elapsed(&row["intended_at"], &row["sent_at"]).into();
        row["took"] = elapsed(&row["sent_at"], &row["finished_at"]).into();
        row["intended_at"] = to_the_second(&cell(&row["intended_at"])).into();
        row["reply"] = beginning(&plain(&row["reply"]), 40).into();
        // Its code; the whole text comes below the table, where there is room.
        let error = plain(&row["error"]);
        row["error"] = error.split(": ").next().unwrap_or_default().into();
        if row["count"] == 1 {
            row["count"] = Value::Null;
        }
        row
    };
    let shown: Vec<Value> = rows.iter().map(brief).collect();
    let mut text = table(columns, &shown, "no deliveries");
    for (row, shown) in rows.iter().zip(&shown) {
        let error = plain(&row["error"]);
        if !error.is_empty() {
            let mut error = printable(&beginning(&error, 300));
            let last = row["attempts"].as_array().and_then(|all| all.last());
            let repeats = last.and_then(|last| last["repeats"].as_i64()).unwrap_or(0);
            if repeats > 0 {
                error.push_str(&format!(" (tried {} times)", repeats + 1));
            }
            text.push_str(&format!("\n{}: {error}", cell(&shown["intended_at"])));
        }
    }
    text
}

/// Columns that are read at a glance and therefore never wrapped.
const WHOLE: &[&str] = &[
    "id",
    "schedule_id",
    "next_run",
    "intended_at",
    "state",
    "lifecycle",
    "agent_id",
    "name",
];

/// How narrow any other column may become, in characters.
const NARROWEST: u16 = 10;

/// A text on one line, cut if it is longer than `most` characters.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The end of a text that is longer than `most` characters: agents' ids begin alike.
fn end(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(count - most).collect::<String>())
}

/// A local time without seconds and zone name.
fn to_the_minute(local: &str) -> String {
    let mut parts = local.split(' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(date), Some(time), Some(offset)) => {
            let minute = time.get(..5).unwrap_or(time);
            format!("{date} {minute} {offset}")
        }
        _ => local.to_owned(),
    }
}

/// How long after `from` it was, such as `+5ms` or `+2m 3s`; empty if one of them is missing.
fn elapsed(from: &Value, to: &Value) -> String {
    let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    let (Some(from), Some(to)) = (time(from), time(to)) else {
        return String::new();
    };
    let elapsed = to.duration_since(from);
    let short = match elapsed.as_secs() {
        0 => SignedDuration::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(0)),
        seconds => SignedDuration::from_secs(seconds),
    };
    format!("+{short:#}")
}

/// A time without its fraction of a second.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// Rows as a table, without columns that are empty in every row.
pub(super) fn table(columns: &[Column], rows: &[Value], none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let used: Vec<&Column> = columns
        .iter()
        .filter(|(key, _)| rows.iter().any(|row| !cell(&row[*key]).is_empty()))
        .collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(used.iter().map(|(_, title)| *title).collect::<Vec<_>>());
    for (column, (key, _)) in table.column_iter_mut().zip(&used) {
        column.set_constraint(match WHOLE.contains(key) {
            true => ColumnConstraint::ContentWidth,
            false => ColumnConstraint::LowerBoundary(Width::Fixed(NARROWEST)),
        });
    }
    for row in rows {
        table.add_row(
            used.iter()
                .map(|(key, _)| cell(&row[*key]))
                .collect::<Vec<_>>(),
        );
    }
    table.trim_fmt()
}

/// A value on one printable line.
pub(super) fn cell(value: &Value) -> String {
    printable(&plain(value))
}

/// A value unchanged, to be shortened before it is shown.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_escape_sequence_in_a_prompt_never_reaches_the_terminal() {
        let rows = [json!({ "id": 1, "prompt_text": "a\u{1b}[31mb\rc\u{202e}d", "name": null })];
        let text = schedules_table(&rows);
        assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text}");
        assert!(text.contains("\\u{1b}[31m"));
        assert!(!text.contains("name"), "an empty column is left out");
        assert!(text.contains("prompt"));
    }

    #[test]
    fn an_error_is_a_word_in_its_row_and_whole_below_the_table() {
        let row = json!({
            "schedule_id": 1, "count": 1, "intended_at": "2026-02-01T12:00:00Z",
            "error": "agent_unknown: HTTP 404: there is none",
        });
        let text = occurrences_table(&[row]);
        assert!(text.ends_with("\n2026-02-01T12:00:00Z: agent_unknown: HTTP 404: there is none"));
        assert_eq!(text.matches("HTTP 404").count(), 1, "{text}");
        assert!(!text.contains("count"), "{text}");
    }

    #[test]
    fn an_agent_that_was_asked_again_and_again_is_told_with_how_often() {
        let row = json!({
            "schedule_id": 1, "intended_at": "2026-02-01T12:00:00Z", "error": "busy: in a turn",
            "attempts": [{ "repeats": 0 }, { "repeats": 37 }],
        });
        let text = occurrences_table(&[row]);
        assert!(
            text.ends_with(": busy: in a turn (tried 38 times)"),
            "{text}"
        );
    }

    #[test]
    fn a_delivery_is_shown_by_how_late_it_was_sent_and_how_long_it_took() {
        let row = json!({
            "schedule_id": 1,
            "intended_at": "2026-02-01T12:00:00Z",
            "sent_at": "2026-02-01T12:00:00.005Z",
            "finished_at": "2026-02-01T12:02:03.9Z",
        });
        let text = occurrences_table(&[row]);
        assert!(text.contains("+5ms"), "{text}");
        assert!(text.contains("+2m 3s"), "{text}");
    }

    #[test]
    fn a_table_of_nothing_says_so() {
        assert_eq!(schedules_table(&[]), "no schedules");
        assert_eq!(agents_table(&[]), "no agents");
        assert_eq!(occurrences_table(&[]), "no deliveries");
    }
}
