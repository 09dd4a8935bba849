//! Long work is told of at a terminal, and nowhere else.

use crate::foreign_writers::raw::Foreign;
use crate::program::World;

/// What is seen while nothing can be written.
const TOLD: &str = "\r\u{1b}[KPruning (0 deliveries so far): 1 s";

#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_told_of_until_it_is_done() {
    let world = World::new().await;
    let id = world.register("p", &["--every", "1h"]);
    world.make_due(id, 2).await;
    world.run(&["execute"]).succeeded();
    world
        .sql("UPDATE occurrences SET finished_at = '2020-01-01 12:00:00.000000'")
        .await;
    // Another program keeps the database to itself for a while.
    let mut other = Foreign::connect(&world.database()).await;
    other.run("BEGIN IMMEDIATE").await;
    let terminal = world.at_terminal(&["prune", "--before", "2021-01-01T00:00:00Z"]);
    terminal.wait_until(|written| written.contains(TOLD));
    other.run("COMMIT").await;
    let written = terminal.finish();
    assert_eq!(written.status, Some(0), "{written:?}");
    let (_, last) = written.text.rsplit_once("\r\u{1b}[K").unwrap();
    assert!(last.starts_with("Pruned 1 deliveries"), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_work_and_programs_are_told_nothing() {
    let world = World::new().await;
    let written = world.at_terminal(&["backup", "copy.db", "--json"]).finish();
    assert!(!written.text.contains('\r'), "{written:?}");
    let output = world.command(&["backup", "another.db"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
}
