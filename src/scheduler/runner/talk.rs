//! Requests to targets: each is a task of its own, and its completion is an event.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::super::Scheduler;
use super::super::core::{Event, TargetAction};
use super::super::lookup::lookup_of;
use super::Runner;
use super::message::{Message, Run};
use crate::db::Db;
use crate::failpoint::failpoint;
use crate::letta_client::{Letta, Outgoing, Target};
use crate::models::{
    AgentId, Answer, Conversation, Doubt, ErrorClass, Evidence, Job, Lane, OpenOccurrence,
    Recipient, Refusal, RefusalKind, TargetName,
};

impl Runner<'_> {
    /// Makes a request to a target, or stops waiting for its answer.
    pub(super) fn talk(&mut self, action: TargetAction) {
        match action {
            TargetAction::Send(job) => self.send(job),
            TargetAction::Find(open) => self.find(open),
            TargetAction::Probe(target) => self.probe(target),
            TargetAction::HangUp(occurrence_id) => {
                if let Some(task) = self.sending.remove(&occurrence_id) {
                    task.abort();
                }
            }
        }
    }

    fn send(&mut self, job: Box<Job>) {
        let target = self.target(job.lane.target_name());
        let recipient = self.recipient(&job.lane, &job.agent_id, job.conversation.as_ref());
        let db = self.scheduler.db.clone();
        let messages = self.messages.clone();
        let sent = job.clone();
        let task = tokio::spawn(async move {
            let mut outgoing = Outgoing {
                recipient,
                otid: sent.otid,
                not_found_since: sent.not_found_since,
                messages: sent.messages.clone(),
                options: sent.options.clone(),
            };
            let on_run = |run_id: &str| {
                let _ = messages.send(Message::Run(Run {
                    occurrence_id: sent.occurrence_id,
                    fence: sent.fence,
                    run_id: run_id.to_owned(),
                }));
            };
            let broken = || {
                Answer::Unknown(Doubt {
                    class: ErrorClass::Interrupted,
                    text: "stopped by an internal error".to_owned(),
                    run_id: None,
                })
            };
            let talk = async {
                let target = target?;
                make_conversation(&db, &*target, &sent, &mut outgoing.recipient).await?;
                Ok(target.send(&outgoing, &on_run).await)
            };
            let talk = talk.map(|answer| answer.unwrap_or_else(Answer::Refused));
            let answer = answered(talk, broken).await;
            failpoint!(AnswerHeard);
            let _ = messages.send(Message::Event(Event::Answered(sent, answer)));
        });
        self.sending.insert(job.occurrence_id, task.abort_handle());
    }

    fn find(&self, open: Box<OpenOccurrence>) {
        let Scheduler {
            settings, clock, ..
        } = self.scheduler;
        let recipient = self.recipient(&open.lane, &open.agent_id, open.conversation.as_ref());
        let lookup = lookup_of(&open, recipient, settings, clock.now());
        let target = self.target(open.lane.target_name());
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let broken = || Evidence::Unclear {
                text: "the search was stopped by an internal error".to_owned(),
            };
            let evidence = match target {
                // Its conversation had to be created first, so nothing was sent yet.
                Ok(_) if lookup.recipient.conversation == Conversation::New => {
                    Evidence::Absent { failed: None }
                }
                Ok(target) => answered(target.find(&lookup), broken).await,
                Err(missing) => Evidence::Refused(missing),
            };
            failpoint!(EvidenceHeard);
            let _ = messages.send(Message::Event(Event::Found(open, evidence)));
        });
    }

    fn probe(&self, name: TargetName) {
        let target = self.target(name.as_str());
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let broken = || Err(broken_probe());
            let answer = match target {
                Ok(target) => answered(target.check(), broken).await.map(drop),
                Err(missing) => Err(missing),
            };
            let _ = messages.send(Message::Event(Event::Probed(name, answer)));
        });
    }

    /// The recipient of what is sent in a lane.
    fn recipient(
        &self,
        lane: &Lane,
        agent: &AgentId,
        conversation: Option<&Conversation>,
    ) -> Recipient {
        let targets = &self.scheduler.targets;
        targets.recipient(Some(&lane.target()), agent, conversation)
    }

    /// The target with this name, or a refusal because it is not configured.
    fn target(&self, name: &str) -> Result<Arc<dyn Letta>, Refusal> {
        let target = self.scheduler.targets.get(name).cloned();
        target.ok_or_else(|| {
            let text = format!("{name} is no longer in the settings");
            Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Unreachable, text)
        })
    }
}

/// Creates the conversation of a prompt that wants a new one, and records it before anything is
/// sent there, so that a scheduler that takes over knows where to look for the prompt.
async fn make_conversation(
    db: &Db,
    target: &dyn Target,
    job: &Job,
    recipient: &mut Recipient,
) -> Result<(), Refusal> {
    if recipient.conversation != Conversation::New {
        return Ok(());
    }
    let id = target.create_conversation(&recipient.agent).await?;
    failpoint!(ConversationMade);
    let noted = db.record_conversation(job.occurrence_id, job.fence, &id);
    match noted.await {
        Ok(true) => {
            failpoint!(ConversationNoted);
            recipient.conversation = Conversation::Id(id);
            Ok(())
        }
        Ok(false) => Err(not_sent("another scheduler has taken the prompt over")),
        Err(e) => Err(not_sent(&e.chain())),
    }
}

/// A refusal because something on our side failed before anything was sent.
fn not_sent(why: &str) -> Refusal {
    let text = format!("its conversation could not be recorded, so nothing was sent: {why}");
    Refusal::new(RefusalKind::Later, ErrorClass::Interrupted, text)
}

fn broken_probe() -> Refusal {
    Refusal::new(
        RefusalKind::TargetTrouble,
        ErrorClass::Unhealthy,
        "the request was stopped by an internal error",
    )
}

/// Waits for a request to a server, and turns a panic in it into an answer, because every request
/// must have one.
async fn answered<T>(talk: impl Future<Output = T>, broken: impl FnOnce() -> T) -> T {
    match AssertUnwindSafe(talk).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => broken(),
    }
}
