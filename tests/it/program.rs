//! The real program in a folder of its own, next to a fake Letta server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use promptyoself::models::AgentId;
use serde_json::Value;

use crate::daemon::{Daemon, Program};
use crate::fake_letta::{FakeLetta, Options};
use crate::foreign_writers::raw::Foreign;
use crate::terminal::Terminal;

/// What the fake Letta asks for. It must never be seen in what the program prints.
pub const PASSWORD: &str = "pw-hunter2";

/// A folder with a database, and a Letta with one agent.
pub struct World {
    dir: tempfile::TempDir,
    program: Program,
    servers: Mutex<Vec<Daemon>>,
    /// The server.
    pub letta: FakeLetta,
    /// Its agent.
    pub agent: AgentId,
}

/// What the program answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit status.
    pub status: i32,
    /// The JSON on stdout.
    pub json: Value,
    /// All of stderr.
    pub stderr: String,
}

impl Answer {
    /// Checks that stdout is exactly one JSON value, and that no secret was printed.
    pub fn read(output: Output) -> Answer {
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON value: {e}: {output:?}"));
        let answer = Answer {
            status: output.status.code().unwrap(),
            json,
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let printed = format!("{answer:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        answer
    }

    /// The error's code; empty if there is none.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The error's text; empty if there is none.
    pub fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }

    /// Checks that the command did what it was asked.
    pub fn succeeded(self) -> Value {
        assert_eq!(self.status, 0, "{self:?}");
        self.json
    }
}

impl World {
    pub async fn new() -> World {
        let letta = FakeLetta::start_with(Options {
            password: Some(PASSWORD.into()),
            ..Options::default()
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        World {
            program: Program::in_folder(dir.path(), &letta.url(), PASSWORD),
            servers: Mutex::default(),
            dir,
            agent: letta.add_agent(),
            letta,
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The database that the program uses when it is told nothing else.
    pub fn database(&self) -> PathBuf {
        self.dir().join("promptyoself.db")
    }

    /// The program, called from a shell.
    pub fn command(&self, argv: &[&str]) -> Command {
        self.piped(self.program.command(argv))
    }

    /// The program, called by an SMCP server.
    pub fn plugin(&self, argv: &[&str]) -> Command {
        let shim = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/promptyoself/cli.py");
        let mut command = Command::new("python3");
        self.program.surround(command.arg(shim).args(argv));
        command.env("PROMPTYOSELF_BIN", env!("CARGO_BIN_EXE_promptyoself"));
        self.piped(command)
    }

    /// The program, called by somebody at a terminal 80 columns wide that shows colours, where both
    /// its outputs go.
    pub fn at_terminal(&self, argv: &[&str]) -> Terminal {
        self.at_terminal_of(argv, 80, &[("TERM", "xterm-256color")])
    }

    /// The same at a terminal of any width, with these variables.
    pub fn at_terminal_of(&self, argv: &[&str], columns: u16, env: &[(&str, &str)]) -> Terminal {
        let mut command = self.program.command(argv);
        Terminal::start(command.envs(env.iter().copied()), columns)
    }

    fn piped(&self, mut command: Command) -> Command {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command and reads its answer.
    pub fn run(&self, argv: &[&str]) -> Answer {
        Answer::read(self.command(argv).output().unwrap())
    }

    /// Registers for the agent, and gives the new schedule's id.
    pub fn register(&self, prompt: &str, flags: &[&str]) -> i64 {
        self.register_for(&self.agent, prompt, flags)
    }

    /// Registers for any agent.
    pub fn register_for(&self, agent: &AgentId, prompt: &str, flags: &[&str]) -> i64 {
        let mut argv = vec!["register", "--agent-id", agent.as_str(), "--prompt", prompt];
        argv.extend(flags);
        self.run(&argv).succeeded()["id"].as_i64().unwrap()
    }

    /// Registers an hourly prompt that is due since `seconds` ago.
    pub async fn register_due(&self, agent: &AgentId, prompt: &str, seconds: u32) -> i64 {
        let id = self.register_for(agent, prompt, &["--every", "1h"]);
        self.make_due(id, seconds).await;
        id
    }

    /// Sets the next run of a schedule to `seconds` ago, as another program may.
    pub async fn make_due(&self, id: i64, seconds: u32) {
        self.sql(&format!(
            "UPDATE schedules SET next_run = \
             strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{seconds} seconds') WHERE id = {id}"
        ))
        .await;
    }

    /// The first delivery that `history` shows of a schedule; null if there is none.
    pub fn last_delivery(&self, id: i64) -> Value {
        let history = self.run(&["history", "--id", &id.to_string()]).succeeded();
        history["occurrences"][0].clone()
    }

    /// Runs commands until one answers as wanted: what is waited for is the state of another
    /// process, which tells nobody.
    pub fn wait_until(&self, argv: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let json = self.run(argv).json;
            if wanted(&json) {
                return json;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{argv:?} never answered as wanted: {:?}", self.run(argv));
    }

    /// Starts a command that goes on until it is stopped.
    pub fn start(&self, argv: &[&str], env: &[(&str, &str)]) -> Daemon {
        let with = |program: Program, (name, value): &(&str, &str)| program.with(name, value);
        let program = env.iter().fold(self.program.clone(), with);
        program.start(argv, &argv.concat())
    }

    /// The same world, in which every command is started by a shell that does this before.
    pub fn after(self, before: &str) -> World {
        World {
            program: self.program.clone().after(before),
            ..self
        }
    }

    /// Starts a server on the database, which lives as long as this world, and gives its address.
    pub fn serve(&self) -> String {
        self.serve_with(&[])
    }

    /// The same, with these variables.
    pub fn serve_with(&self, env: &[(&str, &str)]) -> String {
        let daemon = self.start(&["serve", "--listen", "127.0.0.1:0"], env);
        let address = (0..3_000).find_map(|_| {
            let log = daemon.log();
            let found = log.split("answering at ").nth(1);
            let address = found.and_then(|rest| rest.split_once('\n'));
            let address = address.map(|(line, _)| line.trim().to_owned());
            if address.is_none() {
                std::thread::sleep(Duration::from_millis(10));
            }
            address
        });
        let address = address.unwrap_or_else(|| panic!("it never listened: {}", daemon.log()));
        self.servers.lock().unwrap().push(daemon);
        address
    }

    /// Stops the servers that were started.
    pub fn stop_servers(&self) {
        self.servers.lock().unwrap().clear();
    }

    /// Makes a key: an agent's, or the operator's.
    pub fn key(&self, agent: Option<&AgentId>) -> String {
        let mut argv = vec!["key", "create"];
        argv.extend(agent.into_iter().flat_map(|a| ["--agent-id", a.as_str()]));
        let made = self.run(&argv).succeeded();
        made["key"].as_str().unwrap().to_owned()
    }

    /// A server and a key that it takes.
    pub fn serve_with_key(&self, agent: Option<&AgentId>) -> (String, String) {
        (self.serve(), self.key(agent))
    }

    /// Writes to the database as another program does.
    pub async fn sql(&self, sql: &str) {
        Foreign::connect(&self.database()).await.run(sql).await;
    }

    /// Everything of value in the database, as text.
    pub async fn dump(&self) -> Vec<String> {
        dump(&self.database()).await
    }
}

/// Everything of value in a database, as text.
pub async fn dump(path: &Path) -> Vec<String> {
    let mut db = Foreign::connect(path).await;
    let mut lines = Vec::new();
    for table in [
        "install",
        "schedules",
        "schedule_revisions",
        "payloads",
        "occurrences",
        "attempts",
    ] {
        let sql = format!("SELECT * FROM {table} ORDER BY rowid");
        for row in db.texts(&sql).await {
            lines.push(format!("{table}: {row:?}"));
        }
    }
    lines
}

/// The address of something that answers every request with a web page.
pub fn web_page() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let page = "<html>hello</html>";
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    format!("http://{address}")
}
