//! Follows the turn of one prompt. Pure: events go in, and what they say about the prompt comes
//! out.
//!
//! The event for the end of a turn names no message. It is matched to the prompt by its run, if an
//! update of the loop has said that the run is the prompt's; by an error just before it that names
//! the prompt; and, if a turn was cancelled before it had a run, by the fact that the prompt was
//! the one being run.

use uuid::Uuid;

use super::protocol::{Delta, Event, Finished};
use crate::letta_client::v1::turn::beginning;

/// How much of what an agent says in one turn is kept, in bytes.
const MOST_SAID: usize = 128 * 1024;

/// The most runs of one turn that are remembered: one for each call of the model.
const MOST_RUNS: usize = 1_000;

/// How far a prompt has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There was no event about it.
    #[default]
    Unknown,
    /// It waits for its turn.
    Queued,
    /// Its turn is running.
    Running,
    /// It was removed from the queue before its turn began.
    Removed,
}

/// How the turn of a prompt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The reason in the server's words.
    pub stop_reason: Option<String>,
    /// The last run, if there was any.
    pub run_id: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether the prompt had a run of its own, which begins only once the prompt is stored.
    pub had_run: bool,
}

/// What is known about the turn of one prompt.
#[derive(Debug, Default)]
pub(super) struct TurnWatch {
    /// The ids under which the prompt may have been sent.
    ids: Vec<String>,
    stage: Stage,
    runs: Vec<String>,
    /// Whether the error that ends a turn named the prompt.
    failed: bool,
    ended: Option<Ended>,
    tokens: Option<i64>,
    /// What the agent said: the id and the text of each message.
    said: Vec<(String, String)>,
    said_bytes: usize,
    idle: bool,
    processing: bool,
    loop_asks: bool,
    device_asks: bool,
    others_wait: bool,
    /// Whether the next turn that begins is the prompt's, unless an event says otherwise. A prompt
    /// that the server already knows is accepted too, and no turn follows.
    expected: bool,
}

impl TurnWatch {
    /// Watches for a prompt that was or will be sent under one of these ids.
    pub(super) fn of(otids: &[Uuid]) -> Self {
        TurnWatch {
            ids: otids.iter().map(Uuid::to_string).collect(),
            idle: true,
            ..TurnWatch::default()
        }
    }

    /// Processes an event.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Loop { idle, asks, runs } => {
                (self.idle, self.loop_asks) = (idle, asks);
                if !idle && self.expected && self.stage == Stage::Unknown {
                    self.stage = Stage::Running;
                }
                for (run, ids) in runs {
                    if self.names_us(&ids)
                        && !self.runs.contains(&run)
                        && self.runs.len() < MOST_RUNS
                    {
                        self.runs.push(run);
                        self.stage = Stage::Running;
                    }
                }
            }
            Event::Device { processing, asks } => {
                (self.processing, self.device_asks) = (processing, asks);
            }
            Event::Queue { waiting, left } => {
                for (id, begins) in left.into_iter().filter(|(id, _)| self.ids.contains(id)) {
                    tracing::trace!(id, begins, "a prompt left the queue");
                    self.stage = match begins {
                        true => Stage::Running,
                        false => Stage::Removed,
                    };
                }
                if self.names_us(&waiting) {
                    self.stage = Stage::Queued;
                }
                self.others_wait = waiting.iter().any(|id| !self.ids.contains(id));
            }
            Event::Delta(delta) => self.take_delta(delta),
            Event::Finished(finished) => self.finish(finished),
        }
    }

    fn take_delta(&mut self, delta: Delta) {
        if delta.message_type == "loop_error" {
            let ids = delta.client_message_ids.unwrap_or_default();
            // An error that is retried doesn't count.
            self.failed = self.names_us(&ids) && delta.is_terminal != Some(false);
            return;
        }
        let is_ours = delta.run_id.is_some_and(|run| self.runs.contains(&run));
        if !is_ours {
            return;
        }
        match delta.message_type.as_str() {
            "assistant_message" => self.say(delta.id.unwrap_or_default(), &delta.content),
            "usage_statistics" => {
                let more = delta
                    .total_tokens
                    .map(|n| self.tokens.unwrap_or(0).saturating_add(n));
                self.tokens = more.or(self.tokens);
            }
            _ => {}
        }
    }

    /// Records the end of a turn, if it is the prompt's.
    fn finish(&mut self, finished: Finished) {
        let is_ours = match &finished.run_id {
            Some(run) => self.runs.contains(run),
            None => self.failed || self.stage == Stage::Running && finished.error.is_none(),
        };
        self.failed = false;
        if is_ours && self.ended.is_none() {
            self.ended = Some(Ended {
                stop_reason: finished.stop_reason,
                run_id: finished.run_id,
                error: finished.error,
                had_run: !self.runs.is_empty(),
            });
        }
    }

    /// Adds what the agent said. Pieces of one message have the same id.
    fn say(&mut self, id: String, text: &str) {
        let text = beginning(text, MOST_SAID.saturating_sub(self.said_bytes));
        if text.is_empty() {
            return;
        }
        self.said_bytes += text.len();
        match self.said.last_mut() {
            Some((last, so_far)) if *last == id => so_far.push_str(text),
            _ => {
                self.said_bytes += id.len() + 1;
                self.said.push((id, text.to_owned()));
            }
        }
    }

    fn names_us(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| self.ids.contains(id))
    }

    /// Expects the prompt's turn from now on: the server has accepted it, and no other turn was
    /// running.
    pub(super) fn expect(&mut self) {
        self.expected = true;
    }

    /// How the turn ended, once it has.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Whether somebody removed the prompt from the queue.
    pub(super) fn is_removed(&self) -> bool {
        self.stage == Stage::Removed
    }

    /// Whether there was any event about the prompt.
    pub(super) fn is_heard_of(&self) -> bool {
        self.stage != Stage::Unknown || self.ended.is_some()
    }

    /// Whether the prompt has left the queue for a turn that has no run yet. For a moment the
    /// conversation may then seem to be in no turn.
    pub(super) fn is_about_to_run(&self) -> bool {
        self.is_heard_of() && self.runs.is_empty()
    }

    /// Whether the conversation is in a turn, or inputs wait for one.
    pub(super) fn is_busy(&self) -> bool {
        !self.idle || self.processing || self.others_wait || self.stage == Stage::Queued
    }

    /// Whether the turn waits for a person to approve a tool call.
    pub(super) fn waits_for_approval(&self) -> bool {
        self.loop_asks || self.device_asks
    }

    /// The prompt's latest run, if it has one.
    pub(super) fn run(&self) -> Option<&str> {
        self.runs.last().map(String::as_str)
    }

    /// The tokens that the turn used, as far as is known.
    pub(super) fn tokens(&self) -> Option<i64> {
        self.tokens
    }

    /// What the agent said, as far as is known.
    pub(super) fn reply(&self) -> Option<String> {
        let said: Vec<&str> = self.said.iter().map(|(_, text)| text.as_str()).collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const OURS: Uuid = Uuid::from_u128(1);

    fn watch() -> TurnWatch {
        TurnWatch::of(&[OURS])
    }

    fn ours() -> String {
        OURS.to_string()
    }

    fn looping(runs: &[(&str, &[&str])]) -> Event {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let runs: BTreeMap<_, _> = runs
            .iter()
            .map(|(run, of)| ((*run).to_owned(), ids(of)))
            .collect();
        let (idle, asks) = (false, false);
        Event::Loop { idle, asks, runs }
    }

    fn finished(run: Option<&str>, error: Option<&str>) -> Event {
        Event::Finished(Finished {
            stop_reason: Some("end_turn".to_owned()),
            run_id: run.map(str::to_owned),
            error: error.map(str::to_owned),
        })
    }

    fn said(run: &str, id: &str, text: &str) -> Event {
        Event::Delta(Delta {
            message_type: "assistant_message".to_owned(),
            id: Some(id.to_owned()),
            run_id: Some(run.to_owned()),
            content: text.to_owned(),
            ..Delta::default()
        })
    }

    fn failed(ids: &[String], is_terminal: Option<bool>) -> Event {
        Event::Delta(Delta {
            message_type: "loop_error".to_owned(),
            client_message_ids: Some(ids.to_vec()),
            is_terminal,
            ..Delta::default()
        })
    }

    #[test]
    fn the_end_of_another_message_s_run_is_not_ours() {
        let mut watch = watch();
        watch.expect();
        let id = ours();
        watch.take(looping(&[("run-1", &["theirs"]), ("run-2", &[&id])]));
        watch.take(said("run-1", "a", "theirs"));
        watch.take(finished(Some("run-1"), None));
        assert_eq!(watch.ended(), None);
        watch.take(said("run-2", "b", "ou"));
        watch.take(said("run-2", "b", "rs"));
        watch.take(finished(Some("run-2"), None));
        assert_eq!(watch.ended().unwrap().run_id.as_deref(), Some("run-2"));
        assert_eq!(watch.reply().as_deref(), Some("ours"));
    }

    #[test]
    fn a_turn_of_several_runs_ends_with_any_of_them() {
        let mut watch = watch();
        let id = ours();
        watch.take(looping(&[("run-1", &[&id])]));
        watch.take(looping(&[("run-1", &[&id]), ("run-2", &["theirs", &id])]));
        watch.take(finished(Some("run-2"), None));
        assert!(watch.ended().unwrap().had_run);
    }

    #[test]
    fn an_end_without_a_run_is_ours_if_the_error_before_it_names_us() {
        let mut watch = watch();
        watch.expect();
        watch.take(looping(&[]));
        watch.take(failed(&["theirs".to_owned()], Some(true)));
        watch.take(finished(None, Some("not found")));
        assert_eq!(watch.ended(), None);
        watch.take(failed(&[ours()], Some(false)));
        watch.take(finished(None, Some("not found")));
        assert_eq!(watch.ended(), None);
        watch.take(failed(&[ours()], Some(true)));
        watch.take(finished(None, Some("not found")));
        assert!(!watch.ended().unwrap().had_run);
    }

    #[test]
    fn a_turn_that_was_cancelled_before_it_had_a_run_is_ours_if_it_was_our_turn() {
        let mut watch = watch();
        watch.take(Event::Queue {
            waiting: vec![ours()],
            left: Vec::new(),
        });
        watch.take(finished(None, None));
        assert_eq!(watch.ended(), None);
        watch.take(Event::Queue {
            waiting: Vec::new(),
            left: vec![(ours(), true)],
        });
        watch.take(finished(None, None));
        assert!(watch.ended().is_some());
    }

    #[test]
    fn a_conversation_is_busy_while_it_is_in_a_turn_or_anybody_waits_for_one() {
        let mut watch = watch();
        assert!(!watch.is_busy());
        watch.take(looping(&[]));
        assert!(watch.is_busy());
        let (asks, runs) = (false, BTreeMap::new());
        let idle = true;
        watch.take(Event::Loop { idle, asks, runs });
        assert!(!watch.is_busy());
        let processing = true;
        watch.take(Event::Device { processing, asks });
        assert!(watch.is_busy());
        let processing = false;
        watch.take(Event::Device { processing, asks });
        watch.take(Event::Queue {
            waiting: vec!["theirs".to_owned()],
            left: Vec::new(),
        });
        assert!(watch.is_busy() && !watch.is_heard_of());
    }

    #[test]
    fn of_a_very_long_reply_the_beginning_is_kept() {
        let mut watch = watch();
        watch.take(looping(&[("run-1", &[&ours()])]));
        for n in 0..100 {
            watch.take(said("run-1", &n.to_string(), &"é".repeat(5_000)));
        }
        let reply = watch.reply().unwrap();
        assert!(reply.len() <= MOST_SAID && reply.len() > MOST_SAID / 2);
    }
}
