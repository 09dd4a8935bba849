//! Part b: how late prompts are that become due one after another, and what makes them late.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::Bench;
use crate::bed::{self, Bed, Planned};
use crate::fill;
use crate::program::Program;
use crate::results::{Figure, Who};
use crate::stub::Record;

const PART: char = 'b';

/// How long before the first prompt a bare timer is started, in microseconds.
pub const HEAD_START: i64 = 100_000;

/// One run.
pub fn run(bench: &mut Bench) {
    for dormant in [0, bench.sizes.dormant] {
        for rate in bench.sizes.rates {
            bare(bench, PART, &name(rate, dormant), rate, bench.sizes.seconds);
        }
        for (n, program) in bench.in_turn() {
            let filled = (dormant > 0).then(|| fill::dormant(bench, &program, dormant));
            of_program(bench, Who::Program(n), &program, filled.as_deref(), dormant);
        }
    }
}

fn name(rate: u32, dormant: usize) -> String {
    format!("{rate} a second, {dormant} dormant")
}

/// Measures a program at each rate, on one daemon as long as it keeps up.
fn of_program(
    bench: &mut Bench,
    who: Who,
    program: &Program,
    filled: Option<&Path>,
    dormant: usize,
) {
    let mut bed: Option<Bed> = None;
    for rate in bench.sizes.rates {
        let own = bed
            .take()
            .unwrap_or_else(|| Bed::start(bench, program, filled));
        bench.begin(0);
        let plans = evenly(bench.soon(), rate, bench.sizes.seconds);
        own.write(&plans);
        let complete = wait(bench, &plans, plans.len());
        let record = bench.letta.record(&bench.runtime);
        Lateness::of(&plans, &record).add(bench, PART, &name(rate, dormant), who);
        bench.note_twice(&program.name);
        bed = complete.then_some(own);
    }
}

/// So many instants a second, beginning with `first`.
pub fn evenly(first: i64, rate: u32, seconds: u32) -> Vec<Planned> {
    let count = i64::from(rate) * i64::from(seconds);
    bed::plan(first, (0..count).map(|n| n * 1_000_000 / i64::from(rate)))
}

/// Measures a timer that posts, and does nothing else.
pub fn bare(bench: &mut Bench, part: char, name: &str, rate: u32, seconds: u32) {
    bench.begin(0);
    let plans = evenly(crate::stub::now() + HEAD_START, rate, seconds);
    bench.letta.post_by_timer(&bench.runtime, &plans);
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans, &record).add(bench, part, name, Who::Bare);
}

/// Waits until the stub has read so many prompts, or for as long again as they were planned for and
/// five seconds; tells whether all came.
pub fn wait(bench: &Bench, plans: &[Planned], count: usize) -> bool {
    let (first, last) = (plans[0].at, plans[plans.len() - 1].at);
    let limit = (last - crate::stub::now()).max(0) + (last - first) + 5_000_000;
    let limit = Duration::from_micros(limit.unsigned_abs());
    bench
        .letta
        .wait(&bench.runtime, limit, |progress| progress.accepted >= count)
}

/// From the intended instants until the prompts were read, in ms, ascending. What was not read by the
/// end is at least as late as it was then.
pub struct Lateness {
    sorted: Vec<f64>,
    missing: usize,
}

impl Lateness {
    /// That of some of the prompts.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Planned>, record: &Record) -> Lateness {
        let mut accepted: HashMap<&str, i64> = HashMap::new();
        for prompt in &record.accepted {
            accepted.entry(&prompt.agent).or_insert(prompt.at);
        }
        let now = crate::stub::now();
        let mut missing = 0;
        let late = |plan: &Planned| {
            let at = accepted
                .get(plan.agent.as_str())
                .copied()
                .unwrap_or_else(|| {
                    missing += 1;
                    now
                });
            (at - plan.at) as f64 / 1e3
        };
        let mut sorted: Vec<f64> = plans.into_iter().map(late).collect();
        sorted.sort_by(f64::total_cmp);
        Lateness { sorted, missing }
    }

    /// Adds the median, the 99th percentile and the greatest to the results.
    pub fn add(&self, bench: &mut Bench, part: char, name: &str, who: Who) {
        let last = self.sorted.len() - 1;
        for (quantile, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let place = (last as f64 * share).round() as usize;
            let figure = match place + self.missing > last {
                true => Figure::at_least(self.sorted[place]),
                false => Figure::from(self.sorted[place]),
            };
            bench.results.add(
                part,
                &format!("lateness, {name}: {quantile}"),
                "ms",
                who,
                figure,
            );
        }
    }
}
