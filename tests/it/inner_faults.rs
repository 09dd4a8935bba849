//! An internal error is reported by its place in the code, never by its content.

use crate::program::{Answer, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_talk_prints_no_word_of_it_and_the_prompt_is_looked_for() {
    let world = World::new().await;
    let id = world.register_due(&world.agent, "tick", 1).await;
    let mut command = world.command(&["execute"]);
    command.env(
        "PROMPTYOSELF_FAILPOINT",
        "send_ready:1:the reply was hunter3",
    );
    let answer = Answer::read(command.output().unwrap());
    let shown = format!("{answer:?}");
    assert!(!shown.contains("hunter3"), "{shown}");
    assert!(answer.stderr.contains("internal error at "), "{shown}");
    assert!(answer.stderr.contains("failpoint.rs:"), "{shown}");
    // Nothing was sent, and nothing is lost.
    assert!(world.letta.received().is_empty());
    let delivery = world.last_delivery(id);
    assert_eq!(delivery["state"], "unknown", "{delivery}");
}
