//! Talking to the target: each talk is a task of its own, and its end is an event.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::super::core::{Event, TargetAction};
use super::{Message, Run, Runner};
use crate::failpoint::failpoint;
use crate::letta_client::Outgoing;
use crate::models::{
    Answer, Doubt, ErrorClass, Evidence, Job, OpenOccurrence, Recipient, Refusal, RefusalKind,
};

impl Runner<'_> {
    /// Says something to the target, or stops waiting for its answer.
    pub(super) fn talk(&mut self, action: TargetAction) {
        match action {
            TargetAction::Send(job) => self.send(job),
            TargetAction::Find(open) => self.find(open),
            TargetAction::Probe => self.probe(),
            TargetAction::HangUp(occurrence_id) => {
                if let Some(task) = self.sending.remove(&occurrence_id) {
                    task.abort();
                }
            }
        }
    }

    fn send(&mut self, job: Box<Job>) {
        let (target, messages) = (
            self.scheduler.targets.default_target().clone(),
            self.messages.clone(),
        );
        let sent = job.clone();
        let task = tokio::spawn(async move {
            let outgoing = Outgoing {
                recipient: Recipient::agent(sent.lane.target(), sent.agent_id.clone()),
                otid: sent.otid,
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
                    text: "an internal fault broke it off".to_owned(),
                    run_id: None,
                })
            };
            let answer = answered(target.send(&outgoing, &on_run), broken).await;
            failpoint!(AnswerHeard);
            let _ = messages.send(Message::Event(Event::Answered(sent, answer)));
        });
        self.sending.insert(job.occurrence_id, task.abort_handle());
    }

    fn find(&self, open: Box<OpenOccurrence>) {
        let lookup = self.keeper.lookup(&open);
        let (target, messages) = (
            self.scheduler.targets.default_target().clone(),
            self.messages.clone(),
        );
        tokio::spawn(async move {
            let broken = || Evidence::Unclear {
                text: "an internal fault broke the search off".to_owned(),
            };
            let evidence = answered(target.find(&lookup), broken).await;
            failpoint!(EvidenceHeard);
            let _ = messages.send(Message::Event(Event::Found(open, evidence)));
        });
    }

    fn probe(&self) {
        let (target, messages) = (
            self.scheduler.targets.default_target().clone(),
            self.messages.clone(),
        );
        tokio::spawn(async move {
            let broken = || Err(broken_probe());
            let answer = answered(target.check(), broken).await.map(drop);
            let _ = messages.send(Message::Event(Event::Probed(answer)));
        });
    }
}

fn broken_probe() -> Refusal {
    Refusal::new(
        RefusalKind::TargetTrouble,
        ErrorClass::Unhealthy,
        "an internal fault broke the question off",
    )
}

/// Waits for what talks to a server, and turns a fault of ours in it into an answer: nothing may
/// be left without one.
async fn answered<T>(talk: impl Future<Output = T>, broken: impl FnOnce() -> T) -> T {
    match AssertUnwindSafe(talk).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => broken(),
    }
}
