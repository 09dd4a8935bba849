//! How much callers with a budget have registered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::locks::lock_all_agents;
use crate::db::sql::{self, Tx};
use crate::db::statements::budget::{self, OfAll};
use crate::db::statements::schedules;
use crate::error::{Code, Error, Result, call};
use crate::models::{AgentId, Allowance};

/// Refuses one more live schedule of an agent, which is locked, that has as many as it may have.
pub(in crate::db) fn refuse_too_many(
    tx: &Tx<'_>,
    agent: &AgentId,
    most: Option<i64>,
) -> sql::Result<Result<()>> {
    let Some(most) = most else { return Ok(Ok(())) };
    let live = schedules::count_live(tx, agent)?;
    if live < most {
        return Ok(Ok(()));
    }
    Ok(Err(Error::new(
        Code::BudgetExceeded,
        format!(
            "agent {agent} has {live} schedules that are active or paused, and an agent may make \
             no more than {most}: cancel what is no longer needed"
        ),
    )
    .example(call("list").with("agent_id", agent.as_str()))))
}

/// Refuses a registration of an agent, which is locked, that is one too many, and else counts it as
/// soon as it is committed.
pub(in crate::db) fn count(
    tx: &Tx<'_>,
    agent: &AgentId,
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
            "{made} schedules were registered for agent {agent} in the last 24 hours, those that \
             were cancelled among them, and an agent may register no more than {}",
            allowance.registrations
        ))));
    }
    if let Some(all) = &allowance.all {
        lock_all_agents(tx)?;
        let OfAll { registered, live } = budget::count_of_all(tx, since)?;
        if live >= all.schedules {
            return Ok(Err(too_many(format!(
                "agents have {live} schedules in all that are active or paused, and may make no \
                 more than {}: cancel what is no longer needed",
                all.schedules
            ))));
        }
        if registered >= all.registrations {
            return Ok(Err(too_many(format!(
                "agents registered {registered} schedules in all in the last 24 hours, those that \
                 were cancelled among them, and may register no more than {}",
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
