use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::super::{Flags, Settings, file};
use super::*;

const IN_SHELL: &[(&str, &str)] = &[];
const IN_PLUGIN: &[(&str, &str)] = &[("PROMPTYOSELF_PLUGIN", "/plugins/promptyoself")];

/// A value for a key in the file, and another for its variables.
fn values(setting: &Setting) -> (&'static str, &'static str) {
    match (setting.table, setting.key) {
        ("", "database") => ("'/f.db'", "/e.db"),
        ("", "timezone") => ("'Europe/Rome'", "Asia/Tokyo"),
        ("", "default_agent") => ("'agent-f'", "agent-e"),
        ("", "largest_prompt") => ("7000", "9000"),
        ("letta" | "remote", "base_url" | "url") => ("'http://f:1'", "http://e:2"),
        ("letta" | "remote", _) => ("'key of f'", "key of e"),
        ("delivery", "concurrency") | ("budget", _) => ("7", "9"),
        ("delivery", "retry_first") => ("'3s'", "4s"),
        ("delivery", _) | ("keeping", _) => ("'41m'", "42m"),
        ("notify", "command") => ("'f'", "e"),
        ("notify", "url") => ("'http://f'", "http://e"),
        ("mcp", "delivers") => ("false", "0"),
        ("mcp", _) | ("server", "allow_upload") => ("true", "1"),
        ("server", "listen") => ("'127.0.0.1:1'", "127.0.0.1:2"),
        ("server", "proxies") => ("['172.18.0.2']", "172.18.0.3"),
        ("server", _) => ("['f']", "e"),
        (table, key) => panic!("{key} in [{table}] needs an example here"),
    }
}

fn load(text: &str, caller: &[(&str, &str)], variables: &[(&str, &str)]) -> Settings {
    let path = PathBuf::from("/plugins/promptyoself/promptyoself.toml");
    let file = file::parse(&path, text).unwrap();
    let env = caller.iter().chain(variables).copied().collect();
    Settings::combine(&Flags::default(), &env, Some(path), file).unwrap()
}

/// Everything but secrets.
fn shown(settings: &Settings) -> String {
    format!("{settings:?}")
}

fn written(setting: &Setting, value: &str) -> String {
    match setting.table {
        "" => format!("{} = {value}\n", setting.key),
        table => format!("[{table}]\n{} = {value}\n", setting.key),
    }
}

#[test]
fn in_the_plugin_the_file_beats_the_environment_and_elsewhere_the_environment_the_file() {
    for setting in SETTINGS.iter().filter(|s| !s.is_secret) {
        let (in_file, in_env) = values(setting);
        let text = written(setting, in_file);
        for variable in setting.variables {
            let set = [(*variable, in_env)];
            let in_plugin = |text: &str, env| shown(&load(text, IN_PLUGIN, env));
            assert_eq!(in_plugin(&text, &set), in_plugin(&text, &[]), "{variable}");
            let in_shell = |text: &str, env| shown(&load(text, IN_SHELL, env));
            assert_eq!(in_shell(&text, &set), in_shell("", &set), "{variable}");
            // What the file says nothing of is read from the environment by both.
            assert_ne!(in_plugin("", &set), in_plugin("", &[]), "{variable}");
            let blank = written(setting, "''");
            if in_file.starts_with('\'') {
                assert_eq!(in_plugin(&blank, &set), in_plugin("", &set), "{variable}");
            }
        }
    }
}

#[test]
fn where_the_schedules_are_is_one_question_whatever_answers_it() {
    let variables = [
        ("PROMPTYOSELF_DB_PATH", "/e.db"),
        ("PROMPTYOSELF_DB", "/e2.db"),
        ("PROMPTYOSELF_URL", "http://e:2"),
    ];
    for text in ["database = '/f.db'", "[remote]\nurl = 'http://f:1'"] {
        let alone = shown(&load(text, IN_PLUGIN, &[]));
        for variable in variables {
            assert_eq!(shown(&load(text, IN_PLUGIN, &[variable])), alone, "{text}");
        }
    }
}

/// The key that is sent to Letta, and to the server of the schedules.
fn keys(settings: &Settings) -> (Option<String>, Option<String>) {
    let text = |key: &Option<SecretString>| key.as_ref().map(|k| k.expose_secret().to_owned());
    let remote = settings.remote.as_ref().and_then(|r| text(&r.key));
    (text(&settings.letta_key), remote)
}

#[test]
fn a_key_read_from_a_file_goes_to_the_address_from_that_file_only() {
    const F: &str = "http://f:1";
    const E: &str = "http://e:2";
    // The address in the file and in the environment, whether the environment holds a key, and
    // which key is sent from a shell and in the plugin.
    type Case = (
        Option<&'static str>,
        Option<&'static str>,
        bool,
        &'static str,
        &'static str,
    );
    let cases: &[Case] = &[
        (Some(F), None, false, "f", "f"),
        (Some(F), None, true, "e", "f"),
        (Some(F), Some(E), false, "", "f"),
        (Some(F), Some(E), true, "e", "f"),
        (Some(F), Some("http://f:1/"), false, "f", "f"),
        (None, Some(E), false, "", ""),
        (None, Some(E), true, "e", "e"),
    ];
    for (in_file, in_env, has_key, in_shell, in_plugin) in cases {
        for (table, address, url, key) in [
            ("letta", "base_url", LETTA_URL, LETTA_KEY),
            ("remote", "url", &[REMOTE_URL][..], &[REMOTE_KEY][..]),
        ] {
            let secret = match table {
                "letta" => "api_key",
                _ => "key",
            };
            let mut text = format!("[{table}]\n{secret} = 'f'\n");
            if let Some(own) = in_file {
                text.push_str(&format!("{address} = '{own}'\n"));
            }
            for (url, key) in url.iter().flat_map(|u| key.iter().map(move |k| (*u, *k))) {
                let mut env: Vec<(&str, &str)> = in_env.iter().map(|e| (url, *e)).collect();
                env.extend(has_key.then_some((key, "e")));
                for (caller, wanted) in [(IN_SHELL, in_shell), (IN_PLUGIN, in_plugin)] {
                    let settings = load(&text, caller, &env);
                    let (letta, remote) = keys(&settings);
                    let sent = match table {
                        "letta" => letta,
                        _ => remote,
                    };
                    let case = format!("{text} {env:?} {caller:?}");
                    assert_eq!(sent.unwrap_or_default(), *wanted, "{case}");
                    // If a key is missing, the settings say which one and why.
                    let told: Vec<&str> = settings.withheld_keys().collect();
                    assert_eq!(told.is_empty(), !wanted.is_empty(), "{case} {told:?}");
                    for told in told {
                        assert!(told.contains(url) && told.contains(E), "{told}");
                    }
                    let is_files = *wanted == "f";
                    let from_file = match (table, &settings.remote) {
                        ("remote", Some(remote)) => remote.key_from_file,
                        _ => settings.letta_key_from_file,
                    };
                    assert_eq!(from_file, is_files, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_key_beside_no_address_is_for_the_usual_letta() {
    let text = "[letta]\napi_key = 'f'\n";
    for (env, wanted) in [
        (&[][..], Some("f")),
        (
            &[("LETTA_BASE_URL", "http://localhost:8283/v1/")],
            Some("f"),
        ),
        (&[("LETTA_SERVER_URL", "http://127.0.0.1:8284")], None),
        (&[("LETTA_BASE_URL", "https://localhost:8283")], None),
        (&[("LETTA_BASE_URL", "http://localhost:8283/other")], None),
    ] {
        for caller in [IN_SHELL, IN_PLUGIN] {
            let sent = keys(&load(text, caller, env)).0;
            assert_eq!(sent.as_deref(), wanted, "{env:?}");
        }
    }
}

#[test]
fn every_setting_stands_in_the_documents_with_its_variables() {
    let documents = concat!(
        include_str!("../../../docs/settings.md"),
        include_str!("../../../docs/server.md")
    );
    for setting in SETTINGS {
        for name in [&setting.key].into_iter().chain(setting.variables) {
            assert!(documents.contains(&format!("`{name}`")), "{name}");
        }
    }
}

#[test]
fn no_key_of_the_file_is_missing_from_the_list_of_settings() {
    // A file that holds every key of the list is read, so that none of them is invented; and an
    // unknown key is refused with the names of those there are.
    for table in [
        "", "letta", "remote", "delivery", "budget", "notify", "keeping", "mcp", "server",
    ] {
        let text = match table {
            "" => "nonsense = 1\n".to_owned(),
            table => format!("[{table}]\nnonsense = 1\n"),
        };
        let error = file::parse(&PathBuf::from("f.toml"), &text).unwrap_err();
        let told = error.chain();
        let (_, expected) = told.split_once("expected").expect(&told);
        let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{told}");
        for name in names {
            let is_table = SETTINGS.iter().any(|s| table.is_empty() && s.table == name);
            let is_listed = SETTINGS.iter().any(|s| s.table == table && s.key == name);
            assert!(is_table || is_listed, "{name} in [{table}]");
        }
    }
}
