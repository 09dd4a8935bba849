//! Part a: how many prompts are delivered per second when all are due at once.

use std::time::{Duration, Instant};

use crate::bed::{self, Bed};
use crate::program::{Program, Used};
use crate::results::Who;
use crate::{Bench, CONCURRENCY};

const PART: char = 'a';

/// How long a turn takes, in milliseconds.
const ANSWERS: [u64; 3] = [0, 20, 100];

/// After this the deliveries that are missing are not waited for.
const LIMIT: Duration = Duration::from_secs(300);

/// One run.
pub fn run(bench: &mut Bench) {
    for answer_ms in ANSWERS {
        bare(bench, answer_ms);
        for (n, program) in bench.in_turn() {
            deliver(bench, Who::Program(n), &program, answer_ms);
        }
    }
}

fn bare(bench: &mut Bench, answer_ms: u64) {
    let plans = bed::plan(0, (0..bench.sizes.deliveries as i64).map(|_| 0));
    bench.begin(answer_ms);
    let used = Used::by(std::process::id());
    let took = bench.letta.post_all(&bench.runtime, &plans, CONCURRENCY);
    let used = Used::by(std::process::id()).since(used);
    let done = plans.len() as f64;
    add(
        bench,
        Who::Bare,
        answer_ms,
        done / took.as_secs_f64(),
        used,
        done,
    );
}

fn deliver(bench: &mut Bench, who: Who, program: &Program, answer_ms: u64) {
    let count = bench.sizes.deliveries;
    let bed = Bed::start(bench, program, None);
    bench.begin(answer_ms);
    let due = bench.soon();
    bed.write(&bed::plan(due, (0..count as i64).map(|_| 0)));
    let ahead = due - crate::stub::now();
    assert!(
        ahead > 0,
        "the machine is too busy: {count} rows were not written before they were due"
    );
    // Just before they are due, so that looking at the process is no part of what is counted.
    let ahead = ahead.unsigned_abs().saturating_sub(50_000);
    std::thread::sleep(Duration::from_micros(ahead));
    let used = bed.daemon.process.used();

    let all = bench
        .letta
        .wait(&bench.runtime, LIMIT, |progress| progress.ended >= count);
    let began = Instant::now();
    while all && bed.delivered() < count && began.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = (crate::stub::now() - due) as f64 / 1e6;
    let used = bed.daemon.process.used().since(used);
    let done = bed.delivered();
    if done < count {
        let left = format!(
            "{}: {done} of {count} prompts were delivered in {LIMIT:?}",
            program.name
        );
        bench.results.note(left);
    }
    add(bench, who, answer_ms, done as f64 / took, used, done as f64);
    bench.note_twice(&program.name);
}

/// Adds the figures of one run, and what the stub was asked.
fn add(bench: &mut Bench, who: Who, answer_ms: u64, rate: f64, used: Used, done: f64) {
    let when = match answer_ms {
        0 => "answer at once".to_owned(),
        _ => format!("answer after {answer_ms} ms"),
    };
    let record = bench.letta.record(&bench.runtime);
    let results = &mut bench.results;
    let mut add = |what: &str, unit, value: f64| {
        results.add(PART, &format!("{what}, {when}"), unit, who, value);
    };
    add("deliveries", "1/s", rate);
    add("CPU of a delivery", "ms", used.cpu / done);
    add("thread switches of a delivery", "", used.switches / done);
    for (route, asked) in &record.routes {
        if *asked > 0 {
            add(
                &format!("requests of a delivery: {route}"),
                "",
                *asked as f64 / done,
            );
        }
    }
}
