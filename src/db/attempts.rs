//! The attempt: what is sent, under which otid, written down before the first byte leaves.

use jiff::Timestamp;

use super::claims::Job;
use super::fault::Fault;
use super::time::DbTime;
use super::{Db, Tx, hinted, rows};
use crate::models::{
    AgentId, Circumstances, EnvelopeStyle, Lane, Occurrence, Payload, PromptSchedule, envelope,
    hash_of,
};
use crate::schedule::Zone;

/// A stored occurrence on its way to being sent.
pub(super) struct Sending<'a> {
    pub(super) occurrence: &'a Occurrence,
    pub(super) schedule: Option<&'a PromptSchedule>,
    pub(super) fence: i64,
    pub(super) generation: i64,
    pub(super) failures: i64,
    pub(super) expires_at: Timestamp,
    pub(super) body: &'a str,
}

impl Db {
    /// Writes the attempt with its otid and the line before the prompt, and makes the job of it.
    pub(super) async fn begin_attempt(
        &self,
        tx: &mut Tx,
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
        let written = hinted::fetch_optional(tx, written, |q| {
            q.bind(occurrence.id).bind(otid.to_string())
        })
        .await?;
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
        let (before, first_sent_at) = earlier_attempts(tx, occurrence.id).await?;
        sqlx::query(
            "INSERT INTO attempts (occurrence_id, n, otid, envelope, started_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(occurrence.id)
        .bind(before.saturating_add(1))
        .bind(otid.to_string())
        .bind(&line)
        .bind(DbTime(now))
        .execute(&mut **tx)
        .await?;
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
async fn earlier_attempts(
    tx: &mut Tx,
    occurrence_id: i64,
) -> sqlx::Result<(i64, Option<Timestamp>)> {
    let earlier = "SELECT n, started_at FROM attempts INDEXED BY sqlite_autoindex_attempts_1 \
                   WHERE occurrence_id = $1";
    let earlier = hinted::fetch_all(tx, earlier, |q| q.bind(occurrence_id)).await?;
    let numbers = earlier.iter().filter_map(|row| rows::number(row, "n"));
    let begun = earlier
        .iter()
        .filter_map(|row| rows::lenient_time(row, "started_at"));
    Ok((numbers.max().unwrap_or(0), begun.min()))
}

/// The request that a schedule would send now; `None` if its own is gone.
pub(super) async fn request_of(
    tx: &mut Tx,
    schedule: &PromptSchedule,
) -> sqlx::Result<Option<String>> {
    let Some(hash) = &schedule.payload else {
        return Ok(Some(Payload::of_prompt(&schedule.prompt_text).to_stored()));
    };
    fetch_payload(tx, hash).await
}

/// A stored request; `None` if it is gone.
pub(super) async fn fetch_payload(tx: &mut Tx, hash: &str) -> sqlx::Result<Option<String>> {
    let row = sqlx::query("SELECT body FROM payloads WHERE hash = $1")
        .bind(hash)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| rows::whole_text(&row, "body")).transpose()
}

pub(super) async fn store_payload(tx: &mut Tx, body: &str) -> sqlx::Result<String> {
    let hash = hash_of(body);
    sqlx::query("INSERT INTO payloads (hash, body) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&hash)
        .bind(body)
        .execute(&mut **tx)
        .await?;
    Ok(hash)
}
