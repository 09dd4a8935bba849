//! The attempt: what is sent, under which otid, written down before the first byte leaves.

use jiff::Timestamp;

use super::claims::Job;
use super::fault::Fault;
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::models::{
    AgentId, Circumstances, EnvelopeStyle, Lane, Occurrence, Payload, PromptSchedule, envelope,
    hash_of,
};
use crate::schedule::Zone;

/// A stored occurrence on its way to being sent.
pub(in crate::db) struct Sending<'a> {
    pub(in crate::db) occurrence: &'a Occurrence,
    pub(in crate::db) schedule: Option<&'a PromptSchedule>,
    pub(in crate::db) fence: i64,
    pub(in crate::db) generation: i64,
    pub(in crate::db) failures: i64,
    pub(in crate::db) expires_at: Timestamp,
    pub(in crate::db) body: &'a str,
}

impl Db {
    /// Writes the attempt with its otid and the line before the prompt, and makes the job of it.
    pub(in crate::db) fn begin_attempt(
        &self,
        tx: &Tx<'_>,
        sending: &Sending<'_>,
        now: Timestamp,
    ) -> Result<Job, Fault> {
        let occurrence = sending.occurrence;
        let otid = self
            .identity(occurrence.uid, occurrence.trigger, occurrence.intended_at)
            .otid(sending.generation);
        let zone = sending
            .schedule
            .and_then(|s| s.timezone.as_deref())
            .and_then(|name| Zone::parse(name).ok())
            .unwrap_or_else(Zone::utc);
        let written = "SELECT envelope FROM attempts INDEXED BY sqlite_autoindex_attempts_1 \
                       WHERE occurrence_id = $1 AND otid = $2 LIMIT 1";
        let written = query(written)
            .bind(occurrence.id)
            .bind(otid.to_string())
            .fetch_optional(tx)?;
        let line = match written {
            Some(row) => rows::text(&row, "envelope"),
            None => envelope(&Circumstances {
                style: sending
                    .schedule
                    .map(PromptSchedule::envelope)
                    .unwrap_or(EnvelopeStyle::Auto),
                schedule_id: sending.schedule.map(|s| s.id),
                name: sending.schedule.and_then(|s| s.name.as_deref()),
                trigger: occurrence.trigger,
                firing: occurrence.firing,
                intended_at: occurrence.intended_at,
                sent_at: now,
                stands_for: occurrence.stands_for,
                stands_since: occurrence.stands_since,
                failures: sending.failures,
                zone: &zone,
            }),
        };
        let (before, first_sent_at) = earlier_attempts(tx, occurrence.id)?;
        query(
            "INSERT INTO attempts (occurrence_id, n, otid, envelope, started_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(occurrence.id)
        .bind(before.saturating_add(1))
        .bind(otid.to_string())
        .bind(&line)
        .bind(DbTime(now))
        .execute(tx)?;
        let payload = Payload::from_stored(sending.body).map_err(|e| Fault::of_row(&e))?;
        let (messages, options) = payload.sent_with(line.as_deref());
        Ok(Job {
            occurrence_id: occurrence.id,
            fence: sending.fence,
            uid: occurrence.uid,
            schedule_id: sending.schedule.map(|s| s.id),
            agent_id: AgentId::parse(&occurrence.agent_id).map_err(|e| Fault::of_row(&e))?,
            lane: occurrence.lane.clone().unwrap_or_else(|| Lane::new("")),
            intended_at: occurrence.intended_at,
            otid,
            messages,
            options,
            failures: sending.failures,
            sent_at: now,
            first_sent_at: first_sent_at.map_or(now, |first| first.min(now)),
            expires_at: sending.expires_at,
            next_run: None,
        })
    }
}

/// The number of an occurrence's latest attempt, and when its first one began.
fn earlier_attempts(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<(i64, Option<Timestamp>)> {
    let earlier = "SELECT n, started_at FROM attempts INDEXED BY sqlite_autoindex_attempts_1 \
                   WHERE occurrence_id = $1";
    let earlier = query(earlier).bind(occurrence_id).fetch_all(tx)?;
    let numbers = earlier.iter().filter_map(|row| rows::number(row, "n"));
    let begun = earlier
        .iter()
        .filter_map(|row| rows::lenient_time(row, "started_at"));
    Ok((numbers.max().unwrap_or(0), begun.min()))
}

/// The request that a schedule would send now; `None` if its own is gone.
pub(in crate::db) fn request_of(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
) -> sql::Result<Option<String>> {
    let Some(hash) = &schedule.payload else {
        return Ok(Some(Payload::of_prompt(&schedule.prompt_text).to_stored()));
    };
    fetch_payload(tx, hash)
}

/// A stored request; `None` if it is gone.
pub(in crate::db) fn fetch_payload(tx: &Tx<'_>, hash: &str) -> sql::Result<Option<String>> {
    let row = query("SELECT body FROM payloads WHERE hash = $1")
        .bind(hash)
        .fetch_optional(tx)?;
    row.map(|row| rows::whole_text(&row, "body")).transpose()
}

pub(in crate::db) fn store_payload(tx: &Tx<'_>, body: &str) -> sql::Result<String> {
    let hash = hash_of(body);
    query("INSERT INTO payloads (hash, body) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&hash)
        .bind(body)
        .execute(tx)?;
    Ok(hash)
}
