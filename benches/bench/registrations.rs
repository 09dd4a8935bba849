//! Part e: how many schedules are registered per second over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::Bench;
use crate::bed::{self, Bed};
use crate::program::Program;
use crate::results::Who;
use crate::rows;

const PART: char = 'e';

/// How many call at the same time.
const CALLERS: [usize; 3] = [1, 16, 256];

/// One run.
pub fn run(bench: &mut Bench) {
    for callers in CALLERS {
        let commits = commits(bench);
        bench
            .results
            .add(PART, &name(callers), "1/s", Who::Bare, commits);
        for (n, program) in bench.in_turn() {
            register(bench, Who::Program(n), &program, callers);
        }
    }
}

fn name(callers: usize) -> String {
    match callers {
        1 => "registrations, 1 caller".to_owned(),
        _ => format!("registrations, {callers} callers"),
    }
}

/// How many transactions of one row SQLite itself commits in a second, as durably as the program.
fn commits(bench: &Bench) -> f64 {
    let folder = bench.new_folder();
    let database = rows::open(&folder.path().join("bare.db"));
    database
        .pragma_update(None, "journal_mode", "WAL")
        .expect("a pragma");
    database
        .pragma_update(None, "synchronous", "FULL")
        .expect("a pragma");
    database
        .execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, agent_id TEXT, prompt TEXT)")
        .expect("a table");
    let mut insert = database
        .prepare("INSERT INTO bare (agent_id, prompt) VALUES (?1, ?2)")
        .expect("SQL");
    let (began, mut commits) = (Instant::now(), 0);
    while began.elapsed() < bench.sizes.registering {
        insert
            .execute([&agent(commits), bed::PROMPT])
            .expect("a commit");
        commits += 1;
    }
    commits as f64 / began.elapsed().as_secs_f64()
}

fn register(bench: &mut Bench, who: Who, program: &Program, callers: usize) {
    bench.begin(0);
    let bed = Bed::start(bench, program, None);
    let url = format!("{}/api/v1/schedules", bed.daemon.url);
    let next = Arc::new(AtomicUsize::new(1));
    let began = Instant::now();
    let counts = bench.runtime.block_on(async {
        let mut calling = JoinSet::new();
        for _ in 0..callers {
            let call = keep_registering(url.clone(), next.clone(), bench.sizes.registering);
            calling.spawn(call);
        }
        calling.join_all().await
    });
    let seconds = began.elapsed().as_secs_f64();
    let made: u64 = counts.iter().map(|(made, _)| made).sum();
    let refused: u64 = counts.iter().map(|(_, refused)| refused).sum();
    bench
        .results
        .add(PART, &name(callers), "1/s", who, made as f64 / seconds);
    if refused > 0 {
        let note = format!(
            "{}: {refused} of {callers} callers' registrations were refused",
            program.name
        );
        bench.results.note(note);
    }
}

/// Registers again and again for a while; how many were made, and how many were refused.
async fn keep_registering(url: String, next: Arc<AtomicUsize>, during: Duration) -> (u64, u64) {
    let client = crate::letta::client();
    let (began, mut made, mut refused) = (Instant::now(), 0, 0);
    while began.elapsed() < during {
        let agent = agent(next.fetch_add(1, Ordering::Relaxed));
        let body = json!({"agent_id": agent, "prompt": bed::PROMPT, "time": rows::DUE});
        let response = client
            .post(&url)
            .json(&body)
            .send()
            .await
            .expect("the daemon answers");
        match response.status().is_success() {
            true => made += 1,
            false => refused += 1,
        }
        crate::letta::read(response).await;
    }
    (made, refused)
}

fn agent(n: usize) -> String {
    format!("agent-00000000-0000-4000-8000-{n:012}")
}
