//! The tools that are operations.

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::mcp::answers::{Key, Shape, key, keys_of, nullable};
use crate::mcp::call::Call;
use crate::mcp::definition::{Definition, Work};
use crate::operations::definition::{Operation, Who};
use crate::operations::field::{Given, Kind, Parameter, takes};
use crate::operations::fields::{CLOCK, LIMIT};
use crate::operations::{HISTORY, RESUME, SHOW};
use crate::service::show_local;

/// The default page size: what a model reads at once.
const USUAL_LIMIT: u32 = 50;

/// The tool of an operation, if it has one.
pub(super) fn tool(operation: &'static Operation) -> Option<Definition> {
    let tool = operation.tool?;
    let parameters = parameters(operation);
    let example = example(operation, &parameters);
    let parts = [operation.described(), tool.advice.to_owned(), example];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let local = local_times(operation.name);
    let local = local.as_ref();
    let mut answers = keys_of(&operation.answer);
    answers.extend(local.into_iter().flat_map(|local| local.keys.clone()));
    Some(Definition {
        name: tool.name,
        title: tool.title,
        description: parts.join(" "),
        parameters,
        answers,
        effect: operation.effect,
        is_operators: matches!(operation.who, Who::Operator(_)),
        work: local.map_or(Work::Operation(operation), |local| local.work),
    })
}

fn parameters(operation: &'static Operation) -> Vec<Parameter> {
    let taken = operation.parameters().filter(|p| p.is_in_tools());
    let mut taken: Vec<Parameter> = taken
        .map(|p| match p.given {
            // Only the command line has an alternative to it.
            Given::InPath => p.required(),
            _ => *p,
        })
        .collect();
    if taken.is_empty() {
        taken.push(takes(&CLOCK));
    }
    taken
}

/// The operation's example as a call of the tool.
fn example(operation: &Operation, parameters: &[Parameter]) -> String {
    let given: Map<String, Value> = serde_json::from_str(operation.example).unwrap_or_default();
    let mut call = Map::new();
    for parameter in parameters {
        let field = parameter.field;
        let value = match parameter.given {
            Given::InPath => (field.examples.first()).and_then(|e| match field.kind {
                Kind::Number(..) => serde_json::from_str(e).ok(),
                _ => Some(Value::from(*e)),
            }),
            _ => given.get(field.name).cloned(),
        };
        if let Some(value) = value {
            call.insert(parameter.argument().to_owned(), value);
        }
    }
    format!("Example: {}", Value::from(call))
}

/// The local times that a tool adds to its operation's answer.
struct LocalTimes {
    work: Work,
    keys: Vec<Key>,
}

fn local_times(operation: &str) -> Option<LocalTimes> {
    match operation {
        "resume" => Some(LocalTimes {
            work: Work::Own(|call| Box::pin(resume(call))),
            keys: vec![
                nullable("next_run_local", Shape::Text, "The next run in timezone"),
                key("next_runs", Shape::Texts, "The next runs in UTC"),
            ],
        }),
        "history" => Some(LocalTimes {
            work: Work::Own(|call| Box::pin(history(call))),
            keys: Vec::new(),
        }),
        _ => None,
    }
}

async fn resume(call: &Call) -> Result<Value> {
    let mut answer = call.ask(&RESUME).await?;
    let shown = call.ask(&SHOW).await?;
    answer["timezone"] = shown["schedule"]["timezone"].clone();
    if !answer["next_run"].is_null() {
        answer["next_run_local"] = shown["schedule"]["next_run_local"].clone();
        answer["next_runs"] = shown["next_runs"].clone();
    }
    Ok(answer)
}

async fn history(call: &Call) -> Result<Value> {
    let mut answer = call.ask(&HISTORY).await?;
    let occurrences = answer["occurrences"].as_array_mut();
    for occurrence in occurrences.into_iter().flatten() {
        let intended = occurrence["intended_at"].as_str();
        if let Some(at) = intended.and_then(|text| text.parse().ok()) {
            occurrence["intended_at_local"] = json!(show_local(at, &call.shared.zone));
        }
    }
    Ok(answer)
}

impl Call {
    /// Carries out an operation with the tool's arguments.
    pub(in crate::mcp) async fn ask(&self, operation: &'static Operation) -> Result<Value> {
        let mut values = self.arguments.values(self.tool);
        if operation.answer.page_of.is_some() {
            values.set_default(&LIMIT, USUAL_LIMIT);
        }
        self.operations.ask(operation, &values).await
    }
}
