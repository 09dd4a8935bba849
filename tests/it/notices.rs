//! Whoever has to act is notified once, and again when the trouble is over.

mod agents;
mod delivery;
mod incidents;
mod outbox;
mod pings;
mod programs;
mod recorder;

use promptyoself::config::Notify;
use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::OutboxStatus;
use promptyoself::notify::Notifier;
use promptyoself::service::Service;
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_target::Act;
use crate::world::World;
use recorder::Recorder;

/// A notifier that runs.
struct Telling {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Telling {
    /// Starts one on a service of the world's database.
    async fn start(world: &World, service: &Service, notify: &Notify) -> Telling {
        let notifier = Notifier::new(service.db.clone(), world.clock.clone(), notify).unwrap();
        notifier.listen().await.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(notifier.run(stop.clone()));
        Telling { stop, task }
    }

    /// Stops it as the end of the scheduler would.
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends it as SIGKILL would.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Settings that post to a recorder.
fn posting_to(recorder: &Recorder) -> Notify {
    Notify {
        command: None,
        url: Some(SecretString::from(recorder.url("/notices"))),
    }
}

/// An answer after which the prompt is given up.
fn final_refusal() -> Act {
    refused(RefusalKind::Permanent, ErrorClass::AgentUnknown)
}

fn refused(kind: RefusalKind, class: ErrorClass) -> Act {
    Act::Answer(Answer::Refused(Refusal::new(kind, class, "as scripted")))
}

/// Reads the state of the outbox until it is as wanted.
async fn until_outbox(world: &World, wanted: impl Fn(&OutboxStatus) -> bool) -> OutboxStatus {
    loop {
        let status = world.service.db.outbox_status(world.now()).await.unwrap();
        if wanted(&status) {
            return status;
        }
        tokio::task::yield_now().await;
    }
}
