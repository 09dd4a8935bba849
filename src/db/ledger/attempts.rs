//! The attempt: what is sent, under which otid, written down before the first byte leaves.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::fault::Fault;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::{attempts, payloads};
use crate::models::{
    AgentId, Circumstances, EnvelopeStyle, Lane, Occurrence, Payload, PromptSchedule, envelope,
    hash_of,
};
use crate::schedule::Zone;

/// A prompt to be sent, and the right to settle it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The occurrence.
    pub occurrence_id: i64,
    /// The right to settle: void once another process has taken over.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Its schedule's number when it was claimed.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The lane it holds.
    pub lane: Lane,
    /// When it was meant to be sent.
    pub intended_at: Timestamp,
    /// The otid of this try.
    pub otid: Uuid,
    /// Letta's messages, with the line before the prompt if there is one.
    pub messages: Vec<Value>,
    /// What else Letta is asked, beside the messages.
    pub options: Map<String, Value>,
    /// How many tries counted before this one.
    pub failures: i64,
    /// When this try began.
    pub sent_at: Timestamp,
    /// When its first try began.
    pub first_sent_at: Timestamp,
    /// When retries end.
    pub expires_at: Timestamp,
    /// The schedule's next instant after the claim.
    pub next_run: Option<Timestamp>,
}

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

/// The request that a schedule would send now; `None` if its own is gone.
pub(in crate::db) fn request_of(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
) -> sql::Result<Option<String>> {
    let Some(hash) = &schedule.payload else {
        return Ok(Some(Payload::of_prompt(&schedule.prompt_text).to_stored()));
    };
    payloads::fetch(tx, hash)
}

/// Stores a request, if it isn't there. Returns its hash.
pub(in crate::db) fn store_payload(tx: &Tx<'_>, body: &str) -> sql::Result<String> {
    let hash = hash_of(body);
    payloads::insert(tx, &hash, body)?;
    Ok(hash)
}
