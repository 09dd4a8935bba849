//! Everything the program offers, as lists: no command, flag, parameter, tool, route or key is
//! renamed or lost unnoticed.

use std::collections::BTreeSet;
use std::path::Path;

use promptyoself::cli::definitions::definitions;
use promptyoself::error::Code;
use promptyoself::operations;
use serde_json::{Value, json};

use crate::mcp::raw::Raw;
use crate::program::World;

/// The lists as they were last agreed on. Whoever changes one on purpose changes it there, and says so
/// in the changelog.
const AGREED: &str = "tests/it/offered/lists.txt";

fn commands(lines: &mut BTreeSet<String>) {
    let definitions = definitions(operations::ALL, false);
    let names: Vec<&str> = definitions
        .get_subcommands()
        .map(|c| c.get_name())
        .collect();
    lines.insert(format!("commands in this order: {}", names.join(" ")));
    for command in definitions.get_subcommands() {
        let name = command.get_name();
        for alias in command.get_all_aliases() {
            lines.insert(format!("command {name} is also {alias}"));
        }
        for arg in command.get_arguments() {
            if let Some(flag) = arg.get_long() {
                lines.insert(format!("command {name} --{flag}"));
            }
            for alias in arg.get_all_aliases().unwrap_or_default() {
                lines.insert(format!("command {name} --{alias}"));
            }
        }
    }
}

fn plugin(lines: &mut BTreeSet<String>, world: &World) {
    let output = world.plugin(&["--describe"]).output().unwrap();
    let described: Value = serde_json::from_slice(&output.stdout).unwrap();
    for command in described["commands"].as_array().unwrap() {
        for p in command["parameters"].as_array().unwrap() {
            let line = format!(
                "plugin {} {} {} required {} default {}",
                command["name"], p["name"], p["type"], p["required"], p["default"]
            );
            lines.insert(line.replace('"', ""));
        }
    }
}

fn tools(lines: &mut BTreeSet<String>, world: &World) {
    let listed = Raw::start(world).ask("tools/list", json!({}));
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let input = &tool["inputSchema"];
        for (argument, schema) in input["properties"].as_object().unwrap() {
            let required = input["required"].as_array();
            let required = required.is_some_and(|r| r.contains(&json!(argument)));
            let kind = schema["type"].as_str().unwrap();
            lines.insert(format!("tool {name} {argument} {kind} required {required}"));
        }
        for key in tool["outputSchema"]["properties"]
            .as_object()
            .unwrap()
            .keys()
        {
            lines.insert(format!("tool {name} answers {key}"));
        }
        lines.insert(format!("tool {name} {}", tool["annotations"]));
    }
}

fn routes(lines: &mut BTreeSet<String>) {
    let document = promptyoself::server::document(operations::ALL);
    let schemas = &document["components"]["schemas"];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&String> =
                operation["responses"].as_object().unwrap().keys().collect();
            let statuses = json!(statuses).to_string().replace('"', "");
            lines.insert(format!("route {method} {path} {statuses}"));
            for p in operation["parameters"].as_array().into_iter().flatten() {
                let line = format!(
                    "route {method} {path} {} {} required {} {}",
                    p["in"], p["name"], p["required"], p["schema"]["type"]
                );
                lines.insert(line.replace('"', ""));
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(body) = body.as_str().and_then(|name| name.rsplit('/').next()) else {
                continue;
            };
            for (field, schema) in schemas[body]["properties"].as_object().unwrap() {
                let kind = schema["type"].to_string().replace('"', "");
                lines.insert(format!("route {method} {path} body {field} {kind}"));
            }
        }
    }
    for (name, schema) in schemas.as_object().unwrap() {
        let of_answer = !name.ends_with("Request");
        let keys = schema["properties"].as_object().filter(|_| of_answer);
        for key in keys.into_iter().flat_map(|p| p.keys()) {
            lines.insert(format!("answer {name} {key}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_offered_is_renamed_or_lost_unnoticed() {
    let world = World::new().await;
    let mut lines = BTreeSet::new();
    commands(&mut lines);
    plugin(&mut lines, &world);
    tools(&mut lines, &world);
    routes(&mut lines);
    for code in Code::ALL {
        lines.insert(format!("code {code}"));
    }
    let agreed = Path::new(env!("CARGO_MANIFEST_DIR")).join(AGREED);
    let agreed = std::fs::read_to_string(agreed).unwrap_or_default();
    let agreed: BTreeSet<String> = agreed.lines().map(str::to_owned).collect();
    let lost: Vec<_> = agreed.difference(&lines).collect();
    let new: Vec<_> = lines.difference(&agreed).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "not in {AGREED}: {new:#?}; only there: {lost:#?}"
    );
    assert!(lines.len() > 900, "{}", lines.len());
}
