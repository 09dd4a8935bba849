//! Servers over stdio next to a daemon: each delivers if nobody else does, and none of them is
//! needed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::peer::program;
use crate::daemon::Program;
use crate::program::World;

/// A server over stdio, spoken to by hand.
struct Server {
    child: Child,
}

impl Server {
    fn start(program: &Program, world: &World, name: &str) -> Self {
        let log = std::fs::File::create(world.dir().join(name)).unwrap();
        let child = program
            .command(&["mcp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server { child };
        let begun = server.ask(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": { "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "test", "version": "1" } } }));
        assert_eq!(begun["result"]["serverInfo"]["name"], "promptyoself");
        server
    }

    /// Sends a request and reads the next line, which is its answer.
    fn ask(&mut self, request: Value) -> Value {
        self.send(&request);
        self.answer()
    }

    fn send(&mut self, request: &Value) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{request}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let output = self.child.stdout.as_mut().unwrap();
        let mut line = String::new();
        tokio::task::block_in_place(|| BufReader::new(output).read_line(&mut line).unwrap());
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, and gives what it said since its last answer.
    fn ended(mut self) -> String {
        drop(self.child.stdin.take());
        self.wait()
    }

    fn wait(mut self) -> String {
        let mut rest = String::new();
        let mut output = self.child.stdout.take().unwrap();
        tokio::task::block_in_place(|| {
            std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
            assert!(self.child.wait().unwrap().success());
        });
        rest
    }
}

/// How many schedulers live on the world's database.
fn schedulers(world: &World) -> usize {
    let tested = world.run(&["test"]).succeeded();
    tested["schedulers"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_mid_turn_beside_a_daemon_doubles_nothing_and_holds_nothing_up() {
    let world = World::new().await;
    let program = program(&world);
    let server = Server::start(&program, &world, "mcp.log");
    let other = world.letta.add_agent();
    world.letta.hold(&world.agent);
    let first = world.register_due(&world.agent, "first", 1).await;
    world.letta.wait_for(1).await;
    let daemon = program.start(&["serve", "--listen", "off"], "serve");
    world.wait_until(&["test"], |t| {
        t["schedulers"].as_array().is_some_and(|s| s.len() == 2)
    });
    server.kill();

    // Nobody else waits for the agent whose turn goes on.
    world.register_due(&other, "elsewhere", 1).await;
    world.letta.wait_for(2).await;
    // Nor does it get anything before that turn has ended.
    let second = world.register_due(&world.agent, "second", 1).await;
    let is_unknown = |h: &Value| h["occurrences"][0]["state"] == "unknown";
    world.wait_until(&["history", "--id", &first.to_string()], is_unknown);
    assert_eq!(world.letta.received().len(), 2);
    world.letta.release(&world.agent);
    world.letta.wait_for(3).await;
    for id in [first, second] {
        let is_delivered = |h: &Value| h["occurrences"][0]["state"] == "delivered";
        world.wait_until(&["history", "--id", &id.to_string()], is_delivered);
    }
    world.run(&["doctor"]).succeeded();
    daemon.stop();
    let received = world.letta.received();
    let mut texts: Vec<&str> = received
        .iter()
        .filter_map(|r| r.text.lines().last())
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, ["elsewhere", "first", "second"]);
    assert_eq!((world.letta.repeats(), world.letta.overlaps()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stands_by_while_a_daemon_lives_and_takes_over_when_it_is_killed_mid_turn() {
    let world = World::new().await;
    let program = program(&world);
    let mut daemon = program.start(&["serve", "--listen", "off"], "serve");
    program.until_scheduled().await;
    let server = Server::start(&program, &world, "mcp.log");
    assert_eq!(schedulers(&world), 1);
    world.letta.hold(&world.agent);
    let id = world.register_due(&world.agent, "first", 1).await;
    world.letta.wait_for(1).await;
    daemon.kill();
    world.letta.release(&world.agent);
    let is_delivered = |h: &Value| h["occurrences"][0]["state"] == "delivered";
    world.wait_until(&["history", "--id", &id.to_string()], is_delivered);
    world.register_due(&world.agent, "second", 1).await;
    let received = world.letta.wait_for(2).await;
    assert_eq!(received.len(), 2);
    assert_eq!(schedulers(&world), 1);
    assert_eq!(server.ended(), "");
    assert_eq!(schedulers(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ends_when_its_client_goes_or_when_it_is_told_to_and_prints_nothing_else() {
    let world = World::new().await;
    let program = program(&world);
    let server = Server::start(&program, &world, "closed.log");
    assert_eq!(server.ended(), "");

    let server = Server::start(&program, &world, "stopped.log");
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    // Its client still holds the other end of its input.
    assert_eq!(server.wait(), "");

    let quiet = program.with("PROMPTYOSELF_EXECUTOR_AUTOSTART", "false");
    let mut server = Server::start(&quiet, &world, "quiet.log");
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "promptyoself_executor_status" } });
    let answer = server.ask(call);
    let status = &answer["result"]["structuredContent"];
    assert_eq!(
        (&status["running"], status["warning"].is_string()),
        (&json!(false), true)
    );
    server.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_delivered_by_hand_in_one_pass_at_a_time() {
    let world = World::new().await;
    let program = program(&world).with("PROMPTYOSELF_EXECUTOR_AUTOSTART", "false");
    let mut server = Server::start(&program, &world, "mcp.log");
    world.letta.hold(&world.agent);
    world.register_due(&world.agent, "first", 1).await;
    let execute = |id: i64| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "promptyoself_execute" } })
    };
    server.send(&execute(2));
    world.letta.wait_for(1).await;
    let second = server.ask(execute(3));
    assert_eq!(second["id"], 3);
    let told = &second["result"]["structuredContent"];
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("no second pass"), "{message}");
    assert_eq!(schedulers(&world), 1);
    world.letta.release(&world.agent);
    let first = server.answer();
    assert_eq!(first["id"], 2);
    let executed = &first["result"]["structuredContent"]["executed"];
    assert_eq!(executed[0]["delivered"], true, "{first}");

    let third = server.ask(execute(4));
    let message = &third["result"]["structuredContent"]["message"];
    assert_eq!(message, "0 prompts executed");
    server.ended();
}
