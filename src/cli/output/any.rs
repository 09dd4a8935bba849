//! Shows answers to people that have no format of their own.

use serde_json::{Map, Value};

use super::details::{Field, details};
use super::table::{Column, plain};
use super::tables::table;
use super::text::Text;

/// Keys that are printed first, last or not at all.
const ELSEWHERE: &[&str] = &["status", "message", "now", "warning"];

/// The narrowest that a column becomes.
const NARROWEST: usize = 10;

/// A whole answer: its message, its values as lines of `key  value`, and its lists as tables.
pub fn any_answer(answer: &Value) -> Text {
    let mut text = Text::default();
    if let Some(message) = answer["message"].as_str() {
        text = text.line(message);
    }
    let parts = answer.as_object().into_iter().flatten();
    let parts = parts.filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()));
    let (lists, others): (Vec<_>, Vec<_>) = parts.partition(|(_, value)| is_list(value));
    let mut lines = Map::new();
    for (key, value) in others {
        // Nobody needs the count of a list that is shown.
        if lists.is_empty() || key != "count" {
            add_lines(&mut lines, key, value);
        }
    }
    let keys: Vec<Field> = lines
        .keys()
        .map(|key| (key.as_str(), key.as_str()))
        .collect();
    text = text.fields(details(&keys, &Value::Object(lines.clone())));
    for (key, value) in lists {
        let rows = value.as_array().map_or(&[][..], Vec::as_slice);
        let none = format!("no {}", key.replace('_', " "));
        text = text.then(table_of(rows, &none));
    }
    text
}

/// Rows as a table of all their keys.
pub fn any_table(rows: &[Value]) -> Text {
    table_of(rows, "none")
}

fn table_of(rows: &[Value], none: &str) -> Text {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut cells = Map::new();
            for (key, value) in row.as_object().into_iter().flatten() {
                add_lines(&mut cells, key, value);
            }
            Value::Object(cells)
        })
        .collect();
    let mut keys: Vec<&str> = rows
        .iter()
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    keys.sort_unstable_by_key(|key| (*key != "id", !key.ends_with("_id"), *key));
    keys.dedup();
    let column = |key: &&str| match *key {
        "id" => Column::whole(key, key),
        _ => Column::cut(key, key, NARROWEST),
    };
    let columns: Vec<Column> = keys.iter().map(column).collect();
    table(&columns, &rows, none)
}

/// Whether a value is a list of objects.
fn is_list(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(Value::is_object))
}

/// A value under its key, and the parts of an object each under their own.
fn add_lines(lines: &mut Map<String, Value>, key: &str, value: &Value) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                add_lines(lines, &format!("{key}.{part}"), value);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            lines.insert(key.to_owned(), items.join(", ").into());
        }
        value => {
            lines.insert(key.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Screen;
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_without_a_form_of_its_own_is_shown_whole() {
        let answer = json!({
            "status": "success",
            "now": "2026-02-01T12:00:00Z",
            "message": "Three were counted",
            "warning": "printed by others",
            "total": 3,
            "count": 1,
            "words": ["a", "b"],
            "sum": { "open": 2, "old": null },
            "things": [{ "name": "n", "id": 5 }],
            "others": [],
        });
        let text = any_answer(&answer).render(Screen::default());
        let (lines, tables) = text.split_once("\nno others\n").unwrap();
        assert_eq!(
            lines,
            "Three were counted\nsum.open  2\ntotal     3\nwords     a, b"
        );
        assert_eq!(tables, "id  name\n────────\n5   n");
    }

    #[test]
    fn no_text_of_others_begins_a_line_or_reaches_the_terminal_as_it_is() {
        let hostile = "a\nFORGED\u{1b}[31m";
        let answer = json!({
            "message": hostile, "text": hostile, "list": [{ "text": hostile }, { (hostile): 1 }],
        });
        let text = any_answer(&answer).render(Screen::default());
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(
            !text.lines().any(|line| line.starts_with("FORGED")),
            "{text}"
        );
    }
}
