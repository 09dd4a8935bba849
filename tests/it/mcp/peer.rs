//! An unmodified Python client, controlled one line at a time.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::daemon::{Daemon, Program, pause};
use crate::program::{PASSWORD, World};

/// The folder with what `scripts/setup` installs.
pub fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers")
}

/// A client, and how it connects.
pub struct Peer {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The newest client, with the newest protocol.
pub const NEWEST: (&str, &str) = ("mcp", "auto");
/// The newest client, with sessions.
pub const WITH_SESSIONS: (&str, &str) = ("mcp", "legacy");
/// An older client, which knows only sessions.
pub const OLDER: (&str, &str) = ("mcp126", "");

impl Peer {
    /// Connects over stdio to a program of its own.
    pub fn over_stdio(client: (&str, &str), world: &World, env: &[(&str, &str)]) -> Self {
        let database = world.database();
        let mut vars = json!({
            "HOME": world.dir(),
            "LETTA_BASE_URL": world.letta.url(),
            "LETTA_API_KEY": PASSWORD,
        });
        for (name, value) in env {
            vars[name] = json!(value);
        }
        let program = env!("CARGO_BIN_EXE_promptyoself");
        Peer::start(
            client.0,
            &json!({
                "stdio": [program, "--db", database, "mcp"],
                "env": vars,
                "mode": client.1,
                "log": world.dir().join("mcp.log"),
            }),
        )
    }

    /// Connects over stdio to a program that keeps no schedules itself.
    pub fn over_stdio_elsewhere(client: (&str, &str), world: &World, env: &[(&str, &str)]) -> Self {
        let mut vars = json!({ "HOME": world.dir() });
        for (name, value) in env {
            vars[name] = json!(value);
        }
        let program = env!("CARGO_BIN_EXE_promptyoself");
        Peer::start(
            client.0,
            &json!({ "stdio": [program, "mcp"], "env": vars, "mode": client.1 }),
        )
    }

    /// Connects over HTTP.
    pub fn over_http(client: (&str, &str), url: &str, headers: &[(&str, &str)]) -> Self {
        let headers: serde_json::Map<String, Value> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let how = json!({ "http": format!("{url}/mcp"), "headers": headers, "mode": client.1 });
        Peer::start(client.0, &how)
    }

    fn start(installed: &str, how: &Value) -> Self {
        let python = peers().join(installed).join("bin/python");
        assert!(python.exists(), "run scripts/setup first");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/client.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(how.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Peer {
            commands: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, command: Value) -> Result<Value, String> {
        // A client that could not connect has ended, and said why.
        let _ = writeln!(self.commands.as_mut().unwrap(), "{command}");
        let mut line = String::new();
        tokio::task::block_in_place(|| self.answers.read_line(&mut line).unwrap());
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// What it learned of the server when it connected, or why it could not.
    pub fn about(&mut self) -> Result<Value, String> {
        self.ask(json!({ "do": "about" }))
    }

    /// The tools it is told of.
    pub fn tools(&mut self) -> Vec<Value> {
        let mut listed = self.ask(json!({ "do": "list" })).unwrap();
        match listed["tools"].take() {
            Value::Array(tools) => tools,
            other => panic!("{other}"),
        }
    }

    /// Calls a tool; an error of the protocol itself is the other kind of result.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.ask(json!({ "do": "call", "name": tool, "arguments": arguments }))
    }

    /// Calls a tool that does what it is asked, and gives its answer.
    pub fn succeed(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments.clone()).unwrap();
        assert_ne!(result["isError"], true, "{tool} {arguments}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        let told: Value = serde_json::from_str(text).unwrap();
        assert_eq!(told, result["structuredContent"], "{tool}");
        told
    }

    /// Calls a tool that refuses, and gives its error.
    pub fn fail(&mut self, tool: &str, arguments: Value) -> Value {
        let mut result = self.call(tool, arguments.clone()).unwrap();
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        let error = result["structuredContent"].take();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(
            text.starts_with(error["error"].as_str().unwrap()),
            "{result}"
        );
        error
    }

    /// Closes the connection as the client does, and waits for its end.
    pub fn close(mut self) {
        self.commands = None;
        tokio::task::block_in_place(|| assert!(self.child.wait().unwrap().success()));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Closing its input lets it close its own program.
        self.commands = None;
        let _ = tokio::task::block_in_place(|| self.child.wait());
    }
}

/// The program in a world's folder.
pub fn program(world: &World) -> Program {
    Program::in_folder(world.dir(), &world.letta.url(), PASSWORD)
        .with("PROMPTYOSELF_LOG", "info")
        .with("PROMPTYOSELF_DB_PATH", world.database().to_str().unwrap())
}

/// Starts a daemon at a free address, and gives that.
pub async fn serve(program: &Program) -> (Daemon, String) {
    let daemon = program.start(&["serve", "--listen", "127.0.0.1:0"], "serve");
    for _ in 0..600 {
        let log = daemon.log();
        if let Some((_, rest)) = log.split_once("answering at ") {
            let url = rest.split_whitespace().next().unwrap().to_owned();
            program.until_scheduled().await;
            return (daemon, url);
        }
        pause().await;
    }
    panic!("no server came to life: {}", daemon.log());
}
