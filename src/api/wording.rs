//! Errors in the words of this API. Their texts are written for a command line; a program that
//! sends JSON needs the names of fields and routes in place of flags and commands.

use serde_json::{Map, Value};

use crate::error::Error;

/// Flags whose value is a number in JSON.
const NUMBERS: &[&str] = &[
    "max-repetitions",
    "pause-on-failure",
    "count",
    "limit",
    "offset",
];

/// Flags without a value.
const SWITCHES: &[&str] = &["all", "full", "replay", "off", "skip-validation"];

/// Every other flag that is a field or a parameter here.
const TEXTS: &[&str] = &[
    "agent-id", "prompt", "time", "cron", "every", "timezone", "start-at", "end-at", "name",
    "catch-up", "grace", "envelope", "max-age", "ping-url", "id", "state", "since", "note",
];

/// The request that does what a command does. `{id}` is its schedule.
const ROUTES: &[(&str, &str, &str)] = &[
    ("list", "GET", "/api/v1/schedules"),
    ("show", "GET", "/api/v1/schedules/{id}"),
    ("register", "POST", "/api/v1/schedules"),
    ("update", "PATCH", "/api/v1/schedules/{id}"),
    ("cancel", "DELETE", "/api/v1/schedules/{id}"),
    ("pause", "POST", "/api/v1/schedules/{id}/pause"),
    ("resume", "POST", "/api/v1/schedules/{id}/resume"),
    ("run", "POST", "/api/v1/schedules/{id}/run"),
    ("preview", "POST", "/api/v1/preview"),
    ("history", "GET", "/api/v1/occurrences"),
    ("agents", "GET", "/api/v1/agents"),
    ("test", "GET", "/api/v1/test"),
];

/// Commands that texts name without the program, as those who know it do.
const PHRASES: &[(&str, &str)] = &[
    ("list shows", "GET /api/v1/schedules shows"),
    ("show says", "GET /api/v1/schedules/{id} says"),
    ("agents lists", "GET /api/v1/agents lists"),
    ("history shows", "GET /api/v1/occurrences shows"),
    ("test says", "GET /api/v1/test says"),
    ("registers without", "schedules without"),
];

/// An error in the words of this API.
pub fn in_fields(error: &Error) -> Error {
    let told = Error::new(error.code(), text_in_fields(&error.chain()));
    match error.corrected() {
        Some(example) => told.example(example_in_fields(example)),
        None => told,
    }
}

/// A corrected form: a part of the body, or a whole request. What is neither is left as it is.
fn example_in_fields(example: &str) -> String {
    let Some(words) = shlex::split(example) else {
        return example.to_owned();
    };
    match words.as_slice() {
        [program, verb, flags @ ..] if program == "promptyoself" => {
            request(verb, flags).unwrap_or_else(|| example.to_owned())
        }
        [first, ..] if first.starts_with("--") => match fields(&words) {
            Some(fields) => Value::from(fields).to_string(),
            None => example.to_owned(),
        },
        _ => example.to_owned(),
    }
}

/// The request that a command stands for; `None` for one that only the operator's shell has.
fn request(verb: &str, flags: &[String]) -> Option<String> {
    let (_, method, path) = ROUTES.iter().find(|(v, ..)| *v == verb)?;
    let mut fields = fields(flags)?;
    let mut path = (*path).to_owned();
    if path.contains("{id}")
        && let Some(id) = fields.remove("id")
    {
        path = path.replace("{id}", &plain(&id));
    } else if let Some(id) = fields.remove("id") {
        fields.insert("schedule_id".to_owned(), id);
    }
    if fields.is_empty() {
        return Some(format!("{method} {path}"));
    }
    if *method != "GET" {
        return Some(format!("{method} {path} {}", Value::from(fields)));
    }
    let query: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    Some(format!("{method} {path}?{}", query.join("&")))
}

/// Flags and their values as fields; `None` if one of them is none.
fn fields(words: &[String]) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = word.strip_prefix("--")?;
        let value = match field(flag)? {
            Kind::Switch => Value::Bool(true),
            Kind::Number => words.next()?.parse::<i64>().ok()?.into(),
            Kind::Text => words.next()?.clone().into(),
        };
        fields.insert(flag.replace('-', "_"), value);
    }
    Some(fields)
}

/// What a flag's value is in JSON.
enum Kind {
    Text,
    Number,
    Switch,
}

fn field(flag: &str) -> Option<Kind> {
    match flag {
        flag if TEXTS.contains(&flag) => Some(Kind::Text),
        flag if NUMBERS.contains(&flag) => Some(Kind::Number),
        flag if SWITCHES.contains(&flag) => Some(Kind::Switch),
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text with fields and requests in place of flags and commands.
fn text_in_fields(text: &str) -> String {
    let mut told = text.to_owned();
    for (phrase, instead) in PHRASES {
        if let Some(at) = told.find(phrase)
            && !told[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !told[..at].ends_with("promptyoself ")
        {
            told.replace_range(at..at + phrase.len(), instead);
        }
    }
    let words: Vec<&str> = told.split(' ').collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if *word == "promptyoself" && at + 1 < words.len() {
            let end = end_of_command(&words, at + 2);
            out.push(command_in_fields(&words[at..end]));
            at = end;
        } else {
            out.push(flag_in_fields(word));
            at += 1;
        }
    }
    out.join(" ")
}

/// Where the flags after a command, and their values, end.
fn end_of_command(words: &[&str], from: usize) -> usize {
    let mut end = from;
    while let Some(flag) = words.get(end).and_then(|w| w.strip_prefix("--")) {
        end += 1;
        if !SWITCHES.contains(&bare(flag)) && words.get(end).is_some_and(|w| !w.starts_with("--")) {
            end += 1;
        }
    }
    end.min(words.len())
}

/// A command inside a sentence, with the punctuation after it.
fn command_in_fields(words: &[&str]) -> String {
    let whole = words.join(" ");
    let command = bare(&whole);
    let after = &whole[command.len()..];
    let split: Vec<String> = command.split(' ').map(str::to_owned).collect();
    match request(&split[1], &split[2..]) {
        Some(request) => format!("{request}{after}"),
        // A command for the operator's shell stays what it is, flags and all.
        None => whole,
    }
}

/// A word that may be a flag, or begin with one.
fn flag_in_fields(word: &str) -> String {
    let Some(at) = word.find("--") else {
        return word.to_owned();
    };
    let (before, rest) = word.split_at(at);
    let end = rest[2..]
        .find(|c: char| !c.is_ascii_lowercase() && c != '-')
        .map_or(rest.len(), |n| n + 2);
    let (flag, after) = rest.split_at(end);
    match field(&flag[2..]) {
        Some(_) if before.chars().all(|c| !c.is_alphanumeric()) => {
            format!("{before}{}{after}", flag[2..].replace('-', "_"))
        }
        _ => word.to_owned(),
    }
}

/// Words without what punctuates the sentence after them.
fn bare(words: &str) -> &str {
    words.trim_end_matches(['.', ',', ';', ':', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn flags_and_commands_are_told_as_fields_and_requests() {
        for (text, wanted) in [
            (
                "--max-repetitions \"0\" is not a whole number",
                "max_repetitions \"0\" is not a whole number",
            ),
            (
                "give one of --time (once), --cron (a pattern) or --every (an interval)",
                "give one of time (once), cron (a pattern) or every (an interval)",
            ),
            (
                "there is no schedule 5: list shows the ids that exist",
                "there is no schedule 5: GET /api/v1/schedules shows the ids that exist",
            ),
            (
                "give it another time with promptyoself update --id 5 --time … now",
                "give it another time with PATCH /api/v1/schedules/5 {\"time\":\"…\"} now",
            ),
            (
                "start one with: promptyoself serve --db /a/b.db; and so on",
                "start one with: promptyoself serve --db /a/b.db; and so on",
            ),
            ("see promptyoself list.", "see GET /api/v1/schedules."),
            ("the --prompt-file of a--b", "the --prompt-file of a--b"),
            ("the blacklist shows it", "the blacklist shows it"),
        ] {
            assert_eq!(text_in_fields(text), wanted);
        }
    }

    #[test]
    fn an_example_is_a_part_of_a_body_or_a_whole_request() {
        for (example, wanted) in [
            ("--every 30m", r#"{"every":"30m"}"#),
            ("--cron \"0 9 * * *\"", r#"{"cron":"0 9 * * *"}"#),
            ("--max-repetitions 10", r#"{"max_repetitions":10}"#),
            (
                "--catch-up skip --grace 10m",
                r#"{"catch_up":"skip","grace":"10m"}"#,
            ),
            ("promptyoself list --all", "GET /api/v1/schedules?all=true"),
            ("promptyoself show --id 5", "GET /api/v1/schedules/5"),
            (
                "promptyoself resume --id 5 --replay",
                r#"POST /api/v1/schedules/5/resume {"replay":true}"#,
            ),
            (
                "promptyoself history --id 5",
                "GET /api/v1/occurrences?schedule_id=5",
            ),
            (
                "promptyoself key create --name laptop",
                "promptyoself key create --name laptop",
            ),
            ("GET /api/v1/schedules", "GET /api/v1/schedules"),
            ("--prompt-file x", "--prompt-file x"),
        ] {
            let error = in_fields(&Error::new(Code::Usage, "x").example(example));
            assert_eq!(error.corrected(), Some(wanted));
        }
    }
}
