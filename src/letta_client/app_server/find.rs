//! Finds out what happened to a prompt whose outcome is unknown.
//!
//! Once an App Server has accepted a prompt, it finishes it: a server that was killed runs it again
//! when a client starts its conversation. So the conversation is started and followed first, and
//! its messages only count while no turn is running in it. A prompt that is not among them can be
//! sent again under the same id for as long as the server remembers ids.

use std::sync::{MutexGuard, PoisonError};

use jiff::SignedDuration;

use super::following::PendingSearch;
use super::history::HistorySearch;
use super::outcome::{Meaning, found, meaning_of, nothing_ran, waiting_for_approval};
use super::protocol::Scope;
use super::server::Server;
use crate::letta_client::target::Lookup;
use crate::models::{Answer, Evidence, Refusal, RefusalKind};

/// How old a prompt may be to be sent again under the same id: the wait before the next attempt,
/// and the attempt itself, must end while the server still remembers the id.
const SAFE_AGE: SignedDuration = SignedDuration::from_mins(40);

/// For this long after the prompt was sent, its absence proves nothing: a server that was frozen
/// may still read it.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// How often a conversation must report that no turn is running although the prompt has left its
/// queue.
const SILENCES: u32 = 3;

/// The most conversations that are followed for lost prompts.
const MOST_SEARCHES: usize = 1_000;

impl Server {
    /// Looks for a prompt whose outcome is unknown.
    pub(super) async fn find(&self, lookup: &Lookup) -> Evidence {
        let scope = Scope::of(&lookup.recipient);
        self.look(lookup, &scope)
            .await
            .unwrap_or_else(Evidence::Refused)
    }

    async fn look(&self, lookup: &Lookup, scope: &Scope) -> Result<Evidence, Refusal> {
        let mut search = match self.resume_search(scope) {
            Some(mut kept) => {
                self.start(&kept.talking, scope).await?;
                let talking = kept.talking.clone();
                self.refresh(&talking, scope, &mut kept.following).await?;
                kept
            }
            None => {
                // A server that was restarted runs what it had not finished as soon as its
                // conversation is started: the observer has to follow it by then.
                self.talking.get().await?;
                self.observer.watch(scope, &lookup.otids).await;
                let (talking, following) = self.start_and_refresh(scope, &lookup.otids).await?;
                PendingSearch {
                    talking,
                    following,
                    silences: 0,
                }
            }
        };
        let watch = &search.following.watch;
        if let Some(ended) = watch.ended() {
            self.forget_turn(scope);
            match meaning_of(ended, watch) {
                Meaning::Proved(answer) => return Ok(evidence_of(*answer)),
                Meaning::Blocked(error) => {
                    let uptime = self.http.clock().moment().uptime;
                    let failed = Some(self.blocked.refusal(scope, &error, uptime));
                    return Ok(Evidence::Absent { failed });
                }
                Meaning::Unproved(_) => {}
            }
        } else if watch.waits_for_approval() && watch.run().is_some() {
            self.forget_turn(scope);
            return Ok(Evidence::Found(waiting_for_approval(watch)));
        } else if watch.is_busy() || watch.is_about_to_run() && search.silences < SILENCES {
            search.silences = match watch.is_busy() {
                true => 0,
                false => search.silences + 1,
            };
            let run_id = watch.run().map(str::to_owned);
            if watch.is_heard_of() {
                self.note_turn(scope);
            }
            // While the model is being called, the server doesn't say whose turn it is.
            if !self.observer.is_watching(scope) {
                self.observer.watch(scope, &lookup.otids).await;
            }
            self.keep(scope, search);
            return Ok(Evidence::Running { run_id });
        }
        self.forget_turn(scope);
        self.search_messages(lookup, scope, &search).await
    }

    /// Looks for a prompt in a conversation in which no turn is running.
    async fn search_messages(
        &self,
        lookup: &Lookup,
        scope: &Scope,
        search: &PendingSearch,
    ) -> Result<Evidence, Refusal> {
        let unclear = |text: &str| {
            let text = text.to_owned();
            Ok(Evidence::Unclear { text })
        };
        let since_sent = lookup.now.duration_since(lookup.sent_at);
        let watch = &search.following.watch;
        match self.search(scope, &lookup.otids, since_sent).await? {
            HistorySearch::Found(reply) => Ok(Evidence::Found(found(reply, watch))),
            HistorySearch::Incomplete => {
                unclear("not all messages of the conversation since then can be searched")
            }
            HistorySearch::Absent if since_sent < QUIET => {
                unclear("it was sent a moment ago and the server may not have read it yet")
            }
            HistorySearch::Absent if watch.is_heard_of() => {
                let failed = Some(nothing_ran(
                    "its turn is over, and it is not in the conversation",
                ));
                Ok(Evidence::Absent { failed })
            }
            HistorySearch::Absent if since_sent > SAFE_AGE => unclear(
                "the App Server may have forgotten its id by now, so it is not safe to send it again",
            ),
            HistorySearch::Absent => Ok(Evidence::Absent { failed: None }),
        }
    }

    /// Resumes a search for the prompt, unless its connection has ended.
    fn resume_search(&self, scope: &Scope) -> Option<PendingSearch> {
        let kept = self.searches().remove(scope)?;
        (!kept.talking.has_ended()).then_some(kept)
    }

    fn keep(&self, scope: &Scope, search: PendingSearch) {
        let mut all = self.searches();
        if all.len() >= MOST_SEARCHES {
            all.clear();
        }
        all.insert(scope.clone(), search);
    }

    fn searches(&self) -> MutexGuard<'_, std::collections::HashMap<Scope, PendingSearch>> {
        self.searches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer as evidence.
fn evidence_of(answer: Answer) -> Evidence {
    match answer {
        Answer::Delivered(delivery) => Evidence::Found(delivery),
        Answer::Refused(refusal) if refusal.kind == RefusalKind::Permanent => {
            Evidence::Refused(refusal)
        }
        Answer::Refused(refusal) => Evidence::Absent {
            failed: Some(refusal),
        },
        Answer::Unknown(doubt) => Evidence::Unclear { text: doubt.text },
    }
}
