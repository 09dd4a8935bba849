//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine, a line for each thing that figures depend on.
pub fn describe(folder: &Path) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let after = |text: &str, name: &str| -> String {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let memory: f64 = after(&read("/proc/meminfo"), "MemTotal")
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    format!(
        "cpu      {}, {cores} cores\nmemory   {:.0} GiB\ndisk     {}\nkernel   Linux {}\ncommit   {}",
        after(&read("/proc/cpuinfo"), "model name"),
        memory / 1024.0 / 1024.0,
        disk(folder),
        read("/proc/sys/kernel/osrelease").trim(),
        commit(),
    )
}

/// How busy the machine was in the last minute.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The file system of a folder, and the device below it.
fn disk(folder: &Path) -> String {
    let Ok(folder) = fs::canonicalize(folder) else {
        return "unknown".to_owned();
    };
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let of_folder = mounts
        .filter(|(_, at, _)| folder.starts_with(at))
        .max_by_key(|(_, at, _)| at.len());
    let Some((device, _, kind)) = of_folder else {
        return "unknown".to_owned();
    };
    let name = device
        .trim_start_matches("/dev/")
        .trim_end_matches(|c: char| c.is_ascii_digit());
    let rotational = fs::read_to_string(format!("/sys/block/{name}/queue/rotational"));
    let rotates = match rotational.as_deref().map(str::trim) {
        Ok("0") => ", does not rotate",
        Ok("1") => ", said to rotate",
        _ => "",
    };
    format!("{kind} on {device}{rotates}")
}

/// The commit of this checkout.
fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output();
        output
            .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
            .unwrap_or_default()
    };
    let changed = match git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() {
        true => "",
        false => ", with changes",
    };
    format!("{}{changed}", git(&["rev-parse", "--short", "HEAD"]))
}
