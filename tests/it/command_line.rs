//! The program as a shell sees it: streams, exit status, settings.

use std::process::{Command, Output, Stdio};

use promptyoself::operations;
use serde_json::Value;

fn promptyoself(argv: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promptyoself"));
    command
        .args(argv)
        .env_clear()
        .env("HOME", "/nowhere/at/all")
        .stdin(Stdio::null());
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn help_and_the_version_are_answers_and_no_command_is_a_mistake() {
    for (argv, status) in [
        (&["--help"][..], 0),
        (&["register", "--help"], 0),
        (&["help", "list"], 0),
        (&["--version"], 0),
        (&[], 1),
    ] {
        let output = promptyoself(argv).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{argv:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{argv:?}"
        );
    }
}

/// What the program says of itself in a long form: version, commit and tables.
fn long_version() -> String {
    let output = promptyoself(&["--version"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn the_version_names_the_commit_and_the_tables_and_its_short_form_neither() {
    let version = concat!("promptyoself ", env!("CARGO_PKG_VERSION"));
    let short = promptyoself(&["-V"]).output().unwrap();
    assert_eq!(
        String::from_utf8(short.stdout).unwrap(),
        format!("{version}\n")
    );

    let folder = env!("CARGO_MANIFEST_DIR");
    let migrations = std::fs::read_dir(format!("{folder}/migrations/sqlite")).unwrap();
    let numbers = migrations.map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.split('_').next().unwrap().parse::<u32>().unwrap()
    });
    let schema = format!("schema {}", numbers.max().unwrap());
    let git = Command::new("git")
        .args([
            "-C",
            folder,
            "log",
            "-1",
            "--format=%h %cd",
            "--date=short",
            "--abbrev=7",
        ])
        .output();
    let commit = git.ok().filter(|git| git.status.success());
    let expected = match commit.map(|git| String::from_utf8(git.stdout).unwrap()) {
        Some(commit) => format!("{version} ({}, {schema})", commit.trim()),
        None => format!("{version} ({schema})"),
    };
    assert_eq!(long_version(), expected);
}

#[test]
fn the_first_line_of_a_servers_log_names_its_version() {
    let folder = tempfile::tempdir().unwrap();
    // It ends at once, since what it is told to listen at can't be reached by anybody.
    let output = promptyoself(&["serve", "--listen", "nowhere"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let first = log.lines().next().unwrap_or_default();
    assert!(first.ends_with(&long_version()), "{log}");
}

#[test]
fn wrong_usage_exits_with_2_and_points_to_help_that_exists() {
    for argv in [
        &["lisst"][..],
        &["list", "--foo"],
        &["plugin"],
        &["show", "1", "2"],
    ] {
        let output = promptyoself(argv).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{argv:?}");
        let answer = json(&output);
        assert_eq!(answer["code"], "usage");
        let example = answer["example"].as_str().unwrap();
        if let Some(help) = example.strip_suffix(" --help") {
            let words: Vec<&str> = help.split(' ').skip(1).chain(["--help"]).collect();
            let output = promptyoself(&words).output().unwrap();
            assert!(output.status.success(), "{example}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    for argv in [&["--help"][..], &["list", "--foo"], &["--describe"]] {
        let mut child = promptyoself(argv)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{argv:?}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = promptyoself(&["--describe"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_setting_that_cannot_be_used_stops_every_command_that_would_use_it() {
    for (name, value) in [
        ("PROMPTYOSELF_DB", "postgres://u:hunter2@h/db"),
        ("LETTA_BASE_URL", "localhost:8283"),
        ("PROMPTYOSELF_DRAIN", "soon"),
        ("PROMPTYOSELF_LOG", "=="),
    ] {
        let output = promptyoself(&["list"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let answer = json(&output);
        assert_eq!(answer["code"], "config_invalid", "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(name));
        assert!(!answer.to_string().contains("hunter2"));
        // Help needs no settings.
        let output = promptyoself(&["--help"]).env(name, value).output().unwrap();
        assert!(output.status.success());
    }
}

#[test]
fn a_settings_file_is_refused_by_the_key_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "timezone = 'UTC'\ndatabse = 'x'\n").unwrap();
    let file = file.to_str().unwrap();
    let output = promptyoself(&["list", "--config", file]).output().unwrap();
    let answer = json(&output);
    assert_eq!(answer["code"], "config_invalid");
    let text = answer["error"].as_str().unwrap();
    assert!(
        text.contains("databse") && text.contains("line 2"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_refused_rather_than_guessed() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"/tmp/\xff.db");
    let output = promptyoself(&["list"])
        .env("PROMPTYOSELF_DB_PATH", value)
        .output()
        .unwrap();
    let answer = json(&output);
    assert_eq!(answer["code"], "config_invalid");
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("PROMPTYOSELF_DB_PATH")
    );
}

#[test]
fn a_prompt_can_come_from_a_file_or_from_standard_input_outside_the_plugin() {
    // Blank standard input is a blank prompt, so it was read.
    let argv = [
        "register",
        "--agent-id",
        "a",
        "--every",
        "5m",
        "--prompt-file",
        "-",
    ];
    let answer = json(&promptyoself(&argv).output().unwrap());
    assert_eq!(answer["code"], "prompt_missing");
    let argv = [
        "register",
        "--agent-id",
        "a",
        "--every",
        "5m",
        "--prompt-file",
        "/nowhere",
    ];
    let answer = json(&promptyoself(&argv).output().unwrap());
    assert_eq!(answer["code"], "file_unusable");
}

#[test]
fn delete_remove_and_rm_are_cancel() {
    for word in ["cancel", "delete", "remove", "rm"] {
        let answer = json(&promptyoself(&[word, "--id", "5.5"]).output().unwrap());
        assert_eq!(answer["code"], "id_invalid", "{word}");
    }
    let output = promptyoself(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(help.matches("\n  cancel ").count(), 1, "{help}");
}

#[test]
fn an_unknown_command_or_flag_is_answered_with_the_intended_one_or_with_none() {
    let definitions = promptyoself::cli::definitions::definitions(operations::ALL, false);
    let commands: Vec<String> = definitions
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    for (argv, meant) in [
        (
            &["add", "--prompt", "Ask Ada", "--every", "30m"][..],
            Some("promptyoself register --prompt 'Ask Ada' --every 30m"),
        ),
        (&["lst", "--all"], Some("promptyoself list --all")),
        (
            &["list", "--agent-di=agent-1"],
            Some("promptyoself list '--agent-id=agent-1'"),
        ),
        (
            &["register", "--evry", "1h", "--prompt", "--evry"],
            Some("promptyoself register --every 1h --prompt --evry"),
        ),
        (&["erase", "5"], None),
        (&["destroy", "5"], None),
        (&["restart"], None),
        (&["stop"], None),
        (&["list", "--colour", "red"], None),
    ] {
        let answer = json(&promptyoself(argv).output().unwrap());
        assert_eq!(answer["code"], "usage", "{argv:?}: {answer}");
        let example = answer["example"].as_str().unwrap();
        let text = answer["error"].as_str().unwrap();
        assert!(!text.contains("tip:"), "{text}");
        match meant {
            Some(meant) => assert_eq!(example, meant),
            None => {
                assert!(example.ends_with("--help"), "{argv:?}: {example}");
                for command in commands.iter().filter(|c| !argv.contains(&c.as_str())) {
                    assert!(!text.contains(&format!("'{command}'")), "{argv:?}: {text}");
                }
            }
        }
    }
}
