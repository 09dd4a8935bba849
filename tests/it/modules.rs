//! The plugin's Python modules: a script that uses the names of the user's paper runs unchanged.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Answer, World};

/// Installs the plugin where the paper has it, and gives its folder.
fn install(world: &World) -> PathBuf {
    let plugins = world.dir().join("sanctum/smcp/plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let argv = ["plugin", "install", plugins.to_str().unwrap()];
    world.run(&argv).succeeded();
    plugins.join("promptyoself")
}

fn python(world: &World, script: &Path, argv: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(script)
        .args(argv)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", world.dir())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LETTA_API_KEY", crate::program::PASSWORD);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_written_against_the_paper_runs_however_it_imports_the_modules() {
    for how in ["package", "plugin", "path"] {
        let world = World::new().await;
        let folder = install(&world);
        let elsewhere = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python/modules.py");
        let argv = [how, folder.to_str().unwrap(), world.agent.as_str()];
        let output = python(&world, &script, &argv)
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{how}: {output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "done\n");
        // It used the database of the plugin's settings, and made none where it ran.
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        let texts: Vec<String> = world.letta.received().into_iter().map(|r| r.text).collect();
        // What is late by over a minute says so first.
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].ends_with("due since a minute"), "{texts:?}");
        assert_eq!(texts[1], "sent at once");
        // Everything that it did is accounted for.
        let found = world.run(&["doctor"]).json;
        let codes: Vec<&str> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, ["no_scheduler"], "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_papers_variable_names_the_database_of_the_modules() {
    let world = World::new().await;
    let folder = install(&world);
    let script = world.dir().join("script.py");
    let parent = folder.parent().unwrap().display().to_string();
    let text = format!(
        "import sys\nsys.path.insert(0, {parent:?})\nfrom datetime import datetime\n\
         from promptyoself import db, models\nfrom promptyoself.models import get_database_url\n\
         print(get_database_url())\n\
         print(db.add_schedule('agent-a', 'p', 'interval', '5m', datetime(2099, 1, 1)))\n"
    );
    std::fs::write(&script, text).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let output = python(&world, &script, &[])
        .env("PROMPTYOSELF_DB_PATH", "mine.db")
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(told, "sqlite:///mine.db\n1\n", "{output:?}");
    assert!(elsewhere.path().join("mine.db").exists());
    assert_eq!(world.run(&["list"]).succeeded()["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_rows_does_not_understand_changes_nothing() {
    let world = World::new().await;
    let id = world.register("p", &["--every", "1h"]);
    let before = world.dump().await;
    for text in [
        "".to_owned(),
        "[]".to_owned(),
        "{\"do\": \"drop\"}".to_owned(),
        format!("{{\"do\": \"update\", \"id\": {id}, \"columns\": {{\"uid\": \"x\"}}}}"),
        format!("{{\"do\": \"update\", \"id\": {id}, \"columns\": {{\"active\": 1}}}}"),
        "{\"do\": \"add\", \"columns\": {}}".to_owned(),
    ] {
        let mut command = world.command(&["rows"]);
        let file = world.dir().join("request.json");
        std::fs::write(&file, &text).unwrap();
        command.stdin(std::fs::File::open(&file).unwrap());
        let answer = Answer::read(command.output().unwrap());
        assert_ne!(answer.status, 0, "{text}");
        assert!(!answer.error().is_empty(), "{text}");
    }
    assert_eq!(world.dump().await, before);
}
