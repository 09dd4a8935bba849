//! Finding out what became of a prompt whose fate is unknown.
//!
//! Once an App Server has taken a prompt, it finishes it: a server that was killed runs it again when
//! somebody starts its conversation. So the conversation is started first and listened to, and its
//! messages count only while no turn goes on in it. A prompt that is not there can be sent again under
//! the same id as long as the server remembers ids.

use std::sync::{MutexGuard, PoisonError};

use jiff::SignedDuration;

use super::following::Sought;
use super::history::HistorySearch;
use super::outcome::{Meaning, found, meaning_of, nothing_ran, waiting_for_approval};
use super::protocol::Scope;
use super::server::Server;
use crate::letta_client::target::Lookup;
use crate::models::{Answer, Evidence, Refusal, RefusalKind};

/// How old a prompt may be to be sent again under the same id: the wait before the next try, and the
/// sending itself, must end within the server's memory.
const SAFE_AGE: SignedDuration = SignedDuration::from_mins(40);

/// Absence proves nothing for this long after the sending: a server that stood still may yet read it.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// How often a conversation must say that no turn goes on in it although the prompt has left its queue.
const SILENCES: u32 = 3;

/// The most conversations that are listened to for lost prompts.
const MOST_SOUGHT: usize = 1_000;

impl Server {
    /// Looks for a prompt whose fate is unknown.
    pub(super) async fn find(&self, lookup: &Lookup) -> Evidence {
        let scope = Scope::of(&lookup.recipient);
        self.look(lookup, &scope)
            .await
            .unwrap_or_else(Evidence::Refused)
    }

    async fn look(&self, lookup: &Lookup, scope: &Scope) -> Result<Evidence, Refusal> {
        let mut sought = match self.take_up(scope) {
            Some(mut kept) => {
                self.start(&kept.talking, scope).await?;
                let talking = kept.talking.clone();
                self.picture(&talking, scope, &mut kept.following).await?;
                kept
            }
            None => {
                let (talking, following) = self.look_in(scope, &lookup.otids).await?;
                Sought {
                    talking,
                    following,
                    silences: 0,
                }
            }
        };
        let watch = &sought.following.watch;
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
        } else if watch.is_busy() || watch.is_about_to_run() && sought.silences < SILENCES {
            sought.silences = match watch.is_busy() {
                true => 0,
                false => sought.silences + 1,
            };
            let run_id = watch.run().map(str::to_owned);
            if watch.is_heard_of() {
                self.note_turn(scope);
            }
            self.keep(scope, sought);
            return Ok(Evidence::Running { run_id });
        }
        self.forget_turn(scope);
        self.look_through_messages(lookup, scope, &sought).await
    }

    /// Looks for a prompt in a conversation in which no turn goes on.
    async fn look_through_messages(
        &self,
        lookup: &Lookup,
        scope: &Scope,
        sought: &Sought,
    ) -> Result<Evidence, Refusal> {
        let unclear = |text: &str| {
            let text = text.to_owned();
            Ok(Evidence::Unclear { text })
        };
        let since_sent = lookup.now.duration_since(lookup.sent_at);
        let watch = &sought.following.watch;
        match self.search(scope, &lookup.otids, since_sent).await? {
            HistorySearch::Found(reply) => Ok(Evidence::Found(found(reply, watch))),
            HistorySearch::Incomplete => {
                unclear("not all messages of the conversation since then can be looked through")
            }
            HistorySearch::Absent if since_sent < QUIET => {
                unclear("it was sent a moment ago and may not have been taken in yet")
            }
            HistorySearch::Absent if watch.is_heard_of() => {
                let failed = Some(nothing_ran(
                    "its turn is over, and the conversation does not hold it",
                ));
                Ok(Evidence::Absent { failed })
            }
            HistorySearch::Absent if since_sent > SAFE_AGE => unclear(
                "the App Server may have forgotten its id by now, so it is not safe to send it again",
            ),
            HistorySearch::Absent => Ok(Evidence::Absent { failed: None }),
        }
    }

    /// The search for a prompt that was begun before, unless its connection has ended.
    fn take_up(&self, scope: &Scope) -> Option<Sought> {
        let kept = self.sought().remove(scope)?;
        (!kept.talking.has_ended()).then_some(kept)
    }

    fn keep(&self, scope: &Scope, sought: Sought) {
        let mut all = self.sought();
        if all.len() >= MOST_SOUGHT {
            all.clear();
        }
        all.insert(scope.clone(), sought);
    }

    fn sought(&self) -> MutexGuard<'_, std::collections::HashMap<Scope, Sought>> {
        self.sought.lock().unwrap_or_else(PoisonError::into_inner)
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
