//! `plugin install` creates a folder that works wherever the server runs.

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
    install_with(cwd, dir, &[], env)
}

/// Installs into a folder of plugins, which is there.
fn install_with(cwd: &Path, dir: &str, flags: &[&str], env: &[(&str, &str)]) -> Value {
    std::fs::create_dir_all(cwd.join(dir)).unwrap();
    let argv = [&["plugin", "install", dir], flags].concat();
    let output = promptyoself(cwd, &argv, env);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the plugin's folder holds, in the order in which it is told.
const FILES: [&str; 10] = [
    "__init__.py",
    "cli.py",
    "program.py",
    "models.py",
    "db.py",
    "scheduler.py",
    "letta_client.py",
    "README.md",
    "promptyoself.toml",
    "promptyoself",
];

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
    assert_eq!(changes(&first), ["created"; 10]);
    let second = install(dir.path(), "plugins", &[]);
    assert_eq!(changes(&second), ["unchanged"; 10]);
    // The plugin's own folder may be named instead of the folder of plugins.
    let third = install(dir.path(), "plugins/promptyoself", &[]);
    assert_eq!(changes(&third), ["unchanged"; 10]);
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
        ["unchanged"; 10]
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
    let moved = install(
        dir.path(),
        "plugins",
        &[("PROMPTYOSELF_DB", "/else/where.db")],
    );
    let of_settings = FILES
        .iter()
        .position(|f| *f == "promptyoself.toml")
        .unwrap();
    let updated = changes(&moved).iter().position(|c| *c == "updated");
    assert_eq!(updated, Some(of_settings));
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

#[test]
fn everything_of_the_plugin_is_installed_readable_and_the_entry_point_runnable() {
    let dir = tempfile::tempdir().unwrap();
    let answer = install(dir.path(), "plugins", &[]);
    let folder = dir.path().join("plugins/promptyoself");
    let told: Vec<&str> = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(told, FILES);
    let there = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(there, FILES.len());
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/promptyoself"));
    for source in sources.unwrap().map(|entry| entry.unwrap().file_name()) {
        let name = source.to_str().unwrap();
        assert!(
            name == "__pycache__" || FILES.contains(&name),
            "{name} is not installed"
        );
    }
    let mode = |name: &str| folder.join(name).metadata().unwrap().mode() & 0o777;
    assert_eq!(mode("cli.py"), 0o755);
    assert_eq!(mode("db.py"), 0o644);
    let output = Command::new(folder.join("cli.py"))
        .arg("--describe")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // One that an older version left without it gets it.
    let no_more = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.join("cli.py"), no_more).unwrap();
    let again = install(dir.path(), "plugins", &[]);
    assert_eq!(changes(&again)[1], "updated");
    assert_eq!(mode("cli.py"), 0o755);
}

#[test]
fn a_folder_that_travels_has_a_program_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("plugins/promptyoself/promptyoself");
    install(dir.path(), "plugins", &[]);
    assert!(program.is_symlink());
    let copied = install_with(dir.path(), "plugins", &["--copy"], &[]);
    assert_eq!(changes(&copied).last(), Some(&"updated"));
    assert!(!program.is_symlink() && program.is_file());
    let again = install_with(dir.path(), "plugins", &["--copy"], &[]);
    assert_eq!(changes(&again), ["unchanged"; 10]);
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("promptyoself");
    std::fs::rename(dir.path().join("plugins/promptyoself"), &moved).unwrap();
    let output = Command::new("python3")
        .args([moved.join("cli.py").to_str().unwrap(), "--describe"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_folder_that_is_not_a_plugins_folder_is_refused_with_the_right_one() {
    for (there, given, meant) in [
        (&["plugins"][..], ".", Some("plugins")),
        (&["smcp/plugins"], ".", Some("smcp/plugins")),
        (&["smcp/plugins"], "smcp", Some("smcp/plugins")),
        (&["smcp/plugins"], "plugins", Some("smcp/plugins")),
        (&[], "plugins", None),
        (&[], "no/such/plugins/promptyoself", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for folder in there {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let output = promptyoself(dir.path(), &["plugin", "install", given], &[]);
        assert_eq!(output.status.code(), Some(1), "{given}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["code"], "file_unusable", "{answer}");
        let installed = walk(dir.path());
        assert!(
            !installed.iter().any(|p| p.contains("cli.py")),
            "{installed:?}"
        );
        if let Some(meant) = meant {
            let example = answer["example"].as_str().unwrap();
            let folder = example
                .strip_prefix("promptyoself plugin install ")
                .unwrap();
            assert_eq!(
                std::fs::canonicalize(folder).unwrap(),
                std::fs::canonicalize(dir.path().join(meant)).unwrap()
            );
            let output = promptyoself(dir.path(), &["plugin", "install", folder], &[]);
            assert!(output.status.success(), "{output:?}");
        }
    }
}

/// Every path under a folder.
fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        found.push(entry.path().display().to_string());
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        }
    }
    found
}

#[test]
fn a_key_in_the_settings_is_never_left_beside_another_address() {
    for (table, address, key, variable) in [
        ("letta", "base_url", "api_key", "LETTA_BASE_URL"),
        ("remote", "url", "key", "PROMPTYOSELF_URL"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let first = [(variable, "http://127.0.0.1:1")];
        install(dir.path(), "plugins", &first);
        let file = dir.path().join("plugins/promptyoself/promptyoself.toml");
        let mut settings: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        let below = settings[table].as_table_mut().unwrap();
        below.insert(key.into(), "hunter2".into());
        std::fs::write(&file, settings.to_string()).unwrap();
        install(dir.path(), "plugins", &first);
        assert!(std::fs::read_to_string(&file).unwrap().contains("hunter2"));
        install(dir.path(), "plugins", &[(variable, "http://127.0.0.1:2")]);
        let text = std::fs::read_to_string(&file).unwrap();
        let settings: toml::Table = text.parse().unwrap();
        assert_eq!(
            settings[table][address].as_str(),
            Some("http://127.0.0.1:2")
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}
