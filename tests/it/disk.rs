//! A disk that fails while the program is running: full, or read-only.
//!
//! The real binary runs with a library that makes writes to the database fail, as the system would,
//! while the test wants it.

use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Program, pause};
use crate::fake_letta::FakeLetta;

/// `ENOSPC`: no space is left.
const FULL: &str = "28";
/// `EROFS`: the file system is read-only.
const READ_ONLY: &str = "30";

/// A disk whose failure can be turned on and off.
struct Disk {
    folder: TempDir,
    library: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/failing_disk.c");
        let library = folder.path().join("failing_disk.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .status()
            .unwrap();
        assert!(built.success(), "the C compiler failed");
        Disk { folder, library }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("promptyoself.db")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("failure")
    }

    /// The program on this disk.
    fn program(&self, letta: &FakeLetta) -> Program {
        Program::new(&self.database(), &letta.url(), "pw-test")
            .with("LD_PRELOAD", self.library.to_str().unwrap())
            .with("FAILING_DISK", self.control().to_str().unwrap())
            .with("PROMPTYOSELF_RETRY_FIRST", "1s")
    }

    fn fail(&self, error: &str) {
        std::fs::write(self.control(), error).unwrap();
    }

    fn recover(&self) {
        std::fs::remove_file(self.control()).unwrap();
    }
}

fn soon(program: &Program, agent: &str, prompt: &str) -> Value {
    let at = (promptyoself::clock::Clock::system().now() + jiff::SignedDuration::from_secs(2))
        .to_string();
    let flags = ["--agent-id", agent, "--prompt", prompt, "--time", &at];
    program.json(&[&["register"], &flags[..]].concat())
}

#[rstest]
#[case::full(FULL, "database_full")]
#[case::read_only(READ_ONLY, "database_unavailable")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_while_running_loses_nothing_is_told_and_recovered_from(
    #[case] failure: &str,
    #[case] code: &str,
) {
    let (disk, letta) = (Disk::new(), FakeLetta::start().await);
    let program = disk.program(&letta);
    let [answered, due] = [letta.add_agent(), letta.add_agent()];
    letta.hold(&answered);
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    soon(&program, answered.as_str(), "on its way");
    letta.wait_for(1).await;
    soon(&program, due.as_str(), "due meanwhile");

    disk.fail(failure);
    // One turn ends, whose outcome can't be written; one prompt becomes due, and can't be claimed.
    letta.release(&answered);
    letta.wait_for_ended(1).await;
    for _ in 0..600 {
        if daemon.log().contains("ERROR") {
            break;
        }
        pause().await;
    }
    let log = daemon.log();
    assert!(log.contains("retrying until it works"), "{log}");
    let agent = due.as_str();
    let refused = program.run(&[
        "register",
        "--agent-id",
        agent,
        "--prompt",
        "x",
        "--every",
        "1h",
    ]);
    assert_eq!(refused.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused["code"], code, "{refused}");
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("nothing was lost"),
        "{refused}"
    );
    // Without a committed otid nothing is sent.
    assert_eq!(letta.received().len(), 1);

    disk.recover();
    let history = program
        .until(|h| h.len() == 2 && h.iter().all(|o| o["state"] == "delivered"))
        .await;
    assert!(
        history
            .iter()
            .all(|o| o["attempts"].as_array().unwrap().len() == 1)
    );
    let log = daemon.stop();
    assert!(log.contains("the database works again"), "{log}");
    assert_eq!(
        log.matches("retrying until it works").count(),
        1,
        "said once: {log}"
    );
    let texts: Vec<String> = letta.received().into_iter().map(|r| r.text).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    let listed = program.json(&["list", "--all"]);
    assert_eq!(listed["total"], 2, "what was refused was not made");
}
