//! An agent of Letta Code runs the program in its shell: what is scheduled there comes back to the
//! agent, in the conversation in which it runs it.

use serde_json::{Value, json};

use crate::fake_letta::FakeLetta;
use crate::mcp::peer::{NEWEST, Peer};
use crate::program::{Answer, World};

const CONVERSATION: &str = "conv-1";

/// What Letta Code sets in the shell of an agent.
fn shell<'a>(agent: &'a str, conversation: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("LETTA_AGENT_ID", agent),
        ("AGENT_ID", agent),
        ("LETTA_CONVERSATION_ID", conversation),
        ("CONVERSATION_ID", conversation),
    ]
}

fn register(world: &World, env: &[(&str, &str)], flags: &[&str]) -> Answer {
    let mut argv = vec!["register", "--prompt", "hi", "--every", "1h"];
    argv.extend(flags);
    Answer::read(
        world
            .command(&argv)
            .envs(env.iter().copied())
            .output()
            .unwrap(),
    )
}

/// The agent and the conversation of a schedule.
fn recipient(world: &World, made: &Value) -> (Value, Value) {
    let shown = world.run(&["show", &made["id"].to_string()]).succeeded();
    let schedule = &shown["schedule"];
    (
        schedule["agent_id"].clone(),
        schedule["conversation"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_schedules_for_itself_in_the_conversation_it_is_in_unless_told_otherwise() {
    let world = World::new().await;
    let other = world.letta.add_agent();
    let agent = world.agent.as_str();
    world.letta.add_conversation(&world.agent, CONVERSATION);
    let own = json!(agent);
    for (env, flags, wanted) in [
        (
            &shell(agent, CONVERSATION)[..],
            &[][..],
            json!(CONVERSATION),
        ),
        (&shell(agent, CONVERSATION)[1..2], &[], Value::Null),
        (&shell(agent, "default")[..2], &[], Value::Null),
        (&shell(agent, "default")[..], &[], json!("default")),
        (
            &shell(agent, CONVERSATION)[..],
            &["--conversation", "new"],
            json!("new"),
        ),
        (
            &shell(agent, CONVERSATION)[..],
            &["--agent-id", agent],
            json!(CONVERSATION),
        ),
    ] {
        let made = register(&world, env, flags).succeeded();
        assert_eq!(
            recipient(&world, &made),
            (own.clone(), wanted),
            "{env:?} {flags:?}"
        );
    }
    // Another agent has conversations of its own.
    let flags = ["--agent-id", other.as_str()];
    let made = register(&world, &shell(agent, CONVERSATION), &flags).succeeded();
    assert_eq!(recipient(&world, &made), (json!(other), Value::Null));
    // Whoever started the server of this agent may have named a default agent for other purposes.
    let mut env = shell(agent, CONVERSATION).to_vec();
    env.push(("PROMPTYOSELF_DEFAULT_AGENT_ID", other.as_str()));
    let made = register(&world, &env, &[]).succeeded();
    assert_eq!(recipient(&world, &made), (own, json!(CONVERSATION)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_other_programs_use_too_must_hold_the_id_of_an_agent() {
    let world = World::new().await;
    let refused = register(&world, &[("AGENT_ID", "datadog-1")], &[]);
    assert_eq!(refused.code(), "agent_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_agents_shell_the_server_of_the_settings_file_is_asked() {
    let world = World::new().await;
    let elsewhere = FakeLetta::start().await;
    let url = elsewhere.url();
    let mut env = shell(world.agent.as_str(), "default").to_vec();
    env.extend([
        ("LETTA_BASE_URL", url.as_str()),
        ("LETTA_API_KEY", "sk-of-letta-code"),
    ]);
    let file = world.dir().join("settings.toml");
    let text = format!(
        "[letta]\nbase_url = \"{}\"\napi_key = \"{}\"\n",
        world.letta.url(),
        crate::program::PASSWORD
    );
    std::fs::write(&file, text).unwrap();
    let flags = ["--config", file.to_str().unwrap()];
    register(&world, &env, &flags).succeeded();
    assert_eq!(elsewhere.asked_in_all(), 0);
    // Outside, the environment holds as ever.
    let refused = register(&world, &[&env[..2], &env[4..]].concat(), &flags);
    assert_eq!(refused.code(), "letta_unauthorized");
    assert!(elsewhere.asked_in_all() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_mcp_schedules_in_the_conversation_it_names() {
    let world = World::new().await;
    let agent = world.agent.as_str();
    world.letta.add_conversation(&world.agent, CONVERSATION);
    let call = |peer: &mut Peer, extra: Value| {
        let mut call = json!({ "prompt": "p", "every": "1h" });
        let extra = extra.as_object().unwrap().clone();
        call.as_object_mut().unwrap().extend(extra);
        let made = peer.succeed("promptyoself_schedule_every", call);
        recipient(&world, &made)
    };
    let mut peer = Peer::over_stdio(NEWEST, &world, &shell(agent, CONVERSATION));
    assert_eq!(
        call(&mut peer, json!({})),
        (json!(agent), json!(CONVERSATION))
    );
    peer.close();

    let url = world.serve();
    let headers = [("X-Agent-Id", agent), ("X-Conversation-Id", CONVERSATION)];
    let mut peer = Peer::over_http(NEWEST, &url, &headers);
    assert_eq!(
        call(&mut peer, json!({})),
        (json!(agent), json!(CONVERSATION))
    );
    assert_eq!(
        call(&mut peer, json!({ "conversation": "new" })),
        (json!(agent), json!("new"))
    );
    // Without an agent, nothing says whose conversation it is.
    let mut peer = Peer::over_http(NEWEST, &url, &headers[1..]);
    assert_eq!(
        call(&mut peer, json!({ "agent_id": agent })),
        (json!(agent), Value::Null)
    );
}
