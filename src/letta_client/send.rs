//! Sending a prompt the best way its server has, and saying truthfully what became of it.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::classify::Fault;
use super::find::{Trace, found};
use super::http::{Http, segment};
use super::rest::Rest;
use super::runs::Life;
use super::stream::Listening;
use super::turn::Heard;
use super::{Answer, Doubt, ErrorClass, OnRun, Outgoing, Refusal, RefusalKind};
use crate::failpoint::failpoint;

/// A way in which a server takes prompts, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A background stream on the agent's default conversation: Letta itself lets in one turn at a
    /// time and takes an otid only once. Needs Letta 0.16.7 with Redis.
    Background,
    /// A plain stream: no lock and no memory of otids.
    Stream,
    /// A run in the background that is asked after until it ends.
    Async,
}

impl Way {
    fn next(self) -> Option<Way> {
        match self {
            Way::Background => Some(Way::Stream),
            Way::Stream => Some(Way::Async),
            Way::Async => None,
        }
    }
}

/// How often a run without a stream is asked after.
const POLL: Duration = Duration::from_secs(1);

/// How many questions about a run may fail in a row before its fate is left open.
const MOST_UNANSWERED: u32 = 5;

/// A prompt that was sent.
struct Sent<'a> {
    way: Way,
    outgoing: &'a Outgoing,
    /// When, by the clock that never jumps.
    began: SignedDuration,
}

impl Rest {
    pub(super) async fn deliver(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        if let Err(refusal) = self.is_free(outgoing).await {
            return Answer::Refused(self.noted(refusal));
        }
        let messages = with_otids(&outgoing.messages, outgoing.otid);
        let began = self.http.clock().moment().uptime;
        let mut way = self.way();
        loop {
            let mut heard = Heard::default();
            let tried = self
                .try_way(way, outgoing, &messages, &mut heard, on_run)
                .await;
            let sent = Sent {
                way,
                outgoing,
                began,
            };
            match tried {
                Ok(()) => {
                    self.learn(way);
                    return self.settle(sent, heard).await;
                }
                Err(_) if heard.proves_delivery() => return Answer::Delivered(heard.delivery()),
                Err(fault) => match (is_unsupported(way, &fault), way.next()) {
                    (true, Some(next)) => way = next,
                    _ => return self.failed(sent, heard, fault).await,
                },
            }
        }
    }

    /// Refuses if the agent is in another turn. Letta's own lock does not replace the question:
    /// only background streams take it, it ends after five minutes however long the turn is, and
    /// of two overlapping turns one drops out of the agent's context.
    async fn is_free(&self, outgoing: &Outgoing) -> Result<(), Refusal> {
        let run = match self.busy_run(outgoing.agent.as_str()).await {
            Ok(None) => return Ok(()),
            // A server that keeps no list of runs.
            Err(Fault::NoRoute(_)) => return Ok(()),
            Ok(Some(run)) => run,
            Err(fault) => {
                let refusal = fault.of_question();
                let agents = refusal.class == ErrorClass::AgentUnknown;
                let kind = match refusal.kind {
                    // What is wrong with the question is not wrong with the prompt.
                    RefusalKind::Permanent if !agents => RefusalKind::TargetTrouble,
                    kind => kind,
                };
                return Err(Refusal { kind, ..refusal });
            }
        };
        let mut busy = Refusal::new(
            RefusalKind::Busy,
            ErrorClass::Busy,
            format!("{} is in another turn ({run})", outgoing.agent),
        );
        busy.run_id = Some(run);
        Err(busy)
    }

    /// The run that an agent is in.
    async fn busy_run(&self, agent: &str) -> Result<Option<String>, Fault> {
        let runs = self.http.active_runs(agent, self.orphan_age()).await?;
        if let Some(run) = runs.iter().find(|run| !run.orphaned) {
            return Ok(Some(run.id.clone()));
        }
        let Some(oldest) = runs.last() else {
            return Ok(None);
        };
        let speaks = self
            .http
            .have_spoken(agent, &runs, self.orphan_age())
            .await?;
        Ok(speaks.then(|| oldest.id.clone()))
    }

    /// Sends, and listens until the turn has ended or can't be heard any more.
    async fn try_way(
        &self,
        way: Way,
        outgoing: &Outgoing,
        messages: &[Value],
        heard: &mut Heard,
        on_run: OnRun<'_>,
    ) -> Result<(), Fault> {
        let agent = segment(outgoing.agent.as_str());
        let (path, mut body) = match way {
            Way::Background => (
                "/v1/conversations/default/messages".to_owned(),
                json!({
                    "agent_id": outgoing.agent.as_str(),
                    "messages": messages,
                    "streaming": true,
                    "background": true,
                }),
            ),
            Way::Stream => (
                format!("/v1/agents/{agent}/messages/stream"),
                json!({ "messages": messages }),
            ),
            Way::Async => (
                format!("/v1/agents/{agent}/messages/async"),
                json!({ "messages": messages }),
            ),
        };
        for (key, value) in &outgoing.options {
            body[key.as_str()] = value.clone();
        }
        failpoint!(SendReady);
        let response = self.http.post(&path, &body).await?;
        match way {
            Way::Background | Way::Stream => {
                let listening = Listening {
                    http: &self.http,
                    agent: outgoing.agent.as_str(),
                    orphan_age: self.orphan_age(),
                    on_run,
                };
                let listened = listening.listen(response, heard).await;
                listened.map_err(Fault::Doubt)
            }
            Way::Async => {
                let run = self.http.complete_soon(response).await?.body;
                let Some(id) = run.get("id").and_then(Value::as_str) else {
                    return Err(Fault::doubt(
                        ErrorClass::Garbled,
                        "Letta took the prompt but named no run",
                    ));
                };
                on_run(id);
                heard.run_id = Some(id.to_owned());
                poll(&self.http, id, self.orphan_age(), heard).await
            }
        }
    }

    /// What a turn means that was heard to its end.
    async fn settle(&self, sent: Sent<'_>, heard: Heard) -> Answer {
        if heard.proves_delivery() {
            return Answer::Delivered(heard.delivery());
        }
        if heard.stop_reason.is_some() || heard.error.is_some() {
            // A turn that failed in its first step leaves nothing behind, one that failed later
            // has kept the prompt: only the agent's messages tell.
            return self.look(sent, heard).await;
        }
        let ended = Refusal::new(
            RefusalKind::Later,
            match heard.done {
                true => ErrorClass::NothingRan,
                false => ErrorClass::Cut,
            },
            "the stream ended before the turn did",
        );
        match heard.done && self.is_idle(sent.outgoing).await {
            true => self.look(sent, heard).await,
            false => unsettled(ended, heard.run_id),
        }
    }

    /// What a request means that was not taken, or whose turn was not heard to its end.
    async fn failed(&self, sent: Sent<'_>, mut heard: Heard, fault: Fault) -> Answer {
        match fault {
            Fault::Refused(refusal) => Answer::Refused(self.noted(refusal)),
            Fault::NoRoute(mut refusal) => {
                refusal.text = format!(
                    "{} does not take prompts as a Letta server does ({})",
                    self.http.address(),
                    refusal.text
                );
                Answer::Refused(self.noted(refusal))
            }
            Fault::Doubt(doubt) => {
                self.forget();
                Answer::Unknown(doubt)
            }
            Fault::Failed(refusal) if self.is_idle(sent.outgoing).await => {
                heard.error = Some(refusal);
                self.look(sent, heard).await
            }
            Fault::Failed(refusal) => unsettled(refusal, heard.run_id),
        }
    }

    /// Whether the server says that no turn of the agent goes on.
    async fn is_idle(&self, outgoing: &Outgoing) -> bool {
        let agent = outgoing.agent.as_str();
        matches!(self.busy_run(agent).await, Ok(None))
    }

    /// Asks the agent's messages whether a prompt whose turn is over was kept.
    async fn look(&self, sent: Sent<'_>, heard: Heard) -> Answer {
        let agent = sent.outgoing.agent.as_str();
        let since = self.http.clock().moment().uptime - sent.began;
        match self.http.trace(agent, &[sent.outgoing.otid], since).await {
            Ok(Trace::There { after, .. }) => Answer::Delivered(match heard.said_nothing() {
                true => found(heard, &after),
                false => heard.delivery(),
            }),
            Ok(Trace::NotThere) => {
                let mut refusal = heard.refusal();
                refusal.otid_spent = sent.way == Way::Background;
                Answer::Refused(refusal)
            }
            // The agent went away under its turn.
            Err(Fault::Refused(refusal)) if refusal.class == ErrorClass::AgentUnknown => {
                Answer::Refused(refusal)
            }
            Ok(Trace::TooMany) | Err(_) => {
                let run_id = heard.run_id.clone();
                unsettled(heard.refusal(), run_id)
            }
        }
    }

    /// After a failure to reach the server another one may stand in its place.
    fn noted(&self, refusal: Refusal) -> Refusal {
        if refusal.kind == RefusalKind::TargetTrouble {
            self.forget();
        }
        refusal
    }
}

/// A failure after which nothing tells whether the prompt was kept.
fn unsettled(why: Refusal, run_id: Option<String>) -> Answer {
    Answer::Unknown(Doubt {
        class: why.class,
        text: format!("{}; whether the prompt was kept is not known", why.text),
        run_id,
    })
}

/// Asks after a run until it ends.
async fn poll(
    http: &Http,
    run: &str,
    orphan_age: SignedDuration,
    heard: &mut Heard,
) -> Result<(), Fault> {
    let began = http.clock().moment().uptime;
    let mut unanswered = 0;
    loop {
        match http.life_of(run, orphan_age).await {
            Ok(Life::Ended(run)) => {
                heard.take_run(&run);
                heard.done = true;
                return Ok(());
            }
            Ok(Life::Orphaned) => return Err(too_old(run)),
            // Whatever it says of its age: it is at least as old as our asking.
            Ok(_) if http.clock().moment().uptime - began >= orphan_age => {
                return Err(too_old(run));
            }
            Ok(Life::Runs | Life::Undated) => unanswered = 0,
            Err(fault) => {
                unanswered += 1;
                if unanswered >= MOST_UNANSWERED {
                    return Err(open(fault, run));
                }
            }
        }
        http.clock().sleep(POLL).await;
    }
}

/// A run that was begun goes on for longer than any should.
fn too_old(run: &str) -> Fault {
    let text = format!("{run} is too old to go on");
    open(Fault::doubt(ErrorClass::Timeout, text), run)
}

/// A fault of a question about a run that was begun: whatever it is, the run's fate is open.
fn open(fault: Fault, run: &str) -> Fault {
    let (class, text) = match fault {
        Fault::Doubt(doubt) => (doubt.class, doubt.text),
        Fault::Refused(r) | Fault::NoRoute(r) | Fault::Failed(r) => (r.class, r.text),
    };
    Fault::Doubt(Doubt {
        class,
        text,
        run_id: Some(run.to_owned()),
    })
}

/// Whether a fault says that this server does not know this way, so that nothing was begun.
fn is_unsupported(way: Way, fault: &Fault) -> bool {
    match fault {
        Fault::NoRoute(refusal) => {
            // A redirect is about the server's address, not about the way.
            !refusal.text.starts_with("HTTP 3")
        }
        // Without Redis Letta makes a run, fails it and answers 503, "Background streaming
        // requires Redis to be running".
        Fault::Failed(refusal) if way == Way::Background => refusal.text.contains("requires Redis"),
        // Older servers do not know "default" as a conversation, or a field of the request. If the
        // prompt itself is at fault the next way says so.
        Fault::Refused(refusal) if way == Way::Background => {
            matches!(refusal.class, ErrorClass::InvalidRequest)
                && (refusal.text.starts_with("HTTP 422") || refusal.text.starts_with("HTTP 400"))
        }
        _ => false,
    }
}

/// The messages with an otid each: the prompt's own on the first user message (on the first of the
/// system if there is none), derived ones on the others. Letta makes up an otid for a message
/// without one, tells another one for the assistant's than it was given, and takes a request for a
/// repetition only if all its otids are the same.
fn with_otids(messages: &[Value], otid: Uuid) -> Vec<Value> {
    let first = |wanted: fn(&str) -> bool| {
        let role = |m: &Value| m.get("role").and_then(Value::as_str).is_some_and(wanted);
        messages.iter().position(role)
    };
    let main = first(|role| role == "user")
        .or_else(|| first(|role| role != "assistant"))
        .unwrap_or(0);
    let mut messages = messages.to_vec();
    for (n, message) in messages.iter_mut().enumerate() {
        let own = match n == main {
            true => otid,
            false => Uuid::new_v5(&otid, n.to_string().as_bytes()),
        };
        if let Some(message) = message.as_object_mut() {
            message.insert("otid".into(), own.to_string().into());
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_otid_goes_on_the_first_user_message_and_every_other_has_one_that_never_changes() {
        let otid = Uuid::from_u128(7);
        let messages = [
            json!({"role": "system", "content": "a"}),
            json!({"role": "user", "content": "b", "otid": "mine"}),
            json!({"role": "user", "content": "c"}),
        ];
        let sent = with_otids(&messages, otid);
        assert_eq!(sent[1]["otid"], otid.to_string());
        assert!(sent.iter().all(|m| m["otid"].is_string()));
        assert_ne!(sent[0]["otid"], sent[2]["otid"]);
        assert_eq!(sent, with_otids(&messages, otid));
        let others = [json!({"role": "assistant"}), json!({"role": "system"})];
        let sent = with_otids(&others, otid);
        assert_ne!(sent[0]["otid"], otid.to_string());
        assert_eq!(sent[1]["otid"], otid.to_string());
    }
}
