//! The words of this API for fields and operations.

use axum::http::Method;
use serde_json::{Map, Value};

use crate::api::BASE;
use crate::error::{Call, CommandLine, Example, Fields, Words};
use crate::operations;
use crate::operations::definition::Operation;
use crate::operations::field::Given;

/// Writes fields by their JSON names, and operations as requests. What has no request, such as a
/// command of the operator's, is worded as on the command line.
pub(super) struct Requests;

impl Words for Requests {
    fn field(&self, name: &str) -> String {
        match is_in_requests(name) {
            true => name.to_owned(),
            false => CommandLine.field(name),
        }
    }

    fn operation(&self, name: &str) -> String {
        match route(name) {
            Some((method, path)) => format!("{method} {BASE}{path}"),
            None => CommandLine.operation(name),
        }
    }

    fn call(&self, call: &Call) -> String {
        request(call).unwrap_or_else(|| CommandLine.call(call))
    }
}

/// The method and path, without its beginning, of the request that does what a command does.
fn route(command: &str) -> Option<(&'static str, &'static str)> {
    let route = &operations::of_command(operations::ALL, command)?.route;
    Some((route.method, route.path))
}

/// Whether requests have a field.
fn is_in_requests(field: &str) -> bool {
    let all = operations::ALL.iter().copied();
    let mut taken = all.flat_map(Operation::parameters);
    taken.any(|p| p.field.name == field && (p.is_over_http() || p.given == Given::InPath))
}

/// A corrected form: a part of the body or query, or a whole request.
pub(super) fn example(example: &Example, method: &Method) -> String {
    match example {
        Example::Fields(fields) => match body(fields) {
            Some(fields) if *method == Method::GET => query(&fields),
            Some(body) => Value::from(body).to_string(),
            None => CommandLine.example(example),
        },
        Example::Call(call) => Requests.call(call),
        Example::Shell(_) | Example::Line(_) | Example::Json(_) => CommandLine.example(example),
    }
}

/// The request equivalent to a call; `None` if there is none.
fn request(call: &Call) -> Option<String> {
    let (method, path) = route(&call.operation)?;
    let mut fields = body(&call.fields)?;
    let mut path = format!("{BASE}{path}");
    if let Some(id) = fields.remove("id") {
        if path.contains("{id}") {
            path = path.replace("{id}", &plain(&id));
        } else {
            fields.insert("schedule_id".to_owned(), id);
        }
    }
    if fields.is_empty() {
        return Some(format!("{method} {path}"));
    }
    if method != "GET" {
        return Some(format!("{method} {path} {}", Value::from(fields)));
    }
    Some(format!("{method} {path}?{}", query(&fields)))
}

fn query(fields: &Map<String, Value>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        query.append_pair(name, &plain(value));
    }
    query.finish()
}

/// Fields as JSON; `None` if no request has one of them.
fn body(fields: &Fields) -> Option<Map<String, Value>> {
    let known = |(name, value): &(_, Value)| {
        let name: &str = AsRef::<str>::as_ref(name);
        is_in_requests(name).then(|| (name.to_owned(), value.clone()))
    };
    fields.iter().map(known).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{call, field, fields, message, operation, quoted, shell};

    #[test]
    fn parts_are_told_as_fields_and_requests() {
        for (message, wanted) in [
            (
                message![
                    field("max_repetitions"),
                    " ",
                    quoted("0"),
                    " is not a whole number"
                ],
                "max_repetitions \"0\" is not a whole number",
            ),
            (
                message![
                    "there is no schedule 5: ",
                    operation("list"),
                    " shows the ids"
                ],
                "there is no schedule 5: GET /api/v1/schedules shows the ids",
            ),
            (
                message![call("update").with("id", 5).with("time", "…"), " now"],
                "PATCH /api/v1/schedules/5 {\"time\":\"…\"} now",
            ),
            (
                message!["start one with: ", shell("promptyoself serve --db /a/b.db")],
                "start one with: promptyoself serve --db /a/b.db",
            ),
            (message!["the ", field("prompt_file")], "the --prompt-file"),
            (
                message![call("key").with("all", true)],
                "promptyoself key --all",
            ),
        ] {
            assert_eq!(message.in_words(&Requests), wanted);
        }
    }

    #[test]
    fn an_example_is_a_part_of_a_body_or_a_whole_request() {
        for (given, wanted) in [
            (fields([("every", "30m")]), r#"{"every":"30m"}"#),
            (fields([("cron", "0 9 * * *")]), r#"{"cron":"0 9 * * *"}"#),
            (
                fields([("max_repetitions", 10)]),
                r#"{"max_repetitions":10}"#,
            ),
            (
                fields([("catch_up", "skip"), ("grace", "10m")]),
                r#"{"catch_up":"skip","grace":"10m"}"#,
            ),
            (
                call("list").with("all", true).into(),
                "GET /api/v1/schedules?all=true",
            ),
            (call("show").with("id", 5).into(), "GET /api/v1/schedules/5"),
            (
                call("resume").with("id", 5).with("replay", true).into(),
                r#"POST /api/v1/schedules/5/resume {"replay":true}"#,
            ),
            (
                call("history").with("id", 5).into(),
                "GET /api/v1/occurrences?schedule_id=5",
            ),
            (
                shell("promptyoself key create --name laptop").into(),
                "promptyoself key create --name laptop",
            ),
            (fields([("prompt_file", "x")]), "--prompt-file x"),
        ] {
            assert_eq!(example(&given, &Method::POST), wanted);
        }
    }
    #[test]
    fn fields_of_a_query_are_told_as_a_query() {
        let since = fields([("since", "2026-11-26T09:00:00+01:00")]);
        let wanted = "since=2026-11-26T09%3A00%3A00%2B01%3A00";
        assert_eq!(example(&since, &Method::GET), wanted);
    }
}
