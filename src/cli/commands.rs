//! The commands that need the database or Letta: arguments in, service called, answer out.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::args::{
    HaltArgs, HistoryArgs, IdArgs, ListArgs, PauseArgs, PreviewArgs, RegisterArgs, ResumeArgs,
    UpdateArgs,
};
use super::input::{self, given};
use super::output::{self, Reply};
use super::{Context, deliver};
use crate::db::ListFilter;
use crate::error::{Code, Error, Result};
use crate::letta_client::{ErrorClass, Refusal, RefusalKind, Rest, RestSettings};
use crate::models::Caller;
use crate::notify::Notifier;
use crate::schedule::Zone;
use crate::server::{self, Metrics};
use crate::service::{self, Registered, Registration, Service, Status};

/// The name of the one target that settings can name so far.
const TARGET: &str = "letta";

impl Context {
    /// Who calls: through the plugin it is an agent that chooses the arguments.
    fn caller(&self) -> Caller {
        match self.settings.plugin {
            Some(_) => Caller::SomeAgent,
            None => Caller::Operator,
        }
    }

    /// The client of the one server that settings can name so far.
    pub(super) fn letta(&self) -> Result<Arc<Rest>> {
        let settings = &self.settings;
        let idle_timeout = settings.delivery.idle_timeout;
        let rest = RestSettings {
            target: TARGET.to_owned(),
            base_url: settings.letta_url.clone(),
            api_key: settings.letta_key.clone(),
            idle_timeout: idle_timeout.try_into().unwrap_or(std::time::Duration::MAX),
            orphan_age: settings.delivery.orphaned_run_age,
        };
        Ok(Arc::new(Rest::new(rest, self.clock.clone())?))
    }

    /// Opens the database and the client.
    pub(super) async fn service(&self) -> Result<Service> {
        let settings = &self.settings;
        let letta = self.letta()?;
        let clock = self.clock.clone();
        let opened = Service::open(&settings.database, &settings.timezone, letta, clock).await;
        let (mut service, upgraded) = opened?;
        service.budget = settings.budget;
        service.caller = self.caller();
        let _ = self.opened.set(service.db.clone());
        if let Some(report) = upgraded {
            tracing::warn!("{report}");
        }
        Ok(service)
    }

    fn notifier(&self, service: &Service) -> Result<Notifier> {
        let notify = &self.settings.notify;
        Notifier::new(service.db.clone(), self.clock.clone(), notify)
    }
}

pub(super) async fn register(ctx: &Context, args: &RegisterArgs) -> Result<Reply> {
    let agent_id = input::agent(
        args.agent_id.as_deref(),
        ctx.settings.default_agent.as_deref(),
    )?;
    let prompt = input::prompt(
        args.prompt.as_deref(),
        args.prompt_file.as_deref(),
        std::io::stdin(),
    )?;
    let registration = Registration {
        payload: None,
        agent_id,
        prompt,
        when: input::when(&args.when)?,
        name: input::filled(args.name.as_deref()),
        policy: input::policy(&args.policy)?,
        ping_url: input::ping_url(&args.policy)?.flatten(),
        skip_validation: args.skip_validation,
    };
    let service = ctx.service().await?;
    let made = service.register(&registration).await?;
    let warning = service.status().await?.warning();
    let message = if made.existed {
        format!("This prompt was scheduled already, with ID {}", made.id)
    } else {
        format!("Prompt scheduled with ID {}", made.id)
    };
    let mut json = planned(ctx, &made, &message);
    json["existed"] = made.existed.into();
    reply(json, told(&made, &message), warning)
}

pub(super) async fn list(ctx: &Context, args: &ListArgs) -> Result<Reply> {
    let agent_id = input::agent_filter(args.agent_id.as_deref())?;
    let page = input::page(args.limit.as_deref(), args.offset.as_deref())?;
    let service = ctx.service().await?;
    let status = service.status().await?;
    let filter = ListFilter {
        agent_id,
        all: args.all,
        limit: Some(page.limit),
        offset: page.offset,
    };
    let listing = service.list(&filter, args.full, &status).await?;
    let rows = to_rows(&listing.schedules)?;
    let mut text = output::schedules_table(&rows);
    let shown = i64::from(page.offset) + i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if shown < listing.total {
        let total = listing.total;
        text.push_str(&format!(
            "\n{shown} of {total}: --offset {shown} shows more"
        ));
    }
    if listing.broken > 0 && !args.all {
        let n = listing.broken;
        text.push_str(&format!(
            "\n{n} can't be read and do not run: list --all shows why"
        ));
    }
    if !status.incidents.is_empty() {
        let n = status.incidents.len();
        text.push_str(&format!(
            "\n{n} need attention: promptyoself test shows why"
        ));
    }
    let json = json!({
        "status": "success",
        "count": rows.len(),
        "total": listing.total,
        "broken": listing.broken,
        "incidents": status.incidents.len(),
        "schedules": rows,
        "now": ctx.clock.now(),
    });
    reply(json, text, status.warning())
}

pub(super) async fn show(ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let id = input::schedule_id(args)?;
    let service = ctx.service().await?;
    let status = service.status().await?;
    let details = service.show(id, &status).await?;
    let mut json = to_value(&details)?;
    let text = output::schedule_details(&json);
    json["status"] = "success".into();
    json["now"] = to_value(&ctx.clock.now())?;
    reply(json, text, status.warning())
}

pub(super) async fn update(ctx: &Context, args: &UpdateArgs) -> Result<Reply> {
    let id = input::schedule_id(&args.id)?;
    let changes = input::changes(args, std::io::stdin())?;
    let service = ctx.service().await?;
    let changed = service.update(id, &changes).await?;
    let warning = service.status().await?.warning();
    let message = format!("Schedule {id} updated");
    let json = planned(ctx, &changed, &message);
    reply(json, told(&changed, &message), warning)
}

pub(super) async fn pause(ctx: &Context, args: &PauseArgs) -> Result<Reply> {
    let id = input::schedule_id(&args.id)?;
    let note = given(args.note.as_deref());
    ctx.service().await?.pause(id, note).await?;
    let message = format!("Schedule {id} paused");
    let json = json!({ "status": "success", "paused_id": id, "message": message });
    Reply::new(&json, message)
}

pub(super) async fn resume(ctx: &Context, args: &ResumeArgs) -> Result<Reply> {
    let id = input::schedule_id(&args.id)?;
    let service = ctx.service().await?;
    let next_run = service.resume(id, args.replay).await?;
    let warning = service.status().await?.warning();
    let message = match next_run {
        Some(next) => format!("Schedule {id} resumed. Next run: {next}"),
        None => format!("Schedule {id} has finished: nothing of it is left to run"),
    };
    let json = json!({
        "status": "success",
        "resumed_id": id,
        "next_run": next_run,
        "message": message,
        "now": ctx.clock.now(),
    });
    reply(json, message, warning)
}

/// Needs neither the database nor Letta.
pub(super) fn preview(ctx: &Context, args: &PreviewArgs) -> Result<Reply> {
    let when = input::when(&args.when)?;
    let count = input::count(args.count.as_deref())?;
    let zone = Zone::parse(&ctx.settings.timezone)?;
    let shown = service::preview(&when, count, &zone, ctx.clock.now())?;
    let runs: Vec<Value> = shown
        .next_runs
        .iter()
        .map(|t| json!({ "utc": t, "local": shown.local(*t) }))
        .collect();
    let json = json!({
        "status": "success",
        "describes": shown.describes,
        "timezone": shown.zone.name(),
        "runs": runs,
        "now": ctx.clock.now(),
    });
    let lines: Vec<String> = shown
        .next_runs
        .iter()
        .map(|t| format!("{t}  {}", shown.local(*t)))
        .collect();
    Reply::new(&json, format!("{}\n{}", shown.describes, lines.join("\n")))
}

pub(super) async fn run(ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let id = input::schedule_id(args)?;
    let service = ctx.service().await?;
    let (occurrence, waited) = service.run(id).await?;
    let warning = service.status().await?.warning();
    let message = match waited {
        false => format!("Schedule {id} is run as soon as its agent is free"),
        true => format!("Schedule {id} waits to be run already"),
    };
    let json = json!({
        "status": "success",
        "schedule_id": id,
        "occurrence_id": occurrence,
        "existed": waited,
        "message": message,
        "now": ctx.clock.now(),
    });
    reply(json, message, warning)
}

pub(super) async fn halt(ctx: &Context, args: &HaltArgs) -> Result<Reply> {
    let service = ctx.service().await?;
    let (halt, message) = match args.off {
        false => {
            let halt = service.halt(given(args.note.as_deref())).await?;
            let message = format!("{halt}; what is on its way ends by itself");
            (Some(halt), message)
        }
        true => match service.lift_halt().await? {
            Some(halt) => {
                let since = halt.since;
                let message = format!("Deliveries go on; they were halted since {since}");
                (None, message)
            }
            None => (None, "Deliveries were not halted".to_owned()),
        },
    };
    let json = json!({
        "status": "success",
        "halted": halt.is_some(),
        "since": halt.as_ref().map(|h| h.since),
        "note": halt.and_then(|h| h.note),
        "message": message,
        "now": ctx.clock.now(),
    });
    Reply::new(&json, message)
}

pub(super) async fn cancel(ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let id = input::schedule_id(args)?;
    ctx.service().await?.cancel(id).await?;
    let message = format!("Schedule {id} cancelled");
    let json = json!({ "status": "success", "cancelled_id": id, "message": message });
    Reply::new(&json, message)
}

pub(super) async fn history(ctx: &Context, args: &HistoryArgs) -> Result<Reply> {
    let asked = input::history(args, &ctx.settings.timezone, ctx.clock.now())?;
    let service = ctx.service().await?;
    let rows = to_rows(&service.history(&asked).await?)?;
    let text = output::occurrences_table(&rows);
    let json = json!({ "status": "success", "count": rows.len(), "occurrences": rows });
    Reply::new(&json, text)
}

pub(super) async fn agents(ctx: &Context) -> Result<Reply> {
    let agents = ctx.service().await?.agents().await?;
    let rows = to_rows(&agents)?;
    let text = output::agents_table(&rows);
    Reply::new(
        &json!({ "status": "success", "agents": rows, "count": rows.len() }),
        text,
    )
}

pub(super) async fn test(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let server = service.check_letta().await?;
    let status = service.status().await?;
    let message = "Connection to Letta server successful";
    let address = service.letta.address();
    let json = json!({
        "status": "success",
        "message": message,
        "letta_url": address,
        "letta_version": server.version,
        "database": service.db.path(),
        "schedulers": schedulers(&status),
        "incidents": to_rows(&status.incidents)?,
        "notices": to_value(&status.outbox)?,
        "now": ctx.clock.now(),
    });
    let version = server
        .version
        .map(|v| format!(" (version {v})"))
        .unwrap_or_default();
    let mut text = format!(
        "{message}: {address}{version}. {} scheduler(s) running on {}",
        status.schedulers.len(),
        service.db.path().display()
    );
    for incident in &status.incidents {
        text.push_str(&format!("\nneeds attention: {}", incident.text));
    }
    if let Some(problem) = status.outbox.problem() {
        text.push_str(&format!("\n{problem}"));
    }
    reply(json, text, status.warning())
}

/// Delivers what is due, once.
pub(super) async fn execute(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let notifier = ctx.notifier(&service)?;
    let executed = deliver::once(&service, &ctx.settings, notifier, stopped_by_signal()?).await?;
    let status = service.status().await?;
    if executed
        .iter()
        .all(|e| e["delivered"] == Value::Bool(false))
        && let Some(held) = status.held.first()
    {
        // The note tells how it began; what stands in the way by now may be something else.
        let why = service.letta.check().await.err().unwrap_or_else(|| {
            let class = ErrorClass::from_word(&held.code).unwrap_or(ErrorClass::Unreachable);
            Refusal::new(RefusalKind::TargetDown, class, &held.reason)
        });
        return Err(why.into_error("deliver what is due, which stays due"));
    }
    let message = format!("{} prompts executed", executed.len());
    let json = json!({ "status": "success", "message": message, "executed": executed });
    let halted = status
        .halted
        .map(|halt| format!("{halt}, so nothing was sent: promptyoself halt --off lets it go on"));
    reply(json, message, halted)
}

/// Runs the scheduler until it is told to stop.
pub(super) async fn serve(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let notifier = ctx.notifier(&service)?;
    let stop = stopped_by_signal()?;
    let (told, mut outcomes) = mpsc::unbounded_channel();
    let metrics = Metrics::default();
    let counted = metrics.clone();
    tokio::spawn(async move {
        while let Some(outcome) = outcomes.recv().await {
            counted.count(&outcome);
        }
    });
    let serving = server::start(&ctx.settings.server, &service, metrics, stop.clone()).await?;
    let settings = &ctx.settings;
    let delivered =
        deliver::forever(&service, settings, None, notifier, Some(told), stop.clone()).await;
    stop.cancel();
    serving.await;
    delivered?;
    completed()
}

pub(super) async fn execute_loop(ctx: &Context, poll: std::time::Duration) -> Result<Reply> {
    let service = ctx.service().await?;
    let notifier = ctx.notifier(&service)?;
    let stop = stopped_by_signal()?;
    deliver::forever(&service, &ctx.settings, Some(poll), notifier, None, stop).await?;
    completed()
}

fn completed() -> Result<Reply> {
    let message = "Scheduler loop completed";
    Reply::new(&json!({ "status": "success", "message": message }), message)
}

/// A token that SIGTERM and SIGINT cancel.
fn stopped_by_signal() -> Result<CancellationToken> {
    let failed = |e| Error::new(Code::Internal, "could not listen for signals").caused_by(e);
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            signalled.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.map_err(failed).is_ok() {
            signalled.cancel();
        }
    });
    Ok(stop)
}

fn schedulers(status: &Status) -> Vec<Value> {
    let one = |s: &crate::db::RunningScheduler| {
        json!({
            "owner": s.owner.to_string(),
            "pid": s.pid,
            "started_at": s.started_at,
            "heartbeat_at": s.heartbeat_at,
            "holding": s.holding,
        })
    };
    status.schedulers.iter().map(one).collect()
}

/// What is answered of a schedule whose runs are known.
fn planned(ctx: &Context, made: &Registered, message: &str) -> Value {
    json!({
        "status": "success",
        "id": made.id,
        "next_run": made.next_run,
        "message": message,
        "next_run_local": made.local(made.next_run),
        "timezone": made.zone.name(),
        "describes": made.describes,
        "next_runs": made.next_runs,
        "now": ctx.clock.now(),
    })
}

/// The same for people.
fn told(made: &Registered, message: &str) -> String {
    let (next, local) = (made.next_run, made.local(made.next_run));
    format!(
        "{message}: {}. Next run: {next} UTC = {local}",
        made.describes
    )
}

/// An answer with the warning that it carries, left out where there is none.
fn reply(mut json: Value, mut text: String, warning: Option<String>) -> Result<Reply> {
    if let Some(warning) = warning {
        text.push_str(&format!("\nWarning: {warning}"));
        json["warning"] = warning.into();
    }
    Reply::new(&json, text)
}

fn to_value(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e))
}

pub(super) fn to_rows<T: serde::Serialize>(items: &[T]) -> Result<Vec<Value>> {
    items.iter().map(to_value).collect()
}
