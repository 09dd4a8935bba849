//! Shows one schedule to people.

use jiff::Timestamp;
use serde_json::Value;

use super::relative::with_relative;
use super::screen::Tone;
use super::span::Span;
use super::table::plain;
use super::tables::occurrences_table;
use super::text::Text;
use crate::printable::printable;

/// A field of something shown in full: its key and its title.
pub(super) type Field<'a> = (&'a str, &'a str);

/// One schedule in full: its parts, its next runs and the outcome of its last ones.
pub fn schedule_details(value: &Value, now: Timestamp) -> Text {
    let keys: &[Field] = &[
        ("id", "id"),
        ("name", "name"),
        ("agent_id", "agent"),
        ("target", "target"),
        ("conversation", "in"),
        ("describes", "runs"),
        ("understood", "in words"),
        ("schedule_type", "type"),
        ("schedule_value", "when"),
        ("timezone", "zone"),
        ("lifecycle", "state"),
        ("waiting_for", "waiting"),
        ("broken_reason", "broken"),
        ("paused_at", "paused"),
        ("pause_note", "note"),
        ("resume_at", "resumes"),
        ("next_run", "next run"),
        ("next_run_local", "local"),
        ("last_run", "last run"),
        ("start_at", "start"),
        ("end_at", "end"),
        ("max_repetitions", "at most"),
        ("repetition_count", "so far"),
        ("policy", "policy"),
        ("ping_url", "pings"),
        ("account", "account"),
        ("prompt_text", "prompt"),
    ];
    let mut schedule = value["schedule"].clone();
    schedule["policy"] = policy_line(&schedule["policy"]).into();
    schedule["understood"] = value["understood"].clone();
    schedule["account"] = account_line(&value["account"]).into();
    for key in ["paused_at", "resume_at", "next_run", "last_run"] {
        schedule[key] = with_relative(&schedule[key], now).into();
    }
    let mut fields = details(keys, &schedule);
    for (title, span) in &mut fields {
        if title == "state" {
            span.tone = Tone::of_word(&span.text);
        }
    }
    for time in value["next_runs"].as_array().into_iter().flatten() {
        let told = with_relative(time, now);
        fields.push(("next".to_owned(), Span::of_lines(&told, Tone::Plain)));
    }
    for note in value["notes"].as_array().into_iter().flatten() {
        fields.push(("note".to_owned(), Span::of_lines(&plain(note), Tone::Plain)));
    }
    let rows = value["last_runs"].as_array().cloned().unwrap_or_default();
    let text = Text::default().fields(fields).line("");
    text.then(occurrences_table(&rows, now))
}

/// A schedule's policy on one line.
fn policy_line(policy: &Value) -> String {
    const ORDER: [&str; 5] = [
        "catch_up",
        "grace_seconds",
        "pause_on_failure",
        "envelope",
        "max_age_seconds",
    ];
    let parts = policy.as_object().into_iter().flatten();
    let mut parts: Vec<(&String, &Value)> = parts.filter(|(_, value)| !value.is_null()).collect();
    // Those without a fixed position come last.
    parts.sort_by_key(|(key, _)| {
        ORDER
            .iter()
            .position(|known| known == key)
            .unwrap_or(ORDER.len())
    });
    let told = parts
        .into_iter()
        .map(|(key, value)| policy_part(key, value));
    told.collect::<Vec<_>>().join(", ")
}

/// A part of a policy in words: its key, unless it has its own wording.
fn policy_part(key: &str, value: &Value) -> String {
    match (key, value.as_i64()) {
        ("pause_on_failure", Some(n)) if n > 0 => format!("pause after {n} failures in a row"),
        ("pause_on_failure", _) => "never paused by failures".to_owned(),
        ("max_age_seconds", Some(age)) => format!("retried for {age} s"),
        _ => match key.strip_suffix("_seconds") {
            Some(key) => format!("{} {} s", in_words(key), plain(value)),
            None => format!("{} {}", in_words(key), plain(value)),
        },
    }
}

fn in_words(key: &str) -> String {
    key.replace('_', " ")
}

/// The account of a schedule on one line.
fn account_line(account: &Value) -> String {
    let sums = |key: &str| -> Vec<String> {
        let counts = account[key].as_object().into_iter().flatten();
        counts
            .map(|(state, n)| format!("{} {state}", plain(n)))
            .collect()
    };
    let mut parts = sums("states");
    let pruned = sums("pruned");
    if !pruned.is_empty() {
        parts.push(format!("pruned {}", pruned.join(", ")));
    }
    parts.extend(sums("manual").into_iter().map(|n| format!("{n} manual")));
    if let Some(difference) = account["difference"].as_str() {
        parts.push(difference.to_owned());
    }
    parts.join(", ")
}

/// One thing as fields in the given order; missing keys are left out.
pub(super) fn details(keys: &[Field], value: &Value) -> Vec<(String, Span)> {
    let field = |(key, title): &Field| {
        let span = Span::of_lines(&plain(&value[*key]), Tone::Plain);
        (!span.text.is_empty()).then(|| (printable(title), span))
    };
    keys.iter().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Screen;
    use super::*;
    use serde_json::json;

    #[test]
    fn details_leave_out_what_is_missing() {
        let keys = [("id", "id"), ("name", "name"), ("next_run", "next run")];
        let fields = details(&keys, &json!({ "id": 5, "next_run": "soon" }));
        let text = Text::default().fields(fields).render(Screen::default());
        assert_eq!(text, "id        5\nnext run  soon");
    }

    #[test]
    fn no_line_of_a_prompt_can_look_like_a_field_however_narrow_the_screen() {
        let prompt = "one two three four five\nstate     active six seven";
        let value = json!({ "schedule": { "id": 5, "prompt_text": prompt } });
        for width in [None, Some(30), Some(24)] {
            let text = schedule_details(&value, Timestamp::UNIX_EPOCH);
            let text = text.render(Screen {
                width,
                has_colours: false,
                ..Screen::default()
            });
            let begins = |line: &&str| line.starts_with("state") || line.starts_with("three");
            assert_eq!(text.lines().find(begins), None, "{text}");
        }
    }

    #[test]
    fn every_part_of_a_policy_is_told_in_words_of_its_own_or_those_of_its_key() {
        for (policy, wanted) in [
            (
                json!({ "catch_up": "skip", "envelope": "auto", "grace_seconds": 600,
                        "max_age_seconds": 90, "pause_on_failure": 5 }),
                "catch up skip, grace 600 s, pause after 5 failures in a row, envelope auto, \
                 retried for 90 s",
            ),
            (
                json!({ "catch_up": "all", "envelope": "none", "pause_on_failure": 0 }),
                "catch up all, never paused by failures, envelope none",
            ),
            (
                json!({ "a_new_part": 7, "b_seconds": 60, "c": null, "catch_up": "all" }),
                "catch up all, a new part 7, b 60 s",
            ),
        ] {
            assert_eq!(policy_line(&policy), wanted);
        }
    }
}
