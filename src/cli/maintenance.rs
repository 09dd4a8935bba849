//! The database commands: doctor, prune, purge, backup, restore.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::json;

use super::Context;
use super::args::{BackupArgs, PruneArgs, PurgeArgs, RestoreArgs};
use super::input::{self, given};
use super::output::{self, Reply, to_rows};
use super::progress;
use super::version;
use crate::error::{Code, Error, Message, Result, field, message};
use crate::models::{PruneReport, PurgeScope};
use crate::schedule::Zone;
use crate::service::{self, Service};

/// Exits with status 1 if there is an error, and with 0 if there are only warnings.
pub(super) async fn doctor(ctx: &Context) -> Result<Reply> {
    let settings = &ctx.settings;
    let targets = ctx.targets()?;
    let service = Service::open_to_look(
        &settings.database,
        &settings.timezone,
        targets.default_target().clone(),
        ctx.clock.clone(),
    )
    .await?
    .with_targets(targets);
    let diagnosis = service.diagnose(&settings.delivery).await;
    service.close().await;
    let diagnosis = diagnosis?;
    let findings = to_rows(&diagnosis.findings)?;
    let errors = diagnosis.has_errors();
    let (accounts, instants) = (diagnosis.accounts, diagnosis.instants);
    let text = output::findings_text(&findings).line(&format!(
        "Checked {accounts} accounts with {instants} instants in {} with promptyoself {}",
        service.database().display(),
        version::full()
    ));
    let json = json!({
        "status": if errors { "error" } else { "success" },
        "healthy": findings.is_empty(),
        "findings": findings,
        "accounts": accounts,
        "instants": instants,
        "database": service.database(),
        "version": version::full(),
        "now": ctx.clock.now(),
    });
    let reply = Reply::new(&json, text.clone())?;
    Ok(match errors {
        true => reply.failing(text),
        false => reply,
    })
}

pub(super) async fn prune(ctx: &Context, args: &PruneArgs) -> Result<Reply> {
    let now = ctx.clock.now();
    let before = match (given(args.before.as_deref()), ctx.settings.retention) {
        (Some(text), _) => input::point(text, "before", &ctx.settings.timezone, now)?,
        (None, Some(retention)) => now.checked_sub(retention).unwrap_or(now),
        (None, None) => {
            return Err(Error::new(
                Code::Usage,
                message![
                    "the retention is set to keep everything: give ",
                    field("before")
                ],
            ));
        }
    };
    if before > now {
        return Err(Error::new(
            Code::TimeInvalid,
            message![
                field("before"),
                " {before} is in the future and would prune everything; it is now {now}"
            ],
        ));
    }
    let service = ctx.service().await?;
    service.refuse_doubtful_cut(before).await?;
    let done = AtomicU64::new(0);
    let count = |so_far: &PruneReport| done.store(so_far.occurrences, Relaxed);
    let what = || format!("Pruning ({} deliveries so far)", done.load(Relaxed));
    let pruned = progress::shown(
        ctx.output,
        &ctx.clock,
        what,
        service.prune_counting(before, count),
    )
    .await?;
    let message = format!(
        "Pruned {} deliveries settled before {before} ({} instants stay in the account) and {} \
         schedules that ended before then",
        pruned.occurrences, pruned.instants, pruned.schedules
    );
    let json = json!({
        "status": "success",
        "message": message,
        "before": before,
        "pruned": pruned,
    });
    Reply::new(&json, message)
}

pub(super) async fn purge(ctx: &Context, args: &PurgeArgs) -> Result<Reply> {
    let id = input::id_filter(args.id.as_deref())?;
    let agent = input::named_agent(args.agent_id.as_deref())?;
    let before = given(args.before.as_deref())
        .map(|text| input::point(text, "before", &ctx.settings.timezone, ctx.clock.now()))
        .transpose()?;
    let service = ctx.service().await?;
    let whose = match (id, agent) {
        (Some(id), _) => service.purge_of(id).await?,
        (None, Some(agent)) => PurgeScope::Agent(agent),
        (None, None) => {
            return Err(Error::new(
                Code::Usage,
                message![
                    "say which texts to remove: give ",
                    field("id"),
                    " or ",
                    field("agent_id")
                ],
            ));
        }
    };
    let purged = service.purge(&whose, before).await?;
    let mut message = format!(
        "Removed the texts of {} deliveries and {} prompts of ended schedules",
        purged.occurrences, purged.schedules
    );
    if purged.live > 0 {
        message.push_str(&format!(
            ". {} schedules are still live and keep their prompts: cancel them first",
            purged.live
        ));
    }
    if purged.log_in_use {
        message.push_str(
            ". Another process was using the write-ahead log, which may still contain the texts: \
             to be sure, run this again with the scheduler stopped",
        );
    }
    let json = json!({ "status": "success", "message": message, "purged": purged });
    Reply::new(&json, message)
}

pub(super) async fn backup(ctx: &Context, args: &BackupArgs) -> Result<Reply> {
    let service = ctx.service().await?;
    let copying = service.back_up(&args.file);
    let schedules =
        progress::shown(ctx.output, &ctx.clock, || "Copying the database", copying).await?;
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    let message = format!(
        "Backed up {} ({schedules} schedules) and checked the copy: {}",
        service.database().display(),
        file.display()
    );
    let json = json!({
        "status": "success",
        "message": message,
        "file": file,
        "schedules": schedules,
        "now": ctx.clock.now(),
    });
    Reply::new(&json, message)
}

pub(super) async fn restore(ctx: &Context, args: &RestoreArgs) -> Result<Reply> {
    let database = &ctx.settings.database;
    let zone = Zone::parse(&ctx.settings.timezone)?;
    let now = ctx.clock.now();
    let wrong = |message: Message| Err(Error::new(Code::Usage, message));
    let restored = match (&args.file, args.settle, args.replay) {
        (_, true, true) => {
            return wrong(message![
                field("settle"),
                " skips what has passed since the backup, and ",
                field("replay"),
                " catches up on it: leave one of them out"
            ]);
        }
        (Some(file), _, replay) => {
            let restoring = service::restore(file, database, &zone, replay, now);
            progress::shown(
                ctx.output,
                &ctx.clock,
                || "Restoring the database",
                restoring,
            )
            .await?
        }
        (None, true, false) => service::settle_in_place(database, &zone, now).await?,
        (None, false, _) => {
            return wrong(message![
                "no backup was given: name its file, or give ",
                field("settle"),
                " to settle the current database"
            ]);
        }
    };
    let mut message = match &args.file {
        Some(_) => format!(
            "{} schedules restored to {}",
            restored.schedules,
            database.display()
        ),
        None => format!(
            "{} schedules of {} settled",
            restored.schedules,
            database.display()
        ),
    };
    if let Some(aside) = &restored.set_aside {
        message.push_str(&format!(
            "; the previous database is kept in {}",
            aside.display()
        ));
    }
    let passed = restored.passed.len();
    if passed > 0 {
        let since = match &args.file {
            Some(_) => "Since the backup",
            None => "Since it was last in use",
        };
        message.push_str(&match args.replay {
            false => format!(
                ". {since}, runs of {passed} schedules have passed and are skipped, because the \
                 original may have sent them{}",
                match &args.file {
                    Some(_) => " (restore --replay catches up on them)",
                    None => "",
                }
            ),
            true => format!(
                ". {since}, runs of {passed} schedules have passed and will be caught up on, even \
                 if the original has sent them"
            ),
        });
    }
    let json = json!({
        "status": "success",
        "message": message,
        "database": database,
        "restored": restored,
        "now": now,
    });
    Reply::new(&json, message)
}
