//! Tables for people.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::relative::relative;
use super::screen::Tone;
use super::table::{Column, Table, one_line, plain};
use super::text::Text;

/// The narrowest that a column of free text becomes before others are left out.
const NARROWEST: usize = 12;

/// How much of an error is shown below its table, in characters.
const LONGEST_ERROR: usize = 300;

/// Schedules as a table. Each row has the keys of a schedule in JSON.
pub fn schedules_table(rows: &[Value], now: Timestamp) -> Text {
    let columns = [
        Column::whole("id", "id"),
        Column::whole("next", "next"),
        Column::whole("next_run", "next run").rank(4),
        Column::whole("lifecycle", "state").toned(),
        Column::cut("schedule_value", "when", 9).rank(5),
        Column::whole("agent_id", "agent").rank(6),
        Column::cut("target", "target", 6).rank(4).only_differing(),
        Column::cut("name", "name", 8).rank(3),
        Column::cut("prompt_text", "prompt", NARROWEST).rank(2),
        Column::cut("why", "why", NARROWEST).rank(1),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        let runs = row["active"] == true || row["lifecycle"] == "paused";
        row["next"] = match runs {
            true => due(&row["next_run"], now).into(),
            false => Value::Null,
        };
        row["next_run"] = match (runs, row["next_run_local"].as_str()) {
            (true, Some(local)) => to_the_minute(local).into(),
            _ => Value::Null,
        };
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        // Why it doesn't run, or not yet.
        row["why"] = match row["broken_reason"].is_null() {
            true => row["waiting_for"].clone(),
            false => row["broken_reason"].clone(),
        };
        if row["schedule_type"] == "once" {
            row["schedule_value"] = "once".into();
        }
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(&columns, &rows, "no schedules")
}

/// The findings, each with how to fix it. Each row has the keys of a finding in JSON.
pub fn findings_text(rows: &[Value]) -> Text {
    if rows.is_empty() {
        return Text::default().toned("all is well", Tone::Good);
    }
    rows.iter().fold(Text::default(), |text, row| {
        let part = |key: &str| plain(&row[key]);
        let (severity, code) = (part("severity"), part("code"));
        let (problem, mend) = (part("problem"), part("mend"));
        let found = format!("{severity:7}  {code}: {problem}");
        // What is to be copied stays on one line.
        text.paragraph(&found, 9, Tone::of_word(&severity))
            .line(&format!("         {mend}"))
    })
}

/// Agents as a table. Each row has the keys of an agent in JSON.
pub fn agents_table(rows: &[Value], now: Timestamp) -> Text {
    let columns = [
        Column::whole("id", "id"),
        Column::cut("target", "target", 6).rank(4).only_differing(),
        Column::cut("name", "name", NARROWEST).rank(1),
        Column::whole("age", "made").rank(2),
        Column::cut("created_at", "created", 20).rank(3),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["age"] = relative(&row["created_at"], now).into();
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(&columns, &rows, "no agents")
}

/// Keys as a table. Each row has the keys of a key in JSON.
pub fn keys_table(rows: &[Value]) -> Text {
    let columns = [
        Column::whole("id", "id"),
        Column::cut("name", "name", NARROWEST).rank(1),
        Column::cut("target", "target", 6).rank(4).only_differing(),
        Column::cut("agent_id", "agent", NARROWEST).rank(2),
        Column::whole("created_at", "created").rank(4),
        Column::whole("revoked_at", "revoked").rank(3),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        for key in ["created_at", "revoked_at"] {
            row[key] = to_the_second(&plain(&row[key])).into();
        }
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(&columns, &rows, "no keys")
}

/// Changes as a table. Each row has the keys of a change in JSON.
pub fn changes_table(rows: &[Value], now: Timestamp) -> Text {
    let columns = [
        Column::whole("age", "when"),
        Column::whole("at", "at").rank(4),
        Column::cut("caller", "who", 8).rank(3),
        Column::whole("face", "by").rank(5),
        Column::whole("operation", "did"),
        Column::whole("schedule_id", "schedule"),
        Column::cut("target", "target", 6).rank(4).only_differing(),
        Column::whole("agent_id", "agent").rank(6),
        Column::cut("what", "what", NARROWEST).rank(1),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["age"] = relative(&row["at"], now).into();
        row["at"] = to_the_second(&plain(&row["at"])).into();
        let who = plain(&row["caller"]);
        row["caller"] = match row["key"].as_str() {
            Some(key) => format!("{who} ({key})").into(),
            None => who.into(),
        };
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(&columns, &rows, "no changes")
}

/// Occurrences as a table. Each row has the keys of an occurrence in JSON.
pub fn occurrences_table(rows: &[Value], now: Timestamp) -> Text {
    let columns = [
        Column::whole("schedule_id", "schedule"),
        Column::whole("age", "when"),
        Column::whole("intended_at", "intended").rank(6),
        Column::whole("late", "sent").rank(5),
        Column::whole("took", "ended").rank(4),
        Column::whole("state", "state").toned(),
        Column::whole("count", "count").rank(2),
        Column::cut("target", "target", 6).rank(4).only_differing(),
        Column::whole("agent_id", "agent").rank(7),
        Column::whole("turn", "turn").toned().rank(3),
        Column::cut("reply", "reply", NARROWEST).rank(1),
        Column::cut("error", "error", NARROWEST).rank(1),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["agent_id"] = end(&plain(&row["agent_id"]), 8).into();
        row["late"] = elapsed(&row["intended_at"], &row["sent_at"]).into();
        row["took"] = elapsed(&row["sent_at"], &row["finished_at"]).into();
        row["age"] = relative(&row["intended_at"], now).into();
        row["intended_at"] = to_the_second(&plain(&row["intended_at"])).into();
        // Its code; the whole text comes below the table, where there is room.
        let error = plain(&row["error"]);
        row["error"] = error.split(": ").next().unwrap_or_default().into();
        if row["count"] == 1 {
            row["count"] = Value::Null;
        }
        row
    };
    let shown: Vec<Value> = rows.iter().map(brief).collect();
    let mut text = table(&columns, &shown, "no deliveries");
    for (row, shown) in rows.iter().zip(&shown) {
        let error = plain(&row["error"]);
        if !error.is_empty() {
            let mut error = beginning(&error, LONGEST_ERROR);
            let last = row["attempts"].as_array().and_then(|all| all.last());
            let repeats = last.and_then(|last| last["repeats"].as_i64()).unwrap_or(0);
            if repeats > 0 {
                error.push_str(&format!(" (tried {} times)", repeats + 1));
            }
            let line = format!("{}: {error}", plain(&shown["intended_at"]));
            text = text.paragraph(&line, 2, Tone::Plain);
        }
    }
    text
}

/// The runs of a preview. Each row has the keys of a run in JSON.
pub fn runs_table(rows: &[Value], now: Timestamp) -> Text {
    let columns = [
        Column::whole("next", "next"),
        Column::whole("utc", "UTC"),
        Column::whole("local", "local").rank(1),
    ];
    let brief = |row: &Value| {
        let mut row = row.clone();
        row["next"] = relative(&row["utc"], now).into();
        row
    };
    let rows: Vec<Value> = rows.iter().map(brief).collect();
    table(&columns, &rows, "no runs")
}

/// A table, or words where it has no rows.
pub(super) fn table(columns: &[Column], rows: &[Value], none: &str) -> Text {
    match rows.is_empty() {
        true => Text::from(none),
        false => Text::default().table(Table::new(columns, rows)),
    }
}

/// How far the next run is away; one that has passed is due.
fn due(next: &Value, now: Timestamp) -> String {
    let away = relative(next, now);
    match away.strip_suffix(" ago") {
        Some(length) => format!("due for {length}"),
        None => away,
    }
}

/// A text on one line, cut if it is longer than `most` characters.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The end of a text that is longer than `most` characters: agents' ids begin alike.
pub(super) fn end(text: &str, most: usize) -> String {
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
pub(super) fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Screen;
    use super::*;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-02-01T12:05:00Z".parse().unwrap()
    }

    fn shown(text: &Text) -> String {
        text.render(Screen::default())
    }

    #[test]
    fn an_escape_sequence_in_a_prompt_never_reaches_the_terminal() {
        let rows = [json!({ "id": 1, "prompt_text": "a\u{1b}[31mb\rc\u{202e}d", "name": null })];
        let text = shown(&schedules_table(&rows, now()));
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
        let text = shown(&occurrences_table(&[row], now()));
        assert!(text.ends_with("\n2026-02-01T12:00:00Z: agent_unknown: HTTP 404: there is none"));
        assert_eq!(text.matches("HTTP 404").count(), 1, "{text}");
        assert!(!text.contains("count"), "{text}");
        assert!(text.contains("5 min ago"), "{text}");
    }

    #[test]
    fn an_agent_that_was_asked_again_and_again_is_told_with_how_often() {
        let row = json!({
            "schedule_id": 1, "intended_at": "2026-02-01T12:00:00Z", "error": "busy: in a turn",
            "attempts": [{ "repeats": 0 }, { "repeats": 37 }],
        });
        let text = shown(&occurrences_table(&[row], now()));
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
        let text = shown(&occurrences_table(&[row], now()));
        assert!(text.contains("+5ms"), "{text}");
        assert!(text.contains("+2m 3s"), "{text}");
    }

    #[test]
    fn a_schedule_that_is_due_is_not_said_to_have_run() {
        let row = |next: &str| json!({ "id": 1, "active": true, "next_run": next, "next_run_local": "soon" });
        let rows = [row("2026-02-01T12:02:00Z"), row("2026-02-01T14:10:00Z")];
        let text = shown(&schedules_table(&rows, now()));
        assert!(text.contains("due for 3 min"), "{text}");
        assert!(text.contains("in 2 h 5 min"), "{text}");
    }

    #[test]
    fn a_table_of_nothing_says_so() {
        assert_eq!(shown(&schedules_table(&[], now())), "no schedules");
        assert_eq!(shown(&agents_table(&[], now())), "no agents");
        assert_eq!(shown(&occurrences_table(&[], now())), "no deliveries");
    }
}
