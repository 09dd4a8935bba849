//! The conformance suite of the Model Context Protocol, over HTTP.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::peer::{peers, program, serve};
use crate::program::World;

/// What the suite has for servers and what of it does not apply, by what it asks for that this
/// server does not have. `docs/mcp.md` explains the same.
const NOT_OURS: &[(&str, &[&str])] = &[
    (
        "log messages to the client",
        &["logging-set-level", "tools-call-with-logging"],
    ),
    ("completion of arguments", &["completion-complete"]),
    (
        "the suite's own tools with fixed answers",
        &[
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-mixed-content",
            "tools-call-error",
            "tools-call-with-progress",
            "json-schema-2020-12",
        ],
    ),
    ("questions to the client's model", &["tools-call-sampling"]),
    (
        "questions to the client's user",
        &[
            "tools-call-elicitation",
            "elicitation-sep1034-defaults",
            "elicitation-sep1330-enums",
        ],
    ),
    (
        "resources",
        &[
            "resources-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "resources-subscribe",
            "resources-unsubscribe",
        ],
    ),
    (
        "prompts as templates",
        &[
            "prompts-list",
            "prompts-get-simple",
            "prompts-get-with-args",
            "prompts-get-embedded-resource",
            "prompts-get-with-image",
        ],
    ),
];

/// What applies, and passes.
const OURS: &[&str] = &[
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-polling",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
];

/// Every scenario that was run, and whether it passed.
fn run(url: &str, folder: &std::path::Path) -> BTreeMap<String, bool> {
    let modules = peers().join("node/node_modules");
    let output = Command::new(modules.join(".bin/node"))
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--suite", "all", "--url", url])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, summary) = text
        .split_once("=== SUMMARY ===")
        .unwrap_or_else(|| panic!("{text}"));
    summary
        .lines()
        .filter_map(|line| {
            let (mark, rest) = line.split_once(' ')?;
            let name = rest.split_once(':')?.0.to_owned();
            match mark {
                "✓" => Some((name, true)),
                "✗" => Some((name, false)),
                _ => None,
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_that_applies_passes_and_no_other_does() {
    let world = World::new().await;
    let (daemon, url) = serve(&program(&world)).await;
    let url = format!("{url}/mcp");
    let ran = tokio::task::block_in_place(|| run(&url, world.dir()));
    daemon.stop();
    let ours = OURS.iter().map(|name| ((*name).to_owned(), true));
    let others = NOT_OURS.iter().flat_map(|(_, names)| names.iter());
    let others = others.map(|name| ((*name).to_owned(), false));
    // A scenario that is new, or that passes since something was added, must be looked at.
    assert_eq!(ran, ours.chain(others).collect());
}

#[test]
fn the_documents_list_every_scenario_that_does_not_apply() {
    let text = include_str!("../../../docs/mcp.md");
    for name in OURS
        .iter()
        .chain(NOT_OURS.iter().flat_map(|(_, names)| names.iter()))
    {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
}
