//! Part i: how late the prompts of one target are when another is down and a third is frozen.

use std::net::TcpListener;

use crate::Bench;
use crate::bed::{self, Bed};
use crate::lateness::{Lateness, bare, evenly, wait};
use crate::program::Program;
use crate::results::Who;

const PART: char = 'i';

/// How many prompts a second are due for the target that is well.
const RATE: u32 = 100;

/// How many prompts are due for each of the others, half a second before.
const WAITING: usize = 200;

/// How long before the first of the target that is well those are due, in microseconds.
const BEFORE: i64 = 500_000;

/// One run.
pub fn run(bench: &mut Bench) {
    for others in [false, true] {
        let name = match others {
            false => format!("{RATE} a second, one target"),
            true => format!("{RATE} a second, beside a target that is down and one that is frozen"),
        };
        bare(bench, PART, &name, RATE, bench.sizes.seconds);
        for (n, program) in bench.in_turn() {
            of_program(bench, Who::Program(n), &program, &name, others);
        }
    }
}

fn of_program(bench: &mut Bench, who: Who, program: &Program, name: &str, others: bool) {
    // The system accepts connections for it, and nobody reads what is sent.
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let down = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let settings = format!(
        "[targets.down]\nurl = \"http://{}\"\n[targets.frozen]\nurl = \"http://{}\"\n",
        down.expect("a free port"),
        frozen.local_addr().expect("an address"),
    );
    let bed = Bed::with_settings(bench, program, &settings);
    bench.begin(0);
    let first = bench.soon();
    if others {
        for target in ["down", "frozen"] {
            let waiting = bed::plan(first - BEFORE, (0..WAITING).map(|_| 0));
            bed.write_like(&bed.schedules_of(bench, target), &waiting);
        }
    }
    let plans = evenly(first, RATE, bench.sizes.seconds);
    bed.write(&plans);
    wait(bench, &plans, plans.len());
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans, &record).add(bench, PART, name, who);
    bench.note_twice(&program.name);
}
