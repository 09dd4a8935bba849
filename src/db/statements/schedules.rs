//! The table of schedules, by id and by name.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, policy_columns, policy_places, schedule_columns};
use crate::db::sql::{self, Query, Tx, at_target, statement};
use crate::db::time::{DbTime, optional};
use crate::models::{
    AgentAt, Conversation, Lifecycle, NamedAgent, NamedSchedule, NewSchedule, PingUrl, Plan,
    PromptSchedule, ScheduleFilter, TargetName,
};

/// The text of our updates of schedules: assignments and condition. It raises `row_version`, by
/// which other programs' changes are distinguished from ours.
macro_rules! change_schedule {
    ($set:expr, $rest:literal) => {
        concat!(
            "UPDATE schedules SET row_version = row_version + 1, ",
            $set,
            $rest
        )
    };
}
pub(in crate::db) use change_schedule;

/// Binds `$1`, `$2` and `$3`: the agent to filter by, if there is one.
fn bind_named<'q>(query: Query<'q>, tx: &Tx<'_>, agent: Option<&NamedAgent>) -> Query<'q> {
    query
        .bind(agent.map(|agent| agent.id.as_str()))
        .bind_target(tx, agent.and_then(|agent| agent.target.as_ref()))
}

/// Binds `$1`, `$2` and `$3`: an agent.
fn bind_agent<'q>(query: Query<'q>, tx: &Tx<'_>, agent: &AgentAt) -> Query<'q> {
    query
        .bind(agent.id.as_str())
        .bind_target(tx, Some(&agent.target))
}

/// Binds `$1` to `$5`, whom a filter matches.
fn bind_filter<'q>(query: Query<'q>, tx: &Tx<'_>, filter: &ScheduleFilter) -> Query<'q> {
    bind_named(query, tx, filter.agent.as_ref())
        .bind(filter.all)
        .bind(filter.paused)
}

/// How many rows a filter wants at most.
fn most_of(filter: &ScheduleFilter) -> i64 {
    filter.limit.map_or(i64::MAX, i64::from)
}

/// Whether a filter matches: the agent is `$1` at `$2`, ended ones are included if `$4`, paused ones
/// if `$5`.
macro_rules! matches_filter {
    () => {
        concat!(
            "agent_id = coalesce($1, agent_id) AND ",
            at_target!("$2", "$3"),
            " AND ($4 <> 0 OR active = 1 OR ($5 <> 0 AND lifecycle = 'paused'))"
        )
    };
}

/// The schedule with an id.
pub(in crate::db) fn fetch(tx: &Tx<'_>, id: i64) -> sql::Result<Option<PromptSchedule>> {
    let row = statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE id = $1"
    )
    .bind(id)
    .fetch_optional(tx)?;
    row.as_ref().map(rows::schedule).transpose()
}

/// The schedule with a uid.
pub(in crate::db) fn fetch_by_uid(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Option<PromptSchedule>> {
    let row = statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules INDEXED BY ix_schedules_uid WHERE uid = $1"
    )
    .bind(uid.to_string())
    .fetch_optional(tx)?;
    row.as_ref().map(rows::schedule).transpose()
}

/// The agent's live schedule with this name.
pub(in crate::db) fn fetch_by_name(
    tx: &Tx<'_>,
    agent: &AgentAt,
    name: &str,
) -> sql::Result<Option<PromptSchedule>> {
    let query = statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules INDEXED BY ix_schedules_name \
         WHERE agent_id = $1 AND name = $4 AND lifecycle IN ('active', 'paused') AND ",
        at_target!("$2", "$3")
    );
    let row = bind_agent(query, tx, agent).bind(name).fetch_optional(tx)?;
    row.as_ref().map(rows::schedule).transpose()
}

/// How many schedules of one name are looked through.
const MOST_NAMED: i64 = 1_000;

/// The schedules that have or had a name, of an agent or of all, the newest of each agent first.
pub(in crate::db) fn list_named(
    tx: &Tx<'_>,
    name: &str,
    agent: Option<&NamedAgent>,
) -> sql::Result<Vec<NamedSchedule>> {
    let query = statement!(
        "SELECT id, agent_id, coalesce(target, $3) AS target, \
         lifecycle IN ('active', 'paused') AS is_live \
         FROM schedules INDEXED BY ix_schedules_of_name \
         WHERE name = $4 AND ($1 IS NULL OR agent_id = $1) AND ",
        at_target!("$2", "$3"),
        " ORDER BY agent_id DESC, id DESC LIMIT $5"
    );
    let named = bind_named(query, tx, agent).bind(name).bind(MOST_NAMED);
    named.map(tx, |row| {
        Ok(NamedSchedule {
            id: row.get("id")?,
            agent_id: rows::text(row, "agent_id").unwrap_or_default(),
            target: rows::text(row, "target").unwrap_or_default(),
            is_live: rows::number(row, "is_live") == Some(1),
        })
    })
}

/// The newest active schedules of an agent that send this prompt, among its newest `looked_at`.
pub(in crate::db) fn list_with_prompt(
    tx: &Tx<'_>,
    agent: &AgentAt,
    prompt: &str,
    looked_at: i64,
) -> sql::Result<Vec<PromptSchedule>> {
    let query = statement!(
        "SELECT * FROM (SELECT ",
        schedule_columns!(),
        " FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
         WHERE agent_id = $1 AND lifecycle = 'active' AND ",
        at_target!("$2", "$3"),
        " ORDER BY id DESC LIMIT $5) AS newest WHERE prompt_text = $4"
    );
    let found = bind_agent(query, tx, agent).bind(prompt).bind(looked_at);
    found.map(tx, rows::schedule)
}

/// The id of another live schedule of an agent with this name.
pub(in crate::db) fn find_other_of_name(
    tx: &Tx<'_>,
    agent: &AgentAt,
    name: &str,
    but: Option<i64>,
) -> sql::Result<Option<i64>> {
    let query = statement!(
        "SELECT id FROM schedules INDEXED BY ix_schedules_name WHERE agent_id = $1 AND name = $4 \
         AND lifecycle IN ('active', 'paused') AND id IS DISTINCT FROM $5 AND ",
        at_target!("$2", "$3")
    );
    bind_agent(query, tx, agent)
        .bind(name)
        .bind(but)
        .optional(tx)
}

/// The schedules matching a filter, by their next run.
pub(in crate::db) fn list(
    tx: &Tx<'_>,
    filter: &ScheduleFilter,
) -> sql::Result<Vec<PromptSchedule>> {
    let query = statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE ",
        matches_filter!(),
        " ORDER BY next_run, id LIMIT $6 OFFSET $7"
    );
    bind_filter(query, tx, filter)
        .bind(most_of(filter))
        .bind(filter.offset)
        .map(tx, rows::schedule)
}

/// The same with this many characters of each prompt.
pub(in crate::db) fn list_briefly(
    tx: &Tx<'_>,
    filter: &ScheduleFilter,
    characters: i64,
) -> sql::Result<Vec<PromptSchedule>> {
    let query = statement!(
        "SELECT ",
        schedule_columns!("substr(CAST(prompt_text AS TEXT), 1, $8) AS prompt_text"),
        " FROM schedules WHERE ",
        matches_filter!(),
        " ORDER BY next_run, id LIMIT $6 OFFSET $7"
    );
    bind_filter(query, tx, filter)
        .bind(most_of(filter))
        .bind(filter.offset)
        .bind(characters)
        .map(tx, rows::schedule)
}

/// The total size in bytes of the prompts on a page.
pub(in crate::db) fn size_of_prompts(tx: &Tx<'_>, filter: &ScheduleFilter) -> sql::Result<i64> {
    let query = statement!(
        "SELECT coalesce(sum(size), 0) FROM (SELECT octet_length(prompt_text) AS size \
         FROM schedules WHERE ",
        matches_filter!(),
        " ORDER BY next_run, id LIMIT $6 OFFSET $7) AS page"
    );
    bind_filter(query, tx, filter)
        .bind(most_of(filter))
        .bind(filter.offset)
        .one(tx)
}

/// How many schedules match a filter, whatever its limit.
pub(in crate::db) fn count(tx: &Tx<'_>, filter: &ScheduleFilter) -> sql::Result<i64> {
    let query = statement!("SELECT count(*) FROM schedules WHERE ", matches_filter!());
    bind_filter(query, tx, filter).one(tx)
}

/// How many schedules, of one agent or of all, can't be read.
pub(in crate::db) fn count_broken(tx: &Tx<'_>, agent: Option<&NamedAgent>) -> sql::Result<i64> {
    let query = statement!(
        "SELECT count(*) FROM schedules WHERE lifecycle = 'broken' \
         AND agent_id = coalesce($1, agent_id) AND ",
        at_target!("$2", "$3")
    );
    bind_named(query, tx, agent).one(tx)
}

/// How many live schedules an agent has.
pub(in crate::db) fn count_live(tx: &Tx<'_>, agent: &AgentAt) -> sql::Result<i64> {
    let query = statement!(
        "SELECT count(*) FROM schedules WHERE agent_id = $1 AND lifecycle IN ('active', 'paused') \
         AND ",
        at_target!("$2", "$3")
    );
    bind_agent(query, tx, agent).one(tx)
}

/// Inserts an active schedule. `payload` is the hash of its request, if it has one. Returns its id.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    uid: Uuid,
    new: &NewSchedule,
    payload: Option<&str>,
    now: Timestamp,
) -> sql::Result<i64> {
    let plan = &new.plan;
    let insert = statement!(
        "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, \
         created_at, active, uid, name, timezone, anchor, start_at, end_at, max_repetitions, \
         lifecycle, planned_next_run, row_version, touched, ping_url, payload, \
         target, conversation, except_dates, ",
        policy_columns!(),
        ") \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12, $13, 'active', $5, 1, 0, \
                 $14, $15, $16, $17, $18, ",
        policy_places!(),
        ") \
         RETURNING id"
    )
    .bind(new.agent_id.as_str())
    .bind(&new.prompt_text)
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(DbTime(plan.next_run))
    .bind(DbTime(now))
    .bind(uid.to_string())
    .bind(&new.name)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(optional(plan.start_at))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .bind(new.ping_url.as_ref().map(PingUrl::as_str))
    .bind(payload)
    .bind(new.target.as_ref().map(TargetName::as_str))
    .bind(new.conversation.as_ref().map(Conversation::as_str))
    .bind(&plan.except);
    rows::bind_policy(insert, &new.policy).one(tx)
}

/// Writes a schedule's plan and lifecycle; after this, every part of the row is ours.
pub(in crate::db) fn write_plan(
    tx: &Tx<'_>,
    id: i64,
    plan: &Plan,
    lifecycle: Lifecycle,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "schedule_type = $2, schedule_value = $3, timezone = $4, anchor = $5, next_run = $6, \
         planned_next_run = $6, start_at = $7, end_at = $8, max_repetitions = $9, \
         lifecycle = $10, active = $11, except_dates = $12, broken_reason = NULL",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(DbTime(plan.next_run))
    .bind(optional(plan.start_at))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .bind(&plan.except)
    .execute(tx)?;
    Ok(())
}

/// Writes only the lifecycle of a schedule.
pub(in crate::db) fn write_lifecycle(
    tx: &Tx<'_>,
    id: i64,
    lifecycle: Lifecycle,
    broken_reason: Option<&str>,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "lifecycle = $2, active = $3, broken_reason = $4, touched = 0",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .bind(broken_reason)
    .execute(tx)?;
    Ok(())
}
