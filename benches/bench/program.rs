//! A build of promptyoself: its commands, and its daemon as the system sees it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

/// How long a daemon may take to answer, with a large database on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(180);

/// How long it may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A build.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in the table.
    pub name: String,
    /// Its binary.
    pub path: PathBuf,
    /// The beginning of the SHA-256 of its binary.
    pub hash: String,
}

impl Program {
    /// The program of an argument `[NAME=]PATH`.
    pub fn read(argument: &str) -> Result<Program, String> {
        let (name, path) = match argument.split_once('=') {
            Some((name, path)) => (Some(name), path),
            None => (None, argument),
        };
        let binary = fs::read(path).map_err(|e| format!("{path} can't be read: {e}"))?;
        let hash: String = Sha256::digest(binary)
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let path = fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
        let name = name.map_or_else(|| hash.clone(), str::to_owned);
        Ok(Program { name, path, hash })
    }

    /// The program in a folder, where `promptyoself.db` is its database.
    pub fn command(&self, folder: &Path, letta: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .env("LETTA_BASE_URL", letta)
            .env("PROMPTYOSELF_CONCURRENCY", crate::CONCURRENCY.to_string())
            .stdin(Stdio::null());
        command
    }
}

/// A process that is killed when it is no longer needed.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Its memory in MiB.
    pub fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        number_after(&status, "VmRSS:") / 1024.0
    }

    /// What it has used so far.
    pub fn used(&self) -> Used {
        Used::by(self.0.id())
    }
}

/// What a process has used of the processors since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// The time, of its own and in the kernel, in ms.
    pub cpu: f64,
    /// How often a processor was taken from, or given up by, one of its threads that live.
    pub switches: f64,
}

impl Used {
    /// By the process with a number.
    pub fn by(pid: u32) -> Used {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        // The name before it may hold anything, blanks and brackets too.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        let switches = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
            .map(|status| {
                number_after(&status, "\nvoluntary_ctxt_switches:")
                    + number_after(&status, "nonvoluntary_ctxt_switches:")
            })
            .sum();
        let cpu = ticks as f64 / rustix::param::clock_ticks_per_second() as f64 * 1e3;
        Used { cpu, switches }
    }

    /// What was used since an earlier look.
    pub fn since(self, earlier: Used) -> Used {
        Used {
            cpu: self.cpu - earlier.cpu,
            switches: self.switches - earlier.switches,
        }
    }
}

/// A daemon.
pub struct Daemon {
    /// Its process.
    pub process: Running,
    /// Where it answers.
    pub url: String,
    /// How long it took from its start until it answered.
    pub started_in: Duration,
}

impl Daemon {
    /// Starts `serve` in a folder and waits until it answers.
    ///
    /// # Panics
    /// If it ends, or does not answer in time; with its log.
    pub fn start(program: &Program, folder: &Path, letta: &str) -> Daemon {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let address = free.expect("a free port").to_string();
        let log = folder.join("serve.log");
        let mut command = program.command(folder, letta, &["serve", "--listen", &address]);
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"));
        let began = Instant::now();
        let mut process = Running(command.spawn().expect("the program can be started"));
        let url = format!("http://{address}");
        while !is_well(&address) {
            let ended = process.0.try_wait().expect("it can be asked after");
            if ended.is_some() || began.elapsed() > START_LIMIT {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!(
                    "{} serves nothing ({ended:?}):\n{log}",
                    program.path.display()
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Daemon {
            process,
            url,
            started_in: began.elapsed(),
        }
    }

    /// Ends it as a service manager does.
    pub fn stop(mut self) {
        let child = &mut self.process.0;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process");
        let _ = kill_process(pid, Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT && child.try_wait().expect("it can be asked").is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether `/healthz` answers, asked over a connection of its own.
fn is_well(address: &str) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn number_after(text: &str, name: &str) -> f64 {
    let after = text
        .split_once(name)
        .map(|(_, after)| after)
        .unwrap_or_default();
    after
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or_default()
}
