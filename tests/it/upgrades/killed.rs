//! Upgrades that are killed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{dump, make_older, open, paper_rows};

/// Runs `list`, and has the system kill it when a file of it would grow over so many half
/// kilobytes. Returns whether it got to its end.
fn list_within(path: &Path, half_kilobytes: u32) -> bool {
    let script = format!("ulimit -c 0; ulimit -f {half_kilobytes}; exec \"$0\" list");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_promptyoself")])
        .env_clear()
        .env("PROMPTYOSELF_DB_PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[tokio::test]
async fn an_upgrade_that_is_killed_at_any_point_changes_nothing_and_completes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.db");
    let mut rows = paper_rows();
    rows[1]["prompt_text"] = json!("long ".repeat(12_000));
    make_older("paper", &original, &json!({ "schedules": rows }));
    let before = dump(&original).await;
    let mut killed = 0;
    for limit in [1, 64, 128, 192, 256, 320, 384, 448, 512, 640, 4_096] {
        let path = folder.path().join(format!("{limit}.db"));
        std::fs::copy(&original, &path).unwrap();
        if !list_within(&path, limit) {
            killed += 1;
            assert_eq!(dump(&path).await, before, "{limit}");
        }
        let completed = list_within(&path, 1_000_000);
        assert!(completed, "{limit}");
        let (db, report) = open(&path).await.unwrap();
        assert_eq!(report, None);
        let kept = super::rows(&path, "SELECT count(*) FROM schedules").await;
        assert_eq!(kept, [["9"]], "{limit}");
        db.close().await;
    }
    // Some of the limits hit the copy, some the upgrade itself, some nothing.
    assert!((3..11).contains(&killed), "{killed}");
}
