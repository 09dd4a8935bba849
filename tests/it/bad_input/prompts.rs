//! Prompts arrive byte for byte as given.

use std::io::Write;
use std::process::Stdio;

use crate::program::{Answer, World};

/// Whatever a person, a program or an agent may put into a prompt.
const ODD: &[&str] = &[
    "it's \"so\" \\ `x` $HOME %s {} 'quoted'",
    "👩🏽‍🚀 ünïcödé \u{202e}right-to-left\u{202c} \u{feff}mark",
    "  two lines\r\nand a tab\t, spaces at both ends \n\n",
    "'; DROP TABLE schedules; --",
    "--evil",
    "-5",
    "{\"messages\": []}",
    "\u{1}\u{1b}[31mred\u{7f}",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_prompt_arrives_unchanged() {
    let world = World::new().await;
    for (at, prompt) in ODD.iter().enumerate() {
        let argv = [
            "register",
            "--agent-id",
            world.agent.as_str(),
            "--prompt",
            prompt,
            "--every",
            "1h",
        ];
        // Every other one comes through the plugin.
        let mut command = match at % 2 {
            0 => world.command(&argv),
            _ => world.plugin(&argv),
        };
        let id = Answer::read(command.output().unwrap()).succeeded()["id"]
            .as_i64()
            .unwrap();
        world.make_due(id, 1).await;
        let executed = world.run(&["execute"]).succeeded();
        assert_eq!(executed["executed"][0]["delivered"], true, "{executed}");
        assert_eq!(world.letta.received()[at].text, *prompt);
        let shown = world.run(&["show", &id.to_string()]).succeeded();
        assert_eq!(shown["schedule"]["prompt_text"], *prompt);
    }
    assert_eq!(world.letta.received().len(), ODD.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_of_a_megabyte_arrives_unchanged_from_a_file_and_from_standard_input() {
    let world = World::new().await;
    let line = "0123456789 ÄÖÜ 👋🏽 '\"\\\n";
    let prompt = line.repeat(1_048_576 / line.len() + 1);
    std::fs::write(world.dir().join("prompt.txt"), &prompt).unwrap();
    let argv = |file| {
        [
            "register",
            "--agent-id",
            world.agent.as_str(),
            "--every",
            "1h",
            "--prompt-file",
            file,
        ]
    };
    let from_file = world.run(&argv("prompt.txt")).succeeded();

    let mut child = world
        .command(&argv("-"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(prompt.as_bytes())
        .unwrap();
    let from_stdin = Answer::read(child.wait_with_output().unwrap()).succeeded();

    for (id, seconds) in [(&from_file["id"], 2), (&from_stdin["id"], 1)] {
        world.make_due(id.as_i64().unwrap(), seconds).await;
    }
    world.run(&["execute"]).succeeded();
    let received = world.letta.received();
    assert_eq!(received.len(), 2);
    assert!(
        received.iter().all(|r| r.text == prompt),
        "a prompt was changed on its way"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_no_agent_can_be_sent_is_refused_where_it_is_given() {
    let world = World::new().await;
    let file = world.dir().join("prompt");
    for (bytes, says) in [
        (&b"a\0b"[..], "a NUL byte at position 2"),
        (b"caf\xe9", "it is not UTF-8 text (byte 4 is invalid)"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let agent = world.agent.as_str();
        let answer = world.run(&[
            "register",
            "--agent-id",
            agent,
            "--every",
            "1h",
            "--prompt-file",
            "prompt",
        ]);
        assert_eq!(answer.code(), "file_unusable", "{answer:?}");
        assert!(answer.error().contains(says), "{answer:?}");
    }
    assert_eq!(
        world.run(&["list"]).json["count"]
            .as_i64()
            .unwrap_or_default(),
        0
    );
}
