//! Part h: how late one prompt a second is while every route is called without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::Bench;
use crate::bed::Bed;
use crate::lateness::{Lateness, bare, evenly, wait};
use crate::program::Program;
use crate::results::Who;

const PART: char = 'h';

/// How many connections ask.
const CONNECTIONS: usize = 64;

/// What is asked that the OpenAPI document does not list.
const OTHERS: [(Method, &str); 8] = [
    (Method::GET, "/healthz"),
    (Method::GET, "/readyz"),
    (Method::GET, "/metrics"),
    (Method::GET, "/api/openapi.json"),
    (Method::POST, "/mcp"),
    (Method::GET, "/v1/agents/"),
    (Method::GET, "/v1/agents/agent-a/schedule"),
    (Method::GET, "/nowhere"),
];

/// One run.
pub fn run(bench: &mut Bench) {
    let name = format!("1 a second, {CONNECTIONS} connections ask every route");
    bare(bench, PART, &name, 1, bench.sizes.flooding);
    for (n, program) in bench.in_turn() {
        of_program(bench, Who::Program(n), &program, &name);
    }
}

fn of_program(bench: &mut Bench, who: Who, program: &Program, name: &str) {
    let bed = Bed::start(bench, program, None);
    bench.begin(0);
    let plans = evenly(bench.soon(), 1, bench.sizes.flooding);
    bed.write(&plans);

    let routes = Arc::new(routes(bench, &bed));
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let flood: Vec<JoinHandle<u64>> = (0..CONNECTIONS)
        .map(|first| {
            let asking = ask(bed.daemon.url.clone(), routes.clone(), first, stop.clone());
            bench.runtime.spawn(asking)
        })
        .collect();
    wait(bench, &plans, plans.len());
    stop.store(true, Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    let record = bench.letta.record(&bench.runtime);
    Lateness::of(&plans, &record).add(bench, PART, name, who);
    let answers: u64 = flood
        .into_iter()
        .map(|asking| bench.runtime.block_on(asking).expect("no panic"))
        .sum();
    let given = answers as f64 / seconds;
    let name = "answers meanwhile, of every route";
    bench.results.add(PART, name, "1/s", who, given);
}

/// Every operation of the OpenAPI document but the one that halts deliveries, and the other routes.
fn routes(bench: &Bench, bed: &Bed) -> Vec<(Method, String)> {
    let document = bench.get(&format!("{}/api/openapi.json", bed.daemon.url));
    let id = bed.a_schedule().to_string();
    let listed = document["paths"].as_object().into_iter().flatten();
    let listed = listed.flat_map(|(path, operations)| {
        let path = path.replace("{id}", &id);
        let methods = operations.as_object().into_iter().flatten();
        methods.filter_map(move |(method, _)| {
            let method: Method = method.to_uppercase().parse().ok()?;
            let halts = path.ends_with("/halt") && method != Method::DELETE;
            (!halts).then(|| (method, path.clone()))
        })
    });
    let others = OTHERS.map(|(method, path)| (method, path.to_owned()));
    listed.chain(others).collect()
}

/// Asks one route after the other until it is told to stop; how many answers there were.
async fn ask(
    url: String,
    routes: Arc<Vec<(Method, String)>>,
    first: usize,
    stop: Arc<AtomicBool>,
) -> u64 {
    let client = crate::letta::client();
    let nothing: Value = json!({});
    let mut answers = 0;
    for (method, path) in routes.iter().cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let request = client.request(method.clone(), format!("{url}{path}"));
        let request = match *method == Method::GET {
            true => request,
            false => request.json(&nothing),
        };
        // One that is turned away is an answer, too.
        if let Ok(response) = request.send().await {
            let _ = response.bytes().await;
            answers += 1;
        }
    }
    answers
}
