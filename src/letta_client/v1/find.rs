//! Finds out what happened to a prompt whose outcome is unknown.
//!
//! Letta stores the prompt together with the first step of its turn, under the otid it was sent
//! with. So finding it under a run that has ended is proof at any time, whoever else talks to the
//! agent; not finding it proves nothing while a run is going that may be its own.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::classify::RequestFailure;
use super::history::{LONGEST_ID, LaterMessages};
use super::http::{Http, segment};
use super::pages::PageSize;
use super::runs::{ActiveRun, RunState, SKEW, time};
use super::turn::TurnRecord;
use crate::http::limits;
use crate::letta_client::target::Lookup;
use crate::models::{Delivery, ErrorClass, Evidence, Refusal, RefusalKind};

/// The most messages read in search of one prompt.
const MOST_MESSAGES: usize = 10_000;

/// How far before the sending a message may be dated and still be considered: Letta's dates are cut
/// to seconds, and its clock may differ from ours.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// Without a run id, absence proves nothing for this long after the sending: a request that we gave
/// up may still be queued at a busy server. Nor for this long after the server was frozen.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// What the agent's messages show about a prompt.
pub(super) enum HistorySearch {
    /// One of its otids is there: its run, and what the agent said after it.
    Found {
        /// The run under which it was stored.
        run_id: Option<String>,
        /// The messages after it from the same run, oldest first and shortened.
        after: Vec<Value>,
        /// The age of that run's newest message.
        lately: SignedDuration,
    },
    /// None of its otids is there.
    Absent,
    /// It is not among the messages that can be read, but may be further back.
    Incomplete,
}

/// What is known about the run that a prompt was reported to have.
enum OwnRun {
    /// It may be running, and is young enough to.
    GoesOn,
    /// It may be running, and doesn't say since when.
    Undated,
    /// It has ended or was orphaned.
    Over,
    /// No run is known, or it can't be asked for.
    NotKnown,
}

impl Http {
    /// Looks for a prompt whose outcome is unknown.
    pub(super) async fn find(&self, lookup: &Lookup) -> Evidence {
        match self.evidence(lookup).await {
            Ok(evidence) => evidence,
            Err(failure) => {
                let refusal = failure.into_refusal();
                match refusal.kind {
                    // A request that the server rejects, such as one with a cursor or a run id that
                    // it can't read, says nothing about the agent.
                    RefusalKind::Permanent if refusal.class != ErrorClass::AgentUnknown => {
                        Evidence::Unclear { text: refusal.text }
                    }
                    _ => Evidence::Refused(refusal),
                }
            }
        }
    }

    async fn evidence(&self, lookup: &Lookup) -> Result<Evidence, RequestFailure> {
        let run = lookup.run_id.as_deref();
        let mut turn = run.map(TurnRecord::of_run).unwrap_or_default();
        let since_sent = lookup.now.duration_since(lookup.sent_at);
        // Asked before the messages are read, because a run may end between the two: not finding
        // the prompt while it was running would be stale. The answers only count if the prompt is
        // not found.
        let mut own = match run {
            Some(run) => self.own_run(run, lookup, &mut turn).await?,
            None => OwnRun::NotKnown,
        };
        if let OwnRun::GoesOn = own {
            return Ok(running_evidence(run));
        }
        let listed = match own {
            OwnRun::NotKnown => match self.listed_runs(lookup).await {
                Err(failure) if self.is_frozen(&failure).await => return Err(failure),
                listed => listed,
            },
            _ => Ok(Vec::new()),
        };
        if let (Some(run), Ok(listed)) = (run, &listed)
            && !heard_lately(lookup)
            && listed.iter().any(|r| r.id == run && r.orphaned)
        {
            turn.error = Some(orphan(run));
            own = OwnRun::Over;
        }
        let others = listed.map(|listed| running(&listed, lookup));
        let searched = self
            .search_history(lookup.recipient.agent.as_str(), &lookup.otids, since_sent)
            .await?;
        if let HistorySearch::Found {
            run_id,
            after,
            lately,
        } = searched
        {
            // A run that only looks orphaned is still producing messages.
            if lately < lookup.orphan_age && turn.is_orphaned() {
                return Ok(running_evidence(run));
            }
            if let Some(stored) = run_id {
                let mut of_stored = own;
                if run != Some(&stored) {
                    // It was stored under a run we had not heard of, which may still be running.
                    turn = TurnRecord::of_run(&stored);
                    of_stored = self.own_run(&stored, lookup, &mut turn).await?;
                }
                let listed = |others: &Vec<String>| others.contains(&stored);
                let goes_on = match of_stored {
                    OwnRun::GoesOn => true,
                    OwnRun::NotKnown => others.as_ref().is_ok_and(listed),
                    OwnRun::Undated | OwnRun::Over => false,
                };
                if goes_on {
                    return Ok(running_evidence(Some(&stored)));
                }
            }
            return Ok(Evidence::Found(delivery_found(turn, &after)));
        }
        if !others?.is_empty() {
            // It is unknown whether the run is the prompt's own, so it is not named as such.
            return Ok(running_evidence(None));
        }
        let unclear = |text: String| Ok(Evidence::Unclear { text });
        match (searched, own) {
            (HistorySearch::Absent, OwnRun::Over) => {
                let mut refusal = turn.refusal();
                // Sending the same otid again would only repeat the same ending.
                refusal.otid_spent = true;
                Ok(Evidence::Absent {
                    failed: Some(refusal),
                })
            }
            (HistorySearch::Absent, OwnRun::NotKnown) if self.responsive_for() < QUIET => {
                unclear(format!(
                    "{} was frozen a moment ago and may still act on an earlier request",
                    self.address()
                ))
            }
            (HistorySearch::Absent, OwnRun::NotKnown) if since_sent >= QUIET => {
                Ok(Evidence::Absent { failed: None })
            }
            (HistorySearch::Absent, OwnRun::NotKnown) => {
                unclear("it was sent a moment ago and may not be processed yet".into())
            }
            (HistorySearch::Absent, OwnRun::Undated | OwnRun::GoesOn) => unclear(format!(
                "{} reports neither an end nor a start time",
                run.unwrap_or("its run")
            )),
            (HistorySearch::Incomplete | HistorySearch::Found { .. }, _) => unclear(format!(
                "not all messages of {} since then can be searched",
                lookup.recipient.agent
            )),
        }
    }

    /// The agent's runs that have not ended. If the server can't be asked, nothing is proved.
    async fn listed_runs(&self, lookup: &Lookup) -> Result<Vec<ActiveRun>, RequestFailure> {
        let agent = lookup.recipient.agent.as_str();
        match self.active_runs(agent, lookup.orphan_age).await {
            Ok(runs) => Ok(runs),
            Err(RequestFailure::NoRoute(refusal)) => Err(RequestFailure::Refused(Refusal::new(
                RefusalKind::Permanent,
                refusal.class,
                format!(
                    "{} does not say which turns are running ({})",
                    self.address(),
                    refusal.text
                ),
            ))),
            Err(failure) => Err(failure),
        }
    }

    /// Asks for the state of a known run; how it ended is added to `turn`.
    async fn own_run(
        &self,
        run: &str,
        lookup: &Lookup,
        turn: &mut TurnRecord,
    ) -> Result<OwnRun, RequestFailure> {
        Ok(match self.run_state(run, lookup.orphan_age).await {
            Ok(RunState::Active) => OwnRun::GoesOn,
            // It was running as long as its turn was heard.
            Ok(RunState::Orphaned) if heard_lately(lookup) => OwnRun::GoesOn,
            Ok(RunState::Orphaned) => {
                turn.error = Some(orphan(run));
                OwnRun::Over
            }
            Ok(RunState::Undated) => OwnRun::Undated,
            Ok(RunState::Ended(run)) => {
                turn.take_run(&run);
                OwnRun::Over
            }
            // Deleted with its agent, lost with the database, hidden by a proxy, or not answered:
            // in any case the other requests are made, and decide.
            Err(failure) if !self.is_frozen(&failure).await => OwnRun::NotKnown,
            Err(failure) => return Err(failure),
        })
    }

    /// Whether a request timed out because the server answers nothing at all. Making one request
    /// after another would take minutes during which nobody notices.
    async fn is_frozen(&self, failure: &RequestFailure) -> bool {
        let timed_out =
            matches!(failure, RequestFailure::Doubt(doubt) if doubt.class == ErrorClass::Timeout);
        let health = self.get("/v1/health/", &[]);
        timed_out && self.clock().within(limits::SIGN, health).await.is_none()
    }

    /// Looks for any of `otids` in the agent's messages, from the newest back to those older than
    /// `since_sent`.
    pub(super) async fn search_history(
        &self,
        agent: &str,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<HistorySearch, RequestFailure> {
        let search = self.search_pages(agent, otids, since_sent);
        let found = self.clock().within(limits::SEARCH, search).await;
        found.unwrap_or(Ok(HistorySearch::Incomplete))
    }

    async fn search_pages(
        &self,
        agent: &str,
        otids: &[Uuid],
        since_sent: SignedDuration,
    ) -> Result<HistorySearch, RequestFailure> {
        let path = format!("/v1/agents/{}/messages", segment(agent));
        let mut later = LaterMessages::default();
        let mut seen = std::collections::HashSet::new();
        let mut before: Option<String> = None;
        let mut size = PageSize::default();
        while seen.len() < MOST_MESSAGES {
            let query: Vec<_> = before.iter().map(|id| ("before", id.as_str())).collect();
            let reply = self.page(&path, &query, &mut size).await?;
            let Value::Array(mut page) = reply.body else {
                return Err(RequestFailure::doubt(
                    ErrorClass::Garbled,
                    "the list of messages is not a list",
                ));
            };
            if page.is_empty() {
                // The very first message was reached.
                return Ok(HistorySearch::Absent);
            }
            let new = page
                .iter()
                .filter_map(id)
                .filter(|id| seen.insert(id.to_string()))
                .count();
            if new == 0 {
                // The server ignores the cursor: older messages can't be read.
                return Ok(HistorySearch::Incomplete);
            }
            // Oldest first, whatever the server's order.
            if date(page.first()) > date(page.last()) {
                page.reverse();
            }
            if let Some(at) = page.iter().rposition(|m| is_one_of(m, otids)) {
                let run_id = page[at]
                    .get("run_id")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                later.add_older(&page[at + 1..]);
                let newest = run_id.as_deref().and_then(|run| later.newest_of(run));
                let newest = newest.or(date(page.get(at)));
                let lately = newest.map_or(SignedDuration::MAX, |at| {
                    reply.server_now.duration_since(at)
                });
                return Ok(HistorySearch::Found {
                    after: later.of_run(run_id.as_deref()),
                    run_id,
                    lately,
                });
            }
            let oldest = date(page.first()).map(|at| reply.server_now.duration_since(at));
            if oldest.is_some_and(|age| age > since_sent.saturating_add(MARGIN)) {
                return Ok(HistorySearch::Absent);
            }
            before = page.first().and_then(id).map(str::to_owned);
            later.add_older(&page);
        }
        Ok(HistorySearch::Incomplete)
    }
}

/// The active runs: any may be the prompt's own. Their age proves nothing, because our clock, by
/// which the prompt was sent, may have been adjusted; and nothing could be sent while they run
/// anyway.
fn running(listed: &[ActiveRun], lookup: &Lookup) -> Vec<String> {
    let since_sent = lookup.now.duration_since(lookup.sent_at);
    // Its own run was going as long as its turn was heard.
    let may_be_own = |run: &ActiveRun| run.age <= since_sent.saturating_add(SKEW);
    let goes_on = |run: &&ActiveRun| !run.orphaned || heard_lately(lookup) && may_be_own(run);
    let running = listed.iter().filter(goes_on);
    running.map(|run| run.id.clone()).collect()
}

/// Whether its turn was heard so recently that its run can't have been orphaned.
fn heard_lately(lookup: &Lookup) -> bool {
    let heard = lookup.heard_at;
    heard.is_some_and(|at| lookup.now.duration_since(at) < lookup.orphan_age)
}

/// A turn is running that may be the prompt's own, or certainly is if a run is given.
fn running_evidence(run: Option<&str>) -> Evidence {
    Evidence::Running {
        run_id: run.map(str::to_owned),
    }
}

/// The delivery of a prompt that was found in the agent's messages.
pub(super) fn delivery_found(mut turn: TurnRecord, after: &[Value]) -> Delivery {
    for message in after {
        turn.take(message);
    }
    turn.delivery()
}

/// The refusal for a run that never ended.
fn orphan(run: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Later,
        ErrorClass::Interrupted,
        format!("{run} never ended: Letta must have stopped during it"),
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
