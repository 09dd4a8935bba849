//! Giving Letta agents the tools of `serve`.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Answer, World};

const URL: &str = "https://prompts.example.org/mcp";
const SECRET: &str = "PROMPTYOSELF_AGENT_KEY";

fn connect(world: &World, flags: &[&str]) -> Answer {
    let mut argv = vec!["connect", "--agent-id", world.agent.as_str()];
    argv.extend(flags);
    world.run(&argv)
}

/// Makes an operator's key, so that keys are asked for.
fn ask_for_keys(world: &World) -> String {
    let made = world
        .run(&["key", "create", "--name", "laptop"])
        .succeeded();
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gets_every_tool_but_the_operators_and_once() {
    let world = World::new().await;
    for _ in 0..2 {
        let answer = connect(&world, &["--url", URL]).succeeded();
        assert_eq!(answer["connected"], true);
        assert_eq!(answer["key_id"], Value::Null);
        let tools = ["promptyoself_list", "promptyoself_schedule_every"];
        assert_eq!(answer["tools"], json!(tools));
        let ids = tools.map(|name| format!("tool-{name}"));
        assert_eq!(world.letta.attached(&world.agent), ids);
        let servers = world.letta.mcp_servers();
        assert_eq!(servers.len(), 1);
        assert_eq!(servers[0]["server_name"], "promptyoself");
        assert_eq!(servers[0]["mcp_server_type"], "streamable_http");
        assert_eq!(servers[0]["server_url"], URL);
        assert_eq!(servers[0]["custom_headers"], Value::Null);
    }
    let moved = "https://other.example.org/mcp";
    connect(&world, &["--url", "https://other.example.org"]).succeeded();
    assert_eq!(world.letta.mcp_servers()[0]["server_url"], moved);
    assert_eq!(world.letta.mcp_servers().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_keys_are_asked_for_each_agent_calls_with_its_own() {
    let world = World::new().await;
    ask_for_keys(&world);
    world.letta.set_secret(&world.agent, "OTHER", "kept");
    let answer = connect(&world, &["--url", URL]).succeeded();
    let secrets = world.letta.secrets(&world.agent);
    let key = secrets[SECRET].clone();
    assert_eq!(secrets["OTHER"], "kept");
    assert!(!answer.to_string().contains("pys_"), "{answer}");
    let header = format!("Bearer {{{{ {SECRET} | {key} }}}}");
    let sent = |world: &World| world.letta.mcp_servers()[0]["custom_headers"].clone();
    assert_eq!(sent(&world), json!({ "Authorization": header }));

    // The same agent again keeps its key; another gets its own, and the header stays.
    let again = connect(&world, &["--url", URL]).succeeded();
    assert_eq!(again["key_id"], Value::Null);
    assert_eq!(world.letta.secrets(&world.agent)[SECRET], key);
    let other = world.letta.add_agent();
    let argv = ["connect", "--agent-id", other.as_str(), "--url", URL];
    world.run(&argv).succeeded();
    assert_ne!(world.letta.secrets(&other)[SECRET], key);
    assert_eq!(sent(&world), json!({ "Authorization": header }));

    // A revoked key is replaced wherever it is.
    let id = answer["key_id"].to_string();
    world.run(&["key", "revoke", &id]).succeeded();
    connect(&world, &["--url", URL]).succeeded();
    let renewed = world.letta.secrets(&world.agent)[SECRET].clone();
    assert_ne!(renewed, key);
    assert!(sent(&world).to_string().contains(&renewed));
    assert!(!sent(&world).to_string().contains(&key));
    let keys = world.run(&["key", "list"]).succeeded();
    assert_eq!(keys["count"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_never_gets_a_key_that_is_not_its_own() {
    let world = World::new().await;
    let operators = ask_for_keys(&world);
    let other = world.letta.add_agent();
    let others = world
        .run(&["key", "create", "--agent-id", other.as_str()])
        .succeeded();
    for key in [&operators, others["key"].as_str().unwrap()] {
        let refused = connect(&world, &["--url", URL, "--key", key]);
        assert_eq!((refused.status, refused.code()), (1, "not_permitted"));
        assert!(!format!("{refused:?}").contains(key));
    }
    let refused = connect(&world, &["--url", URL, "--key", "pys_0"]);
    assert_eq!(refused.code(), "key_invalid");
    assert!(world.letta.mcp_servers().is_empty());
    let own = world
        .run(&["key", "create", "--agent-id", world.agent.as_str()])
        .succeeded();
    let key = own["key"].as_str().unwrap();
    connect(&world, &["--url", URL, "--key", key]).succeeded();
    assert_eq!(world.letta.secrets(&world.agent)[SECRET], key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letta_that_refuses_private_addresses_is_told_of_with_the_ways_out() {
    let world = World::new().await;
    ask_for_keys(&world);
    for flags in [&[][..], &["--url", "http://localhost:8465/mcp"]] {
        let answer = connect(&world, flags);
        assert_eq!(answer.status, 1, "{answer:?}");
        assert_eq!(answer.json["connected"], false);
        let reason = answer.json["reason"].as_str().unwrap();
        assert!(
            reason.contains("0.16.7") && reason.contains("--url"),
            "{reason}"
        );
        assert!(!reason.contains("pys_"));
        assert!(answer.json["mcp_over_stdio"]["mcpServers"]["promptyoself"].is_object());
    }
    assert!(world.letta.mcp_servers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_made_for_nothing_opens_nothing() {
    let world = World::new().await;
    ask_for_keys(&world);
    world.letta.reaches_mcp_servers(false);
    let failed = connect(&world, &["--url", URL]);
    assert_eq!((failed.status, failed.code()), (1, "letta_error"));
    assert!(failed.error().contains("Is serve running"), "{failed:?}");
    assert!(world.letta.secrets(&world.agent).is_empty());
    let keys = world.run(&["key", "list"]).succeeded();
    assert_ne!(keys["keys"][1]["revoked_at"], Value::Null);
    // What failed halfway is made good by the next call.
    world.letta.reaches_mcp_servers(true);
    connect(&world, &["--url", URL]).succeeded();
    assert_eq!(world.letta.mcp_servers().len(), 1);
    let key = &world.letta.secrets(&world.agent)[SECRET];
    assert!(world.letta.mcp_servers()[0].to_string().contains(key));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_to_write_by_hand_is_printed_whole() {
    let world = World::new().await;
    let printed = connect(&world, &["--print"]).succeeded();
    let entry = &printed["letta_code"]["content"]["agents"][0];
    assert_eq!(entry["agentId"], world.agent.as_str());
    let server = &entry["mcpServers"][0];
    assert_eq!(server["transport"], "http");
    assert_eq!(server["url"], "http://127.0.0.1:8465/mcp");
    let headers = json!({
        "X-Agent-Id": world.agent,
        "X-Conversation-Id": "${LETTA_CONVERSATION_ID}",
    });
    assert_eq!(server["headers"], headers);
    let stdio = &printed["mcp_over_stdio"]["mcpServers"]["promptyoself"];
    assert_eq!(stdio["args"], json!(["mcp"]));
    assert!(stdio["command"].as_str().unwrap().starts_with('/'));
    let database = stdio["env"]["PROMPTYOSELF_DB_PATH"].as_str().unwrap();
    assert_eq!(database, world.database().to_str().unwrap());
    assert_eq!(world.letta.asked_in_all(), 0);

    // A key is shown only if it was made just now.
    ask_for_keys(&world);
    let printed = connect(&world, &["--print"]).succeeded();
    let http = &printed["mcp_over_http"]["mcpServers"]["promptyoself"]["headers"];
    let key = http["Authorization"].as_str().unwrap();
    let key = key.strip_prefix("Bearer ").unwrap();
    let printed = connect(&world, &["--print", "--key", key]).succeeded();
    assert!(!printed.to_string().contains(key), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_server_is_connected_by_hand() {
    let world = World::new().await;
    world.letta.lacks("/v1/");
    world.letta.set_app_server(true);
    let answer = connect(&world, &[]).succeeded();
    assert_eq!(answer["status"], "by_hand");
    assert!(answer["reason"].as_str().unwrap().contains("App Server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_letta_does_not_know_is_not_connected() {
    let world = World::new().await;
    let answer = world.run(&["connect", "--agent-id", "agent-x", "--url", URL]);
    assert_eq!((answer.status, answer.code()), (1, "agent_unknown"));
    assert!(world.letta.mcp_servers().is_empty());
    let answer = world.run(&["connect"]);
    assert_eq!(answer.code(), "agent_missing");
    let answer = connect(&world, &["--url", "ftp://x"]);
    assert_eq!((answer.status, answer.code()), (2, "usage"));
}

/// Runs `connect --app-server` with a home folder.
fn connect_app_server(world: &World, flags: &[&str]) -> Answer {
    let mut argv = vec![
        "connect",
        "--app-server",
        "--agent-id",
        world.agent.as_str(),
    ];
    argv.extend(flags);
    Answer::read(
        world
            .command(&argv)
            .env("HOME", world.dir())
            .output()
            .unwrap(),
    )
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_an_app_server_are_written_and_what_others_wrote_there_stays() {
    let world = World::new().await;
    let letta = world.dir().join(".letta");
    let settings = letta.join("settings.json");
    std::fs::create_dir(&letta).unwrap();
    let others = json!({
        "lastAgent": "x",
        "agents": [{ "agentId": "agent-2", "mcpServers": [{ "name": "promptyoself" }] }],
    });
    std::fs::write(&settings, others.to_string()).unwrap();
    for _ in 0..2 {
        let answer = connect_app_server(&world, &[]).succeeded();
        assert_eq!(answer["connected"], true);
        let written: Value = serde_json::from_str(&read(&settings)).unwrap();
        let mut wanted = others.clone();
        let own = json!({
            "agentId": world.agent,
            "mcpServers": [{
                "name": "promptyoself",
                "transport": "http",
                "url": "http://127.0.0.1:8465/mcp",
                "headers": {
                    "X-Agent-Id": world.agent,
                    "X-Conversation-Id": "${LETTA_CONVERSATION_ID}",
                },
            }],
        });
        wanted["agents"].as_array_mut().unwrap().push(own);
        assert_eq!(written, wanted);
    }
    let again = connect_app_server(&world, &[]).succeeded();
    for file in again["files"].as_array().unwrap() {
        assert_eq!(file["change"], "unchanged", "{file}");
    }
    // The skill's commands reach the same schedules from any folder, with an agent's environment.
    let skill = letta.join("skills/promptyoself");
    let text = read(&skill.join("SKILL.md"));
    assert!(text.starts_with("---\nname: promptyoself\n"), "{text}");
    let (command, _) = text.split_once(" register ").unwrap();
    let command = command.lines().last().unwrap();
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("{command} register --prompt hi --every 1h")])
        .env_clear()
        .env("LETTA_API_KEY", "hunter2")
        .env("LETTA_AGENT_ID", world.agent.as_str())
        .env("LETTA_CONVERSATION_ID", "default")
        .env("LETTA_BASE_URL", "http://127.0.0.1:9")
        .current_dir("/");
    let refused = Answer::read(shell.output().unwrap());
    assert_eq!(refused.code(), "letta_unauthorized", "{refused:?}");
    // The key of the environment is nobody's to write down; its owner adds it.
    let own = skill.join("promptyoself.toml");
    assert!(!read(&own).contains("hunter2"));
    let with_key = format!(
        "{}\napi_key = \"{}\"\n",
        read(&own).trim_end(),
        crate::program::PASSWORD
    );
    std::fs::write(&own, with_key).unwrap();
    let made = Answer::read(shell.output().unwrap()).succeeded();
    let shown = world.run(&["show", &made["id"].to_string()]).succeeded();
    assert_eq!(shown["schedule"]["conversation"], "default");
    connect_app_server(&world, &[]).succeeded();
    assert!(read(&own).contains("api_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_keys_are_asked_for_an_agent_of_an_app_server_keeps_its_own() {
    let world = World::new().await;
    ask_for_keys(&world);
    let settings = world.dir().join(".letta/settings.json");
    let made = connect_app_server(&world, &[]).succeeded();
    assert!(made["key_id"].is_i64());
    let written = read(&settings);
    assert!(written.contains("Bearer pys_"));
    assert!(!made.to_string().contains("pys_"), "{made}");
    let again = connect_app_server(&world, &[]).succeeded();
    assert_eq!(again["key_id"], Value::Null);
    assert_eq!(read(&settings), written);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = settings.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_understood_are_left_alone() {
    let world = World::new().await;
    ask_for_keys(&world);
    let letta = world.dir().join(".letta");
    let settings = letta.join("settings.json");
    let skill = letta.join("skills/promptyoself/SKILL.md");
    std::fs::create_dir_all(skill.parent().unwrap()).unwrap();
    for odd in ["{", "[]", "{\"agents\": 1}"] {
        std::fs::write(&settings, odd).unwrap();
        let refused = connect_app_server(&world, &[]);
        assert_eq!(
            (refused.status, refused.code()),
            (1, "file_unusable"),
            "{odd}"
        );
        assert_eq!(read(&settings), odd);
        assert!(!skill.exists());
    }
    std::fs::remove_file(&settings).unwrap();
    std::fs::write(&skill, "somebody's own").unwrap();
    let refused = connect_app_server(&world, &[]);
    assert_eq!(refused.code(), "file_unusable");
    assert_eq!(read(&skill), "somebody's own");
    assert!(!settings.exists());
    // Nothing was made for it either.
    assert_eq!(world.run(&["key", "list"]).succeeded()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_server_that_is_down_may_be_connected_and_an_unknown_agent_not() {
    let mut world = World::new().await;
    let refused = Answer::read(
        world
            .command(&["connect", "--app-server", "--agent-id", "agent-x"])
            .env("HOME", world.dir())
            .output()
            .unwrap(),
    );
    assert_eq!(refused.code(), "agent_unknown");
    assert!(!world.dir().join(".letta").exists());
    world.letta.stop();
    let answer = connect_app_server(&world, &[]).succeeded();
    let warning = answer["warning"].as_str().unwrap();
    assert!(warning.contains("could not be checked"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_written_for_an_app_server_is_printed_without_writing_it() {
    let world = World::new().await;
    let printed = connect_app_server(&world, &["--print"]).succeeded();
    let skill = printed["skill"][0]["content"].as_str().unwrap();
    assert!(skill.contains(" register --prompt "), "{skill}");
    assert!(!world.dir().join(".letta").exists());
}
