//! Part c: how late prompts are while others read a long history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::task::JoinHandle;

use crate::Bench;
use crate::bed::Bed;
use crate::fill;
use crate::lateness::{Lateness, bare, evenly, wait};
use crate::program::Program;
use crate::results::Who;

const PART: char = 'c';

/// How many prompts are due in a second.
const RATE: u32 = 100;

/// What is read: its name, and the request for it.
const READING: [(&str, &str); 4] = [
    ("history", "/api/v1/occurrences?limit=100"),
    ("list", "/api/v1/schedules?all=true&limit=100"),
    ("show", "/api/v1/schedules/{id}"),
    ("account", "/api/v1/account?limit=100"),
];

/// One run.
pub fn run(bench: &mut Bench) {
    let occurrences = bench.sizes.occurrences;
    let name = format!("{RATE} a second, 4 read over {occurrences} occurrences");
    bare(bench, PART, &name, RATE, bench.sizes.seconds);
    for (n, program) in bench.in_turn() {
        of_program(bench, Who::Program(n), &program, &name);
    }
}

fn of_program(bench: &mut Bench, who: Who, program: &Program, name: &str) {
    let filled = fill::history(bench, program, bench.sizes.occurrences);
    let bed = Bed::start(bench, program, Some(&filled));
    bench.begin(0);
    let plans = evenly(bench.soon(), RATE, bench.sizes.seconds);
    bed.write(&plans);

    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let id = bed.a_schedule_with_history().to_string();
    let readers: Vec<JoinHandle<Answers>> = READING
        .iter()
        .map(|(_, path)| {
            let url = format!("{}{}", bed.daemon.url, path.replace("{id}", &id));
            bench.runtime.spawn(keep_reading(url, stop.clone()))
        })
        .collect();
    wait(bench, &plans, plans.len());
    stop.store(true, Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans, &record).add(bench, PART, name, who);
    bench.note_twice(&program.name);
    for ((what, _), reader) in READING.iter().zip(readers) {
        let answers = bench.runtime.block_on(reader).expect("no panic");
        let name = format!("answers meanwhile: {what}");
        let given = answers.given as f64 / seconds;
        bench.results.add(PART, &name, "1/s", who, given);
        if answers.refused > 0 {
            let refused = format!(
                "{}: {} of {name} were refusals",
                program.name, answers.refused
            );
            bench.results.note(refused);
        }
    }
}

/// How often a reader was answered.
#[derive(Default)]
struct Answers {
    given: u64,
    refused: u64,
}

/// Asks the same again and again.
async fn keep_reading(url: String, stop: Arc<AtomicBool>) -> Answers {
    let client = crate::letta::client();
    let mut answers = Answers::default();
    while !stop.load(Ordering::Relaxed) {
        let response = client.get(&url).send().await.expect("the daemon answers");
        match response.status().is_success() {
            true => answers.given += 1,
            false => answers.refused += 1,
        }
        crate::letta::read(response).await;
    }
    answers
}
