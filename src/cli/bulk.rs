//! Cancels, pauses or resumes many schedules at once: they are shown first, and nothing happens
//! before somebody has confirmed.

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal, Write};

use serde_json::{Value, json};

use super::Context;
use super::output::{self, Reply, Text, to_rows};
use crate::error::{Code, Error, Result};
use crate::models::{Lifecycle, NamedAgent};
use crate::operations::definition::Operation;
use crate::operations::fields::{AGENT_FILTER, ALL, DRY_RUN, ID, LIMIT, OFFSET, YES};
use crate::operations::{Ask, LIST, Values};
use crate::service::ScheduleView;
use crate::service::answers::Listed;

/// How many schedules are fetched at a time.
const PAGE: u32 = 1_000;

/// How many of them are shown, to programs and to people.
const SHOWN: usize = 1_000;
const SHOWN_TO_PEOPLE: usize = 20;

/// What to do to each schedule.
#[derive(Clone, Copy, Debug)]
struct BulkChange<'a> {
    operation: &'static Operation,
    /// The other values of the call.
    values: &'a Values,
}

impl BulkChange<'_> {
    fn verb(self) -> &'static str {
        self.operation.name
    }

    fn done(self) -> &'static str {
        match self.verb() {
            "cancel" => "cancelled",
            "pause" => "paused",
            _ => "resumed",
        }
    }

    /// Whether it applies to a schedule in this state.
    fn concerns(self, lifecycle: Lifecycle) -> bool {
        match self.verb() {
            "cancel" => matches!(
                lifecycle,
                Lifecycle::Active | Lifecycle::Paused | Lifecycle::Broken
            ),
            "pause" => lifecycle == Lifecycle::Active,
            _ => lifecycle == Lifecycle::Paused,
        }
    }

    async fn carry_out(self, operations: &dyn Ask, id: i64) -> Result<()> {
        let values = self.values.clone().with(&ID, id);
        operations.ask(self.operation, &values).await.map(drop)
    }
}

/// The schedules to change.
struct Found {
    ids: Vec<i64>,
    /// The first of them, to be shown.
    shown: Vec<Value>,
}

/// The results.
#[derive(Default)]
struct Tally {
    done: Vec<i64>,
    /// They ended, or were paused or resumed, after they were listed.
    passed_over: Vec<i64>,
    failed: Vec<Value>,
}

/// Changes all schedules of an agent, or all schedules, after confirmation.
pub(super) async fn to_many(
    ctx: &Context,
    operation: &'static Operation,
    agent: Option<NamedAgent>,
    values: &Values,
) -> Result<Reply> {
    let change = BulkChange { operation, values };
    let operations = ctx.operations().await?;
    let found = find(&*operations, change, agent).await?;
    let n = found.ids.len();
    let (verb, done) = (change.verb(), change.done());
    if n == 0 {
        let message = format!("No schedule can be {done}");
        let json = json!({ "count": 0, "ids": [] });
        let text = Text::from(&message);
        return reply(ctx, change, &json, &message, text, None);
    }
    let they = counted(n);
    if values.is_set(&DRY_RUN) {
        let message = format!("{they} would be {done}; nothing was changed");
        let json = json!({ "dry_run": true, "count": n, "schedules": found.shown });
        let text = table(ctx, &found).line(&message);
        return reply(ctx, change, &json, &message, text, None);
    }
    if !values.is_set(&YES) {
        let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !asks {
            let message = format!(
                "{they} would be {done}. Nothing was changed, because there is no terminal to \
                 confirm on: add --yes to {verb} them, or --dry-run to only list them"
            );
            let json = json!({ "dry_run": true, "count": n, "schedules": found.shown });
            let text = table(ctx, &found).line(&message);
            let summary = Text::from(&message);
            return reply(ctx, change, &json, &message, text, Some(summary));
        }
        if !is_agreed(ctx, &found, &format!("{} {they}?", capitalized(verb))) {
            let message = format!("Nothing was {done}");
            let json = json!({ "dry_run": true, "count": n });
            let summary = Text::from(&message);
            return reply(ctx, change, &json, &message, summary.clone(), Some(summary));
        }
    }
    let tally = carry_out(&*operations, change, &found.ids).await?;
    report(ctx, change, &tally)
}

/// The schedules of an agent, or all, that the change applies to.
async fn find(
    operations: &dyn Ask,
    change: BulkChange<'_>,
    agent: Option<NamedAgent>,
) -> Result<Found> {
    let mut found = Found {
        ids: Vec::new(),
        shown: Vec::new(),
    };
    let mut seen = HashSet::new();
    let mut query = Values::default().with(&LIMIT, PAGE);
    if let Some(agent) = agent {
        query.set(&AGENT_FILTER, agent.to_string());
    }
    let mut offset: u32 = 0;
    loop {
        query.set(&OFFSET, offset);
        let answer = operations.ask(&LIST, &query).await?;
        let listed: Listed = serde_json::from_value(answer)
            .map_err(|e| Error::new(Code::Internal, "the answer is not a list").caused_by(e))?;
        if listed.broken > 0 && !query.is_set(&ALL) && change.concerns(Lifecycle::Broken) {
            // Paused ones are only listed together with those that have ended.
            query.set(&ALL, true);
            continue;
        }
        let concerned = |s: &&ScheduleView| change.concerns(s.lifecycle);
        for view in listed.schedules.iter().filter(concerned) {
            // A schedule that changes meanwhile may move to another page.
            if !seen.insert(view.id) {
                continue;
            }
            found.ids.push(view.id);
            if found.shown.len() < SHOWN {
                found.shown.extend(to_rows(std::slice::from_ref(view))?);
            }
        }
        if listed.schedules.len() < PAGE as usize {
            return Ok(found);
        }
        offset = offset.saturating_add(PAGE);
    }
}

/// Changes one after the other, each in a transaction of its own.
async fn carry_out(operations: &dyn Ask, change: BulkChange<'_>, ids: &[i64]) -> Result<Tally> {
    let mut tally = Tally::default();
    for id in ids {
        let Err(error) = change.carry_out(operations, *id).await else {
            tally.done.push(*id);
            continue;
        };
        match error.code() {
            Code::ScheduleNotFound | Code::ScheduleNotActive => tally.passed_over.push(*id),
            Code::TimePast | Code::ScheduleBroken => tally.failed.push(json!({
                "id": id, "error": error.chain(), "code": error.code().as_str(),
            })),
            // The next one would fail the same way.
            _ => {
                let (n, done) = (tally.done.len(), change.done());
                return Err(error.hint(format!(
                    "; {n} of {} schedules were {done} before that: repeat the call for the others",
                    ids.len()
                )));
            }
        }
    }
    Ok(tally)
}

fn report(ctx: &Context, change: BulkChange<'_>, tally: &Tally) -> Result<Reply> {
    let done = change.done();
    let mut message = format!("{} {done}", counted(tally.done.len()));
    if !tally.passed_over.is_empty() {
        let n = counted(tally.passed_over.len());
        message.push_str(&format!("; {n} changed in the meantime and needed nothing"));
    }
    let json = json!({
        "count": tally.done.len(),
        "ids": tally.done,
        "passed_over": tally.passed_over,
        "failed": tally.failed,
    });
    if tally.failed.is_empty() {
        let text = Text::from(&message);
        return reply(ctx, change, &json, &message, text, None);
    }
    let n = counted(tally.failed.len());
    message.push_str(&format!("; {n} could not be {done}"));
    let line = |text: Text, failed: &Value| text.line(failed["error"].as_str().unwrap_or_default());
    let summary = tally.failed.iter().fold(Text::from(&message), line);
    reply(ctx, change, &json, &message, summary.clone(), Some(summary))
}

/// Shows the schedules and asks for confirmation on the terminal.
fn is_agreed(ctx: &Context, found: &Found, question: &str) -> bool {
    ctx.output.print_beside(&table(ctx, found));
    let mut err = std::io::stderr().lock();
    let shown = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let mut line = String::new();
    let answered = std::io::stdin().lock().read_line(&mut line);
    let said = line.trim().to_ascii_lowercase();
    shown.is_ok() && answered.is_ok() && ["y", "yes"].contains(&said.as_str())
}

fn table(ctx: &Context, found: &Found) -> Text {
    let shown = &found.shown[..found.shown.len().min(SHOWN_TO_PEOPLE)];
    let text = output::schedules_table(shown, ctx.clock.now());
    match found.ids.len() - shown.len() {
        0 => text,
        more => text.line(&format!("and {more} more")),
    }
}

/// The answer; `undone` says that nothing, or not everything, was done.
fn reply(
    ctx: &Context,
    change: BulkChange<'_>,
    json: &Value,
    message: &str,
    text: Text,
    undone: Option<Text>,
) -> Result<Reply> {
    let mut whole = json!({
        "status": if undone.is_some() { "error" } else { "success" },
        "operation": change.verb(),
        "dry_run": false,
        "message": message,
        "now": ctx.clock.now(),
    });
    if let (Some(whole), Some(parts)) = (whole.as_object_mut(), json.as_object()) {
        whole.extend(parts.clone());
    }
    let reply = Reply::new(&whole, text)?;
    Ok(match undone {
        Some(summary) => reply.failing(summary),
        None => reply,
    })
}

fn counted(n: usize) -> String {
    match n {
        1 => "1 schedule".to_owned(),
        n => format!("{n} schedules"),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
