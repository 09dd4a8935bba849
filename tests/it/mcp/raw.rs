//! The bytes of MCP over stdio, without a client in between.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::program::{PASSWORD, World};

/// A program whose input and output are in our hands.
pub struct Raw {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    id: i64,
}

impl Raw {
    /// Starts the program on a world's database, and begins a session.
    pub fn start(world: &World) -> Self {
        Raw::start_with(world, &[])
    }

    /// The same with variables of its own.
    pub fn start_with(world: &World, env: &[(&str, &str)]) -> Self {
        let mut raw = Raw::spawn_with(world, env);
        let begun = raw.ask(
            "initialize",
            json!({ "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": { "name": "raw", "version": "1" } }),
        );
        assert_eq!(
            begun["result"]["serverInfo"]["name"], "promptyoself",
            "{begun}"
        );
        raw.write(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        raw
    }

    /// Starts the program, which has heard nothing yet.
    pub fn spawn(world: &World) -> Self {
        Raw::spawn_with(world, &[])
    }

    fn spawn_with(world: &World, env: &[(&str, &str)]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_promptyoself"));
        // Whoever names a server has no database of its own.
        if !env.iter().any(|(name, _)| *name == "PROMPTYOSELF_URL") {
            program.arg("--db").arg(world.database());
        }
        let mut child = program
            .arg("mcp")
            .env_clear()
            .env("HOME", world.dir())
            .env("LETTA_BASE_URL", world.letta.url())
            .env("LETTA_API_KEY", PASSWORD)
            .env("PROMPTYOSELF_EXECUTOR_AUTOSTART", "false")
            .envs(env.iter().copied())
            .current_dir(world.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Raw {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            id: 1_000,
        }
    }

    /// Writes a line as it is.
    pub fn write(&mut self, line: impl AsRef<[u8]>) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_ref()).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    /// The next line.
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.output.read_line(&mut line).unwrap());
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    /// Asks a question, and gives the answer, which must be the next thing that is said.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.write(request.to_string());
        let answer = self.read();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Writes bytes, closes the input, and gives all that is said after that.
    pub fn end_with(mut self, bytes: &[u8]) -> Vec<Value> {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
        self.input = None;
        let lines = tokio::task::block_in_place(|| {
            let lines = (&mut self.output).lines();
            lines.map(Result::unwrap).collect::<Vec<_>>()
        });
        assert!(self.child.wait().unwrap().success());
        lines
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.input = None;
        let _ = tokio::task::block_in_place(|| self.child.wait());
    }
}
