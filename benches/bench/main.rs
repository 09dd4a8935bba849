//! Measures promptyoself from outside: the program, its REST API and its SQLite file, with a Letta
//! stub. No time is asserted; each figure is next to that of something bare, measured in the same
//! run. docs/benchmarks.md explains the rows.

// Real time is what is measured here.
#![allow(clippy::disallowed_methods)]

mod bed;
mod cold;
mod deliveries;
mod fill;
mod flooding;
mod hanging;
mod idle;
mod lateness;
mod letta;
mod machine;
mod program;
mod reading;
mod registrations;
mod results;
mod rows;
mod stub;
mod targets;

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::runtime::Runtime;

use letta::Letta;
use program::Program;
use results::Results;
use stub::Behaviour;

/// How many agents are spoken to at the same time.
const CONCURRENCY: usize = 64;

/// Measures promptyoself beside something bare, and builds of it beside each other.
#[derive(Parser)]
#[command(name = "scripts/bench", after_help = PARTS)]
struct Arguments {
    /// The parts to measure; all if none is named
    #[arg(value_name = "PART", value_parser = ["a", "b", "c", "d", "e", "f", "g", "h", "i"], hide_possible_values = true)]
    parts: Vec<String>,
    /// A build to measure, and what to call it; may be repeated [default: this checkout's]
    #[arg(long = "program", value_name = "[NAME=]PATH", value_parser = Program::read)]
    programs: Vec<Program>,
    /// How often everything is measured; the medians are shown
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure at full size: a million schedules, two million occurrences
    #[arg(long, conflicts_with = "smoke")]
    long: bool,
    /// Only see whether everything can be measured
    #[arg(long)]
    smoke: bool,
}

const PARTS: &str = "\
Parts:
  a  deliveries a second, and what one costs
  b  lateness at 1 to 1,000 prompts a second, with and without dormant schedules
  c  lateness while four clients read a long history
  d  cold starts
  e  registrations a second over HTTP
  f  idle memory and CPU
  g  lateness of others when ten agents hang
  h  lateness while every route is asked over 64 connections
  i  lateness while another target is down and a third is frozen";

/// How much is measured.
struct Sizes {
    /// How many prompts are due at once.
    deliveries: usize,
    /// For how many seconds prompts are due.
    seconds: u32,
    /// How many prompts are due in a second.
    rates: [u32; 4],
    /// How long before the first of them prompts are written into the database.
    lead: Duration,
    /// How many schedules are there that are not due.
    dormant: usize,
    /// How many occurrences are stored.
    occurrences: usize,
    /// How often a process is started.
    starts: usize,
    /// How long is registered.
    registering: Duration,
    /// How many agents have prompts beside those that hang.
    others: usize,
    /// For how many seconds every route is asked.
    flooding: u32,
    /// How long a process is left alone before it counts as idle.
    settling: Duration,
    /// How long it is looked at then.
    idle: Duration,
}

const SMOKE: Sizes = Sizes {
    deliveries: 20,
    seconds: 1,
    rates: [1, 5, 10, 20],
    lead: Duration::from_secs(1),
    dormant: 100,
    occurrences: 100,
    starts: 1,
    registering: Duration::from_millis(200),
    others: 20,
    flooding: 2,
    settling: Duration::ZERO,
    idle: Duration::from_millis(200),
};

const QUICK: Sizes = Sizes {
    deliveries: 2_000,
    seconds: 4,
    rates: [1, 100, 300, 1_000],
    lead: Duration::from_secs(3),
    dormant: 100_000,
    occurrences: 200_000,
    starts: 20,
    registering: Duration::from_secs(2),
    others: 990,
    flooding: 10,
    settling: Duration::from_secs(3),
    idle: Duration::from_secs(5),
};

const LONG: Sizes = Sizes {
    deliveries: 5_000,
    seconds: 10,
    rates: [1, 100, 300, 1_000],
    lead: Duration::from_secs(5),
    dormant: 1_000_000,
    occurrences: 2_000_000,
    starts: 100,
    registering: Duration::from_secs(5),
    others: 990,
    flooding: 60,
    settling: Duration::from_secs(10),
    idle: Duration::from_secs(20),
};

/// All that parts need.
struct Bench {
    runtime: Runtime,
    letta: Letta,
    programs: Vec<Program>,
    sizes: Sizes,
    results: Results,
    /// Where databases are made.
    folder: PathBuf,
    /// The number of this run.
    run: usize,
}

impl Bench {
    /// The builds and their places, each run another one first.
    fn in_turn(&self) -> Vec<(usize, Program)> {
        let mut builds: Vec<(usize, Program)> = self.programs.iter().cloned().enumerate().collect();
        let first = self.run % builds.len();
        builds.rotate_left(first);
        builds
    }

    /// Lets the stub begin anew, with turns that take so long.
    fn begin(&self, answer_ms: u64) {
        self.letta.begin(
            &self.runtime,
            &Behaviour {
                answer_ms,
                ..Behaviour::default()
            },
        );
    }

    /// The first instant of what is planned now.
    fn soon(&self) -> i64 {
        stub::now() + self.sizes.lead.as_micros() as i64
    }

    /// Remarks prompts that were posted more than once.
    fn note_twice(&mut self, name: &str) {
        let accepted = self.letta.record(&self.runtime).accepted;
        let otids: HashSet<&str> = accepted.iter().map(|a| a.otid.as_str()).collect();
        let twice = accepted.len() - otids.len();
        if twice > 0 {
            self.results.note(format!(
                "{name}: {twice} prompts were posted more than once"
            ));
        }
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("stub") {
        return stub::serve();
    }
    let arguments = Arguments::parse();
    let sizes = match (arguments.smoke, arguments.long) {
        (true, _) => SMOKE,
        (_, true) => LONG,
        _ => QUICK,
    };
    // Builds of this checkout are beside this one, in the folder that cargo builds into.
    let own = std::env::current_exe().expect("this program has a path");
    let mut programs = arguments.programs;
    if programs.is_empty() {
        let beside = own.with_file_name("promptyoself");
        let named = format!("promptyoself={}", beside.display());
        programs.push(Program::read(&named).unwrap_or_else(|e| panic!("{e}")));
    }
    let folder = own
        .ancestors()
        .nth(2)
        .expect("it is in a folder of cargo's")
        .join("bench");
    std::fs::create_dir_all(&folder).expect("a folder for databases");
    let alone = File::create(folder.join("lock")).expect("a lock");
    if alone.try_lock().is_err() {
        eprintln!("Another benchmark is running; the figures of both would mean nothing.");
        std::process::exit(1);
    }
    fill::tidy(&folder, &programs);
    let mut bench = Bench {
        runtime: Runtime::new().expect("a runtime"),
        letta: Letta::start(),
        results: Results::new(programs.len()),
        programs,
        sizes,
        folder,
        run: 0,
    };
    let (began, load) = (Instant::now(), machine::load());
    for run in 0..arguments.runs {
        bench.run = run as usize;
        for (letter, part) in [
            ("a", deliveries::run as fn(&mut Bench)),
            ("b", lateness::run),
            ("c", reading::run),
            ("d", cold::run),
            ("e", registrations::run),
            ("f", idle::run),
            ("g", hanging::run),
            ("h", flooding::run),
            ("i", targets::run),
        ] {
            if arguments.parts.is_empty() || arguments.parts.iter().any(|p| p == letter) {
                eprintln!("run {} of {}, part {letter}", run + 1, arguments.runs);
                part(&mut bench);
            }
        }
    }
    println!("{}", machine::describe(&bench.folder));
    println!(
        "load     {load} at the beginning, {} at the end",
        machine::load()
    );
    for program in &bench.programs {
        println!("build    {}: SHA-256 {}…", program.name, program.hash);
    }
    println!(
        "runs     {}, in {:.0} s\n",
        arguments.runs,
        began.elapsed().as_secs_f64()
    );
    println!("{}", bench.results.print(&bench.programs));
}
