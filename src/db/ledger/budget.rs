//! Checks and counts the registrations of callers with a budget.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::locks::lock_all_agents;
use crate::db::sql::{self, Tx};
use crate::db::statements::budget::{self, OfAll};
use crate::db::statements::schedules;
use crate::error::{Code, Error, Result, call};
use crate::models::{AgentAt, Allowance};

/// Refuses another live schedule if the agent (which is locked) has as many as it may have.
pub(in crate::db) fn refuse_too_many(
    tx: &Tx<'_>,
    agent: &AgentAt,
    most: Option<i64>,
) -> sql::Result<Result<()>> {
    let Some(most) = most else { return Ok(Ok(())) };
    let live = schedules::count_live(tx, agent)?;
    if live < most {
        return Ok(Ok(()));
    }
    let agent = tx.targets().show(agent);
    Ok(Err(Error::new(
        Code::BudgetExceeded,
        format!(
            "agent {agent} has {live} active or paused schedules; the limit is {most}: cancel some \
             that are no longer needed"
        ),
    )
    .example(call("list").with("agent_id", agent))))
}

/// Refuses a registration beyond the budget of the agent (which is locked), and otherwise counts it
/// with the transaction.
pub(in crate::db) fn count(
    tx: &Tx<'_>,
    agent: &AgentAt,
    uid: Uuid,
    allowance: &Allowance,
    now: Timestamp,
) -> sql::Result<Result<()>> {
    if let Err(refused) = refuse_too_many(tx, agent, Some(allowance.schedules))? {
        return Ok(Err(refused));
    }
    let since = now
        .checked_sub(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MIN);
    budget::delete_some_before(tx, since)?;
    let made = budget::count_registered(tx, agent, since)?;
    if made >= allowance.registrations {
        return Ok(Err(too_many(format!(
            "{made} schedules were registered for agent {} in the last 24 hours (including cancelled \
             ones); the limit is {}",
            tx.targets().show(agent),
            allowance.registrations
        ))));
    }
    if let Some(all) = &allowance.all {
        lock_all_agents(tx)?;
        let OfAll { registered, live } = budget::count_of_all(tx, since)?;
        if live >= all.schedules {
            return Ok(Err(too_many(format!(
                "all agents together have {live} active or paused schedules; the limit is {}: \
                 cancel some that are no longer needed",
                all.schedules
            ))));
        }
        if registered >= all.registrations {
            return Ok(Err(too_many(format!(
                "all agents together registered {registered} schedules in the last 24 hours \
                 (including cancelled ones); the limit is {}",
                all.registrations
            ))));
        }
    }
    budget::insert_registration(tx, uid, agent, allowance.all.is_some(), now)?;
    Ok(Ok(()))
}

fn too_many(text: String) -> Error {
    Error::new(Code::BudgetExceeded, text)
}
