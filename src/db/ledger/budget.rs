//! How much callers with a budget have registered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::db::sql::{self, Tx, query};
use crate::db::statements::schedules;
use crate::db::time::DbTime;
use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Allowance};

/// Refuses one more live schedule of an agent that has as many as it may have.
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
    .example(format!("promptyoself list --agent-id {agent}"))))
}

/// Refuses a registration that is one too many, and else counts it as soon as it is committed.
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
    forget(tx, since)?;
    let made: i64 =
        query("SELECT count(*) FROM registrations WHERE agent_id = $1 AND made_at > $2")
            .bind(agent.as_str())
            .bind(DbTime(since))
            .one(tx)?;
    if made >= allowance.registrations {
        return Ok(Err(too_many(format!(
            "{made} schedules were registered for agent {agent} in the last 24 hours, those that \
             were cancelled among them, and an agent may register no more than {}",
            allowance.registrations
        ))));
    }
    if let Some(all) = &allowance.all {
        let (made, live): (i64, i64) = query(
            "SELECT coalesce(sum(r.made_at > $1), 0), \
                    coalesce(sum(s.lifecycle IN ('active', 'paused')), 0) \
             FROM registrations r LEFT JOIN schedules s ON s.uid = r.uid WHERE r.chose_agent = 1",
        )
        .bind(DbTime(since))
        .tuple(tx)?;
        if live >= all.schedules {
            return Ok(Err(too_many(format!(
                "agents have {live} schedules in all that are active or paused, and may make no \
                 more than {}: cancel what is no longer needed",
                all.schedules
            ))));
        }
        if made >= all.registrations {
            return Ok(Err(too_many(format!(
                "agents registered {made} schedules in all in the last 24 hours, those that were \
                 cancelled among them, and may register no more than {}",
                all.registrations
            ))));
        }
    }
    query(
        "INSERT INTO registrations (uid, agent_id, made_at, chose_agent) VALUES ($1, $2, $3, $4)",
    )
    .bind(uid.to_string())
    .bind(agent.as_str())
    .bind(DbTime(now))
    .bind(allowance.all.is_some())
    .execute(tx)?;
    Ok(Ok(()))
}

fn too_many(text: String) -> Error {
    Error::new(Code::BudgetExceeded, text)
}

/// Removes what counts for nothing any more, a part at a time.
fn forget(tx: &Tx<'_>, before: Timestamp) -> sql::Result<()> {
    query(
        "DELETE FROM registrations WHERE uid IN (SELECT r.uid FROM registrations r \
         LEFT JOIN schedules s ON s.uid = r.uid WHERE r.made_at <= $1 \
         AND coalesce(s.lifecycle NOT IN ('active', 'paused'), 1) LIMIT 100)",
    )
    .bind(DbTime(before))
    .execute(tx)?;
    Ok(())
}
