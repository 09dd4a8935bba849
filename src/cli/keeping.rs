//! The commands that look after the database: doctor, prune, purge, backup, restore.

use serde_json::json;

use super::Context;
use super::args::{BackupArgs, PruneArgs, PurgeArgs, RestoreArgs};
use super::input::{self, given};
use super::output::{self, Reply, Text, to_rows};
use super::version;
use crate::error::{Code, Error, Message, Result, field, message};
use crate::models::PurgeScope;
use crate::schedule::Zone;
use crate::service::{self, Service};

/// Exits with 1 where something is wrong, and with 0 for warnings.
pub(super) async fn doctor(ctx: &Context) -> Result<Reply> {
    let settings = &ctx.settings;
    let letta = ctx.letta()?;
    let service = Service::open_to_look(
        &settings.database,
        &settings.timezone,
        letta,
        ctx.clock.clone(),
    )
    .await?;
    let diagnosis = service.diagnose(&settings.delivery).await;
    service.close().await;
    let diagnosis = diagnosis?;
    let findings = to_rows(&diagnosis.findings)?;
    let errors = diagnosis.has_errors();
    let (accounts, instants) = (diagnosis.accounts, diagnosis.instants);
    let text = Text::of_lines(&output::findings_text(&findings)).line(&format!(
        "{accounts} accounts of {instants} instants examined in {} by promptyoself {}",
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
                    "the retention is set to keep everything, so say with ",
                    field("before"),
                    " what is to be pruned"
                ],
            ));
        }
    };
    if before > now {
        return Err(Error::new(
            Code::TimeInvalid,
            message![
                field("before"),
                " {before} lies in the future, and would prune everything: it is now {now}"
            ],
        ));
    }
    let service = ctx.service().await?;
    service.refuse_doubtful_cut(before).await?;
    let pruned = service.prune(before).await?;
    let message = format!(
        "{} settled deliveries from before {before} pruned; their {} instants stay in the account. \
         {} schedules that ended before it, with nothing left to show, pruned",
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
    let agent_id = input::agent_filter(args.agent_id.as_deref())?;
    let before = given(args.before.as_deref())
        .map(|text| input::point(text, "before", &ctx.settings.timezone, ctx.clock.now()))
        .transpose()?;
    let service = ctx.service().await?;
    let whose = match (id, agent_id) {
        (Some(id), _) => service.purge_of(id).await?,
        (None, Some(agent)) => PurgeScope::Agent(agent),
        (None, None) => {
            return Err(Error::new(
                Code::Usage,
                message![
                    "say whose texts are to be removed: ",
                    field("id"),
                    " or ",
                    field("agent_id")
                ],
            ));
        }
    };
    let purged = service.purge(&whose, before).await?;
    let mut message = format!(
        "Texts of {} deliveries and {} prompts of ended schedules removed",
        purged.occurrences, purged.schedules
    );
    if purged.live > 0 {
        message.push_str(&format!(
            ". {} schedules are live and keep their prompt: cancel them first to remove it",
            purged.live
        ));
    }
    if purged.log_in_use {
        message.push_str(
            ". Another process was using the write-ahead log, which may hold the texts for a while: \
             run it again with the scheduler stopped to be sure",
        );
    }
    let json = json!({ "status": "success", "message": message, "purged": purged });
    Reply::new(&json, message)
}

pub(super) async fn backup(ctx: &Context, args: &BackupArgs) -> Result<Reply> {
    let service = ctx.service().await?;
    let schedules = service.back_up(&args.file).await?;
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    let message = format!(
        "Backup of {} with {schedules} schedules made and checked: {}",
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
                " catches up with it: leave one of them out"
            ]);
        }
        (Some(file), _, replay) => service::restore(file, database, &zone, replay, now).await?,
        (None, true, false) => service::settle_in_place(database, &zone, now).await?,
        (None, false, _) => {
            return wrong(message![
                "no backup was named: give its file, or ",
                field("settle"),
                " for a database that is in its place already"
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
        message.push_str(&format!("; what was there is kept in {}", aside.display()));
    }
    let passed = restored.passed.len();
    if passed > 0 {
        let since = match &args.file {
            Some(_) => "Since the backup",
            None => "Since it was last in use",
        };
        message.push_str(&match args.replay {
            false => format!(
                ". {since}, times of {passed} schedules have passed: they are skipped, since the \
                 original may have sent them{}",
                match &args.file {
                    Some(_) => " (restore --replay catches up with them)",
                    None => "",
                }
            ),
            true => format!(
                ". {since}, times of {passed} schedules have passed: they are caught up with, also \
                 where the original has sent them"
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
