//! Part d: how long the program takes from the start of its process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Bench;
use crate::bed::Bed;
use crate::program::{Daemon, Program, Running};
use crate::results::{Who, median};

const PART: char = 'd';

const REGISTER: [&str; 7] = [
    "register",
    "--agent-id",
    "agent-00000000-0000-4000-8000-000000000000",
    "--prompt",
    crate::bed::PROMPT,
    "--time",
    crate::rows::DUE,
];

/// What is measured of a build.
type Measure = (&'static str, fn(&Bench, &Program, &Path) -> f64);

const MEASURES: [Measure; 5] = [
    ("--version", |bench, program, folder| {
        to_end(&mut program.command(folder, bench.letta.url(), &["--version"]))
    }),
    ("list", |bench, program, folder| {
        to_end(&mut program.command(folder, bench.letta.url(), &["list"]))
    }),
    ("register", |bench, program, folder| {
        to_end(&mut program.command(folder, bench.letta.url(), &REGISTER))
    }),
    ("serve until it answers", |bench, program, folder| {
        let daemon = Daemon::start(program, folder, bench.letta.url());
        daemon.started_in.as_secs_f64() * 1e3
    }),
    ("mcp until it is initialized", |bench, program, folder| {
        mcp(bench, program, folder).1
    }),
];

/// One run.
pub fn run(bench: &mut Bench) {
    let builds = bench.in_turn();
    let folders: Vec<_> = builds
        .iter()
        .map(|(_, program)| Bed::start(bench, program, None).stop())
        .collect();
    for (name, measure) in MEASURES {
        let mut bare = Vec::new();
        let mut each = vec![Vec::new(); builds.len()];
        for _ in 0..bench.sizes.starts {
            bare.push(to_end(&mut empty(&crate::bed::database(folders[0].path()))));
            for ((figures, (_, program)), folder) in each.iter_mut().zip(&builds).zip(&folders) {
                figures.push(measure(bench, program, folder.path()));
            }
        }
        let name = format!("cold: {name}");
        bench.results.add(
            PART,
            &name,
            "ms",
            Who::Bare,
            median(&bare).expect("a start"),
        );
        for (figures, (n, _)) in each.iter().zip(&builds) {
            let figure = median(figures).expect("a start");
            bench
                .results
                .add(PART, &name, "ms", Who::Program(*n), figure);
        }
    }
}

/// The empty program, which stands beside this one.
pub fn empty(database: &Path) -> Command {
    let own = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(own.with_file_name("bench-empty"));
    command
        .arg(database)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The time of a process from its start to its end, in ms.
fn to_end(command: &mut Command) -> f64 {
    let began = Instant::now();
    let output = command.output().expect("the program can be started");
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(output.status.success(), "{command:?}: {output:?}");
    took
}

/// Starts the MCP server on stdio, and the time until it has answered the first request, in ms.
pub fn mcp(bench: &Bench, program: &Program, folder: &Path) -> (Running, f64) {
    let began = Instant::now();
    let mut command = program.command(folder, bench.letta.url(), &["mcp"]);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program can be started");
    let request = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
        r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
        "\n"
    );
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut answer)
        .expect("it answers");
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(answer.contains("serverInfo"), "{answer}");
    child.stdin = Some(stdin);
    (Running(child), took)
}
