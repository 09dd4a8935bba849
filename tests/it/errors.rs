//! Every error code: what it says, and that its example works.

mod cases;
mod words;

use promptyoself::cli::output::error_json;
use promptyoself::error::{Code, Error, call, shell};
use serde_json::Value;

use crate::program::{Answer, World};
use cases::{Case, case, more_cases};

#[tokio::test(flavor = "multi_thread")]
async fn every_code_says_what_was_understood_and_an_example_is_accepted() {
    for code in Code::ALL {
        let world = World::new().await;
        match case(*code, &world).await {
            Some(case) => check(&world, code.as_str(), *code, &case),
            None => insta::assert_json_snapshot!(code.as_str(), error_json(&built(*code))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_way_to_the_same_code_teaches_as_well() {
    for (name, code, prepare) in more_cases() {
        let world = World::new().await;
        let case = prepare(&world);
        check(&world, name, code, &case);
    }
}

/// What no command line, environment, file or server brings about.
fn built(code: Code) -> Error {
    match code {
        // No command of this version acts on a broken schedule: list and show tell of it, cancel
        // ends it. The code is for those that will.
        Code::ScheduleBroken => {
            Error::new(code, "schedule 5 can't be read").example(call("list").with("all", true))
        }
        // The client of this program makes no such request; others may.
        Code::RequestInvalid => Error::new(
            code,
            "the body is invalid: prompt: invalid type: integer `5`, expected a string",
        ),
        Code::IdempotencyConflict => Error::new(
            code,
            "the Idempotency-Key \"k\" was used for a different request in the last day",
        )
        .example(shell(
            "Idempotency-Key: 0b6c1f0e-7d1c-4c1b-9b5e-2f6f0f0a4c11",
        )),
        // Over HTTP alone.
        Code::TooMany => Error::new(
            code,
            "as many requests of this key, or of callers without one, go on as may: wait for some \
             of them to end, and try again",
        ),
        // Whatever brought about a fault of ours would be a bug with a test of its own.
        Code::Internal => Error::new(code, "could not put the answer into JSON")
            .caused_by(std::io::Error::other("a cause")),
        other => panic!("{other} can be brought about: give it a case"),
    }
}

fn check(world: &World, name: &str, code: Code, case: &Case) {
    let failed = run(world, case, &case.argv, &case.env);
    assert_eq!(failed.code(), code.as_str(), "{name}: {failed:?}");
    let status = if code == Code::Usage { 2 } else { 1 };
    assert_eq!(failed.status, status, "{name}: {failed:?}");
    let text = failed.error();
    assert_eq!(failed.stderr.trim_end(), format!("error: {text}"), "{name}");
    for part in &case.says {
        assert!(
            text.contains(part.as_str()),
            "{name}: {part:?} is not in {text:?}"
        );
    }
    if case.about_time {
        assert!(text.contains("it is now "), "{name}: {text}");
    }
    assert_no_cause_twice(text);
    insta::assert_snapshot!(name, redact(world, case, &failed.json));

    // Without knowing what was meant there is none.
    let Some(example) = failed.json["example"].as_str() else {
        return;
    };
    let corrected = follow(world, case, example);
    assert_eq!(corrected.status, 0, "{name}: {example}: {corrected:?}");
}

/// Does what an example says: other flags for the same command, another variable, a line for the
/// settings file, or a whole command in surroundings that were put right as the text says.
fn follow(world: &World, case: &Case, example: &str) -> Answer {
    let words = split(example);
    let first = words[0].as_str();
    if example.contains(" = ") {
        std::fs::write(world.dir().join("settings.toml"), example).unwrap();
        return run(world, case, &case.argv, &case.env);
    }
    if first.starts_with("--") {
        let argv = replace_flags(&case.argv, &words);
        return run(world, case, &argv, &case.env);
    }
    if first.contains('=') {
        // Later variables of the same name win.
        let mut env = case.env.clone();
        let given = words.iter().filter_map(|word| word.split_once('='));
        env.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        return run(world, case, &case.argv, &env);
    }
    // In the plugin a command is a tool, which is called by its name.
    let words = match case.plugin {
        true => [&["promptyoself".to_owned()], words.as_slice()].concat(),
        false => words,
    };
    assert_eq!(
        words[0], "promptyoself",
        "{example:?} is neither flags nor a command"
    );
    if let Some(put_right) = &case.put_right {
        put_right(world);
    }
    run(world, case, &words[1..], &case.corrected_env)
}

/// The command line with the flags of an example in place of its own: the same flag, and those
/// that say the same thing in another way.
fn replace_flags(argv: &[String], example: &[String]) -> Vec<String> {
    const WAYS: [&[&str]; 2] = [
        &["--time", "--cron", "--every"],
        &["--prompt", "--prompt-file"],
    ];
    let flag = example[0].as_str();
    let mut dropped = vec![flag];
    dropped.extend(
        WAYS.iter()
            .filter(|ways| ways.contains(&flag))
            .copied()
            .flatten(),
    );
    if flag == "--time" {
        // A time is its own start.
        dropped.push("--start-at");
    }
    let mut kept = Vec::new();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        if dropped.contains(&word.as_str()) {
            words.next();
        } else {
            kept.push(word.clone());
        }
    }
    kept.extend(example.iter().cloned());
    kept
}

/// The words of an example as a shell takes them.
fn split(example: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {example}");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{example:?} is no shell command");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn run(world: &World, case: &Case, argv: &[String], env: &[(String, String)]) -> Answer {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut command = match case.plugin {
        true => world.plugin(&argv),
        false => world.command(&argv),
    };
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    if argv.last() == Some(&"--help") {
        // Help is for people: it is no JSON.
        return Answer {
            status: output.status.code().unwrap(),
            json: Value::Null,
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
    }
    Answer::read(output)
}

/// A cause is printed once: no part between two colons comes again.
fn assert_no_cause_twice(text: &str) {
    let parts: Vec<&str> = text.split(": ").filter(|part| part.len() > 20).collect();
    for (at, part) in parts.iter().enumerate() {
        assert!(
            !parts[at + 1..].contains(part),
            "{part:?} comes twice in {text:?}"
        );
    }
}

/// The answer with everything that differs from run to run replaced.
fn redact(world: &World, case: &Case, json: &Value) -> String {
    let mut text = serde_json::to_string_pretty(json).unwrap();
    for (value, name) in &case.varies {
        text = text.replace(value, name);
    }
    text = text.replace(&world.letta.url(), "[letta]");
    for path in [world.dir().canonicalize().unwrap(), world.dir().to_owned()] {
        text = text.replace(&path.display().to_string(), "[folder]");
    }
    let text = hide_times(&text);
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    days.iter().fold(text, |text, day| {
        text.replace(&format!("{day} [time]"), "[time]")
    })
}

/// Replaces `2026-01-02T03:04:05…Z` by `[time]`, and the same without a zone.
fn hide_times(text: &str) -> String {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd";
    let fits = |bytes: &[u8]| {
        bytes.len() >= SHAPE.len()
            && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b' '),
                other => byte == other,
            })
            // Only what lies near the present varies: examples of the tests are far away.
            && !bytes.starts_with(b"2019") && !bytes.starts_with(b"2020") && !bytes.starts_with(b"2099")
    };
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if fits(rest.as_bytes()) {
            let after = &rest[SHAPE.len()..];
            let end = after
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | 'Z')))
                .unwrap_or(after.len());
            // A full stop ends the sentence, not the time.
            let end = after[..end].trim_end_matches('.').len();
            hidden.push_str("[time]");
            rest = &after[end..];
        } else {
            hidden.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    hidden
}
