//! Finding out what became of a prompt whose fate is unknown.
//!
//! Letta stores the prompt together with the first step of its turn, under the otid it was sent
//! with. So its presence under a run that has ended is proof at any time, whoever else speaks with
//! the agent; its absence proves nothing while a run goes on that may be its own.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::classify::Fault;
use super::history::Later;
use super::http::{Http, segment};
use super::pages::PageSize;
use super::runs::{Life, time};
use super::turn::Heard;
use super::{Delivery, ErrorClass, Evidence, Lookup, Refusal, RefusalKind};
use crate::http::limits;

/// The most messages read in search of one prompt.
const MOST_MESSAGES: usize = 10_000;

/// The longest id of a message, in bytes.
const LONGEST_ID: usize = 255;

/// How much older than the sending a message may be dated and still be looked at: Letta's dates
/// are cut to seconds, and its clock need not be ours.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// Without a run id absence proves nothing for this long after the sending: a request that we gave
/// up may still stand before a busy server's door.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// What the agent's messages say of a prompt.
pub(super) enum Trace {
    /// One of its otids is there: the run it came with, and what the agent said after it.
    There {
        /// The run under which it was stored.
        run_id: Option<String>,
        /// The messages after it that belong to the same run, oldest first and shortened.
        after: Vec<Value>,
    },
    /// None of its otids is there.
    NotThere,
    /// It is not among those messages that can be seen, but may be behind them.
    TooMany,
}

impl Http {
    /// Looks for a prompt whose fate is unknown.
    pub(super) async fn find(&self, lookup: &Lookup) -> Evidence {
        match self.evidence(lookup).await {
            Ok(evidence) => evidence,
            // A question that the server won't take, such as one about a cursor or a run that it
            // can't read, says nothing of the agent.
            Err(Fault::Refused(r) | Fault::Failed(r))
                if r.kind == RefusalKind::Permanent && r.class != ErrorClass::AgentUnknown =>
            {
                Evidence::Unclear { text: r.text }
            }
            Err(Fault::Refused(r) | Fault::NoRoute(r) | Fault::Failed(r)) => Evidence::Refused(r),
            Err(Fault::Doubt(doubt)) => Evidence::Unclear { text: doubt.text },
        }
    }

    async fn evidence(&self, lookup: &Lookup) -> Result<Evidence, Fault> {
        let mut heard = lookup
            .run_id
            .as_deref()
            .map(Heard::of_run)
            .unwrap_or_default();
        let since_sent = lookup.now.duration_since(lookup.sent_at);
        // Asked before the messages are, since a run may end between the two questions: an absence
        // seen while it went on would be stale. The answer counts only if the prompt is absent.
        let may_run = match &lookup.run_id {
            Some(run) => {
                if let Some(e) = self.known_run(run, lookup.orphan_age, &mut heard).await? {
                    return Ok(e);
                }
                Ok(false)
            }
            None => self.may_run(lookup).await,
        };
        let trace = self
            .trace(lookup.agent.as_str(), &lookup.otids, since_sent)
            .await?;
        if !matches!(trace, Trace::There { .. }) && may_run? {
            // Whether the run is the prompt's own can't be told, so it is not named as that.
            return Ok(Evidence::Running { run_id: None });
        }
        match trace {
            Trace::TooMany => Ok(Evidence::Unclear {
                text: format!(
                    "not all messages of {} since then can be looked through",
                    lookup.agent
                ),
            }),
            Trace::There { run_id, after } => {
                if let Some(run) = run_id.filter(|run| lookup.run_id.as_ref() != Some(run)) {
                    // It was stored under a run we had not heard of, which may go on.
                    heard = Heard::of_run(&run);
                    if let Some(e) = self.known_run(&run, lookup.orphan_age, &mut heard).await? {
                        return Ok(e);
                    }
                }
                Ok(Evidence::Found(found(heard, &after)))
            }
            Trace::NotThere if lookup.run_id.is_none() && since_sent < QUIET => {
                Ok(Evidence::Unclear {
                    text: "it was sent a moment ago and may not have been taken in yet".into(),
                })
            }
            Trace::NotThere => {
                let failed = (heard.error.is_some() || heard.stop_reason.is_some()).then(|| {
                    let mut refusal = heard.refusal();
                    // The run is over, so repeating its otid would only repeat its end.
                    refusal.otid_spent = true;
                    refusal
                });
                Ok(Evidence::Absent { failed })
            }
        }
    }

    /// Whether a run of the agent goes on that may be the prompt's own. Its age proves nothing,
    /// since our clock, by which the prompt was sent, may have been set; and nothing could be sent
    /// anyway while it goes on.
    async fn may_run(&self, lookup: &Lookup) -> Result<bool, Fault> {
        match self
            .active_runs(lookup.agent.as_str(), lookup.orphan_age)
            .await
        {
            Ok(runs) => Ok(!runs.is_empty()),
            // A server without that list leaves only the messages.
            Err(Fault::NoRoute(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Asks after a run: evidence if it goes on, otherwise how it ended, added to `heard`.
    async fn known_run(
        &self,
        run: &str,
        orphan_age: SignedDuration,
        heard: &mut Heard,
    ) -> Result<Option<Evidence>, Fault> {
        match self.life_of(run, orphan_age).await {
            Ok(Life::Runs) => {
                return Ok(Some(Evidence::Running {
                    run_id: Some(run.to_owned()),
                }));
            }
            Ok(Life::Ended(run)) => heard.take_run(&run),
            Ok(Life::Orphaned) => heard.error = Some(orphan(run)),
            // "Run not found with id='…'": forgotten with its agent, or by a new database.
            Err(Fault::Refused(r)) if r.text.starts_with("HTTP 404") => {}
            Err(Fault::NoRoute(_)) => {}
            Err(fault) => return Err(fault),
        }
        Ok(None)
    }

    /// Looks for any of `otids` in the agent's messages, from the newest back to those older than
    /// `since_sent`.
    pub(super) async fn trace(
        &self,
        agent: &str,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<Trace, Fault> {
        let search = self.search(agent, otids, since_sent);
        let found = self.clock().within(limits::SEARCH, search).await;
        found.unwrap_or(Ok(Trace::TooMany))
    }

    async fn search(
        &self,
        agent: &str,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<Trace, Fault> {
        let path = format!("/v1/agents/{}/messages", segment(agent));
        let mut later = Later::default();
        let mut seen = std::collections::HashSet::new();
        let mut before: Option<String> = None;
        let mut size = PageSize::default();
        while seen.len() < MOST_MESSAGES {
            let query: Vec<_> = before.iter().map(|id| ("before", id.as_str())).collect();
            let reply = self.page(&path, &query, &mut size).await?;
            let Value::Array(mut page) = reply.body else {
                return Err(Fault::doubt(
                    ErrorClass::Garbled,
                    "the list of messages is not a list",
                ));
            };
            if page.is_empty() {
                // The first message of all was reached.
                return Ok(Trace::NotThere);
            }
            let new = page
                .iter()
                .filter_map(id)
                .filter(|id| seen.insert(id.to_string()))
                .count();
            if new == 0 {
                // The server does not heed the cursor: what lies further back can't be seen.
                return Ok(Trace::TooMany);
            }
            // Oldest first, whichever way this server lists them.
            if date(page.first()) > date(page.last()) {
                page.reverse();
            }
            if let Some(at) = page.iter().rposition(|m| is_one_of(m, otids)) {
                let run_id = page[at]
                    .get("run_id")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                later.add_older(&page[at + 1..]);
                let after = later.of_run(run_id.as_deref());
                return Ok(Trace::There { run_id, after });
            }
            let oldest = date(page.first()).map(|at| reply.server_now.duration_since(at));
            if oldest.is_some_and(|age| age > since_sent.saturating_add(MARGIN)) {
                return Ok(Trace::NotThere);
            }
            before = page.first().and_then(id).map(str::to_owned);
            later.add_older(&page);
        }
        Ok(Trace::TooMany)
    }
}

/// The delivery of a prompt that was found in the agent's messages.
pub(super) fn found(mut heard: Heard, after: &[Value]) -> Delivery {
    for message in after {
        heard.take(message);
    }
    heard.delivery()
}

/// What a run that never ended is to whoever waited for it.
fn orphan(run: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Later,
        ErrorClass::Interrupted,
        format!("{run} never ended: Letta must have stopped under it"),
    )
}

fn id(message: &Value) -> Option<&str> {
    message
        .get("id")?
        .as_str()
        .filter(|id| id.len() <= LONGEST_ID)
}

fn date(message: Option<&Value>) -> Option<Timestamp> {
    time(message?.get("date")?.as_str()?)
}

fn is_one_of(message: &Value, otids: &[Uuid]) -> bool {
    let otid = message.get("otid").and_then(Value::as_str);
    otid.and_then(|text| Uuid::parse_str(text).ok())
        .is_some_and(|otid| otids.contains(&otid))
}
