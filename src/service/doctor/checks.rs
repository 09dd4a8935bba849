//! The individual checks: from what was read to what is reported.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Severity};
use crate::db::{Db, network_file_system};
use crate::error::Result;
use crate::models::{
    Account, Lifecycle, OverduePrompt, PromptSchedule, ScheduleType, StalledPrompt, State,
};
use crate::schedule::{just_before, timetable_of};
use crate::service::{Service, Status};

/// The file itself is damaged.
pub(super) const DAMAGED: &str = "database_damaged";

/// How old the heartbeat of a living scheduler may be: it is written every ten seconds.
const STALE: SignedDuration = SignedDuration::from_mins(1);
/// How far past events may lie in the future: clocks are adjusted in small steps.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

fn finding(
    severity: Severity,
    code: &'static str,
    problem: impl Into<String>,
    mend: impl Into<String>,
) -> Finding {
    Finding {
        severity,
        code,
        problem: problem.into(),
        mend: mend.into(),
    }
}

/// The file: damage, missing parts, permissions, file system.
pub(super) async fn file(db: &Db) -> Vec<Finding> {
    let path = db.path().display();
    let mut findings = Vec::new();
    let damaged = |problem: String| {
        finding(
            Severity::Error,
            DAMAGED,
            format!("the database is damaged: {problem}"),
            format!("promptyoself --db {path} restore BACKUP, once the damaged file is moved away"),
        )
    };
    match db.damages().await {
        Ok(problems) => findings.extend(problems.into_iter().map(damaged)),
        Err(e) => findings.push(damaged(e.chain())),
    }
    match db.missing_parts().await {
        Ok(parts) => findings.extend(parts.into_iter().map(|(name, sql)| {
            let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            finding(
                Severity::Error,
                "database_incomplete",
                format!(
                    "{name} is missing from the database; a program that rebuilds a table drops \
                     what belongs to it"
                ),
                format!("sqlite3 {path} \"{sql}\""),
            )
        })),
        Err(e) => findings.push(damaged(e.chain())),
    }
    for (file, mode) in db.open_to_others() {
        let file = file.display();
        findings.push(finding(
            Severity::Warning,
            "permissions_wide",
            format!("{file} may be read or written by others than its owner (mode {mode:o})"),
            format!("chmod 600 {file}"),
        ));
    }
    if let Some(kind) = network_file_system(db.path()) {
        findings.push(finding(
            Severity::Warning,
            "network_file_system",
            format!(
                "the database lies on a network file system ({kind}), where locks can't be relied \
                 on: two machines may deliver the same prompt, and the file may be damaged"
            ),
            format!("promptyoself --db {path} backup FILE, with FILE on a disk of this machine"),
        ));
    }
    findings
}

/// An account that is wrong or could not be proved.
pub(super) fn account(account: &Account) -> Option<Finding> {
    let difference = account.difference.as_ref()?;
    let (whose, mend) = match account.schedule_id {
        Some(id) => (
            format!("schedule {id}"),
            format!("promptyoself history --id {id}"),
        ),
        None => (
            format!("the deleted schedule {}", account.uid),
            "promptyoself history".to_owned(),
        ),
    };
    Some(match account.balanced {
        false => finding(
            Severity::Error,
            "account_wrong",
            format!("the account of {whose} is wrong: {difference}"),
            mend,
        ),
        true => finding(
            Severity::Warning,
            "account_unproved",
            format!("the account of {whose} is {difference}"),
            mend,
        ),
    })
}

/// An occurrence that can't be read.
pub(super) fn unreadable(id: i64, why: &str) -> Finding {
    finding(
        Severity::Error,
        "occurrence_unreadable",
        format!("occurrence {id} can't be read and is ignored: {why}"),
        "promptyoself restore BACKUP, if another program damaged it",
    )
}

/// A schedule that can't run, or whose next run is not one of its instants.
pub(super) fn schedule(schedule: &PromptSchedule) -> Option<Finding> {
    let id = schedule.id;
    if schedule.lifecycle == Lifecycle::Broken {
        let reason = schedule
            .broken_reason
            .as_deref()
            .unwrap_or("the reason is unknown");
        return Some(finding(
            Severity::Error,
            "schedule_broken",
            format!("schedule {id} can't be read, so it does not run: {reason}"),
            format!("promptyoself cancel --id {id}, then register it again"),
        ));
    }
    let next_run = schedule.next_run.filter(|_| schedule.active)?;
    let timetable = match timetable_of(schedule) {
        Ok(timetable) => timetable,
        Err(e) => {
            return Some(finding(
                Severity::Error,
                "schedule_broken",
                format!("schedule {id} can't be read, so it will not run: {e}"),
                format!("promptyoself show --id {id}"),
            ));
        }
    };
    let is_once = schedule.schedule_type == ScheduleType::Once.as_str();
    let on_it = is_once
        || schedule.anchor == Some(next_run)
        || timetable.next_after(just_before(next_run)) == Some(next_run);
    (!on_it).then(|| {
        let flag = match schedule.schedule_type.as_str() {
            "cron" => "cron",
            _ => "every",
        };
        finding(
            Severity::Error,
            "next_run_wrong",
            format!(
                "the next run of schedule {id} at {next_run} is not one of its instants; {} would be",
                timetable
                    .next_after(next_run)
                    .map_or_else(|| "none".to_owned(), |at| at.to_string())
            ),
            format!(
                "promptyoself update --id {id} --{flag} \"{}\"",
                schedule.schedule_value
            ),
        )
    })
}

/// Who is delivering, and what dead schedulers have left.
pub(super) async fn schedulers(service: &Service, status: &Status) -> Result<Vec<Finding>> {
    let db = &service.db;
    let path = db.path().display();
    let serve = format!("promptyoself serve --db {path}");
    let mut findings = Vec::new();
    let (schedulers, left) = db.examine_owners().await?;
    if !schedulers.iter().any(|(_, alive)| *alive) {
        let live = db
            .count_schedules(&crate::models::ScheduleFilter::default())
            .await?;
        let severity = match live {
            0 => Severity::Warning,
            _ => Severity::Error,
        };
        findings.push(finding(
            severity,
            "no_scheduler",
            format!(
                "no scheduler is running on this database, so {live} active schedules are not delivered"
            ),
            &serve,
        ));
    }
    for (owner, count) in left {
        findings.push(finding(
            Severity::Error,
            "left_by_the_dead",
            format!(
                "the scheduler {owner} died while sending {count} prompts, and no other has taken \
                 them over"
            ),
            &serve,
        ));
    }
    let now = service.now();
    for (scheduler, _) in schedulers.iter().filter(|(_, alive)| *alive) {
        let (pid, beat) = (scheduler.pid, scheduler.heartbeat_at);
        if now.duration_since(beat) > STALE {
            findings.push(finding(
                Severity::Error,
                "heartbeat_stale",
                format!(
                    "the scheduler in process {pid} is alive but has had no heartbeat since \
                     {beat}: it hangs"
                ),
                format!("kill {pid}, then {serve}"),
            ));
        }
        if let Some(holding) = &scheduler.holding {
            findings.push(finding(
                Severity::Warning,
                "scheduler_holding",
                format!(
                    "the scheduler in process {pid} is sending nothing at the moment: {holding}"
                ),
                "promptyoself test",
            ));
        }
    }
    for halt in status.halted.iter().chain(&status.halted_targets) {
        let lift = match &halt.target {
            Some(target) => format!("promptyoself halt --off --target {target}"),
            None => "promptyoself halt --off".to_owned(),
        };
        let problem = halt.to_string();
        findings.push(finding(Severity::Warning, "halted", problem, lift));
    }
    Ok(findings)
}

/// A prompt that has been sending for longer than any wait can explain.
pub(super) fn stalled(stalled: &StalledPrompt, pid: Option<i64>, database: &Path) -> Finding {
    let what = match stalled.schedule_id {
        Some(id) => format!("a prompt of schedule {id}"),
        None => "a prompt of a deleted schedule".to_owned(),
    };
    let (agent, since) = (&stalled.agent, stalled.since);
    let heard = match &stalled.run_id {
        Some(run) => format!("its turn ({run}) can't be running that long"),
        None => "nothing was heard from its turn".to_owned(),
    };
    let serve = format!("promptyoself serve --db {}", database.display());
    finding(
        Severity::Error,
        "sending_stalled",
        format!(
            "{what} has been sending to {agent} since {since} and {heard}: its scheduler is alive \
             but does not settle it, and nothing else is sent to that agent. Stop that scheduler; \
             the next one searches for the prompt before it sends anything"
        ),
        match pid {
            Some(pid) => format!("kill {pid}, then {serve}"),
            None => format!("stop every promptyoself on this database, then {serve}"),
        },
    )
}

/// Something that a running scheduler should have done by now.
pub(super) fn overdue(overdue: &OverduePrompt) -> Finding {
    let what = match overdue.schedule_id {
        Some(id) => format!("a prompt of schedule {id}"),
        None => "a prompt of a deleted schedule".to_owned(),
    };
    let (agent, since) = (&overdue.agent, overdue.since);
    let (code, problem) = match overdue.state {
        State::Unknown => (
            "search_overdue",
            format!(
                "{what} for {agent} should have been found or given up by {since}, but the running \
                 scheduler does not search for it"
            ),
        ),
        _ => (
            "lane_stuck",
            format!(
                "{what} for {agent} has been due since {since}; nothing else is being sent to that \
                 agent, yet it is not sent"
            ),
        ),
    };
    finding(
        Severity::Error,
        code,
        problem,
        "stop the scheduler and start it again: promptyoself serve",
    )
}

/// Whether the clock was set back, so that past events lie in the future.
pub(super) async fn clock(db: &Db, now: Timestamp) -> Result<Vec<Finding>> {
    let latest = db.latest_past().await?;
    Ok(latest
        .filter(|latest| latest.duration_since(now) > AHEAD)
        .map(|latest| {
            finding(
                Severity::Warning,
                "clock_behind",
                format!(
                    "this machine's clock shows {now}, but the database has something recorded at \
                     {latest}: the clock was wrong then, or is now"
                ),
                "timedatectl status",
            )
        })
        .into_iter()
        .collect())
}

/// Whether Letta answers and accepts our credentials, and what is held.
pub(super) async fn letta(service: &Service, status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    for held in &status.held {
        findings.push(finding(
            Severity::Error,
            "target_held",
            format!(
                "nothing has been sent to {} since {}; waiting for it to answer: {}",
                held.target, held.held_since, held.reason
            ),
            "promptyoself test",
        ));
    }
    for (name, letta) in service.targets.named() {
        // Its name is of use only where there are several.
        let which = name
            .map(|name| format!("target {name}: "))
            .unwrap_or_default();
        let doing = format!("reach Letta at {}", letta.address());
        if let Err(e) = letta
            .check()
            .await
            .map_err(|r| r.into_error(&doing, &letta.name()))
        {
            findings.push(finding(
                Severity::Error,
                e.code().as_str(),
                format!("{which}{}", e.chain()),
                e.corrected()
                    .unwrap_or_else(|| "promptyoself test".to_owned()),
            ));
            continue;
        }
        if let Ok(Some(tasks)) = letta.list_tasks().await {
            let active = tasks.iter().filter(|task| task.is_active).count();
            let target = name
                .map(|name| format!(" --target {name}"))
                .unwrap_or_default();
            findings.extend(own_scheduler(letta.address(), active, &target));
        }
    }
    findings
}

/// The server has a scheduler of its own, which our connection keeps running.
fn own_scheduler(address: String, active: usize, target: &str) -> Option<Finding> {
    (active > 0).then(|| {
        finding(
            Severity::Warning,
            "letta_code_cron",
            format!(
                "the App Server at {address} has {active} active schedules of its own. They only run \
                 while a client such as promptyoself is connected, and one that is registered here \
                 as well runs twice"
            ),
            format!("promptyoself import --letta-code-cron{target}"),
        )
    })
}
