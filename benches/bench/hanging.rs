//! Part g: how late the prompts of others are when some agents' turns never end.

use crate::Bench;
use crate::bed::{self, Bed};
use crate::lateness::{HEAD_START, Lateness, wait};
use crate::program::Program;
use crate::results::Who;
use crate::stub::Behaviour;

const PART: char = 'g';

/// How many agents' turns never end.
const HANGING: usize = 10;

/// Microseconds between two prompts.
const BETWEEN: i64 = 10_000;

/// How long before the others those that hang are due, in microseconds.
const BEFORE: i64 = 500_000;

/// One run.
pub fn run(bench: &mut Bench) {
    let name = format!(
        "100 a second, {} agents beside {HANGING} that hang",
        bench.sizes.others
    );
    let plans = plans(bench, crate::stub::now() + HEAD_START);
    bench.letta.post_by_timer(&bench.runtime, &plans);
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans[HANGING..], &record).add(bench, PART, &name, Who::Bare);
    for (n, program) in bench.in_turn() {
        of_program(bench, Who::Program(n), &program, &name);
    }
}

fn of_program(bench: &mut Bench, who: Who, program: &Program, name: &str) {
    let bed = Bed::start(bench, program, None);
    let plans = plans(bench, bench.soon());
    bed.write(&plans);
    wait(bench, &plans, plans.len());
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans[HANGING..], &record).add(bench, PART, name, who);
    bench.note_twice(&program.name);
}

/// Plans for all, of whom the first hang.
fn plans(bench: &Bench, first: i64) -> Vec<bed::Planned> {
    let hanging = (0..HANGING).map(|_| 0);
    let others = (0..bench.sizes.others as i64).map(|n| BEFORE + n * BETWEEN);
    let plans = bed::plan(first, hanging.chain(others));
    let hanging = plans[..HANGING].iter().map(|p| p.agent.clone()).collect();
    bench.letta.begin(
        &bench.runtime,
        &Behaviour {
            answer_ms: 0,
            hanging,
        },
    );
    plans
}
