//! The plugin in SMCP servers of every generation.

mod calls;
mod loader;
mod nothing;
mod texts;
mod variables;

use serde_json::{Value, json};

use loader::{Generation, Plugin, check_contract, read_result};

const COMMANDS: [&str; 14] = [
    "register", "list", "show", "update", "pause", "resume", "run", "preview", "cancel", "execute",
    "test", "agents", "history", "doctor",
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs the plugin; stdout must be exactly one JSON object.
fn answer(plugin: &Plugin, argv: &[&str]) -> (i32, Value, String) {
    let output = plugin.run(&words(argv));
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{argv:?}: stdout is not one JSON value: {e}: {output:?}"));
    assert!(value.is_object(), "{argv:?}: {value}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), value, stderr)
}

#[test]
fn a_server_that_asks_is_told_every_command_by_the_contract() {
    let commands = Plugin::of_this_repository().describe().unwrap();
    let names: Vec<&str> = commands
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, COMMANDS);
}

#[test]
fn a_server_that_scrapes_help_finds_the_same_commands() {
    assert_eq!(Plugin::of_this_repository().scrape(), COMMANDS);
    // A narrow terminal that the server was started in must not break the lines.
    assert_eq!(
        Plugin::of_this_repository().env("COLUMNS", "30").scrape(),
        COMMANDS
    );
}

#[test]
fn the_loader_of_these_tests_refuses_what_smcp_refuses() {
    let plugin = Plugin::of_this_repository();
    let output = plugin.run(&words(&["--describe"]));
    let good: Value = serde_json::from_slice(&output.stdout).unwrap();
    check_contract(&good).unwrap();
    let spoil: [fn(&mut Value); 6] = [
        |v| v["contract_version"] = json!("2.0"),
        |v| v["extra"] = json!(1),
        |v| v["plugin"]["version"] = json!(""),
        |v| v["commands"][0]["name"] = json!("a b"),
        |v| v["commands"][0]["parameters"][0]["type"] = json!("text"),
        |v| v["commands"][0]["parameters"][0]["required"] = json!("yes"),
    ];
    for spoil in spoil {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(check_contract(&bad).is_err(), "{bad}");
    }
    let null = plugin.call(Generation::Described, "list", &json!({ "agent_id": null }));
    assert!(null.unwrap_err().contains("null"));
    let unknown = plugin.call(Generation::Described, "list", &json!({ "db": "x" }));
    assert!(unknown.unwrap_err().contains("additional property"));
}

#[test]
fn every_form_of_argument_is_understood_by_every_generation() {
    let plugin = Plugin::of_this_repository();
    // The commands themselves may fail for want of Letta, but never for want of understanding.
    for generation in Generation::ALL {
        for (command, arguments) in [
            (
                "list",
                json!({ "agent_id": "agent-1", "all": true, "full": false }),
            ),
            ("list", json!({ "limit": 5, "offset": 5.0 })),
            ("show", json!({ "id": 5 })),
            ("show", json!({ "id": 5.0 })),
            ("cancel", json!({ "id": "5" })),
            ("execute", json!({})),
            ("history", json!({ "limit": 1.0 })),
        ] {
            let result = plugin.call(generation, command, &arguments);
            let text = result.unwrap_or_else(|error| error);
            for misunderstood in ["--help", "usage", "is not a whole number", "refused"] {
                assert!(
                    !text.contains(misunderstood),
                    "{generation:?} {command} {arguments}: {text}"
                );
            }
        }
    }
}

#[test]
fn a_prompt_is_never_taken_for_a_flag() {
    let plugin = Plugin::of_this_repository();
    for prompt in [
        "--evil",
        "-5",
        "a\nb",
        "👋🏽",
        "--db",
        "--help",
        "--",
        "it's \"so\" \\ 'x'",
    ] {
        for generation in Generation::ALL {
            let error = plugin
                .call(
                    generation,
                    "register",
                    &json!({ "agent_id": "agent-1", "prompt": prompt }),
                )
                .unwrap_err();
            assert!(
                error.contains("--time"),
                "{generation:?} {prompt:?}: {error}"
            );
        }
    }
}

#[test]
fn an_empty_prompt_is_missing_rather_than_a_wrong_command_line() {
    let plugin = Plugin::of_this_repository();
    for generation in Generation::ALL {
        for prompt in ["", " \n"] {
            let arguments = json!({ "agent_id": "agent-1", "prompt": prompt, "every": "5m" });
            let error = plugin.call(generation, "register", &arguments).unwrap_err();
            assert!(error.contains("prompt is empty"), "{generation:?}: {error}");
        }
    }
}

#[test]
fn whatever_an_agent_may_not_choose_is_refused_with_what_to_do_instead() {
    let plugin = Plugin::of_this_repository();
    let secret = plugin.cwd().join("secret.txt");
    std::fs::write(&secret, "the secret").unwrap();
    let secret = secret.to_str().unwrap();
    for argv in [
        &[
            "register",
            "--agent-id",
            "a",
            "--every",
            "5m",
            "--prompt-file",
            secret,
        ][..],
        &[
            "register",
            "--agent-id",
            "a",
            "--every",
            "5m",
            "--prompt_file",
            "-",
        ],
        &["list", "--db", "other.db"],
        &["--db=other.db", "list"],
        &["list", "--config", secret],
        &["execute", "--loop"],
        &["execute", "--loop", "true"],
        &["execute", "--kwargs", "{'loop': True}"],
        &["serve"],
        &["serve", "--kwargs", "{}"],
        &["plugin", "install", "x"],
    ] {
        let (status, value, stderr) = answer(&plugin, argv);
        assert_eq!(status, 1, "{argv:?}");
        assert_eq!(value["code"], "refused_in_plugin", "{argv:?}: {value}");
        assert!(value["example"].is_string());
        assert!(!value.to_string().contains("the secret"));
        assert!(stderr.contains("refused in the plugin"), "{stderr}");
    }
    assert!(!plugin.cwd().join("other.db").exists());
    assert!(!plugin.cwd().join("x").exists());
}

#[test]
fn an_error_is_one_json_value_on_stdout_and_the_same_text_on_stderr() {
    let plugin = Plugin::of_this_repository();
    for (argv, status, code) in [
        (
            &["register", "--prompt", "p", "--every", "5m"][..],
            1,
            "agent_missing",
        ),
        (&["register", "--agent-id", "a"], 1, "prompt_missing"),
        (
            &["register", "--agent-id", "a", "--prompt", "p"],
            1,
            "spec_missing",
        ),
        (&["show", "--id", "5.5"], 1, "id_invalid"),
        (&["show", "--id", "five"], 1, "schedule_not_found"),
        (&["list", "--nonsense"], 2, "usage"),
        (&["list", "--limit", "many"], 2, "usage"),
        (&["nonsense"], 2, "usage"),
        (&["register", "--prompt"], 2, "usage"),
        (&["register", "--prompt", "a", "--prompt", "b"], 2, "usage"),
        (&["list", "--kwargs", "not a dictionary"], 2, "usage"),
    ] {
        let (was, value, stderr) = answer(&plugin, argv);
        assert_eq!(
            (was, &value["code"]),
            (status, &json!(code)),
            "{argv:?}: {value}"
        );
        let text = value["error"].as_str().unwrap();
        assert_eq!(stderr.trim_end(), format!("error: {text}"));
    }
}

#[test]
fn no_command_shows_help_and_fails() {
    let output = Plugin::of_this_repository().run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("Available commands:")
    );
}

#[test]
fn a_program_that_is_missing_or_broken_is_reported_where_every_server_looks() {
    let empty = tempfile::tempdir().unwrap();
    let plugin = || {
        let folder = tempfile::tempdir().unwrap().keep();
        let shim = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/promptyoself/cli.py");
        std::fs::copy(shim, folder.join("cli.py")).unwrap();
        Plugin::new(folder)
    };
    let broken = empty.path().join("broken");
    std::fs::write(&broken, "\0not a program").unwrap();
    let mut all = std::fs::metadata(&broken).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut all, 0o755);
    std::fs::set_permissions(&broken, all).unwrap();
    for (plugin, named) in [
        (
            plugin().env("PATH", only_python(empty.path())),
            "PROMPTYOSELF_BIN",
        ),
        (
            plugin().env("PROMPTYOSELF_BIN", "/nowhere/at/all"),
            "/nowhere/at/all",
        ),
        (
            plugin().env("PROMPTYOSELF_BIN", broken.display().to_string()),
            "broken",
        ),
    ] {
        let output = plugin.run(&words(&["list"]));
        let error = read_result(Generation::Scraped, &output).unwrap_err();
        assert!(error.contains(named), "{error}");
        let on_stderr = read_result(Generation::Kwargs, &output).unwrap_err();
        assert!(on_stderr.contains(named), "{on_stderr}");
    }
}

/// A `PATH` on which there is nothing but Python.
fn only_python(folder: &std::path::Path) -> String {
    let output = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let python = String::from_utf8(output.stdout).unwrap();
    std::os::unix::fs::symlink(python.trim(), folder.join("python3")).unwrap();
    folder.display().to_string()
}

#[test]
fn python_notation_that_is_no_plain_dictionary_runs_nothing() {
    let plugin = Plugin::of_this_repository();
    for text in [
        "__import__('os').system('touch pwned')",
        "[1]",
        "{'a'",
        "{'a': open('x')}",
    ] {
        let (status, value, _) = answer(&plugin, &["list", "--kwargs", text]);
        assert_eq!((status, &value["code"]), (2, &json!("usage")), "{text}");
    }
    assert!(!plugin.cwd().join("pwned").exists());
    // A prompt is data, even if it says --kwargs.
    let (_, value, _) = answer(
        &plugin,
        &["register", "--agent-id", "a", "--prompt", "--kwargs"],
    );
    assert_eq!(value["code"], "spec_missing");
}

#[test]
fn a_character_that_no_command_line_can_carry_is_an_error_and_no_crash() {
    let plugin = Plugin::of_this_repository();
    for prompt in ["'a\\x00b'", "'\\ud800'"] {
        let text = format!("{{'agent_id': 'a', 'prompt': {prompt}}}");
        let (status, value, stderr) = answer(&plugin, &["register", "--kwargs", &text]);
        assert_ne!(status, 0);
        assert!(value["error"].is_string());
        assert!(!stderr.contains("Traceback"), "{stderr}");
    }
}
