//! Opens and closes incidents and writes their notices, in the transaction of the change that
//! causes them.
//!
//! Trouble of an agent is one incident for all of its schedules. It ends when the agent has
//! accepted a prompt again, or none of its schedules sends anything more.

mod lifecycle;
mod review;
mod verdict;

use jiff::{SignedDuration, Timestamp};

use super::incidents::close_incident;
use crate::db::sql::{self, Tx};
use crate::db::statements::incidents::{self, Open};
use crate::db::statements::notices;
use crate::models::{IncidentKind, Lane};

pub(in crate::db) use self::lifecycle::follow_lifecycle;
pub(in crate::db) use self::verdict::{Settled, follow_verdict, is_one_of_many};
pub(in crate::db) use crate::db::statements::notices::note_end;

/// How long to show an incident that has no end of its own: that the clock was wrong is over, but
/// somebody should look.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// The outcome of an agent's incident when all of its schedules have ended.
const NOTHING_FOLLOWS: &str = "its schedules send nothing more";

/// What the schedules of an agent still have to do.
#[derive(Clone, Copy)]
struct Outlook {
    /// Whether one of them has not ended, or a prompt is open.
    goes_on: bool,
    /// Whether one of them is paused because its prompts failed.
    has_paused: bool,
}

/// Closes the incidents of an agent that have ended, judging by its schedules: if several targets
/// know its id, each incident by those of its own target. `outcome` describes the end of an incident
/// if it knows better. Returns how many were closed.
fn close_of_ended(
    tx: &Tx<'_>,
    agent_id: &str,
    outcome: impl Fn(&Open) -> Option<String>,
    now: Timestamp,
) -> sql::Result<u64> {
    let open = incidents::list_of_agent(tx, agent_id)?;
    let mut closed = 0;
    for incident in &open {
        let target = &Lane::new(&incident.subject).target();
        let outlook = Outlook {
            goes_on: notices::goes_on(tx, agent_id, target)?,
            has_paused: notices::has_paused(tx, agent_id, target)?,
        };
        if let Some(usual) = end_of_agents(incident.kind, outlook) {
            let outcome = outcome(incident).unwrap_or_else(|| usual.to_owned());
            close_incident(tx, incident.kind, &incident.subject, &outcome, now)?;
            closed += 1;
        }
    }
    Ok(closed)
}

/// The outcome of an agent's incident, judging by what its schedules still have to do; `None` if it
/// is still open.
fn end_of_agents(kind: IncidentKind, outlook: Outlook) -> Option<&'static str> {
    match kind {
        IncidentKind::Paused if outlook.has_paused => None,
        IncidentKind::Paused => Some("its schedules were resumed or have ended"),
        _ => (!outlook.goes_on).then_some(NOTHING_FOLLOWS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_of_an_agent_ends_when_none_of_its_schedules_can_cause_it() {
        let outlook = |goes_on, has_paused| Outlook {
            goes_on,
            has_paused,
        };
        for kind in IncidentKind::ALL.iter().copied() {
            let is_over = |outlook| end_of_agents(kind, outlook).is_some();
            let waits_for_resuming = kind == IncidentKind::Paused;
            assert!(is_over(outlook(false, false)), "{kind}");
            assert!(!is_over(outlook(true, true)), "{kind}");
            // It was resumed, while others of its schedules are still paused.
            assert_eq!(is_over(outlook(true, false)), waits_for_resuming, "{kind}");
        }
    }
}
