//! Carries out the commands of operations and shows their answers.

use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::bulk;
use super::follow;
use super::input;
use super::listed::{list_text, number, rows_of};
use super::output::{self, Reply, Text, Tone, reply};
use super::selection::{Selection, read_selection};
use super::watch;
use crate::error::{Code, Error, Result, field, message};
use crate::operations::definition::Operation;
use crate::operations::fields::{AGENT, CHANGES, CONVERSATION, FOLLOW, OFF, WATCH};
use crate::operations::{LIFT_HALT, LIST_CHANGES, Values, reading, to_json};
use crate::schedule::Zone;
use crate::service;
use crate::service::answers::Tested;

/// The largest list in the plugin, in bytes: SMCP is slow with a few megabytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

impl Context {
    /// Refuses a page that is larger than an agent should get.
    fn refuse_large(&self, values: &Values) -> Result<()> {
        match self.settings.plugin {
            Some(_) => reading::refuse_large(values),
            None => Ok(()),
        }
    }
}

/// Carries out an operation and shows its answer.
pub(super) async fn carry_out(
    ctx: &Context,
    operation: &'static Operation,
    mut values: Values,
) -> Result<Reply> {
    match operation.name {
        "register" => {
            ctx.complete(&mut values);
            input::read_prompt(&mut values, std::io::stdin())?;
            planned(&ctx.ask(operation, &values).await?)
        }
        "update" => {
            input::read_prompt(&mut values, std::io::stdin())?;
            planned(&ctx.ask(operation, &values).await?)
        }
        "list" if values.is_set(&WATCH) => watch::watch(ctx, &values).await,
        "list" => list(ctx, operation, &values).await,
        "show" => {
            let shown = ctx.ask(operation, &values).await?;
            let text = output::schedule_details(&shown, ctx.clock.now());
            reply(&shown, text)
        }
        "preview" => preview(ctx, operation, &values).await,
        "cancel" | "pause" | "resume" => {
            if let Selection::Many(agent) = read_selection(&values)? {
                return bulk::to_many(ctx, operation, agent, &values).await;
            }
            message_reply(&ctx.ask(operation, &values).await?)
        }
        "halt" if values.is_set(&OFF) => message_reply(&ctx.ask(&LIFT_HALT, &values).await?),
        "history" if values.is_set(&FOLLOW) => follow::follow(ctx, &values).await,
        "history" if values.is_set(&CHANGES) => {
            refuse_state(&values)?;
            page(ctx, &LIST_CHANGES, &values, output::changes_table).await
        }
        "history" => {
            reading::state(&values)?;
            page(ctx, operation, &values, output::occurrences_table).await
        }
        "agents" => {
            let listed = ctx.ask(operation, &values).await?;
            let mut text = output::agents_table(rows_of(&listed, "agents"), ctx.clock.now());
            if let Some(warning) = listed["warning"].as_str() {
                text = text.toned(&format!("warning: {warning}"), Tone::Notable);
            }
            reply(&listed, text)
        }
        "run" | "halt" => message_reply(&ctx.ask(operation, &values).await?),
        "test" => test(ctx, operation, &values).await,
        _ => match operation.answer.page_of {
            Some(_) => page(ctx, operation, &values, |rows, _| output::any_table(rows)).await,
            None => {
                let answer = ctx.ask(operation, &values).await?;
                let text = output::any_answer(&answer);
                reply(&answer, text)
            }
        },
    }
}

impl Context {
    /// Adds to a registration what the settings say about its caller: the agent, and the
    /// conversation in which that agent called us.
    fn complete(&self, values: &mut Values) {
        if let Some(agent) = &self.settings.default_agent {
            values.set_default(&AGENT, agent.as_str());
        }
        let shell = self.settings.agent_shell.as_ref();
        let agent = values.given(&AGENT).unwrap_or_default();
        if let Some(conversation) = shell.and_then(|shell| shell.conversation_of(&agent)) {
            values.set_default(&CONVERSATION, conversation);
        }
    }

    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
        // Mistakes are reported before anything is opened.
        (operation.check)(values)?;
        self.operations().await?.ask(operation, values).await
    }
}

/// An answer of which people see the message.
fn message_reply(answer: &Value) -> Result<Reply> {
    reply(answer, answer["message"].as_str().unwrap_or_default())
}

/// A schedule with its next run.
fn planned(answer: &Value) -> Result<Reply> {
    let part = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let text = format!(
        "{}: {}. Next run: {} UTC = {}",
        part("message"),
        part("describes"),
        part("next_run"),
        part("next_run_local")
    );
    reply(answer, with_notes(Text::from(text), answer))
}

/// A text with what there is to know about the times of a schedule.
fn with_notes(text: Text, answer: &Value) -> Text {
    let notes = answer["notes"].as_array().into_iter().flatten();
    let notes = notes.filter_map(Value::as_str);
    notes.fold(text, |text, note| text.line(&format!("Note: {note}")))
}

async fn list(ctx: &Context, operation: &'static Operation, values: &Values) -> Result<Reply> {
    let page = reading::page(values)?;
    ctx.refuse_large(values)?;
    let mut listed = ctx.ask(operation, values).await?;
    let text = list_text(values, &listed, ctx.clock.now())?;
    if ctx.settings.plugin.is_some() {
        let total = number(&listed, "total");
        bound(&mut listed, "schedules", page.offset, |shown| shown < total);
    }
    reply(&listed, text)
}

/// A page of deliveries or changes.
async fn page(
    ctx: &Context,
    operation: &'static Operation,
    values: &Values,
    table: fn(&[Value], Timestamp) -> Text,
) -> Result<Reply> {
    let page = reading::page(values)?;
    ctx.refuse_large(values)?;
    let mut answer = ctx.ask(operation, values).await?;
    let list = operation.answer.page_of.unwrap_or_default();
    let mut text = table(rows_of(&answer, list), ctx.clock.now());
    let is_full = number(&answer, "count") == i64::from(page.limit);
    if is_full {
        let shown = page.offset.saturating_add(page.limit);
        text = text.line(&format!(
            "--offset {shown} shows older ones, if there are any"
        ));
    }
    if ctx.settings.plugin.is_some() {
        bound(&mut answer, list, page.offset, |_| is_full);
    }
    reply(&answer, text)
}

/// Changes have no state.
fn refuse_state(values: &Values) -> Result<()> {
    match reading::state(values)? {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Code::Usage,
            message![
                field("state"),
                " filters deliveries and can't be used with ",
                field("changes"),
                " : leave one of them out"
            ],
        )),
    }
}

/// Needs neither the database nor Letta, only the time zone of whoever keeps the schedules.
async fn preview(ctx: &Context, operation: &'static Operation, values: &Values) -> Result<Reply> {
    let shown = match &ctx.settings.remote {
        Some(_) => ctx.ask(operation, values).await?,
        None => {
            let (when, count) = (reading::when(values)?, reading::count(values)?);
            let zone = Zone::parse(&ctx.settings.timezone)?;
            to_json(&service::preview(&when, count, &zone, ctx.clock.now())?)?
        }
    };
    let described = Text::from(shown["describes"].as_str().unwrap_or_default());
    let runs = output::runs_table(rows_of(&shown, "runs"), ctx.clock.now());
    reply(&shown, with_notes(described.then(runs), &shown))
}

async fn test(ctx: &Context, operation: &'static Operation, values: &Values) -> Result<Reply> {
    let mut tested: Tested = serde_json::from_value(ctx.ask(operation, values).await?)
        .map_err(|e| Error::new(Code::Internal, "the answer is not a test's").caused_by(e))?;
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
    for other in &tested.other_targets {
        let version = other.letta_version.as_ref();
        let version = version
            .map(|v| format!(" (version {v})"))
            .unwrap_or_default();
        text = text.line(&match &other.error {
            None => format!("{}: {}{version} answers", other.target, other.letta_url),
            Some(error) => format!("{}: {error}", other.target),
        });
    }
    for incident in &tested.incidents {
        text = text.toned(&format!("open incident: {}", incident.text), Tone::Bad);
    }
    if let Some(problem) = tested.notices.as_ref().and_then(|n| n.problem()) {
        text = text.line(&problem.to_string());
    }
    reply(&to_json(&tested)?, text)
}

/// Cuts a list to what a model and SMCP can handle, and says where it continues. `has_more` says
/// whether there is anything after this many.
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
