//! The real program as a running process, for tests with several processes or their death.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Settings under which the program is run.
#[derive(Clone, Debug)]
pub struct Program {
    folder: PathBuf,
    env: Vec<(String, String)>,
    /// What a shell does before it becomes the program, if anything.
    before: Option<String>,
}

/// A program that runs until it is stopped; it is killed when dropped.
pub struct Daemon {
    child: Option<Child>,
    log: PathBuf,
}

impl Program {
    /// The program on a database and a Letta server.
    pub fn new(database: &Path, letta_url: &str, password: &str) -> Self {
        Program::in_folder(database.parent().unwrap(), letta_url, password)
            .with("PROMPTYOSELF_DB_PATH", database.to_str().unwrap())
            .with("PROMPTYOSELF_LOG", "info")
    }

    /// The program as it is called in a folder, where its database is if it is told nothing else.
    pub fn in_folder(folder: &Path, letta_url: &str, password: &str) -> Self {
        let program = Program {
            folder: folder.to_owned(),
            env: Vec::new(),
            before: None,
        };
        program
            .with("HOME", folder.to_str().unwrap())
            .with("LETTA_BASE_URL", letta_url)
            .with("LETTA_API_KEY", password)
    }

    /// The same with another setting in its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, started by a shell that does this before, such as `umask 000`.
    pub fn after(mut self, before: &str) -> Self {
        self.before = Some(before.to_owned());
        self
    }

    /// The program, called from a shell.
    pub fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_promptyoself");
        let mut command = match &self.before {
            None => Command::new(program),
            Some(before) => {
                let mut shell = Command::new("sh");
                let script = format!("{before} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, program]);
                shell
            }
        };
        self.surround(command.args(args));
        command
    }

    /// Gives a command the surroundings of the program.
    pub fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that succeeds, and reads its answer.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts a command that runs on.
    pub fn start(&self, args: &[&str], name: &str) -> Daemon {
        let log = self.folder.join(format!("{name}.log"));
        let stderr = std::fs::File::create(&log).unwrap();
        let child = self
            .command(args)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Daemon {
            child: Some(child),
            log,
        }
    }

    /// Every delivery of the history, the newest first.
    pub fn history(&self) -> Vec<Value> {
        let answer = self.json(&["history", "--limit", "100000"]);
        answer["occurrences"].as_array().unwrap().clone()
    }

    /// Looks at the history until it is as wanted: the program is another process, so nothing else
    /// tells. Fails after two minutes.
    pub async fn until(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut history = self.history();
        for _ in 0..600 {
            if wanted(&history) {
                return history;
            }
            pause().await;
            history = self.history();
        }
        panic!("the history never came to what was wanted: {history:#?}");
    }

    /// Waits until a scheduler has said that it lives.
    pub async fn until_scheduled(&self) {
        for _ in 0..600 {
            if self.json(&["list"]).get("warning").is_none() {
                return;
            }
            pause().await;
        }
        panic!("no scheduler came to life");
    }
}

/// The pause between two looks at another process.
pub async fn pause() {
    promptyoself::clock::Clock::system()
        .sleep(Duration::from_millis(200))
        .await;
}

impl Daemon {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it answers over HTTP, and gives the address: another process, so nothing else
    /// tells.
    pub async fn address(&self) -> SocketAddr {
        for _ in 0..3_000 {
            let log = self.log();
            let after = log.split_once("answering at http://").map(|(_, rest)| rest);
            if let Some((address, _)) = after.and_then(|rest| rest.split_once('\n')) {
                return address.trim().parse().unwrap();
            }
            promptyoself::clock::Clock::system()
                .sleep(Duration::from_millis(10))
                .await;
        }
        panic!("it answers nowhere: {}", self.log());
    }

    /// Waits until it has died by itself: another process, so nothing else tells.
    pub async fn ended(&mut self) {
        while self.child.as_mut().unwrap().try_wait().unwrap().is_none() {
            promptyoself::clock::Clock::system()
                .sleep(Duration::from_millis(5))
                .await;
        }
    }

    /// Kills it as SIGKILL does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to stop as SIGTERM does once it listens for that, and waits for its end.
    pub fn stop(mut self) -> String {
        let mut child = self.child.take().unwrap();
        let pid = child.id();
        // Before that, the signal would kill it: another process, so nothing else tells.
        while !catches_sigterm(pid) {
            let ended = child.try_wait().unwrap();
            assert_eq!(ended, None, "it ended by itself: {}", self.log());
            std::thread::yield_now();
        }
        let killed = Command::new("kill").arg(pid.to_string()).status();
        assert!(killed.unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }
}

/// Whether a process has a handler for SIGTERM.
fn catches_sigterm(pid: u32) -> bool {
    const SIGTERM: u64 = 15;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught & (1 << (SIGTERM - 1)) != 0
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
