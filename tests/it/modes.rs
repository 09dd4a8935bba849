//! Files that the program creates: nobody else can read, lock or replace them, whatever the umask.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use promptyoself::cli::definitions::definitions;
use promptyoself::operations;

use crate::daemon::pause;
use crate::foreign_writers::raw::Foreign;
use crate::program::{Answer, World};

/// The table of the oldest programs, with a schedule.
const OLDER: &str = "CREATE TABLE schedules (id INTEGER PRIMARY KEY, agent_id TEXT, prompt_text TEXT, \
     schedule_type TEXT, schedule_value TEXT, next_run DATETIME, created_at DATETIME, active BOOLEAN, \
     last_run DATETIME); \
     INSERT INTO schedules VALUES (1, 'agent-1', 'p', 'interval', '1h', '2030-01-01 00:00:00', \
     '2020-01-01 00:00:00', 1, NULL)";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Everything in a folder and the folders in it.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found
}

/// Looks at every file that is there, but for those that the test itself made.
fn check(world: &World) -> usize {
    let all = everything(world.dir());
    let made = all.iter().filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        !path.is_symlink() && !name.ends_with(".log") && name != "tool.py" && name != "plugins"
    });
    let mut seen = 0;
    for path in made {
        // The server of plugins may be another user, who reads them and never writes.
        let is_plugins = path.components().any(|c| c.as_os_str() == "plugins");
        let others = if is_plugins { 0o022 } else { 0o077 };
        assert_eq!(
            mode(path) & others,
            0,
            "{}: {:o}",
            path.display(),
            mode(path)
        );
        seen += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_makes_anything_that_others_may_read_whatever_the_umask_is() {
    let world = World::new().await.after("umask 000");
    std::fs::write(
        world.dir().join("tool.py"),
        "def f():\n    \"\"\"F.\"\"\"\n",
    )
    .unwrap();
    std::fs::create_dir(world.dir().join("plugins")).unwrap();
    let mut older = Foreign::connect(&world.dir().join("older.db")).await;
    older.run(OLDER).await;
    drop(older);
    std::fs::set_permissions(world.dir().join("older.db"), Permissions::from_mode(0o600)).unwrap();

    let agent = world.agent.as_str();
    let commands: &[&[&str]] = &[
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            "1h",
        ],
        &["remind", agent, "in 2 hours", "p"],
        &["list"],
        &["list", "--db", "older.db"],
        &["show", "1"],
        &["update", "1", "--prompt", "q"],
        &["pause", "1", "--note", "n"],
        &["resume", "1"],
        &["run", "1"],
        &["preview", "--every", "1h"],
        &["execute"],
        &["history"],
        &["test"],
        &["agents"],
        &["connect", "--agent-id", agent, "--print"],
        &["upload", "--source-code", "tool.py"],
        &["import", "--letta-code-cron"],
        &["doctor"],
        &["backup", "copy.db"],
        &["backup", "file:copy.db"],
        &["restore", "copy.db"],
        &["restore", "file:copy.db"],
        &["cancel", "1"],
        &["prune"],
        &["purge", "--id", "1"],
        &["halt"],
        &["halt", "--off"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke", "--id", "1"],
        &["plugin", "install", "plugins"],
        &["serve"],
        &["mcp"],
        &["rows"],
    ];
    let known: BTreeSet<String> = definitions(operations::ALL, false)
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    let run: BTreeSet<String> = commands.iter().map(|argv| argv[0].to_owned()).collect();
    assert_eq!(known, run, "every command is run here");
    for argv in commands {
        match argv[0] {
            "serve" => {
                let daemon = world.start(&["serve", "--listen", "127.0.0.1:0"], &[]);
                world.wait_until(&["test"], |json| json["warning"].is_null());
                let folder = world.dir().join("promptyoself.db.owners");
                assert_eq!(mode(&folder), 0o700);
                assert_eq!(everything(&folder).len(), 1);
                check(&world);
                daemon.stop();
            }
            "mcp" | "rows" => {
                let mut command = world.command(argv);
                let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
                check(&world);
                let said: &[u8] = match argv[0] {
                    "rows" => b"{\"do\": \"due\"}",
                    _ => b"",
                };
                child.stdin.take().unwrap().write_all(said).unwrap();
                child.wait().unwrap();
            }
            _ => {
                let answer = Answer::read(world.command(argv).output().unwrap());
                let may_fail =
                    ["upload", "doctor", "connect", "import", "purge"].contains(&argv[0]);
                assert!(answer.status == 0 || may_fail, "{argv:?}: {answer:?}");
            }
        }
        assert!(check(&world) > 0, "{argv:?}");
    }
    // A name that SQLite would take for an address is one like any other.
    assert!(world.dir().join("file:copy.db").metadata().unwrap().len() > 0);
    let names: Vec<String> = everything(world.dir())
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for part in ["before-upgrade", "before-restore"] {
        assert!(names.iter().any(|n| n.contains(part)), "{part}: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_others_could_hold_are_put_right_when_a_scheduler_starts() {
    let world = World::new().await;
    world.register("p", &["--every", "1h"]);
    let folder = world.dir().join("promptyoself.db.owners");
    let left = folder.join("00000000-0000-4000-8000-000000000000");
    std::fs::create_dir(&folder).unwrap();
    File::create(&left).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&left, Permissions::from_mode(0o644)).unwrap();
    let daemon = world.start(&["serve", "--listen", "off"], &[]);
    for _ in 0..600 {
        if mode(&folder) == 0o700 && left.metadata().is_ok_and(|_| mode(&left) == 0o600) {
            drop(daemon);
            return;
        }
        pause().await;
    }
    panic!("{:o} {:o}", mode(&folder), mode(&left));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_never_goes_through_a_file_or_a_link_that_is_there() {
    let world = World::new().await;
    world.register("p", &["--every", "1h"]);
    let target = world.dir().join("elsewhere");
    for name in ["there.db", "link.db", "file:there.db"] {
        let path = world.dir().join(name);
        match name {
            "link.db" => std::os::unix::fs::symlink(&target, &path).unwrap(),
            _ => std::fs::write(&path, "mine").unwrap(),
        }
        let answer = world.run(&["backup", name]);
        assert_eq!(answer.code(), "file_unusable", "{name}: {answer:?}");
    }
    assert!(!target.exists());
    assert_eq!(
        std::fs::read(world.dir().join("there.db")).unwrap(),
        b"mine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_read_from_a_file_and_from_nothing_else() {
    let world = World::new().await;
    std::fs::create_dir(world.dir().join("folder")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(world.dir().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    std::fs::write(world.dir().join("large.toml"), "#".repeat(1_000_001)).unwrap();
    for path in ["folder", "pipe", "/dev/zero", "/dev/stdin", "large.toml"] {
        let answer = world.run(&["list", "--config", path]);
        assert_eq!(answer.code(), "file_unusable", "{path}: {answer:?}");
    }
}
