//! Calls of the plugin that store and change schedules, in every SMCP generation.

use serde_json::{Value, json};

use super::loader::{Generation, Plugin};

impl Plugin {
    /// Calls a command whose answer must be JSON.
    fn call_json(&self, generation: Generation, command: &str, arguments: &Value) -> Value {
        let text = self
            .call(generation, command, arguments)
            .unwrap_or_else(|error| panic!("{generation:?} {command} {arguments}: {error}"));
        serde_json::from_str(&text).unwrap()
    }
}

/// The plugin with a database of its own.
pub fn plugin() -> Plugin {
    Plugin::of_this_repository().env("PROMPTYOSELF_DB_PATH", "schedules.db")
}

pub fn register(plugin: &Plugin, generation: Generation, prompt: &str) -> i64 {
    let arguments = json!({
        "agent_id": "agent-1",
        "prompt": prompt,
        "every": "5m",
        "max_repetitions": 5.0,
        "skip_validation": true,
    });
    let answer = plugin.call_json(generation, "register", &arguments);
    assert_eq!(answer["status"], "success");
    assert!(answer["next_run"].is_string() && answer["message"].is_string());
    answer["id"].as_i64().unwrap()
}

#[test]
fn every_prompt_arrives_in_the_database_as_it_was_sent() {
    let plugin = plugin();
    let prompts = [
        "--evil",
        "-5",
        "--db",
        "--help",
        "--",
        "a\nb\r\n\tc",
        "👋🏽 ünï",
        "it's \"so\" \\ 'x'",
        "'; DROP TABLE schedules; --",
        "{'a': 1}",
        "true",
        " edges ",
        "None",
    ];
    for generation in Generation::ALL {
        for prompt in prompts {
            let id = register(&plugin, generation, prompt);
            let all = plugin.call_json(generation, "list", &json!({ "full": true }));
            let stored = all["schedules"]
                .as_array()
                .unwrap()
                .iter()
                .find(|s| s["id"] == id)
                .unwrap();
            assert_eq!(stored["prompt_text"], prompt, "{generation:?}");
            assert_eq!(stored["max_repetitions"], 5);
            assert_eq!(all["count"], all["schedules"].as_array().unwrap().len());
            plugin.call_json(generation, "cancel", &json!({ "id": id }));
        }
    }
}

#[test]
fn a_long_prompt_is_shortened_in_lists_by_characters_and_whole_when_asked_for() {
    let plugin = plugin();
    let prompt = "ü".repeat(150);
    let id = register(&plugin, Generation::Described, &prompt);
    let shown = |arguments: Value| {
        plugin.call_json(Generation::Described, "list", &arguments)["schedules"][0]["prompt_text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(shown(json!({})), format!("{}...", "ü".repeat(100)));
    assert_eq!(shown(json!({ "full": true })), prompt);
    let one = plugin.call_json(Generation::Described, "show", &json!({ "id": id }));
    assert!(one.to_string().contains(&prompt));
}

#[test]
fn a_cancelled_schedule_is_listed_only_with_all_and_cannot_be_cancelled_again() {
    for generation in Generation::ALL {
        let plugin = plugin();
        let id = register(&plugin, generation, "p");
        let answer = plugin.call_json(generation, "cancel", &json!({ "id": format!("{id}.0") }));
        assert_eq!(answer["status"], "success");
        assert_eq!(answer["cancelled_id"], id);
        let active = plugin.call_json(generation, "list", &json!({ "all": false }));
        assert_eq!(active["count"], 0);
        let all = plugin.call_json(generation, "list", &json!({ "all": true }));
        assert_eq!(all["count"], 1);
        let error = plugin
            .call(generation, "cancel", &json!({ "id": id }))
            .unwrap_err();
        assert!(error.contains("cancelled"), "{error}");
        let error = plugin
            .call(generation, "cancel", &json!({ "id": 999 }))
            .unwrap_err();
        assert!(error.contains("999"), "{error}");
    }
}

#[test]
fn lists_come_in_pages() {
    let plugin = plugin();
    for n in 0..5 {
        register(&plugin, Generation::Scraped, &format!("p{n}"));
    }
    let page = plugin.call_json(
        Generation::Described,
        "list",
        &json!({ "limit": 2, "offset": 4.0 }),
    );
    assert_eq!(page["schedules"].as_array().unwrap().len(), 1);
}

#[test]
fn several_values_arrive_as_a_list_wherever_an_agent_can_write_one() {
    let plugin = plugin();
    let lists = json!({
        "cron": ["0 9 * * 1-5", "30 17 * * 1-5"],
        "except": ["2030-12-24..2031-01-02", "2031-05-01"],
    });
    let texts = json!({
        "cron": "0 9 * * 1-5; 30 17 * * 1-5",
        "except": "2030-12-24..2031-01-02, 2031-05-01",
    });
    for generation in Generation::ALL {
        if matches!(
            generation,
            Generation::KwargsFlags | Generation::KwargsPairs
        ) {
            continue;
        }
        let described = |arguments: &Value| {
            plugin.call_json(generation, "preview", arguments)["describes"].take()
        };
        assert_eq!(described(&lists), described(&texts), "{generation:?}");
    }
}

#[test]
fn a_bad_value_is_an_error_that_names_it_and_stores_nothing() {
    let plugin = plugin();
    let base = json!({ "agent_id": "agent-1", "prompt": "p", "skip_validation": true });
    for (key, value, named) in [
        ("every", json!("0"), "0"),
        ("every", json!("-5m"), "-5m"),
        ("every", json!("5x"), "5x"),
        ("cron", json!("0 0 31 2 *"), "31"),
        ("cron", json!("61 * * * *"), "minute"),
        ("cron", json!("* * * * * *"), "6 fields"),
        ("time", json!("2026-02-30T00:00:00Z"), "2026-02-30"),
        ("time", json!("2020-01-01T00:00:00Z"), "now"),
    ] {
        for generation in Generation::ALL {
            let mut arguments = base.clone();
            arguments[key] = value.clone();
            let error = plugin.call(generation, "register", &arguments).unwrap_err();
            assert!(error.contains(named), "{generation:?} {value}: {error}");
        }
    }
    for (key, value) in [
        ("max_repetitions", json!(0)),
        ("max_repetitions", json!(-1)),
        ("max_repetitions", json!("many")),
        ("timezone", json!("Mars/Olympus")),
        ("agent_id", json!("agent/../../tools?a=1#")),
        ("agent_id", json!(" ")),
        ("end_at", json!("2020-01-01T00:00:00Z")),
    ] {
        let mut arguments = base.clone();
        arguments["every"] = json!("5m");
        arguments[key] = value.clone();
        let error = plugin
            .call(Generation::Scraped, "register", &arguments)
            .unwrap_err();
        let is_told = key == "agent_id";
        assert_eq!(
            error.contains("Example: "),
            is_told,
            "{key} {value}: {error}"
        );
    }
    let all = plugin.call_json(Generation::Described, "list", &json!({ "all": true }));
    assert_eq!(all["count"], 0);
}

#[test]
fn without_letta_every_command_that_needs_it_fails_and_says_so() {
    let plugin = plugin();
    for generation in Generation::ALL {
        for (command, arguments) in [
            ("test", json!({})),
            ("agents", json!({})),
            (
                "register",
                json!({ "agent_id": "agent-1", "prompt": "p", "every": "5m" }),
            ),
        ] {
            let error = plugin.call(generation, command, &arguments).unwrap_err();
            assert!(
                error.contains("127.0.0.1:9"),
                "{generation:?} {command}: {error}"
            );
        }
    }
}

#[test]
fn whoever_schedules_is_told_when_no_scheduler_is_running() {
    let plugin = plugin();
    let arguments = json!({
        "agent_id": "agent-1", "prompt": "p", "every": "5m", "skip_validation": true,
    });
    for (command, arguments) in [("register", arguments), ("list", json!({}))] {
        let answer = plugin.call_json(Generation::Described, command, &arguments);
        assert!(
            answer.to_string().contains("promptyoself serve"),
            "{answer}"
        );
    }
}

#[test]
fn the_installed_plugin_and_the_operator_share_one_database_from_any_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("data/shared.db");
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::create_dir(dir.path().join("plugins")).unwrap();
    let program = |argv: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_promptyoself"))
            .args(["--db", db.to_str().unwrap()])
            .args(argv)
            .env_clear()
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    program(&["plugin", "install", "plugins"]);
    let plugin = Plugin::new(dir.path().join("plugins/promptyoself"));
    let id = register(&plugin, Generation::Described, "from the agent");
    assert_eq!(program(&["list"])["schedules"][0]["id"], id);
    assert!(!plugin.cwd().join("promptyoself.db").exists());
}
