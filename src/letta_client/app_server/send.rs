//! Sends a prompt into a conversation, and reports truthfully what happened to it.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::{Connection, NoAnswer};
use super::following::Following;
use super::history::HistorySearch;
use super::outcome::{
    Meaning, found, meaning_of, nothing_ran, refusal_of_input, waiting_for_approval,
};
use super::protocol::{InputAccepted, MEMORY, Scope};
use super::server::Server;
use super::turns::{Ended, TurnWatch};
use crate::failpoint::failpoint;
use crate::http::limits;
use crate::letta_client::target::{OnRun, Outgoing};
use crate::letta_client::v1::otids::with_otids;
use crate::models::{Answer, Doubt, ErrorClass, Refusal, RefusalKind};

/// How many times in a row a conversation must report that it is in no turn until ours counts as
/// over: it may do so between two steps of a turn.
const SILENCES: u32 = 2;

/// How long a prompt may be sent again under the same id. The server must still remember the id when
/// it reads the prompt.
const RESENDABLE: SignedDuration = SignedDuration::from_secs(MEMORY.as_secs() - 30);

/// How following a turn ended.
pub(super) enum ListenOutcome {
    /// The turn ended.
    Ended(Ended),
    /// It waits for a person's approval.
    Asks,
    /// The prompt was taken out of the queue before its turn came.
    Removed,
    /// No turn is running, and the prompt's own was not seen to end.
    Silence,
    /// The turn can no longer be followed.
    Lost(ErrorClass, String),
}

impl Server {
    /// Sends a prompt and waits for its turn to end.
    pub(super) async fn deliver(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        let scope = Scope::of(&outgoing.recipient);
        match self.begin(outgoing, &scope).await {
            Ok(accepted) => self.conclude(outgoing, &scope, accepted, on_run).await,
            Err(answer) => answer,
        }
    }

    /// Sends a prompt, if no other is being sent to the conversation.
    async fn begin<'a>(
        &'a self,
        outgoing: &Outgoing,
        scope: &Scope,
    ) -> Result<AcceptedPrompt<'a>, Answer> {
        let messages = stored_messages(outgoing).map_err(Answer::Refused)?;
        let taken = self
            .reserve_conversation(scope)
            .ok_or_else(|| Answer::Refused(busy(scope, "another prompt is being sent to it")))?;
        let otids = [outgoing.otid];
        let looked = self.start_and_refresh(scope, &otids).await;
        let (talking, mut following) = looked.map_err(Answer::Refused)?;
        if let Some(refusal) = obstacle(scope, &following.watch) {
            return Err(Answer::Refused(refusal));
        }
        if following.watch.run().is_some() {
            // It was sent before under this id, and its turn is over.
            let now = self.http.clock().moment().uptime;
            let text = "the App Server has run it before";
            let watch = &following.watch;
            return Err(self.ask_history(outgoing, scope, watch, now, text).await);
        }
        if let Some(text) = self.forgotten(outgoing) {
            return Err(unknown(ErrorClass::NothingRan, &text, None));
        }
        self.observer.watch(scope, &otids).await;
        failpoint!(SendReady);
        self.note_turn(scope);
        let payload = json!({"kind": "create_message", "messages": messages});
        let body = json!({"runtime": scope.to_json(), "payload": payload});
        following.watch.expect();
        let refused = match talking.ask::<InputAccepted>("input", body).await {
            Ok(InputAccepted { accepted: true, .. }) => {
                return Ok(AcceptedPrompt {
                    talking,
                    following,
                    _taken: taken,
                });
            }
            Ok(InputAccepted { error, .. }) => {
                Answer::Refused(refusal_of_input(&error.unwrap_or_default()))
            }
            Err(NoAnswer::Unsent(text)) => Answer::Refused(self.trouble(NoAnswer::Unsent(text))),
            Err(no_answer) => {
                self.judge(&talking, &no_answer).await;
                let (class, text) = no_answer.into_parts();
                return Err(unknown(class, &text, following.watch.run()));
            }
        };
        self.forget_turn(scope);
        Err(refused)
    }

    /// Why a prompt can't be sent again under its id: the server may no longer know that it has had
    /// it before.
    fn forgotten(&self, outgoing: &Outgoing) -> Option<String> {
        let since = outgoing.not_found_since?;
        let age = self.http.clock().now().duration_since(since);
        (age > RESENDABLE).then(|| {
            format!("it was first sent at {since}, and the App Server may have forgotten its id")
        })
    }

    /// Starts a conversation and gets its state.
    pub(super) async fn start_and_refresh(
        &self,
        scope: &Scope,
        otids: &[Uuid],
    ) -> Result<(Arc<Connection>, Following), Refusal> {
        match self.try_to_start(scope, otids).await {
            // The connection may have ended unnoticed, for instance when the server was restarted.
            Err(refusal) if refusal.class == ErrorClass::Cut => {
                self.try_to_start(scope, otids).await
            }
            started => started,
        }
    }

    async fn try_to_start(
        &self,
        scope: &Scope,
        otids: &[Uuid],
    ) -> Result<(Arc<Connection>, Following), Refusal> {
        let talking = self.talking.get().await?;
        let mut following = Following::new(&talking, scope, otids);
        self.start(&talking, scope).await?;
        self.refresh(&talking, scope, &mut following).await?;
        Ok((talking, following))
    }

    /// Brings a follower up to date with its conversation.
    pub(super) async fn refresh(
        &self,
        talking: &Connection,
        scope: &Scope,
        following: &mut Following,
    ) -> Result<(), Refusal> {
        if let Err(no_answer) = talking.sync(scope).await {
            self.judge(talking, &no_answer).await;
            return Err(self.trouble(no_answer));
        }
        following.catch_up();
        Ok(())
    }

    /// Follows the turn of a prompt that was accepted, and reports what happened to it.
    async fn conclude(
        &self,
        outgoing: &Outgoing,
        scope: &Scope,
        mut accepted: AcceptedPrompt<'_>,
        on_run: OnRun<'_>,
    ) -> Answer {
        let began = self.http.clock().moment().uptime;
        let (talking, following) = (&accepted.talking, &mut accepted.following);
        let heard = self.listen(scope, talking, following, on_run).await;
        let watch = &accepted.following.watch;
        let answer = match heard {
            ListenOutcome::Lost(class, text) => return unknown(class, &text, watch.run()),
            ListenOutcome::Asks => Answer::Delivered(waiting_for_approval(watch)),
            ListenOutcome::Removed => Answer::Refused(Refusal {
                otid_spent: true,
                ..Refusal::new(
                    RefusalKind::Later,
                    ErrorClass::Interrupted,
                    "somebody took the prompt out of the conversation's queue",
                )
            }),
            ListenOutcome::Silence => {
                let text = "the App Server accepted the prompt, but no turn is running and the \
                    prompt is not in the conversation";
                self.ask_history(outgoing, scope, watch, began, text).await
            }
            ListenOutcome::Ended(ended) => match meaning_of(&ended, watch) {
                Meaning::Proved(answer) => *answer,
                Meaning::Blocked(error) => {
                    let uptime = self.http.clock().moment().uptime;
                    Answer::Refused(self.blocked.refusal(scope, &error, uptime))
                }
                Meaning::Unproved(error) => {
                    self.ask_history(outgoing, scope, watch, began, &error)
                        .await
                }
            },
        };
        if matches!(answer, Answer::Delivered(_)) {
            self.blocked.clear(scope);
        }
        // A turn that waits for a person is not cancelled when its last follower leaves.
        self.forget_turn(scope);
        answer
    }

    /// Follows a turn until it has ended or can't be followed any more. Silence is normal, because
    /// the server sends nothing while the model thinks; so it is asked from time to time.
    pub(super) async fn listen(
        &self,
        scope: &Scope,
        talking: &Connection,
        following: &mut Following,
        on_run: OnRun<'_>,
    ) -> ListenOutcome {
        let clock = self.http.clock();
        let began = clock.moment().uptime;
        let longest = SignedDuration::try_from(limits::TURN).unwrap_or(SignedDuration::MAX);
        let (mut told, mut silences) = (None, 0);
        while clock.moment().uptime - began < longest {
            let goes_on = following.catch_up();
            let watch = &mut following.watch;
            if let Some(run) = watch.run().filter(|run| told.as_deref() != Some(*run)) {
                on_run(run);
                told = Some(run.to_owned());
            }
            if let Some(ended) = watch.ended() {
                return ListenOutcome::Ended(ended.clone());
            }
            if watch.is_removed() {
                return ListenOutcome::Removed;
            }
            if watch.waits_for_approval() && watch.run().is_some() {
                return ListenOutcome::Asks;
            }
            if !goes_on {
                return ListenOutcome::Lost(ErrorClass::Cut, "its connection ended".to_owned());
            }
            if silences >= SILENCES {
                return ListenOutcome::Silence;
            }
            let patience = match watch.is_heard_of() {
                true => limits::NO_NEWS,
                false => limits::FIRST_NEWS,
            };
            match clock.within(patience, following.events.recv()).await {
                Some(Some(event)) => {
                    watch.take(event);
                    silences = 0;
                }
                Some(None) => {}
                None => {
                    if let Err(no_answer) = talking.sync(scope).await {
                        self.judge(talking, &no_answer).await;
                        let (class, text) = no_answer.into_parts();
                        return ListenOutcome::Lost(class, text);
                    }
                    following.catch_up();
                    silences = match following.watch.is_busy() {
                        true => 0,
                        false => silences + 1,
                    };
                }
            }
        }
        ListenOutcome::Lost(
            ErrorClass::Timeout,
            "its turn has lasted for too long".to_owned(),
        )
    }

    /// Checks in the conversation whether a prompt whose turn is over was stored; `text` says what
    /// happened.
    async fn ask_history(
        &self,
        outgoing: &Outgoing,
        scope: &Scope,
        watch: &TurnWatch,
        began: SignedDuration,
        text: &str,
    ) -> Answer {
        // If it was sent under the same id before, it may be as old as the server's memory of ids.
        let since = self.http.clock().moment().uptime - began + MEMORY;
        match self.search(scope, &[outgoing.otid], since).await {
            Ok(HistorySearch::Found(reply)) => Answer::Delivered(found(reply, watch)),
            Ok(HistorySearch::Absent) => Answer::Refused(nothing_ran(text)),
            Ok(HistorySearch::Incomplete) => unknown(ErrorClass::NothingRan, text, watch.run()),
            Err(refusal) => unknown(refusal.class, &refusal.text, watch.run()),
        }
    }
}

/// A prompt that was accepted.
struct AcceptedPrompt<'a> {
    talking: Arc<Connection>,
    following: Following,
    _taken: super::server::ReservedConversation<'a>,
}

/// Why nothing can be sent to a conversation now. A second input would be queued and merged with
/// others into one turn.
fn obstacle(scope: &Scope, watch: &TurnWatch) -> Option<Refusal> {
    if watch.waits_for_approval() {
        return Some(Refusal::new(
            RefusalKind::NeedsHuman,
            ErrorClass::PendingApproval,
            format!(
                "{} waits in its conversation {} for a person to approve a tool call",
                scope.agent_id, scope.conversation_id
            ),
        ));
    }
    watch
        .is_busy()
        .then(|| busy(scope, "it is in another turn"))
}

fn busy(scope: &Scope, why: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Busy,
        ErrorClass::Busy,
        format!(
            "{} can't take a prompt in its conversation {} now: {why}",
            scope.agent_id, scope.conversation_id
        ),
    )
}

/// The messages, with the ids under which the server stores and recognizes them.
fn stored_messages(outgoing: &Outgoing) -> Result<Vec<Value>, Refusal> {
    let is_users = |m: &Value| m.get("role").and_then(Value::as_str) == Some("user");
    if !outgoing.messages.iter().any(is_users) {
        return Err(Refusal::new(
            RefusalKind::Permanent,
            ErrorClass::InvalidRequest,
            "an App Server only stores messages with the role user, and this request has none",
        ));
    }
    let mut messages = with_otids(&outgoing.messages, outgoing.otid);
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(otid) = message.remove("otid") {
            message.insert("client_message_id".into(), otid);
        }
    }
    Ok(messages)
}

fn unknown(class: ErrorClass, text: &str, run_id: Option<&str>) -> Answer {
    Answer::Unknown(Doubt {
        class,
        text: format!("{text}; it is unknown whether the prompt was kept"),
        run_id: run_id.map(str::to_owned),
    })
}
