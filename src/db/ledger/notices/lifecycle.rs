//! What follows from a schedule's lifecycle.

use jiff::Timestamp;

use super::{close_of_ended, note_end};
use crate::db::ledger::incidents::{Affected, Trouble, close_incident, open_incident};
use crate::db::sql::{self, Tx};
use crate::db::statements::incidents::{self, Open};
use crate::db::statements::notices;
use crate::models::{IncidentKind, Lifecycle};

/// Opens and closes incidents after a schedule's lifecycle was written.
pub(in crate::db) fn follow_lifecycle(
    tx: &Tx<'_>,
    schedule_id: i64,
    now: Timestamp,
) -> sql::Result<()> {
    let Some(stands) = notices::fetch_stands(tx, schedule_id)? else {
        return Ok(());
    };
    let (Some(uid), Some(lifecycle)) = (&stands.uid, stands.lifecycle) else {
        return Ok(());
    };
    if stands.has_end != lifecycle.is_ended() {
        note_end(tx, schedule_id, now)?;
    }
    if lifecycle == Lifecycle::Broken {
        let broken = Trouble {
            kind: IncidentKind::Broken,
            affected: Affected::Schedule(uid),
            occurrence_id: None,
            code: None,
            reason: &stands.broken_reason,
        };
        open_incident(tx, &broken, now)?;
    }
    for Open { kind, .. } in incidents::list_of_subject(tx, uid)? {
        if let Some(outcome) = end_of(kind, lifecycle, stands.has_open) {
            close_incident(tx, kind, uid, &outcome, now)?;
        }
    }
    // If only this schedule met an agent's incident, it knows how that ended.
    let own_end = |incident: &Open| match incident.uid.as_ref() == Some(uid) {
        true => end_of(incident.kind, lifecycle, stands.has_open),
        false => None,
    };
    close_of_ended(tx, &stands.agent_id, own_end, now)?;
    Ok(())
}

/// The outcome of a schedule's incident, judging by its lifecycle; `None` if it is still open.
fn end_of(kind: IncidentKind, lifecycle: Lifecycle, has_open: bool) -> Option<String> {
    use IncidentKind::{Broken, Clock, Dead, Held, NeedsHuman, Paused, UnknownAgents};
    let ended = lifecycle.is_ended();
    let stands = || format!("the schedule is {lifecycle}");
    match kind {
        Broken if lifecycle == Lifecycle::Active => Some("it can be read again".to_owned()),
        Broken => (lifecycle != Lifecycle::Broken).then(stands),
        Paused if lifecycle == Lifecycle::Active => Some("it was resumed".to_owned()),
        Paused => (lifecycle != Lifecycle::Paused).then(stands),
        Dead => (ended && !has_open).then(stands),
        NeedsHuman => (!has_open).then(|| "its prompt will not be sent any more".to_owned()),
        Held | Clock | UnknownAgents => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_of_a_schedule_ends_with_the_lifecycle_that_caused_it() {
        use IncidentKind::{Broken, Clock, Dead, Held, NeedsHuman, Paused, UnknownAgents};
        for kind in IncidentKind::ALL.iter().copied() {
            for lifecycle in Lifecycle::ALL.iter().copied() {
                for has_open in [false, true] {
                    let is_over = match kind {
                        Broken => lifecycle != Lifecycle::Broken,
                        Paused => lifecycle != Lifecycle::Paused,
                        Dead => lifecycle.is_ended() && !has_open,
                        NeedsHuman => !has_open,
                        Held | Clock | UnknownAgents => false,
                    };
                    let outcome = end_of(kind, lifecycle, has_open);
                    let case = format!("{kind}, {lifecycle}, {has_open}: {outcome:?}");
                    assert_eq!(outcome.is_some(), is_over, "{case}");
                }
            }
        }
        let outcome = |kind, lifecycle| end_of(kind, lifecycle, false).unwrap();
        let finished = outcome(Dead, Lifecycle::Finished);
        assert_eq!(finished, "the schedule is finished");
        assert_eq!(outcome(Paused, Lifecycle::Active), "it was resumed");
        assert_eq!(outcome(Broken, Lifecycle::Active), "it can be read again");
    }
}
