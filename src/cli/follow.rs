//! `history --follow`: each delivery as it is settled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::feed::{Feed, is_passing};
use super::listed::rows_of;
use super::output::Reply;
use crate::daemon;
use crate::error::{Code, Error, Result, field, message};
use crate::models::State;
use crate::operations::fields::{CHANGES, LIMIT, OFFSET, SETTLED_SINCE, STATE};
use crate::operations::{Ask, HISTORY, Values, reading};

/// How far before the last one is asked again: settling is written a little after it happens, and
/// not always in its order.
const OVERLAP: Duration = Duration::from_secs(60);

/// How many are asked for at once.
const PAGE: u32 = 200;

/// How long to wait before asking again who did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// Shows the last deliveries, and then each further one.
pub(super) async fn follow(ctx: &Context, values: &Values) -> Result<Reply> {
    check(values)?;
    let stop = daemon::stopped_by_signal()?;
    let (operations, mut feed) = Feed::open(ctx).await?;
    let mut followed = Followed {
        operations,
        values: values.clone(),
        seen: HashMap::new(),
        newest: Timestamp::UNIX_EPOCH,
    };
    let mut is_read = ctx.output.print_settled(&followed.begin().await?)?;
    while is_read {
        tokio::select! {
            () = stop.cancelled() => break,
            () = feed.wait() => {}
        }
        let news = tokio::select! {
            () = stop.cancelled() => break,
            news = keep_asking(ctx, &mut followed) => news?,
        };
        is_read = ctx.output.print_settled(&news)?;
    }
    Ok(Reply::printed())
}

/// Refuses what is never settled or has another list.
fn check(values: &Values) -> Result<()> {
    let open = [State::Waiting, State::Sending, State::Unknown];
    let refused = match reading::state(values)? {
        Some(state) if open.contains(&state) => Some(message![
            field("follow"),
            " shows deliveries once they are settled, and those in the state {state} are not: leave out ",
            field(STATE.name)
        ]),
        _ if values.is_set(&CHANGES) => Some(message![
            field("follow"),
            " shows deliveries and can't be used with ",
            field(CHANGES.name),
            ": leave one of them out"
        ]),
        _ => None,
    };
    match refused {
        None => Ok(()),
        Some(message) => Err(Error::new(Code::Usage, message)),
    }
}

/// What has been settled since the last time. A server that is away, as during a restart, is asked
/// again until it answers.
async fn keep_asking(ctx: &Context, followed: &mut Followed) -> Result<Vec<Value>> {
    let mut is_told = false;
    loop {
        match followed.news().await {
            Err(error) if is_passing(error.code()) => {
                if !is_told {
                    tracing::warn!("{}; asking again until it answers", error.chain());
                    is_told = true;
                }
                ctx.clock.sleep(AGAIN).await;
            }
            answered => return answered,
        }
    }
}

/// A history that is read as it grows.
struct Followed {
    operations: Arc<dyn Ask>,
    /// The filters.
    values: Values,
    /// When each recent one was settled, by its id.
    seen: HashMap<i64, Timestamp>,
    /// When the newest of them was settled, by the clock of whoever settled it.
    newest: Timestamp,
}

impl Followed {
    /// The last ones that are settled, the first to settle first.
    async fn begin(&mut self) -> Result<Vec<Value>> {
        let answer = self.operations.ask(&HISTORY, &self.values).await?;
        let mut rows: Vec<Value> = rows_of(&answer, "occurrences").to_vec();
        rows.retain(|row| settled_at(row).is_some());
        rows.sort_by_key(settled_at);
        for row in &rows {
            self.note(row);
        }
        // What was settled just now but is not among the last ones is not news either.
        self.news().await?;
        Ok(rows)
    }

    /// Those that were settled since the last time, the first to settle first.
    async fn news(&mut self) -> Result<Vec<Value>> {
        let from = (self.newest.checked_sub(OVERLAP)).unwrap_or(self.newest);
        let mut news = Vec::new();
        let mut offset = 0;
        loop {
            let values = (self.values.clone())
                .with(&SETTLED_SINCE, from.to_string())
                .with(&LIMIT, PAGE)
                .with(&OFFSET, offset);
            let answer = self.operations.ask(&HISTORY, &values).await?;
            let rows = rows_of(&answer, "occurrences");
            news.extend(rows.iter().filter(|row| self.note(row)).cloned());
            if rows.len() < PAGE as usize {
                break;
            }
            offset += PAGE;
        }
        self.seen.retain(|_, at| *at >= from);
        Ok(news)
    }

    /// Notes a row; whether it is a new one.
    fn note(&mut self, row: &Value) -> bool {
        let (Some(id), Some(at)) = (row["occurrence_id"].as_i64(), settled_at(row)) else {
            return false;
        };
        self.newest = self.newest.max(at);
        self.seen.insert(id, at).is_none()
    }
}

fn settled_at(row: &Value) -> Option<Timestamp> {
    row["finished_at"].as_str()?.parse().ok()
}
