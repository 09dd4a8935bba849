//! How tools are described to models' APIs, in the subset of JSON Schema that all of them accept.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::peer::peers;
use super::raw::Raw;
use crate::program::World;

/// The tools as MCP lists them.
async fn tools() -> Vec<Value> {
    let world = World::new().await;
    let mut listed = Raw::start(&world).ask("tools/list", json!({}));
    match listed["result"]["tools"].take() {
        Value::Array(tools) => tools,
        other => panic!("{other}"),
    }
}

/// The commands of the plugin, as an SMCP server makes tools of them.
async fn commands() -> Vec<Value> {
    let world = World::new().await;
    let output = world.plugin(&["--describe"]).output().unwrap();
    let described: Value = serde_json::from_slice(&output.stdout).unwrap();
    described["commands"].as_array().unwrap().clone()
}

fn keys(object: &Map<String, Value>) -> Vec<&str> {
    object.keys().map(String::as_str).collect()
}

/// One schema: known keywords alone, each of the one shape that every API takes.
fn check_schema(schema: &Value, at: &str) {
    let object = schema
        .as_object()
        .unwrap_or_else(|| panic!("{at}: {schema}"));
    let Some(kind) = object.get("type").and_then(Value::as_str) else {
        panic!("{at} must have one type, as text: {schema}");
    };
    let known: &[&str] = match kind {
        "string" => &["type", "description", "enum"],
        "integer" | "number" | "boolean" => &["type", "description"],
        "array" => &["type", "description", "items"],
        "object" => &["type", "description", "properties", "required"],
        other => panic!("{at}: {other}"),
    };
    for key in keys(object) {
        assert!(known.contains(&key), "{at}: {key}");
    }
    if let Some(description) = object.get("description") {
        assert!(description.as_str().is_some_and(|d| !d.is_empty()), "{at}");
    }
    if let Some(words) = object.get("enum") {
        let words = words.as_array().unwrap();
        assert!(!words.is_empty(), "{at}");
        assert!(
            words
                .iter()
                .all(|w| w.as_str().is_some_and(|w| !w.is_empty())),
            "{at}"
        );
    }
    if kind == "array" {
        check_schema(&object["items"], &format!("{at}[]"));
    }
    let properties = object.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(fits) && name.len() <= 64, "{at}.{name}");
        check_schema(schema, &format!("{at}.{name}"));
    }
    for name in object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        assert!(
            properties.unwrap().contains_key(name.as_str().unwrap()),
            "{at}: {name}"
        );
    }
}

/// A name and a description that every API takes.
fn check_names(tool: &Value) {
    let name = tool["name"].as_str().unwrap();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    assert!(name.chars().all(fits) && name.len() <= 64, "{name}");
    // OpenAI's bound, in characters.
    let length = tool["description"].as_str().unwrap().chars().count();
    assert!((1..=1_024).contains(&length), "{name}: {length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_is_described_in_words_that_every_models_api_takes() {
    let tools = tools().await;
    assert!(tools.len() > 20);
    for tool in &tools {
        check_names(tool);
        let name = tool["name"].as_str().unwrap();
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
            check_schema(&tool[schema], &format!("{name} {schema}"));
        }
        // Gemini's API refuses an object without properties as what a function takes.
        let takes = tool["inputSchema"]["properties"].as_object().unwrap();
        assert!(!takes.is_empty(), "{name}");
        for (parameter, schema) in takes {
            let told = schema["description"].as_str().unwrap();
            let has_example = told.contains("Example")
                || schema["type"] == "boolean"
                || schema.get("enum").is_some();
            assert!(has_example, "{name} {parameter}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_plugin_is_described_without_nulls_and_unions() {
    for command in commands().await {
        check_names(&command);
        let name = command["name"].as_str().unwrap();
        for parameter in command["parameters"].as_array().unwrap() {
            let mut entry = parameter.as_object().unwrap().clone();
            let kind = entry["type"].as_str().unwrap().to_owned();
            match entry.remove("default") {
                None => {}
                Some(Value::String(_)) => assert_eq!(kind, "string"),
                Some(Value::Number(_)) => assert_eq!(kind, "integer"),
                Some(Value::Bool(_)) => assert_eq!(kind, "boolean"),
                Some(other) => panic!("{name} {parameter}: {other}"),
            }
            assert!(entry.remove("required").unwrap().is_boolean());
            if let Some(action) = entry.remove("action") {
                assert_eq!((action, kind.as_str()), (json!("store_true"), "boolean"));
            }
            entry.remove("name");
            check_schema(
                &Value::Object(entry),
                &format!("{name} {}", parameter["name"]),
            );
        }
    }
}

/// Has the tools put into a request by a model's client, which checks them.
fn build_requests(environment: &str, client: &str, tools: &Value) {
    let python = peers().join(environment).join("bin/python");
    assert!(python.exists(), "run scripts/setup first");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/models.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(client)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(tools.to_string().as_bytes()).unwrap();
    drop(input);
    let output = tokio::task::block_in_place(|| child.wait_with_output().unwrap());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{client}: {told}");
    let built: usize = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap();
    assert_eq!(built, tools.as_array().unwrap().len(), "{client}");
}

/// The plugin's commands with schemas as SMCP 3 makes them.
async fn as_smcp_lists_them() -> Vec<Value> {
    let schema = |command: &Value| {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for parameter in command["parameters"].as_array().unwrap() {
            let mut schema =
                json!({ "type": parameter["type"], "description": parameter["description"] });
            if let Some(default) = parameter.get("default") {
                schema["default"] = default.clone();
            }
            let name = parameter["name"].as_str().unwrap().to_owned();
            if parameter["required"] == true {
                required.push(name.clone());
            }
            properties.insert(name, schema);
        }
        json!({ "type": "object", "properties": properties, "required": required,
            "additionalProperties": false })
    };
    let described = commands().await;
    let tool = |c: &Value| {
        let name = format!("promptyoself__{}", c["name"].as_str().unwrap());
        json!({ "name": name, "description": c["description"], "inputSchema": schema(c) })
    };
    described.iter().map(tool).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_every_models_api_build_their_requests_with_every_tool() {
    let mut tools = tools().await;
    tools.extend(as_smcp_lists_them().await);
    let tools = Value::Array(tools);
    for client in ["google", "openai", "anthropic"] {
        build_requests("models", client, &tools);
    }
    // Letta's own way from MCP to each of them.
    build_requests("letta-venv", "letta", &tools);
}
