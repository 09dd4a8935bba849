//! Requests that may be repeated: what they created, and what was answered.

use jiff::{SignedDuration, Timestamp};

use super::clock::sure_time;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::requests::{self, Noted};
use crate::error::Result;
use crate::limits;
use crate::models::{RequestKey, RequestStatus, StoredAnswer};

/// How long an answer is kept for a repeated request.
const MEMORY: SignedDuration = SignedDuration::from_hours(24);

impl Db {
    /// Records that a request has come; `hash` covers everything it asks for. Those older than a
    /// day are deleted.
    pub async fn begin_request(
        &self,
        request: &RequestKey,
        hash: &str,
        now: Timestamp,
    ) -> Result<RequestStatus> {
        let request = request.to_owned();
        let hash = hash.to_owned();
        self.write("record the request", move |tx| {
            let day_ago = sure_time(tx, now)?.checked_sub(MEMORY);
            requests::delete_before(tx, day_ago.unwrap_or(Timestamp::MIN))?;
            requests::insert(tx, &request, &hash, limits::KEPT_ANSWERS, now)?;
            Ok(begun(requests::fetch(tx, &request)?, &hash))
        })
        .await
    }

    /// Stores the answer to a request.
    pub async fn answer_request(&self, request: &RequestKey, answer: &StoredAnswer) -> Result<()> {
        let request = request.to_owned();
        let answer = answer.to_owned();
        self.write("keep the answer", move |tx| {
            requests::set_answer(tx, &request, answer.status, &answer.body)?;
            Ok(())
        })
        .await
    }

    /// Deletes a request that created nothing, so that it can be tried again.
    pub async fn forget_request(&self, request: &RequestKey) -> Result<()> {
        let request = request.to_owned();
        self.write("forget the request", move |tx| {
            requests::delete_without_effect(tx, &request)?;
            Ok(())
        })
        .await
    }

    /// What a request created before, if it was carried out.
    pub async fn request_effect(&self, request: &RequestKey) -> Result<Option<i64>> {
        let request = request.clone();
        let effect = self.read("look for the request", move |tx| {
            Ok(effect_of(tx, Some(&request))?)
        });
        effect.await
    }
}

/// The status of a request with this hash, from what was recorded.
fn begun(noted: Option<Noted>, hash: &str) -> RequestStatus {
    let Some(noted) = noted else {
        return RequestStatus::TooMany;
    };
    if noted.hash != hash {
        return RequestStatus::Other;
    }
    let status = noted.status.and_then(|status| u16::try_from(status).ok());
    match (status, noted.body) {
        (Some(status), Some(body)) => RequestStatus::Answered(StoredAnswer { status, body }),
        _ => RequestStatus::Unanswered,
    }
}

/// What a request created before, if it was carried out.
pub(in crate::db) fn effect_of(
    tx: &Tx<'_>,
    request: Option<&RequestKey>,
) -> sql::Result<Option<i64>> {
    match request {
        Some(request) => requests::fetch_effect(tx, request),
        None => Ok(None),
    }
}

/// Records what a request created, in the same transaction.
pub(in crate::db) fn record_effect(
    tx: &Tx<'_>,
    request: Option<&RequestKey>,
    effect: i64,
) -> sql::Result<()> {
    match request {
        Some(request) => requests::set_effect(tx, request, effect),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_only_by_what_was_answered_to_the_same() {
        let noted = |status: Option<i64>, body: Option<&str>| Noted {
            hash: "same".into(),
            status,
            body: body.map(str::to_owned),
        };
        let answer = || {
            RequestStatus::Answered(StoredAnswer {
                status: 201,
                body: "{}".into(),
            })
        };
        for (stored, hash, expected) in [
            (None, "same", RequestStatus::TooMany),
            (Some(noted(None, None)), "same", RequestStatus::Unanswered),
            (Some(noted(Some(201), Some("{}"))), "same", answer()),
            (
                Some(noted(Some(201), Some("{}"))),
                "other",
                RequestStatus::Other,
            ),
            (Some(noted(None, None)), "other", RequestStatus::Other),
            (
                Some(noted(Some(-1), Some("{}"))),
                "same",
                RequestStatus::Unanswered,
            ),
        ] {
            assert_eq!(begun(stored, hash), expected);
        }
    }
}
