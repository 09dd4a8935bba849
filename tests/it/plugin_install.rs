//! `plugin install` makes a folder that works wherever the server runs.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn promptyoself(cwd: &Path, argv: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_promptyoself"))
        .args(argv)
        .env_clear()
        .env("HOME", cwd)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(env.iter().copied())
        .current_dir(cwd)
        .output()
        .unwrap()
}

fn install(cwd: &Path, dir: &str, env: &[(&str, &str)]) -> Value {
    let output = promptyoself(cwd, &["plugin", "install", dir], env);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn changes(answer: &Value) -> Vec<&str> {
    answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["change"].as_str().unwrap())
        .collect()
}

#[test]
fn the_installed_folder_works_from_any_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let answer = install(dir.path(), "plugins", &[("PROMPTYOSELF_DB", "data.db")]);
    assert_eq!(answer["status"], "success");
    let folder = dir.path().join("plugins/promptyoself");
    assert!(folder.join("__init__.py").is_file());
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::new("python3")
        .arg(folder.join("cli.py"))
        .arg("--describe")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let described: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(described["contract_version"], "1.0");
    // Python leaves no files of its own where the server runs.
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_settings_name_the_database_by_its_whole_path_and_hold_no_secret_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("PROMPTYOSELF_DB", "data.db"),
        ("LETTA_API_KEY", "hunter2"),
        ("LETTA_BASE_URL", "http://letta:8283/"),
        ("PROMPTYOSELF_MAX_AGE", "50h"),
    ];
    let answer = install(dir.path(), "plugins", &env);
    assert!(!answer.to_string().contains("hunter2"));
    let file = dir.path().join("plugins/promptyoself/promptyoself.toml");
    // The SMCP server's user reads it, and nothing in it is a secret.
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o644);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("hunter2"));
    let table: toml::Table = text.parse().unwrap();
    let real = dir.path().join("data.db");
    assert_eq!(table["database"].as_str().unwrap(), real.to_str().unwrap());
    assert_eq!(
        table["letta"]["base_url"].as_str(),
        Some("http://letta:8283")
    );
    assert_eq!(table["timezone"].as_str(), Some("UTC"));
    assert_eq!(table["delivery"]["max_age"].as_str(), Some("50h"));
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("LETTA_API_KEY")
    );
}

#[test]
fn a_secret_of_the_settings_file_is_taken_along() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.toml");
    std::fs::write(&config, "[letta]\napi_key = 'hunter2'\n").unwrap();
    let config = config.to_str().unwrap();
    let answer = install(dir.path(), "plugins", &[("PROMPTYOSELF_CONFIG", config)]);
    assert!(!answer.to_string().contains("hunter2"));
    let file = dir.path().join("plugins/promptyoself/promptyoself.toml");
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(file).unwrap().contains("hunter2"));
}

#[test]
fn installing_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = install(dir.path(), "plugins", &[]);
    assert_eq!(changes(&first), ["created"; 4]);
    let second = install(dir.path(), "plugins", &[]);
    assert_eq!(changes(&second), ["unchanged"; 4]);
    // The plugin's own folder may be named instead of the folder of plugins.
    let third = install(dir.path(), "plugins/promptyoself", &[]);
    assert_eq!(changes(&third), ["unchanged"; 4]);
}

#[test]
fn what_the_operator_added_to_the_settings_stays() {
    let dir = tempfile::tempdir().unwrap();
    install(dir.path(), "plugins", &[]);
    let file = dir.path().join("plugins/promptyoself/promptyoself.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = format!("default_agent = 'agent-7' # ours\n{text}api_key = 'hunter2'\n");
    std::fs::write(&file, &edited).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        changes(&install(dir.path(), "plugins", &[])),
        ["unchanged"; 4]
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
    let moved = install(
        dir.path(),
        "plugins",
        &[("PROMPTYOSELF_DB", "/else/where.db")],
    );
    assert_eq!(
        changes(&moved),
        ["unchanged", "unchanged", "updated", "unchanged"]
    );
    let table: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    assert_eq!(table["database"].as_str(), Some("/else/where.db"));
    assert_eq!(table["default_agent"].as_str(), Some("agent-7"));
    assert_eq!(table["letta"]["api_key"].as_str(), Some("hunter2"));
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
    let old = std::fs::read_to_string(file.with_extension("toml.old")).unwrap();
    assert_eq!(old, edited);
}

#[test]
fn a_file_of_somebody_else_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("plugins/promptyoself");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cli.py"), "import argparse\n").unwrap();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    let output = promptyoself(dir.path(), &["plugin", "install", "plugins"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["code"], "file_unusable");
    assert!(answer["error"].as_str().unwrap().contains("cli.py"));
    let mut left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["cli.py", "notes.txt"]);
    assert_eq!(
        std::fs::read_to_string(folder.join("cli.py")).unwrap(),
        "import argparse\n"
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let output = promptyoself(dir.path(), &["plugin", "install", "file"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["code"], "file_unusable", "{answer}");
}

#[test]
fn the_shim_says_who_made_it_as_the_paper_does() {
    let init = include_str!("../../plugins/promptyoself/__init__.py");
    assert!(init.contains("Self-hosted prompt scheduler for Letta agents"));
    let version = format!("__version__ = \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(init.contains(&version));
    assert!(init.contains("__author__ = \"Promptyoself Development Team\""));
}
