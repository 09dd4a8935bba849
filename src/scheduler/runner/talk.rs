//! Requests to targets: each is a task of its own, and its end is an event.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::super::Scheduler;
use super::super::core::{Event, TargetAction};
use super::super::lookup::lookup_of;
use super::Runner;
use super::message::{Message, Run};
use crate::failpoint::failpoint;
use crate::letta_client::{Outgoing, Target};
use crate::models::{
    Answer, Doubt, ErrorClass, Evidence, Job, OpenOccurrence, Refusal, RefusalKind, TargetName,
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
        let messages = self.messages.clone();
        let sent = job.clone();
        let task = tokio::spawn(async move {
            let outgoing = Outgoing {
                recipient: sent.recipient(),
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
                    text: "stopped by an internal error".to_owned(),
                    run_id: None,
                })
            };
            let answer = match target {
                Ok(target) => answered(target.send(&outgoing, &on_run), broken).await,
                Err(missing) => Answer::Refused(missing),
            };
            failpoint!(AnswerHeard);
            let _ = messages.send(Message::Event(Event::Answered(sent, answer)));
        });
        self.sending.insert(job.occurrence_id, task.abort_handle());
    }

    fn find(&self, open: Box<OpenOccurrence>) {
        let Scheduler {
            settings, clock, ..
        } = self.scheduler;
        let lookup = lookup_of(&open, settings, clock.now());
        let target = self.target(open.lane.target_name());
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let broken = || Evidence::Unclear {
                text: "the search was stopped by an internal error".to_owned(),
            };
            let evidence = match target {
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

    /// The target with a name, or the refusal that it is not configured.
    fn target(&self, name: &str) -> Result<Arc<dyn Target>, Refusal> {
        let target = self.scheduler.targets.get(name).cloned();
        target.ok_or_else(|| {
            let text = format!("{name} is no longer in the settings");
            Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Unreachable, text)
        })
    }
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
