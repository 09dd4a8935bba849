//! Files that can't be opened: the right error, and nothing is lost.

use std::path::Path;

use super::{dump, make_older, open, paper_rows, run};
use promptyoself::error::Code;
use serde_json::json;

async fn refused(path: &Path) -> Code {
    let error = open(path).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    error.code()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    for content in ["Dear agent, ".repeat(1_000), "short".to_owned()] {
        std::fs::write(&path, &content).unwrap();
        assert_eq!(refused(&path).await, Code::DatabaseInvalid);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_truncated_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for ours in [false, true] {
        let path = folder.path().join(format!("{ours}.db"));
        make_older("paper", &path, &json!({ "schedules": paper_rows() }));
        if ours {
            open(&path).await.unwrap().0.close().await;
        }
        let whole = std::fs::read(&path).unwrap();
        let half = &whole[..whole.len() / 2];
        std::fs::write(&path, half).unwrap();
        assert_eq!(refused(&path).await, Code::DatabaseInvalid);
        // Only the journal mode in the header may differ.
        assert_eq!(std::fs::read(&path).unwrap()[100..], half[100..]);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, noted) in [
        (
            "new.db",
            "INSERT INTO migrations VALUES (9999, 'of the future', '2030-01-01', 'x')",
        ),
        // Where version 0.1.0 noted its own.
        (
            "newer.db",
            "INSERT INTO _sqlx_migrations \
             (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of the future', 1, x'00', 0)",
        ),
    ] {
        let path = folder.path().join(name);
        open(&path).await.unwrap().0.close().await;
        run(&path, noted).await;
        let before = dump(&path).await;
        assert_eq!(refused(&path).await, Code::DatabaseNewer);
        assert_eq!(dump(&path).await, before);
    }
}

#[tokio::test]
async fn another_programs_schedules_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trains.db");
    std::fs::write(&path, "").unwrap();
    run(
        &path,
        "CREATE TABLE schedules (id INTEGER PRIMARY KEY, train TEXT, next_run DATETIME); \
         INSERT INTO schedules VALUES (1, 'ICE 5', '2026-02-01')",
    )
    .await;
    let before = dump(&path).await;
    assert_eq!(refused(&path).await, Code::DatabaseInvalid);
    assert_eq!(dump(&path).await, before);
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [
        folder.path().to_owned(),
        folder.path().join("absent/x.db"),
        file.join("x.db"),
        // Not even root can make files there.
        "/proc/promptyoself.db".into(),
    ] {
        assert_eq!(refused(&path).await, Code::DatabaseUnavailable, "{path:?}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"");
}
