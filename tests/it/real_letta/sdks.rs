//! Letta's own SDKs, unmodified, with the program as their server in front of a real Letta.

use std::path::Path;
use std::process::Command;

use promptyoself::models::AgentId;
use serde_json::Value;

use super::RealLetta;
use crate::daemon::{Daemon, Program, pause};

/// Starts the program before Letta on a free port, and gives its address.
async fn serve(program: &Program) -> (Daemon, String) {
    let daemon = program.start(&["serve"], "serve");
    for _ in 0..600 {
        if let Some((_, rest)) = daemon.log().split_once("answering at ")
            && let Some(address) = rest.split_whitespace().next()
        {
            let address: String = address.chars().filter(|c| !c.is_control()).collect();
            return (daemon, address);
        }
        pause().await;
    }
    panic!("it never answered:\n{}", daemon.log());
}

/// Runs an SDK's program against ours, and looks at Letta itself for what it says it did.
async fn schedules(mut sdk: Command, name: &str) {
    let real = RealLetta::get().await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    let program = Program::new(&database, &real.url, &real.password)
        .with("PROMPTYOSELF_LISTEN", "127.0.0.1:0");
    let (daemon, address) = serve(&program).await;
    program.until_scheduled().await;
    sdk.arg(&address).arg(&real.password);
    let ran = tokio::task::spawn_blocking(move || sdk.output().unwrap());
    let ran = ran.await.unwrap();
    assert!(ran.status.success(), "{ran:#?}\n{}", daemon.log());
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();

    // The message reached the agent, under our otid, in the run that we say it did.
    let agent = AgentId::parse(told["agent_id"].as_str().unwrap()).unwrap();
    let history = program.history();
    assert_eq!(history.len(), 1, "{history:#?}");
    assert_eq!(history[0]["state"], "delivered");
    assert_eq!(history[0]["run_id"], told["run_id"]);
    let otid = history[0]["attempts"][0]["otid"].as_str().unwrap();
    assert_eq!(real.count(&agent, otid.parse().unwrap()).await, 1);
    let reply = told["reply"].as_str().unwrap();
    assert!(reply.starts_with("stub: "), "{told}");
    real.wait_for_model(&format!("scheduled once from {name}"))
        .await;
    daemon.stop();
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn the_python_sdk_schedules_and_speaks_through_us() {
    let mut sdk = Command::new(root().join(".peers/sdk/bin/python"));
    sdk.arg(root().join("tests/it/real_letta/sdk/client.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    schedules(sdk, "python").await;
}

#[tokio::test]
async fn the_typescript_sdk_schedules_and_speaks_through_us() {
    let modules = root().join(".peers/node/node_modules");
    let mut sdk = Command::new(modules.join(".bin/node"));
    sdk.arg(root().join("tests/it/real_letta/sdk/client.js"))
        .env("NODE_PATH", modules);
    schedules(sdk, "typescript").await;
}
