//! Shows one schedule to people.

use serde_json::Value;

use super::tables::{Column, cell, occurrences_table, plain};
use crate::printable::{printable, printable_lines};

/// One schedule in full: its parts, its next runs and the outcome of its last ones.
pub fn schedule_details(value: &Value) -> String {
    let keys: &[Column] = &[
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
        ("except", "except"),
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
    let mut text = details(keys, &schedule);
    for time in value["next_runs"].as_array().into_iter().flatten() {
        text.push_str(&format!("next      {}\n", cell(time)));
    }
    for note in value["notes"].as_array().into_iter().flatten() {
        text.push_str(&format!("note      {}\n", cell(note)));
    }
    let rows = value["last_runs"].as_array().cloned().unwrap_or_default();
    text + &occurrences_table(&rows)
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
            Some(key) => format!("{} {} s", in_words(key), cell(value)),
            None => format!("{} {}", in_words(key), cell(value)),
        },
    }
}

fn in_words(key: &str) -> String {
    printable(&key.replace('_', " "))
}

/// The account of a schedule on one line.
fn account_line(account: &Value) -> String {
    let sums = |key: &str| -> Vec<String> {
        let counts = account[key].as_object().into_iter().flatten();
        counts
            .map(|(state, n)| format!("{} {state}", cell(n)))
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

/// One thing as lines of `key  value`, in the given order; missing keys are left out.
pub(super) fn details(keys: &[Column], value: &Value) -> String {
    let width = keys.iter().map(|(_, title)| title.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, title) in keys {
        let shown = printable_lines(&plain(&value[*key]));
        if !shown.is_empty() {
            // Continuation lines are indented, so that no prompt can look like a field.
            let shown = shown.replace('\n', &format!("\n{:width$}  ", ""));
            text.push_str(&format!("{title:width$}  {shown}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn details_leave_out_what_is_missing() {
        let keys = [("id", "id"), ("name", "name"), ("next_run", "next run")];
        let text = details(&keys, &json!({ "id": 5, "next_run": "soon" }));
        assert_eq!(text, "id        5\nnext run  soon\n");
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
