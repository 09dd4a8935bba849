//! Part f: what the program uses while it has nothing to do.

use std::process::Stdio;

use crate::Bench;
use crate::bed::Bed;
use crate::cold;
use crate::fill;
use crate::program::{Program, Running};
use crate::results::Who;

const PART: char = 'f';

/// One run.
pub fn run(bench: &mut Bench) {
    for (n, program) in bench.in_turn() {
        for dormant in [0, bench.sizes.dormant] {
            let filled = (dormant > 0).then(|| fill::dormant(bench, &program, dormant));
            let bed = Bed::start(bench, &program, filled.as_deref());
            // Beside the first build, over a file as large.
            if n == 0 {
                let mut empty = cold::empty(&bed.database());
                let empty = empty.arg("wait").stdin(Stdio::piped()).spawn();
                let empty = Running(empty.expect("the empty program can be started"));
                measure(
                    bench,
                    Who::Bare,
                    &empty,
                    &format!("serve, {dormant} schedules"),
                );
            }
            let name = format!("serve, {dormant} schedules");
            measure(bench, Who::Program(n), &bed.daemon.process, &name);
        }
        mcp(bench, Who::Program(n), &program);
    }
}

fn mcp(bench: &mut Bench, who: Who, program: &Program) {
    let folder = Bed::start(bench, program, None).stop();
    let (process, _) = cold::mcp(bench, program, folder.path());
    measure(bench, who, &process, "mcp");
}

fn measure(bench: &mut Bench, who: Who, process: &Running, name: &str) {
    std::thread::sleep(bench.sizes.settling);
    let used = process.used();
    std::thread::sleep(bench.sizes.idle);
    let cpu = process.used().since(used).cpu / bench.sizes.idle.as_secs_f64();
    let memory = process.memory();
    bench
        .results
        .add(PART, &format!("idle memory: {name}"), "MiB", who, memory);
    bench.results.add(
        PART,
        &format!("idle CPU of a second: {name}"),
        "ms",
        who,
        cpu,
    );
}
