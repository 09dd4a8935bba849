//! How long the program takes to start, and how much memory it holds while it has nothing to do.
//!
//! `cargo bench` measures the release build; `-- --quick` repeats less. Nothing is asserted: a time
//! means something only beside another one of the same machine, so each is shown as a ratio to that
//! of `python3 -c pass`, and memory to that of a Python that waits.

// Real time is what is measured here.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_promptyoself");

/// How long a process is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(1);

/// A process that is killed when it is no longer needed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Its memory, once it has been idle for a while, in MiB.
    fn idle_memory(&self) -> f64 {
        std::thread::sleep(IDLE);
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let times = if quick { 3 } else { 30 };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    program(folder, &["list"]).output().unwrap();

    let interpreter = python();
    let python = median(times, || {
        run(Command::new(&interpreter).args(["-c", "pass"]))
    });
    let rows = [
        (
            "/bin/true",
            median(times, || run(&mut Command::new("/bin/true"))),
        ),
        ("python3 -c pass", python),
        (
            "promptyoself --version",
            median(times, || run(&mut program(folder, &["--version"]))),
        ),
        (
            "promptyoself list",
            median(times, || run(&mut program(folder, &["list"]))),
        ),
        (
            "serve until /healthz answers",
            median(times, || serve(folder).1),
        ),
        (
            "mcp until it is initialized",
            median(times, || mcp(folder).1),
        ),
    ];
    println!("{:<32} {:>9}  {:>8}", "start-up", "ms", "/ python");
    for (name, took) in rows {
        let ratio = took.as_secs_f64() / python.as_secs_f64();
        println!(
            "{name:<32} {:>9.1}  {ratio:>8.2}",
            took.as_secs_f64() * 1000.0
        );
    }

    let waiting = Command::new(&interpreter)
        .args(["-c", "input()"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let python = Running(waiting).idle_memory();
    let rows = [
        ("python3 that waits", python),
        ("serve", serve(folder).0.idle_memory()),
        ("mcp", mcp(folder).0.idle_memory()),
    ];
    println!("\n{:<32} {:>9}  {:>8}", "idle memory", "MiB", "/ python");
    for (name, memory) in rows {
        println!("{name:<32} {memory:>9.1}  {:>8.2}", memory / python);
    }
}

/// The interpreter itself, which a version manager may hide behind a script.
fn python() -> String {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    String::from_utf8(asked.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

fn median(times: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..times).map(|_| measure()).collect();
    all.sort();
    all[times / 2]
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PROMPTYOSELF_LOG", "info")
        // Nothing answers there: no time of Letta's is measured.
        .env("LETTA_BASE_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    command
}

/// The time of a command from its start to its end.
fn run(command: &mut Command) -> Duration {
    let began = Instant::now();
    let output = command.output().unwrap();
    let took = began.elapsed();
    assert!(output.status.success(), "{output:?}");
    took
}

/// Starts the daemon, and the time until it has answered a request.
fn serve(folder: &Path) -> (Running, Duration) {
    let began = Instant::now();
    let mut command = program(folder, &["serve", "--listen", "127.0.0.1:0"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (address, log) = address(child.stderr.take().unwrap());
    let running = Running(child);
    let mut stream = TcpStream::connect(&address).unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let took = began.elapsed();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // What it logs is read on, or it would wait for us.
    std::thread::spawn(move || std::io::copy(&mut log.into_inner(), &mut std::io::sink()));
    (running, took)
}

/// The address in the log, and the log.
fn address(stderr: ChildStderr) -> (String, BufReader<ChildStderr>) {
    let mut log = BufReader::new(stderr);
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if let Some((_, address)) = line.split_once("answering at http://") {
            return (address.trim().to_owned(), log);
        }
        line.clear();
    }
    panic!("the daemon ended before it answered");
}

/// Starts the MCP server on stdio, and the time until it has answered the first request.
fn mcp(folder: &Path) -> (Running, Duration) {
    let began = Instant::now();
    let mut command = program(folder, &["mcp"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let request = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
        r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
        "\n"
    );
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(request.as_bytes())
        .unwrap();
    let mut answer = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut answer).unwrap();
    let took = began.elapsed();
    assert!(answer.contains("serverInfo"), "{answer}");
    (Running(child), took)
}
