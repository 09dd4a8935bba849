//! Talking to the target: each talk is a task of its own, and its end is an event.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::super::core::Event;
use super::{Message, Run, Runner};
use crate::failpoint::failpoint;
use crate::letta_client::{Answer, Doubt, ErrorClass, Evidence, Outgoing, Refusal, RefusalKind};
use crate::models::{Job, OpenOccurrence};

impl Runner<'_> {
    pub(super) fn send(&mut self, job: Box<Job>) {
        let (letta, messages) = (self.scheduler.letta.clone(), self.messages.clone());
        let sent = job.clone();
        let task = tokio::spawn(async move {
            let outgoing = Outgoing {
                agent: sent.agent_id.clone(),
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
            let answer = answered(letta.send(&outgoing, &on_run), broken).await;
            failpoint!(AnswerHeard);
            let _ = messages.send(Message::Event(Event::Answered(sent, answer)));
        });
        self.sending.insert(job.occurrence_id, task.abort_handle());
    }

    pub(super) fn find(&self, open: Box<OpenOccurrence>) {
        let lookup = self.keeper.lookup(&open);
        let (letta, messages) = (self.scheduler.letta.clone(), self.messages.clone());
        tokio::spawn(async move {
            let broken = || Evidence::Unclear {
                text: "an internal fault broke the search off".to_owned(),
            };
            let evidence = answered(letta.find(&lookup), broken).await;
            failpoint!(EvidenceHeard);
            let _ = messages.send(Message::Event(Event::Found(open, evidence)));
        });
    }

    pub(super) fn probe(&self) {
        let (letta, messages) = (self.scheduler.letta.clone(), self.messages.clone());
        tokio::spawn(async move {
            let broken = || Err(broken_probe());
            let answer = answered(letta.check(), broken).await.map(drop);
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
