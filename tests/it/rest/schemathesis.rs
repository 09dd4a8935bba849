//! Schemathesis, unmodified, makes requests from our OpenAPI document and checks the answers
//! against it.
//!
//! Two checks are left out. `positive_data_acceptance` expects everything that fits the schema to be
//! accepted, but no schema says what a time, a zone, a cron pattern or an agent's id is, or that
//! exactly one of `time`, `cron` and `every` is required. `use_after_free` expects nothing to be
//! left of what was deleted, but a cancelled schedule can be shown, with its history. All others are
//! on: no server error, no undocumented status, media type or header, bodies that match, invalid
//! data refused, required headers, unsupported methods, and ignored keys.
//!
//! The number of examples is limited; `PROMPTYOSELF_LONG=1` makes many more, and lets Schemathesis
//! choose new ones each time.

use std::process::Command;

use crate::program::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_the_document_says() {
    let world = World::new().await;
    let (url, key) = world.serve_with_key(None);
    world.register("p", &["--every", "1h"]);
    let is_long = std::env::var_os("PROMPTYOSELF_LONG").is_some();
    let examples = if is_long { "500" } else { "20" };
    let folder = tempfile::tempdir().unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/.peers/schemathesis/bin/st");
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["run", &format!("{url}/api/openapi.json")])
        .args(["-H", &format!("Authorization: Bearer {key}")])
        .args(["--checks", "all"])
        .args([
            "--exclude-checks",
            "positive_data_acceptance,use_after_free",
        ])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--max-examples", examples])
        .args(["--suppress-health-check", "all"])
        .args(["--continue-on-failure", "--warnings", "off", "--no-color"]);
    if !is_long {
        command.args(["--seed", "1", "--generation-deterministic"]);
    }
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("could not start {program}, which scripts/setup installs: {e}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let also = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{also}");
    // What tests nothing proves nothing.
    let tested = format!("Selected: {0}/{0}\n  Tested: {0}\n", operations());
    assert!(said.contains(&tested), "{said}");
}

fn operations() -> usize {
    super::document::operations().len()
}
