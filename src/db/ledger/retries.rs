//! The claim of an occurrence that waits for a retry.

use jiff::Timestamp;

use super::attempts::Sending;
use super::claims::{PAYLOAD_GONE, tell_start};
use super::fault::Fault;
use super::locks::{lock_lane_of, lock_schedule_of};
use crate::clock::later;
use crate::db::Db;
use crate::db::statements::claims::{self, NextTry};
use crate::db::statements::{payloads, schedules};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{Claim, ClaimTerms};

const CLAIM_WAITING: &str = "claim a waiting occurrence";

impl Db {
    /// Claims a waiting occurrence for its next attempt. If another program has deleted its
    /// schedule, or changed it and the change is not adopted yet, it is [`Claim::Gone`]. One that
    /// can't be read is given up.
    ///
    /// # Errors
    /// If the database fails as a whole, not only for this occurrence; then nothing has changed.
    pub async fn claim_waiting(
        &self,
        occurrence_id: i64,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let tried = match self.try_claim_waiting(occurrence_id, terms, now).await {
            Err(Fault::Row(reason)) => {
                let given_up = self.give_up_unreadable(occurrence_id, &reason, now);
                let text = format!("occurrence {occurrence_id} is given up: {reason}");
                given_up.await.map(|()| Claim::Broken(text))
            }
            tried => tried,
        };
        self.answered(CLAIM_WAITING, tried)
    }

    async fn try_claim_waiting(
        &self,
        occurrence_id: i64,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let terms = terms.to_owned();
        let db = self.clone();
        let claimed = self.claim(CLAIM_WAITING, move |tx| {
            let terms = &terms;
            lock_schedule_of(tx, occurrence_id)?;
            lock_lane_of(tx, occurrence_id)?;
            let Some(waiting) = claims::fetch_waiting(tx, occurrence_id)? else {
                return Ok(Claim::Gone);
            };
            let occurrence = &waiting.occurrence;
            if occurrence.not_before.is_some_and(|t| t > now) {
                return Ok(Claim::Gone);
            }
            let Some(body) = payloads::fetch(tx, &waiting.payload)? else {
                return Err(Fault::Row(PAYLOAD_GONE.to_owned()));
            };
            let schedule = schedules::fetch_by_uid(tx, occurrence.uid)?;
            // The first attempt of a manual run has none.
            let expires_at = waiting.expires_at.unwrap_or_else(|| {
                let own = schedule.as_ref().and_then(|s| s.policy.max_age);
                later(now, own.unwrap_or(terms.max_age))
            });
            let next_try = NextTry {
                id: occurrence_id,
                owner: terms.owner,
                fence: waiting.fence + 1,
                expires_at,
            };
            claims::mark_sending(tx, &next_try, now)?;
            let sending = Sending {
                occurrence,
                schedule: schedule.as_ref(),
                fence: next_try.fence,
                generation: waiting.generation,
                failures: waiting.failures,
                expires_at,
                body: &body,
            };
            let job = db.begin_attempt(tx, &sending, now)?;
            failpoint!(RetryMade);
            // Only for the first attempt: a start postpones the alarm, and retries would do so for
            // hours.
            if let (Some(schedule), None) = (&schedule, waiting.expires_at) {
                tell_start(tx, schedule, now)?;
            }
            Ok(Claim::Job(Box::new(job)))
        });
        let claim = claimed.await?;
        if let Claim::Job(_) = claim {
            failpoint!(RetryCommitted);
        }
        Ok(claim)
    }
}
