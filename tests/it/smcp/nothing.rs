//! An argument without a value: SMCP servers pass Python's `None` and JSON's `null` on as text.

use serde_json::{Map, Value, json};

use super::loader::{Generation, Plugin};

/// An answer without its numbers and times, which differ from call to call.
fn timeless(answer: Result<String, String>) -> String {
    let text = answer.unwrap_or_else(|error| format!("error: {error}"));
    let mut kept = String::new();
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if kept.ends_with('#') => {}
            true => kept.push('#'),
            false => kept.push(c),
        }
    }
    kept
}

/// What each command needs to do something.
fn needed(command: &str) -> Value {
    match command {
        "register" => json!({
            "agent_id": "agent-1", "prompt": "p", "every": "5m", "skip_validation": true,
        }),
        "preview" => json!({ "every": "5m" }),
        "update" => json!({ "id": 1, "every": "7m" }),
        "show" | "pause" | "resume" | "run" | "cancel" => json!({ "id": 1 }),
        _ => json!({}),
    }
}

#[test]
fn no_optional_argument_of_any_command_takes_none_for_a_value() {
    let commands = Plugin::of_this_repository().describe().unwrap();
    for command in commands {
        let name = command["name"].as_str().unwrap();
        let all: Vec<&str> = command["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["required"] == false)
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        let needed = needed(name);
        let rest: Vec<&str> = all
            .into_iter()
            .filter(|p| needed.get(p).is_none())
            .collect();
        // All of them at once, as a client sends that fills in every field, for each word; in a world
        // of its own, since most commands change something.
        let call = |nothing: Option<&str>| {
            let plugin = super::calls::plugin();
            let made = json!({
                "agent_id": "agent-1", "prompt": "kept", "every": "1h", "name": "kept",
                "skip_validation": true,
            });
            plugin.call(Generation::Scraped, "register", &made).unwrap();
            let mut arguments: Map<String, Value> = needed.as_object().unwrap().clone();
            if let Some(nothing) = nothing {
                arguments.extend(rest.iter().map(|p| ((*p).to_owned(), json!(nothing))));
            }
            let answer = plugin.call(Generation::Nulls, name, &Value::Object(arguments));
            let kept = plugin.call(Generation::Scraped, "list", &json!({ "all": true }));
            let here = plugin.cwd().display().to_string();
            let hide = |text: String| text.replace(&here, "here");
            let [answer, kept] = [answer, kept].map(|a| a.map(hide).map_err(hide));
            (timeless(answer), timeless(kept))
        };
        let without = call(None);
        for nothing in ["None", "null", "undefined"] {
            let with = call(Some(nothing));
            assert_eq!(with.0, without.0, "{name}: {rest:?} = {nothing}");
            assert_eq!(with.1, without.1, "{name}: {rest:?} = {nothing}");
        }
    }
}

#[test]
fn an_update_never_writes_none_over_a_prompt_in_any_generation() {
    for generation in Generation::ALL {
        let plugin = super::calls::plugin();
        let id = super::calls::register(&plugin, generation, "kept");
        let changed = plugin
            .call(
                generation,
                "update",
                &json!({ "id": id, "prompt": "None", "name": "null", "every": "7m" }),
            )
            .unwrap();
        assert!(changed.contains("updated"), "{generation:?}: {changed}");
        let shown = plugin
            .call(generation, "show", &json!({ "id": id }))
            .unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["schedule"]["prompt_text"], "kept", "{generation:?}");
        assert_eq!(shown["schedule"]["schedule_value"], "7m", "{generation:?}");
        assert_eq!(shown["schedule"].get("name"), None, "{generation:?}");
    }
}

#[test]
fn null_itself_means_nothing_where_a_server_passes_it_on() {
    for generation in [
        Generation::Nulls,
        Generation::Kwargs,
        Generation::KwargsJson,
        Generation::KwargsFlags,
        Generation::KwargsPairs,
    ] {
        let plugin = super::calls::plugin();
        let arguments = json!({
            "agent_id": "agent-1", "prompt": "p", "every": "5m", "skip_validation": true,
            "time": null, "cron": null, "name": null, "max_repetitions": null, "envelope": null,
        });
        let made = plugin.call(generation, "register", &arguments).unwrap();
        assert!(made.contains("success"), "{generation:?}: {made}");
        let listed = plugin
            .call(
                generation,
                "list",
                &json!({ "agent_id": null, "all": null, "limit": null }),
            )
            .unwrap();
        assert!(listed.contains("\"count\":1"), "{generation:?}: {listed}");
    }
}
