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
use crate::operations::{Ask, HISTORY, STATUS, Values, reading};

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
    let (mut followed, last) = Followed::begin(operations, values.clone()).await?;
    let mut is_read = ctx.output.print_settled(&last)?;
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
    /// When the newest of them was settled, or when following began, by the clock of whoever
    /// settles.
    newest: Timestamp,
}

impl Followed {
    /// Begins to follow, with the last ones that are settled, the first to settle first.
    async fn begin(operations: Arc<dyn Ask>, values: Values) -> Result<(Self, Vec<Value>)> {
        let status = operations.ask(&STATUS, &Values::default()).await?;
        let mut followed = Followed {
            operations,
            values,
            seen: HashMap::new(),
            newest: moment(&status, "now").unwrap_or(Timestamp::UNIX_EPOCH),
        };
        // What was settled just before is not news, unless it is among the last ones. They are
        // asked for afterwards, so that what is settled in between is one of them or news.
        followed.news().await?;
        let answer = followed.operations.ask(&HISTORY, &followed.values).await?;
        let mut rows: Vec<Value> = rows_of(&answer, "occurrences").to_vec();
        rows.retain(|row| settled_at(row).is_some());
        rows.sort_by_key(settled_at);
        for row in &rows {
            followed.note(row);
        }
        Ok((followed, rows))
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
    moment(row, "finished_at")
}

fn moment(answer: &Value, key: &str) -> Option<Timestamp> {
    answer[key].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    use jiff::ToSpan;
    use serde_json::json;

    use super::*;
    use crate::operations::definition::Operation;

    const BEGAN: &str = "2030-01-31T09:00:00Z";

    fn began() -> Timestamp {
        BEGAN.parse().unwrap()
    }

    /// A history of which one delivery is settled before a certain question.
    #[derive(Default)]
    struct History(Mutex<Kept>);

    #[derive(Default)]
    struct Kept {
        /// When each was settled: the last one is the newest.
        settled: Vec<Option<Timestamp>>,
        /// Which one is settled, and before which question.
        settles: Option<(usize, usize)>,
        asked: usize,
        /// How many rows were answered.
        read: usize,
    }

    impl History {
        fn kept(&self) -> MutexGuard<'_, Kept> {
            self.0.lock().unwrap()
        }
    }

    #[async_trait::async_trait]
    impl Ask for History {
        async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
            let mut kept = self.kept();
            if let Some((which, _)) = kept.settles.filter(|(_, before)| *before == kept.asked) {
                kept.settled[which] = Some(began());
            }
            kept.asked += 1;
            if operation.name == STATUS.name {
                return Ok(json!({ "now": BEGAN }));
            }
            let number = |field| values.text(field).map_or(0, |n| n.parse().unwrap());
            let since = values.text(&SETTLED_SINCE);
            let since: Option<Timestamp> = since.map(|time| time.parse().unwrap());
            let row = |(id, at): (usize, &Option<Timestamp>)| match since {
                Some(since) if at.is_none_or(|at| at < since) => None,
                _ => Some(json!({ "occurrence_id": id, "finished_at": at })),
            };
            let mut rows: Vec<Value> = kept.settled.iter().enumerate().filter_map(row).collect();
            match since {
                Some(_) => rows.sort_by_key(settled_at),
                None => rows.reverse(),
            }
            let rows = rows.into_iter().skip(number(&OFFSET)).take(number(&LIMIT));
            let rows: Vec<Value> = rows.collect();
            kept.read += rows.len();
            Ok(json!({ "occurrences": rows }))
        }
    }

    async fn follow(history: &Arc<History>) -> (Followed, Vec<Value>) {
        let last = Values::default().with(&LIMIT, 5);
        Followed::begin(history.clone(), last).await.unwrap()
    }

    fn ids(rows: &[Value]) -> Vec<usize> {
        let id = |row: &Value| row["occurrence_id"].as_u64().unwrap() as usize;
        rows.iter().map(id).collect()
    }

    #[tokio::test]
    async fn what_was_settled_long_before_is_neither_read_nor_shown_again() {
        let history = Arc::new(History::default());
        let old = (1..=1_000).map(|n| Some(began() - (n * 10).minutes()));
        history.kept().settled = old.chain([None; 5]).collect();
        let (mut followed, last) = follow(&history).await;
        assert!(last.is_empty(), "{last:?}");
        assert!(followed.news().await.unwrap().is_empty());
        assert_eq!(history.kept().read, 5, "the last ones");
        history.kept().settled[1_002] = Some(began() + 1.minute());
        assert_eq!(ids(&followed.news().await.unwrap()), [1_002]);
        assert!(followed.news().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn whenever_one_is_settled_it_is_shown_once() {
        const AMONG_THE_LAST: usize = 7;
        const BEFORE_THEM: usize = 2;
        for which in [AMONG_THE_LAST, BEFORE_THEM] {
            let questions = 5;
            for before in 0..questions {
                let history = Arc::new(History::default());
                history.kept().settled = vec![None; 10];
                history.kept().settles = Some((which, before));
                let (mut followed, mut shown) = follow(&history).await;
                while history.kept().asked < questions {
                    shown.extend(followed.news().await.unwrap());
                }
                // The one that is older than the last ones and was settled when it began is not.
                let is_old = which == BEFORE_THEM && before < 2;
                let wanted = if is_old { vec![] } else { vec![which] };
                assert_eq!(ids(&shown), wanted, "{which} before question {before}");
            }
        }
    }
}
