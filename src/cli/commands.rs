//! The commands that need the database or Letta: arguments in, service called, answer out.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::args::{
    HaltArgs, HistoryArgs, IdArgs, ListArgs, PauseArgs, PreviewArgs, RegisterArgs, ResumeArgs,
    UpdateArgs, WhichArgs,
};
use super::bulk::{self, Deed};
use super::input::{self, Which, given};
use super::output::{self, Reply, Text};
use crate::error::{Code, Error, Result, field, fields, message};
use crate::letta_client::{Rest, RestSettings};
use crate::models::{Caller, Face};
use crate::notify::Notifier;
use crate::remote::Remote;
use crate::schedule::Zone;
use crate::service::answers::{Planned, PreviewedRun};
use crate::service::{self, ListQuery, Operations, Registration, Service};

/// The largest page in the plugin, as over HTTP.
const LARGEST_PAGE: u32 = 1_000;

/// How large a list may be in the plugin, in bytes: SMCP is slow with a few megabytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

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

    /// Refuses a page that is more than an agent should be answered at once.
    fn refuse_large(&self, limit: u32) -> Result<()> {
        if self.settings.plugin.is_none() || limit <= LARGEST_PAGE {
            return Ok(());
        }
        Err(Error::new(
            Code::Usage,
            message![
                field("limit"),
                " {limit} is not from 1 to {LARGEST_PAGE}; ",
                field("offset"),
                " leads to the pages after the first"
            ],
        )
        .example(fields([("limit", LARGEST_PAGE)])))
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
        let rest = Rest::new(rest, self.clock.clone())?;
        let withheld = settings.letta_key_withheld.clone();
        Ok(Arc::new(rest.with_key_note(withheld)))
    }

    /// Opens the database and the client.
    pub(super) async fn service(&self) -> Result<Service> {
        let settings = &self.settings;
        let letta = self.letta()?;
        let clock = self.clock.clone();
        let opened = Service::open(&settings.database, &settings.timezone, letta, clock).await;
        let (mut service, upgraded) = opened?;
        if !self.is_lasting {
            service.db = service.db.with_one_connection();
        }
        service.budget = settings.budget;
        service.largest_prompt = settings.largest_prompt;
        service.allow_upload = settings.server.allow_upload;
        service.default_agent = settings.default_agent.clone();
        let face = match settings.plugin {
            Some(_) => Face::Plugin,
            None => Face::Cli,
        };
        let service = service.for_caller(self.caller()).through(face, None);
        let _ = self.opened.set(service.db.clone());
        if let Some(report) = upgraded {
            tracing::warn!("{report}");
        }
        Ok(service)
    }

    /// What the commands on schedules are asked of.
    pub(super) async fn operations(&self) -> Result<Arc<dyn Operations>> {
        if let Some(remote) = &self.settings.remote {
            return Ok(Arc::new(Remote::new(
                remote,
                self.caller(),
                self.clock.clone(),
            )?));
        }
        Ok(Arc::new(self.service().await?))
    }

    pub(super) fn notifier(&self, service: &Service) -> Result<Notifier> {
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
    let made = ctx.operations().await?.register(&registration).await?;
    reply(&made, planned_text(&made), made.warning.as_deref())
}

pub(super) async fn list(ctx: &Context, args: &ListArgs) -> Result<Reply> {
    let page = input::page(args.limit.as_deref(), args.offset.as_deref())?;
    ctx.refuse_large(page.limit)?;
    let asked = ListQuery {
        agent_id: input::agent_filter(args.agent_id.as_deref())?,
        all: args.all,
        full: args.full,
        limit: page.limit,
        offset: page.offset,
    };
    let listed = ctx.operations().await?.list(&asked).await?;
    let mut text = Text::of_lines(&output::schedules_table(&to_rows(&listed.schedules)?));
    let shown = i64::from(page.offset) + i64::try_from(listed.count).unwrap_or(i64::MAX);
    if shown < listed.total {
        let total = listed.total;
        text = text.line(&format!("{shown} of {total}: --offset {shown} shows more"));
    }
    if listed.broken > 0 && !args.all {
        let n = listed.broken;
        text = text.line(&format!(
            "{n} can't be read and do not run: list --all shows why"
        ));
    }
    if listed.incidents > 0 {
        let n = listed.incidents;
        text = text.line(&format!("{n} need attention: promptyoself test shows why"));
    }
    let mut json = to_value(&listed)?;
    if ctx.settings.plugin.is_some() {
        bound(&mut json, "schedules", page.offset, |shown| {
            shown < listed.total
        });
    }
    reply(&json, text, listed.warning.as_deref())
}

pub(super) async fn show(ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let id = input::schedule_id(args)?;
    let shown = ctx.operations().await?.show(id).await?;
    let text = Text::of_lines(&output::schedule_details(&to_value(&shown)?));
    reply(&shown, text, shown.warning.as_deref())
}

pub(super) async fn update(ctx: &Context, args: &UpdateArgs) -> Result<Reply> {
    let id = input::schedule_id(&args.id)?;
    let changes = input::changes(args, std::io::stdin())?;
    let changed = ctx.operations().await?.update(id, &changes).await?;
    reply(&changed, planned_text(&changed), changed.warning.as_deref())
}

pub(super) async fn pause(ctx: &Context, args: &PauseArgs) -> Result<Reply> {
    let note = given(args.note.as_deref());
    let id = match input::which(&args.which)? {
        Which::One(id) => id,
        Which::Many(agent) => {
            return bulk::to_many(ctx, Deed::Pause(note), agent, &args.which).await;
        }
    };
    let paused = ctx.operations().await?.pause(id, note).await?;
    Reply::new(&paused, paused.message.as_str())
}

pub(super) async fn resume(ctx: &Context, args: &ResumeArgs) -> Result<Reply> {
    let id = match input::which(&args.which)? {
        Which::One(id) => id,
        Which::Many(agent) => {
            return bulk::to_many(ctx, Deed::Resume(args.replay), agent, &args.which).await;
        }
    };
    let resumed = ctx.operations().await?.resume(id, args.replay).await?;
    reply(&resumed, &*resumed.message, resumed.warning.as_deref())
}

/// Needs neither the database nor Letta, but the zone of whoever keeps the schedules.
pub(super) async fn preview(ctx: &Context, args: &PreviewArgs) -> Result<Reply> {
    let when = input::when(&args.when)?;
    let count = input::count(args.count.as_deref())?;
    let shown = match &ctx.settings.remote {
        Some(_) => ctx.operations().await?.preview(&when, count).await?,
        None => {
            let zone = Zone::parse(&ctx.settings.timezone)?;
            service::preview_runs(&when, count, &zone, ctx.clock.now())?
        }
    };
    let line = |text: Text, run: &PreviewedRun| text.line(&format!("{}  {}", run.utc, run.local));
    let text = shown.runs.iter().fold((&shown.describes).into(), line);
    Reply::new(&shown, text)
}

pub(super) async fn run(ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let id = input::schedule_id(args)?;
    let queued = ctx.operations().await?.run(id).await?;
    reply(&queued, &*queued.message, queued.warning.as_deref())
}

pub(super) async fn halt(ctx: &Context, args: &HaltArgs) -> Result<Reply> {
    let operations = ctx.operations().await?;
    let halted = match args.off {
        false => operations.halt(given(args.note.as_deref())).await?,
        true => operations.lift_halt().await?,
    };
    Reply::new(&halted, halted.message.as_str())
}

pub(super) async fn cancel(ctx: &Context, args: &WhichArgs) -> Result<Reply> {
    let id = match input::which(args)? {
        Which::One(id) => id,
        Which::Many(agent) => return bulk::to_many(ctx, Deed::Cancel, agent, args).await,
    };
    let cancelled = ctx.operations().await?.cancel(id).await?;
    Reply::new(&cancelled, cancelled.message.as_str())
}

pub(super) async fn history(ctx: &Context, args: &HistoryArgs) -> Result<Reply> {
    if args.changes {
        return changes(ctx, args).await;
    }
    let asked = input::history(args, &ctx.settings.timezone, ctx.clock.now())?;
    ctx.refuse_large(asked.limit)?;
    let history = ctx.operations().await?.history(&asked).await?;
    let mut text = Text::of_lines(&output::occurrences_table(&to_rows(&history.occurrences)?));
    let is_full = usize::try_from(asked.limit).is_ok_and(|limit| history.count == limit);
    if is_full {
        let shown = asked.offset.saturating_add(asked.limit);
        text = text.line(&format!(
            "--offset {shown} shows older ones, if there are any"
        ));
    }
    let mut json = to_value(&history)?;
    if ctx.settings.plugin.is_some() {
        bound(&mut json, "occurrences", asked.offset, |_| is_full);
    }
    Reply::new(&json, text)
}

async fn changes(ctx: &Context, args: &HistoryArgs) -> Result<Reply> {
    let asked = input::change_log(args, &ctx.settings.timezone, ctx.clock.now())?;
    ctx.refuse_large(asked.limit)?;
    let log = ctx.operations().await?.changes(&asked).await?;
    let mut text = Text::of_lines(&output::changes_table(&to_rows(&log.changes)?));
    let is_full = usize::try_from(asked.limit).is_ok_and(|limit| log.count == limit);
    if is_full {
        let shown = asked.offset.saturating_add(asked.limit);
        text = text.line(&format!(
            "--offset {shown} shows older ones, if there are any"
        ));
    }
    let mut json = to_value(&log)?;
    if ctx.settings.plugin.is_some() {
        bound(&mut json, "changes", asked.offset, |_| is_full);
    }
    Reply::new(&json, text)
}

pub(super) async fn agents(ctx: &Context) -> Result<Reply> {
    let listed = ctx.operations().await?.agents().await?;
    let text = Text::of_lines(&output::agents_table(&to_rows(&listed.agents)?));
    Reply::new(&listed, text)
}

pub(super) async fn test(ctx: &Context) -> Result<Reply> {
    let mut tested = ctx.operations().await?.test().await?;
    let withheld = ctx.settings.withheld_keys().map(str::to_owned);
    let warnings: Vec<String> = tested.warning.take().into_iter().chain(withheld).collect();
    tested.warning = (!warnings.is_empty()).then(|| warnings.join("; "));
    let version = tested
        .letta_version
        .as_ref()
        .map(|v| format!(" (version {v})"))
        .unwrap_or_default();
    let mut text = format!(
        "{}: {}{version}. {} scheduler(s) running",
        tested.message,
        tested.letta_url,
        tested.schedulers.len()
    );
    if let Some(database) = &tested.database {
        text.push_str(&format!(" on {database}"));
    }
    let mut text = Text::from(text);
    for incident in &tested.incidents {
        text = text.line(&format!("needs attention: {}", incident.text));
    }
    if let Some(problem) = tested.notices.as_ref().and_then(|n| n.problem()) {
        text = text.line(&problem.to_string());
    }
    reply(&tested, text, tested.warning.as_deref())
}

/// Cuts a list to what a model and SMCP can take at once, and says where it goes on. `has_more` tells
/// whether there is anything after so many.
fn bound(answer: &mut Value, list: &str, offset: u32, has_more: impl Fn(i64) -> bool) {
    let Some(items) = answer[list].as_array_mut() else {
        return;
    };
    let mut bytes = 0;
    let fits = items.iter().take_while(|item| {
        bytes += item.to_string().len();
        bytes <= LARGEST_ANSWER
    });
    // One that is too large by itself is shown, or no page would ever show it.
    let kept = fits.count().max(1).min(items.len());
    let is_cut = kept < items.len();
    items.truncate(kept);
    let shown = i64::from(offset).saturating_add(i64::try_from(kept).unwrap_or(i64::MAX));
    answer["count"] = kept.into();
    if is_cut || has_more(shown) {
        answer["next_offset"] = shown.into();
    }
}

/// What people are told of a schedule whose runs are known.
fn planned_text(made: &Planned) -> String {
    format!(
        "{}: {}. Next run: {} UTC = {}",
        made.message, made.describes, made.next_run, made.next_run_local
    )
}

/// An answer with the warning that it carries.
pub(super) fn reply(
    answer: &impl Serialize,
    text: impl Into<Text>,
    warning: Option<&str>,
) -> Result<Reply> {
    let text = text.into();
    Reply::new(
        answer,
        match warning {
            Some(warning) => text.line(&format!("Warning: {warning}")),
            None => text,
        },
    )
}

fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e))
}

pub(super) fn to_rows<T: Serialize>(items: &[T]) -> Result<Vec<Value>> {
    items.iter().map(to_value).collect()
}
