//! What follows from a verdict: it is decided first, from what was read, and then written.

use jiff::Timestamp;

use super::{NOTHING_FOLLOWS, SHOWN, close_of_ended};
use crate::db::ledger::incidents::{Affected, Trouble, close_incident, open_incident};
use crate::db::ledger::locks::lock_subject;
use crate::db::sql::{self, Tx};
use crate::db::statements::{incidents, notices};
use crate::models::{Fault, IncidentKind, Lane, State, Verdict};

/// How many agents unknown to Letta are reported one by one within a day. More are one incident:
/// whoever makes up agents makes up many.
const MANY_UNKNOWN: i64 = 5;

/// An occurrence whose verdict was written.
pub(in crate::db) struct Settled<'a> {
    pub(in crate::db) occurrence_id: i64,
    pub(in crate::db) uid: &'a str,
    pub(in crate::db) agent_id: &'a str,
    /// The agent's lane.
    pub(in crate::db) lane: &'a str,
    pub(in crate::db) state: State,
    pub(in crate::db) verdict: &'a Verdict,
    /// Whether its schedule will send nothing more.
    pub(in crate::db) is_last: bool,
}

impl<'a> Settled<'a> {
    fn agent(&self) -> Affected<'a> {
        Affected::Agent {
            lane: self.lane,
            agent_id: self.agent_id,
            uid: self.uid,
        }
    }

    /// Who has the trouble that a fault means.
    pub(in crate::db) fn affected(&self, fault: &Fault) -> Affected<'a> {
        match fault.is_agents() {
            true => self.agent(),
            false => Affected::Schedule(self.uid),
        }
    }

    fn trouble(&self, kind: IncidentKind, fault: &'a Fault) -> Trouble<'a> {
        Trouble::of(kind, self.affected(fault), self.occurrence_id, fault)
    }
}

/// What has to be known about others before deciding what follows.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Whether the fault is another of many agents that Letta does not know.
    is_one_of_many: bool,
    /// Whether no schedule of the agent will send anything more.
    agent_has_ended: bool,
}

/// One consequence of a verdict.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    /// Opens an incident; if it is open, the trouble is counted there.
    Open(Trouble<'a>),
    /// The same for trouble that can't recover, because nothing comes after it. If it is new, its
    /// end is not notified.
    OpenEnded(Trouble<'a>, &'static str),
    /// Closes the schedule's incident of this kind.
    Close(IncidentKind, &'static str),
    /// Closes what a delivery proves to be over, for the schedule and its agent.
    CloseDelivered,
    /// Closes the agent's incidents that have ended.
    CloseOfEnded,
}

/// Opens and closes incidents after a verdict.
pub(in crate::db) fn follow_verdict(
    tx: &Tx<'_>,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    let around = look_around(tx, settled, now)?;
    for step in steps_after(settled, around) {
        take(tx, &step, settled, now)?;
    }
    Ok(())
}

fn look_around(tx: &Tx<'_>, settled: &Settled<'_>, now: Timestamp) -> sql::Result<Around> {
    let Verdict::Dead { fault } = settled.verdict else {
        return Ok(Around::default());
    };
    let target = Lane::new(settled.lane).target();
    let asks_for_end = settled.is_last && fault.is_agents();
    Ok(Around {
        is_one_of_many: is_one_of_many(tx, settled, fault, now)?,
        agent_has_ended: asks_for_end && !notices::goes_on(tx, settled.agent_id, &target)?,
    })
}

/// The consequences of a verdict, in the order in which they are written.
fn steps_after<'a>(settled: &Settled<'a>, around: Around) -> Vec<Step<'a>> {
    use IncidentKind::{Dead, NeedsHuman, UnknownAgents};
    use Step::{Close, CloseDelivered, CloseOfEnded, Open, OpenEnded};
    let &Settled { is_last, .. } = settled;
    let mut steps = Vec::new();
    match (settled.state, settled.verdict) {
        (State::Delivered, _) => steps.push(CloseDelivered),
        (State::Dead, Verdict::Dead { fault }) if around.is_one_of_many => {
            let affected = Affected::Machine(UnknownAgents.as_str());
            let dead = Trouble::of(UnknownAgents, affected, settled.occurrence_id, fault);
            steps.extend([Close(NeedsHuman, "its prompt is dead"), Open(dead)]);
        }
        (State::Dead, Verdict::Dead { fault }) => {
            let dead = settled.trouble(Dead, fault);
            let over = match fault.is_agents() {
                true => around.agent_has_ended.then_some(NOTHING_FOLLOWS),
                false => is_last.then_some("its schedule sends nothing more"),
            };
            steps.extend([
                Close(NeedsHuman, "its prompt is dead"),
                over.map_or(Open(dead), |over| OpenEnded(dead, over)),
            ]);
            steps.extend(is_last.then_some(CloseOfEnded));
        }
        (State::Waiting, Verdict::Waiting { fault, .. }) if fault.needs_human => {
            steps.push(Open(settled.trouble(NeedsHuman, fault)));
        }
        (state, _) if !state.is_open() => {
            steps.push(Close(NeedsHuman, "its schedule was ended"));
            if is_last {
                steps.extend([Close(Dead, "its schedule was ended"), CloseOfEnded]);
            }
        }
        _ => {}
    }
    steps
}

fn take(tx: &Tx<'_>, step: &Step<'_>, settled: &Settled<'_>, now: Timestamp) -> sql::Result<()> {
    match step {
        Step::Open(trouble) => open_incident(tx, trouble, now).map(drop),
        Step::OpenEnded(trouble, over) => open_ended(tx, trouble, over, now),
        Step::Close(kind, outcome) => close_incident(tx, *kind, settled.uid, outcome, now),
        Step::CloseDelivered => close_delivered(tx, settled, now),
        Step::CloseOfEnded => close_of_ended(tx, settled.agent_id, |_| None, now).map(drop),
    }
}

fn open_ended(tx: &Tx<'_>, trouble: &Trouble<'_>, over: &str, now: Timestamp) -> sql::Result<()> {
    let (kind, subject) = (trouble.kind, trouble.affected.subject());
    match open_incident(tx, trouble, now)? {
        true => incidents::close(tx, kind, subject, over, now).map(drop),
        false => close_incident(tx, kind, subject, over, now),
    }
}

/// Closes what a delivery proves to be over, for the schedule and its agent.
fn close_delivered(tx: &Tx<'_>, settled: &Settled<'_>, now: Timestamp) -> sql::Result<()> {
    for open in incidents::list_of_prompts(tx, settled.uid, settled.lane)? {
        let outcome = match open.kind {
            IncidentKind::NeedsHuman => "its prompt was delivered",
            _ => "a prompt was delivered again",
        };
        close_incident(tx, open.kind, &open.subject, outcome, now)?;
    }
    Ok(())
}

/// Whether a fault is another of many agents that Letta does not know.
pub(in crate::db) fn is_one_of_many(
    tx: &Tx<'_>,
    settled: &Settled<'_>,
    fault: &Fault,
    now: Timestamp,
) -> sql::Result<bool> {
    if !fault.is_of_unknown_agent() {
        return Ok(false);
    }
    lock_subject(tx, settled.lane)?;
    lock_subject(tx, IncidentKind::UnknownAgents.as_str())?;
    let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
    let has_own = incidents::has_dead(tx, settled.lane)?;
    let lately = incidents::count_unknown_agents(tx, day_ago, MANY_UNKNOWN)?;
    Ok(joins_the_many(has_own, lately))
}

/// Whether an agent unknown to Letta is reported together with others: it has no incident of its
/// own, and many others had one lately.
fn joins_the_many(has_own: bool, lately: i64) -> bool {
    !has_own && lately >= MANY_UNKNOWN
}

#[cfg(test)]
mod tests;
