//! Attempts: what is sent, and under which otid, is recorded before the first byte is sent.

use jiff::Timestamp;

use super::fault::Fault;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::attempts::Earlier;
use crate::db::statements::{attempts, payloads};
use crate::models::{
    AgentId, EnvelopeStyle, Job, Lane, NOT_RECEIVED, Occurrence, Payload, PromptSchedule, hash_of,
};
use crate::schedule::{Circumstances, Zone, envelope};

/// A stored occurrence that is about to be sent.
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
    /// Records the attempt with its otid and the line before the prompt, and returns the job.
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
        let line = match attempts::fetch_envelope(tx, occurrence.id, otid)? {
            Some(written) => written,
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
        let earlier = attempts::list_earlier(tx, occurrence.id)?;
        let before = earlier.iter().filter_map(|attempt| attempt.n).max();
        let begun = earlier.iter().filter_map(|attempt| attempt.started_at);
        let first_sent_at = begun.min();
        // Any other failure proves that nothing was kept, or the otid is a new one.
        let was_not_found = |attempt: &&Earlier| {
            attempt.error_code.as_deref() == Some(NOT_RECEIVED)
                && attempt.otid.as_deref() == Some(&*otid.to_string())
        };
        let not_found = earlier.iter().filter(was_not_found);
        let not_found_since = not_found.filter_map(|a| a.started_at).min();
        let n = before.unwrap_or(0).saturating_add(1);
        attempts::insert(tx, occurrence.id, n, otid, line.as_deref(), now)?;
        let payload = Payload::from_stored(sending.body).map_err(|e| Fault::of_row(&e))?;
        let (messages, options) = payload.sent_with(line.as_deref());
        Ok(Job {
            occurrence_id: occurrence.id,
            fence: sending.fence,
            uid: occurrence.uid,
            schedule_id: sending.schedule.map(|s| s.id),
            agent_id: AgentId::parse(&occurrence.agent_id).map_err(|e| Fault::of_row(&e))?,
            conversation: occurrence.conversation.clone(),
            lane: occurrence.lane.clone().unwrap_or_else(|| Lane::new("")),
            intended_at: occurrence.intended_at,
            otid,
            messages,
            options,
            failures: sending.failures,
            sent_at: now,
            first_sent_at: first_sent_at.map_or(now, |first| first.min(now)),
            not_found_since,
            expires_at: sending.expires_at,
            next_run: None,
        })
    }
}

/// The request that a schedule would send now; `None` if its stored request is gone.
pub(in crate::db) fn request_of(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
) -> sql::Result<Option<String>> {
    let Some(hash) = &schedule.payload else {
        return Ok(Some(Payload::of_prompt(&schedule.prompt_text).to_stored()));
    };
    payloads::fetch(tx, hash)
}

/// Stores a request unless it is already stored. Returns its hash.
pub(in crate::db) fn store_payload(tx: &Tx<'_>, body: &str) -> sql::Result<String> {
    let hash = hash_of(body);
    payloads::insert(tx, &hash, body)?;
    Ok(hash)
}
