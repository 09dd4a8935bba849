//! Sends a prompt by the best route its server has, and reports truthfully what happened.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::classify::RequestFailure;
use super::find::{HistorySearch, delivery_found};
use super::http::{Http, segment};
use super::otids::with_otids;
use super::polling::poll;
use super::route::{KnownRoute, SendRoute};
use super::stream::Listening;
use super::turn::TurnRecord;
use crate::failpoint::failpoint;
use crate::letta_client::target::{OnRun, Outgoing};
use crate::models::{Answer, Conversation, Doubt, ErrorClass, Recipient, Refusal, RefusalKind};

/// A prompt that was sent.
struct Sent<'a> {
    route: SendRoute,
    outgoing: &'a Outgoing,
    /// When it was sent, by the clock that never jumps.
    began: SignedDuration,
}

/// Sends prompts to a server.
pub(super) struct Sender<'a> {
    /// The server.
    pub http: &'a Http,
    /// The routes that it is known to support.
    pub routes: &'a KnownRoute,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}

impl Sender<'_> {
    /// Sends a prompt and waits for its turn to end.
    pub(super) async fn deliver(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        if let Err(refusal) = self.refuse_if_busy(outgoing).await {
            return Answer::Refused(self.forget_route_if_unreachable(refusal));
        }
        let Recipient {
            agent,
            conversation,
            ..
        } = &outgoing.recipient;
        if let Conversation::Id(id) = conversation
            && let Err(failure) = self.http.check_conversation(agent, id).await
        {
            return Answer::Refused(self.forget_route_if_unreachable(failure.into_refusal()));
        }
        let messages = with_otids(&outgoing.messages, outgoing.otid);
        let began = self.http.clock().moment().uptime;
        let named = matches!(conversation, Conversation::Id(_));
        // Runs without a stream are only made in the default conversation.
        let is_usable = |route: &SendRoute| !named || *route != SendRoute::Async;
        let best = Some(self.routes.best()).filter(is_usable);
        let mut route = best.unwrap_or_default();
        loop {
            let mut turn = TurnRecord::default();
            let tried = self
                .send_by(route, outgoing, &messages, &mut turn, on_run)
                .await;
            let sent = Sent {
                route,
                outgoing,
                began,
            };
            match tried {
                Ok(()) => {
                    self.routes.remember(route);
                    return self.conclude(sent, turn).await;
                }
                Err(_) if turn.proves_delivery() => return Answer::Delivered(turn.delivery()),
                Err(failure) => match (
                    is_unsupported(route, &failure),
                    route.next().filter(is_usable),
                ) {
                    (true, Some(next)) => route = next,
                    _ => return self.conclude_failure(sent, turn, failure).await,
                },
            }
        }
    }

    /// Refuses if the agent is in another turn. Letta's own lock does not replace this check: only
    /// background streams take it, it expires after five minutes however long the turn is, and of
    /// two overlapping turns one is lost from the agent's context.
    async fn refuse_if_busy(&self, outgoing: &Outgoing) -> Result<(), Refusal> {
        let run = match self.busy_run(outgoing.recipient.agent.as_str()).await {
            Ok(None) => return Ok(()),
            // A server that keeps no list of runs.
            Err(RequestFailure::NoRoute(_)) => return Ok(()),
            Ok(Some(run)) => run,
            Err(failure) => {
                let refusal = failure.into_refusal();
                let agents = refusal.class == ErrorClass::AgentUnknown;
                let kind = match refusal.kind {
                    // What is wrong with this request is not wrong with the prompt.
                    RefusalKind::Permanent if !agents => RefusalKind::TargetTrouble,
                    kind => kind,
                };
                return Err(Refusal { kind, ..refusal });
            }
        };
        let mut busy = Refusal::new(
            RefusalKind::Busy,
            ErrorClass::Busy,
            format!(
                "{} is busy with another turn ({run})",
                outgoing.recipient.agent
            ),
        );
        busy.run_id = Some(run);
        Err(busy)
    }

    /// The run that an agent is busy with.
    async fn busy_run(&self, agent: &str) -> Result<Option<String>, RequestFailure> {
        let runs = self.http.active_runs(agent, self.orphan_age).await?;
        if let Some(run) = runs.iter().find(|run| !run.orphaned) {
            return Ok(Some(run.id.clone()));
        }
        let Some(oldest) = runs.last() else {
            return Ok(None);
        };
        let speaks = self
            .http
            .left_messages_lately(agent, &runs, self.orphan_age)
            .await?;
        Ok(speaks.then(|| oldest.id.clone()))
    }

    /// Sends by a route, and listens until the turn has ended or can no longer be heard.
    async fn send_by(
        &self,
        route: SendRoute,
        outgoing: &Outgoing,
        messages: &[Value],
        turn: &mut TurnRecord,
        on_run: OnRun<'_>,
    ) -> Result<(), RequestFailure> {
        let (path, mut body) = request(route, &outgoing.recipient, messages);
        for (key, value) in &outgoing.options {
            body[key.as_str()] = value.clone();
        }
        failpoint!(SendReady);
        let response = self.http.post(&path, &body).await?;
        match route {
            SendRoute::Background | SendRoute::Stream => {
                let listening = Listening {
                    http: self.http,
                    agent: outgoing.recipient.agent.as_str(),
                    orphan_age: self.orphan_age,
                    on_run,
                };
                let listened = listening.listen(response, turn).await;
                listened.map_err(RequestFailure::Doubt)
            }
            SendRoute::Async => {
                let run = self.http.complete_soon(response).await?.body;
                let Some(id) = run.get("id").and_then(Value::as_str) else {
                    return Err(RequestFailure::doubt(
                        ErrorClass::Garbled,
                        "Letta accepted the prompt but returned no run",
                    ));
                };
                on_run(id);
                turn.run_id = Some(id.to_owned());
                poll(self.http, id, self.orphan_age, turn).await
            }
        }
    }

    /// What a turn that was heard to its end means.
    async fn conclude(&self, sent: Sent<'_>, turn: TurnRecord) -> Answer {
        if turn.proves_delivery() {
            return Answer::Delivered(turn.delivery());
        }
        if turn.stop_reason.is_some() || turn.error.is_some() {
            // A turn that failed in its first step leaves nothing behind; one that failed later has
            // kept the prompt: only the agent's messages show which.
            return self.search_messages(sent, turn).await;
        }
        let ended = Refusal::new(
            RefusalKind::Later,
            match turn.done {
                true => ErrorClass::NothingRan,
                false => ErrorClass::Cut,
            },
            "the stream ended before the turn did",
        );
        match turn.done && self.is_idle(sent.outgoing).await {
            true => self.search_messages(sent, turn).await,
            false => unknown(ended, turn.run_id),
        }
    }

    /// What it means if a request failed, or its turn was not heard to its end.
    async fn conclude_failure(
        &self,
        sent: Sent<'_>,
        mut turn: TurnRecord,
        failure: RequestFailure,
    ) -> Answer {
        match failure {
            RequestFailure::Refused(refusal) => {
                Answer::Refused(self.forget_route_if_unreachable(refusal))
            }
            RequestFailure::NoRoute(mut refusal) => {
                refusal.text = format!(
                    "{} does not accept prompts as a Letta server does ({})",
                    self.http.address(),
                    refusal.text
                );
                Answer::Refused(self.forget_route_if_unreachable(refusal))
            }
            RequestFailure::Doubt(doubt) => {
                self.routes.forget();
                Answer::Unknown(doubt)
            }
            RequestFailure::Failed(refusal) if self.is_idle(sent.outgoing).await => {
                turn.error = Some(refusal);
                self.search_messages(sent, turn).await
            }
            RequestFailure::Failed(refusal) => unknown(refusal, turn.run_id),
        }
    }

    /// Whether the server says that no turn of the agent is running.
    async fn is_idle(&self, outgoing: &Outgoing) -> bool {
        let agent = outgoing.recipient.agent.as_str();
        matches!(self.busy_run(agent).await, Ok(None))
    }

    /// Searches the agent's messages for a prompt whose turn has ended.
    async fn search_messages(&self, sent: Sent<'_>, turn: TurnRecord) -> Answer {
        let agent = sent.outgoing.recipient.agent.as_str();
        let since = self.http.clock().moment().uptime - sent.began;
        match self
            .http
            .search_history(agent, &[sent.outgoing.otid], since)
            .await
        {
            Ok(HistorySearch::Found { after, .. }) => {
                Answer::Delivered(match turn.said_nothing() {
                    true => delivery_found(turn, &after),
                    false => turn.delivery(),
                })
            }
            Ok(HistorySearch::Absent) => {
                let mut refusal = turn.refusal();
                refusal.otid_spent = sent.route == SendRoute::Background;
                Answer::Refused(refusal)
            }
            // The agent was deleted during its turn.
            Err(RequestFailure::Refused(refusal)) if refusal.class == ErrorClass::AgentUnknown => {
                Answer::Refused(refusal)
            }
            Ok(HistorySearch::Incomplete) | Err(_) => {
                let run_id = turn.run_id.clone();
                unknown(turn.refusal(), run_id)
            }
        }
    }

    /// After a failure to reach the server, another one may take its place.
    fn forget_route_if_unreachable(&self, refusal: Refusal) -> Refusal {
        if refusal.kind == RefusalKind::TargetTrouble {
            self.routes.forget();
        }
        refusal
    }
}

/// The path and body that bring messages to a recipient by a route.
fn request(route: SendRoute, recipient: &Recipient, messages: &[Value]) -> (String, Value) {
    let agent = segment(recipient.agent.as_str());
    let named = match &recipient.conversation {
        Conversation::Default | Conversation::New => None,
        Conversation::Id(id) => Some(format!("/v1/conversations/{}/messages", segment(id))),
    };
    match (route, named) {
        (SendRoute::Background, Some(path)) => (
            path,
            json!({ "messages": messages, "streaming": true, "background": true }),
        ),
        (SendRoute::Background, None) => (
            "/v1/conversations/default/messages".to_owned(),
            json!({
                "agent_id": recipient.agent.as_str(),
                "messages": messages,
                "streaming": true,
                "background": true,
            }),
        ),
        // The second is never taken for a conversation with a name.
        (SendRoute::Stream | SendRoute::Async, Some(path)) => {
            (path, json!({ "messages": messages, "streaming": true }))
        }
        (SendRoute::Stream, None) => (
            format!("/v1/agents/{agent}/messages/stream"),
            json!({ "messages": messages }),
        ),
        (SendRoute::Async, None) => (
            format!("/v1/agents/{agent}/messages/async"),
            json!({ "messages": messages }),
        ),
    }
}

/// A failure after which it is unknown whether the prompt was kept.
fn unknown(why: Refusal, run_id: Option<String>) -> Answer {
    Answer::Unknown(Doubt {
        class: why.class,
        text: format!("{}; it is unknown whether the prompt was kept", why.text),
        run_id,
    })
}

/// Whether a failure means that this server does not support this route, so that nothing has begun.
fn is_unsupported(route: SendRoute, failure: &RequestFailure) -> bool {
    match failure {
        RequestFailure::NoRoute(refusal) => {
            // A redirect is about the server's address, not about the route.
            !refusal.text.starts_with("HTTP 3")
        }
        // Without Redis, Letta creates a run, fails it and answers 503, "Background streaming
        // requires Redis to be running".
        RequestFailure::Failed(refusal) if route == SendRoute::Background => {
            refusal.text.contains("requires Redis")
        }
        // Older servers don't know "default" as a conversation, or a field of the request. If the
        // prompt itself is at fault, the next route will say so.
        RequestFailure::Refused(refusal) if route == SendRoute::Background => {
            matches!(refusal.class, ErrorClass::InvalidRequest)
                && (refusal.text.starts_with("HTTP 422") || refusal.text.starts_with("HTTP 400"))
        }
        _ => false,
    }
}
