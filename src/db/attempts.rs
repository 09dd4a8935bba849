//! The attempt: what is sent, under which otid, written down before the first byte leaves.

use jiff::Timestamp;

use super::claims::Job;
use super::time::DbTime;
use super::{Db, Tx};
use crate::error::Result;
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
    ) -> Result<Job> {
        let failed = |e| self.failed("begin an attempt", e);
        let occurrence = sending.occurrence;
        let otid = self
            .identity(occurrence.uid, occurrence.trigger, occurrence.intended_at)
            .otid(sending.generation);
        let zone = sending
            .schedule
            .and_then(|s| s.timezone.as_deref())
            .and_then(|name| Zone::parse(name).ok())
            .unwrap_or_else(Zone::utc);
        let written: Option<Option<String>> = sqlx::query_scalar(
            "SELECT envelope FROM attempts WHERE occurrence_id = $1 AND otid = $2 LIMIT 1",
        )
        .bind(occurrence.id)
        .bind(otid.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed)?;
        let line = match written {
            Some(line) => line,
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
        sqlx::query(
            "INSERT INTO attempts (occurrence_id, n, otid, envelope, started_at) VALUES ($1, \
             1 + (SELECT count(*) FROM attempts WHERE occurrence_id = $1), $2, $3, $4)",
        )
        .bind(occurrence.id)
        .bind(otid.to_string())
        .bind(&line)
        .bind(DbTime(now))
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
        let first_sent_at: DbTime =
            sqlx::query_scalar("SELECT min(started_at) FROM attempts WHERE occurrence_id = $1")
                .bind(occurrence.id)
                .fetch_one(&mut **tx)
                .await
                .map_err(failed)?;
        let (messages, options) = Payload::from_stored(sending.body)?.sent_with(line.as_deref());
        Ok(Job {
            occurrence_id: occurrence.id,
            fence: sending.fence,
            uid: occurrence.uid,
            schedule_id: sending.schedule.map(|s| s.id),
            agent_id: AgentId::parse(&occurrence.agent_id)?,
            lane: occurrence.lane.clone().unwrap_or_else(|| Lane::new("")),
            intended_at: occurrence.intended_at,
            otid,
            messages,
            options,
            failures: sending.failures,
            sent_at: now,
            first_sent_at: first_sent_at.0,
            expires_at: sending.expires_at,
            next_run: None,
        })
    }
}

/// The request that a schedule would send now; `None` if its own is gone.
pub(super) async fn request_of(
    tx: &mut Tx,
    schedule: &PromptSchedule,
) -> sqlx::Result<Option<String>> {
    let Some(hash) = &schedule.payload else {
        return Ok(Some(Payload::of_prompt(&schedule.prompt_text).to_stored()));
    };
    sqlx::query_scalar("SELECT body FROM payloads WHERE hash = $1")
        .bind(hash)
        .fetch_optional(&mut **tx)
        .await
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
