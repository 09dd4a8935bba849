//! `list --watch`: the list on the terminal as it changes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::feed::{Feed, is_passing};
use super::listed::list_text;
use super::output::{Canvas, Reply, Text, Tone};
use crate::daemon;
use crate::error::{Code, Error, Result, field, message, operation};
use crate::operations::fields::WATCH;
use crate::operations::{Ask, LIST, Values, reading};

/// How often the times in the list are told anew.
const TICK: Duration = Duration::from_secs(1);

/// Shows the list and keeps it up to date until it is told to stop. Then the terminal is as it was
/// before.
pub(super) async fn watch(ctx: &Context, values: &Values) -> Result<Reply> {
    if ctx.output.is_json() {
        return Err(Error::new(
            Code::Usage,
            message![
                field(WATCH.name),
                " draws on a terminal, and this is none or JSON was asked for: leave it out to \
                 list the schedules once, or follow the deliveries with ",
                operation("history"),
                " ",
                field("follow")
            ],
        ));
    }
    reading::list(values)?;
    let stop = daemon::stopped_by_signal()?;
    let (operations, mut feed) = Feed::open(ctx).await?;
    // Mistakes are told on the terminal as it is.
    let mut listed = operations.ask(&LIST, values).await?;
    let mut trouble = None;
    let mut canvas = Canvas::open()?;
    loop {
        let is_stopped = show(
            ctx,
            &mut canvas,
            values,
            &listed,
            trouble.as_ref(),
            &mut feed,
            &stop,
        );
        if is_stopped.await? {
            return Ok(Reply::printed());
        }
        (listed, trouble) = refreshed(&operations, values, listed).await?;
    }
}

/// The list as it is now. One that can't be read for a while is shown as it was, and why.
async fn refreshed(
    operations: &Arc<dyn Ask>,
    values: &Values,
    before: Value,
) -> Result<(Value, Option<Error>)> {
    match operations.ask(&LIST, values).await {
        Ok(listed) => Ok((listed, None)),
        Err(error) if is_passing(error.code()) => Ok((before, Some(error))),
        Err(error) => Err(error),
    }
}

/// Shows a list until there may be something new; whether it is to stop.
async fn show(
    ctx: &Context,
    canvas: &mut Canvas,
    values: &Values,
    listed: &Value,
    trouble: Option<&Error>,
    feed: &mut Feed,
    stop: &CancellationToken,
) -> Result<bool> {
    let mut news = pin!(async {
        match trouble {
            // Whoever could not answer is asked again soon, whether or not there is news.
            Some(_) => ctx.clock.sleep(TICK).await,
            None => feed.wait().await,
        }
    });
    loop {
        let now = ctx.clock.now();
        let heading = format!(
            "{} schedules at {now:.0}. Ctrl-C ends this.",
            listed["total"]
        );
        let mut text = Text::default().toned(&heading, Tone::Quiet);
        if let Some(error) = trouble {
            text = text.toned(&format!("not up to date: {}", error.chain()), Tone::Bad);
        }
        text = text.line("").then(list_text(values, listed, now)?);
        canvas.draw(&text, ctx.output.screen())?;
        tokio::select! {
            () = stop.cancelled() => return Ok(true),
            () = &mut news => return Ok(false),
            () = ctx.clock.sleep(TICK) => {}
        }
    }
}
