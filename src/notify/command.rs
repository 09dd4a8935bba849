//! The operator's command, which gets a notice on its standard input.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::config::{NotifyCommand, secret_variables};
use crate::models::OutboxMessage;

/// A running command; dropping it kills it and everything it started.
struct Running(Child);

/// Runs the command to its end. Exit status 0 means that the notice was delivered.
pub(super) async fn run(
    command: &NotifyCommand,
    message: &OutboxMessage,
) -> std::result::Result<(), String> {
    let mut process = match command {
        NotifyCommand::Line(line) => shell(line),
        NotifyCommand::Words(words) => {
            let (program, args) = words.split_first().ok_or("there is no program")?;
            let mut process = Command::new(program);
            process.args(args);
            process
        }
    };
    // The command doesn't need them, and they must not leak through it.
    for secret in secret_variables() {
        process.env_remove(secret);
    }
    process
        .env("PROMPTYOSELF_NOTICE_KIND", &message.kind)
        .env("PROMPTYOSELF_NOTICE_EVENT", &message.event)
        .env("PROMPTYOSELF_NOTICE_TEXT", text_of(&message.body))
        .stdin(Stdio::piped())
        // Standard output is for our own answers; complaints belong in the log.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    process.process_group(0);
    let child = process
        .spawn()
        .map_err(|e| format!("the command could not be started: {e}"))?;
    let mut running = Running(child);
    if let Some(mut stdin) = running.0.stdin.take() {
        // It isn't a failure if the command does not read it.
        let _ = stdin.write_all(message.body.as_bytes()).await;
        let _ = stdin.write_all(b"\n").await;
    }
    let status = running.0.wait().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command ended with {status}")),
        Err(e) => Err(format!("could not wait for the command: {e}")),
    }
}

fn shell(line: &str) -> Command {
    #[cfg(unix)]
    let (shell, flag) = ("sh", "-c");
    #[cfg(not(unix))]
    let (shell, flag) = ("cmd", "/C");
    let mut process = Command::new(shell);
    process.args([flag, line]);
    process
}

/// The notice in one line, for commands that don't want JSON.
fn text_of(body: &str) -> String {
    let notice: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let text = notice.as_ref().and_then(|n| n["text"].as_str());
    text.unwrap_or_default().to_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group id is only known until the child has been waited for.
        #[cfg(unix)]
        if let Some(group) = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
