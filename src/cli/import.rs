//! `import`: takes over schedules from elsewhere.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::json;

use super::Context;
use super::args::ImportArgs;
use super::input::given;
use super::output::{Reply, Text};
use super::progress;
use crate::error::{Code, Error, Result, message, shell};
use crate::models::TargetName;
use crate::operations::to_json;

pub(super) async fn import(ctx: &Context, args: &ImportArgs) -> Result<Reply> {
    if !args.letta_code_cron {
        return Err(Error::new(
            Code::Usage,
            message![
                "say from where: ",
                shell("--letta-code-cron"),
                " takes over the schedules that Letta Code's App Server keeps itself"
            ],
        )
        .example(shell("promptyoself import --letta-code-cron --dry-run")));
    }
    let service = ctx.service().await?;
    let target = given(args.target.as_deref()).map(TargetName::new);
    let done = AtomicUsize::new(0);
    let count = |n: usize| done.store(n, Relaxed);
    let import = service.import_tasks(target.as_ref(), args.dry_run, count);
    let what = || format!("Taking over schedules ({} so far)", done.load(Relaxed));
    let import = progress::shown(ctx.output, &ctx.clock, what, import).await?;
    let (taken, failed) = (import.imported.len(), import.failed.len());
    let done = match args.dry_run {
        true => "would be registered here and paused there",
        false => "registered here and paused there",
    };
    let mut message = format!("{taken} {done}");
    if !import.skipped.is_empty() {
        message.push_str(&format!("; {} left alone", import.skipped.len()));
    }
    if failed > 0 {
        message.push_str(&format!(
            "; {failed} could not be taken over and run there as before"
        ));
    }
    let mut text = Text::from(&message);
    for task in &import.imported {
        let id = task.schedule_id.map(|id| format!(" as {id}"));
        let id = id.unwrap_or_default();
        text = text.line(&format!(
            "{}{id}: {} for {}",
            task.task_id, task.name, task.agent_id
        ));
    }
    for (what, tasks) in [("left alone", &import.skipped), ("failed", &import.failed)] {
        for task in tasks {
            text = text.line(&format!("{} {what}: {}", task.task_id, task.reason));
        }
    }
    let mut json = json!({
        "status": if failed > 0 { "error" } else { "success" },
        "dry_run": args.dry_run,
        "message": message,
        "now": ctx.clock.now(),
    });
    if let (Some(all), Some(lists)) = (json.as_object_mut(), to_json(&import)?.as_object()) {
        all.extend(lists.clone());
    }
    let reply = Reply::new(&json, text.clone())?;
    Ok(match failed {
        0 => reply,
        _ => reply.failing(text),
    })
}
