//! Waits for the end of a run that has no stream.

use std::time::Duration;

use jiff::SignedDuration;

use super::classify::RequestFailure;
use super::http::Http;
use super::runs::RunState;
use super::turn::TurnRecord;
use crate::models::{Doubt, ErrorClass};

/// How often a run without a stream is polled.
const POLL: Duration = Duration::from_secs(1);

/// How many requests about a run may fail in a row before its outcome is left unknown.
const MOST_UNANSWERED: u32 = 5;

/// Polls a run until it ends.
pub(super) async fn poll(
    http: &Http,
    run: &str,
    orphan_age: SignedDuration,
    turn: &mut TurnRecord,
) -> Result<(), RequestFailure> {
    let began = http.clock().moment().uptime;
    let mut unanswered = 0;
    loop {
        match http.run_state(run, orphan_age).await {
            Ok(RunState::Ended(run)) => {
                turn.take_run(&run);
                turn.done = true;
                return Ok(());
            }
            Ok(RunState::Orphaned) => return Err(too_old(run)),
            // Whatever it says about its age, it is at least as old as our polling.
            Ok(_) if http.clock().moment().uptime - began >= orphan_age => {
                return Err(too_old(run));
            }
            Ok(RunState::Active | RunState::Undated) => unanswered = 0,
            Err(failure) => {
                unanswered += 1;
                if unanswered >= MOST_UNANSWERED {
                    return Err(unknown_run(failure, run));
                }
            }
        }
        http.clock().sleep(POLL).await;
    }
}

/// A run has been going for longer than any should.
fn too_old(run: &str) -> RequestFailure {
    let text = format!("{run} is too old to be still running");
    unknown_run(RequestFailure::doubt(ErrorClass::Timeout, text), run)
}

/// A failed request about a run that has begun: whatever the reason, its outcome is unknown.
fn unknown_run(failure: RequestFailure, run: &str) -> RequestFailure {
    let (class, text) = match failure {
        RequestFailure::Doubt(doubt) => (doubt.class, doubt.text),
        RequestFailure::Refused(r) | RequestFailure::NoRoute(r) | RequestFailure::Failed(r) => {
            (r.class, r.text)
        }
    };
    RequestFailure::Doubt(Doubt {
        class,
        text,
        run_id: Some(run.to_owned()),
    })
}
