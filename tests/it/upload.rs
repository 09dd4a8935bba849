//! Uploading Python tools to Letta: only if the operator turned it on.

use promptyoself::error::Code;

use crate::program::World;

const SOURCE: &str = "def greet(name: str) -> str:\n    \"\"\"Greets.\"\"\"\n    return name\n";
const ALLOWED: (&str, &str) = ("PROMPTYOSELF_ALLOW_UPLOAD", "1");

async fn world() -> World {
    let world = World::new().await;
    std::fs::write(world.dir().join("greet.py"), SOURCE).unwrap();
    world
}

fn upload(world: &World, flags: &[&str], allowed: bool) -> crate::program::Answer {
    let mut argv = vec!["upload", "--source-code", "greet.py"];
    argv.extend(flags);
    let mut command = world.command(&argv);
    if allowed {
        command.env(ALLOWED.0, ALLOWED.1);
    }
    crate::program::Answer::read(command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reaches_letta_and_is_named_after_its_function() {
    let world = world().await;
    let flags = ["--name", "hello", "--description", "Greets people"];
    let answer = upload(&world, &flags, true).succeeded();
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["tool_id"], "tool-greet");
    assert_eq!(answer["name"], "greet");
    assert!(answer["message"].as_str().unwrap().contains("not hello"));
    assert_eq!(world.letta.asked("/v1/tools/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_uploaded_where_nobody_turned_it_on_nor_through_the_plugin() {
    let world = world().await;
    let refused = upload(&world, &[], false);
    assert_eq!((refused.status, refused.code()), (1, "upload_disabled"));
    let through_plugin = world
        .plugin(&["upload", "--source-code", "greet.py"])
        .env(ALLOWED.0, ALLOWED.1)
        .output()
        .unwrap();
    let refused = crate::program::Answer::read(through_plugin);
    assert_eq!((refused.status, refused.code()), (1, "refused_in_plugin"));
    assert_eq!(world.letta.asked("/v1/tools/"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_letta_says_of_a_tool_it_does_not_take_is_passed_on() {
    let world = world().await;
    std::fs::write(world.dir().join("greet.py"), "x = 1\n").unwrap();
    let refused = upload(&world, &[], true);
    assert_eq!((refused.status, refused.code()), (1, "letta_error"));
    assert!(
        refused.error().contains("no functions found"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_agent_may_upload_nothing() {
    let mut service = crate::world::World::new().await.service.clone();
    service.allow_upload = true;
    service.upload_tool(SOURCE, None, None).await.unwrap();
    let agent = crate::world::known_agent("agent-a");
    let service = service.for_caller(agent);
    let refused = service.upload_tool(SOURCE, None, None);
    assert_eq!(refused.await.unwrap_err().code(), Code::NotPermitted);
}
