//! Requests that may come again: what they made, and what was answered.

use jiff::{SignedDuration, Timestamp};

use super::clock::sure_time;
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::time::DbTime;
use crate::error::Result;
use crate::limits;
use crate::models::RequestKey;

/// How long an answer is kept for the same request.
const MEMORY: SignedDuration = SignedDuration::from_hours(24);

/// How it stands with a request that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is to be carried out: nobody has answered it yet.
    Unanswered,
    /// It was answered before.
    Answered(StoredAnswer),
    /// Another request came under this key.
    Other,
    /// As many of this caller are kept as may be, and this one was not noted.
    TooMany,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Db {
    /// Notes that a request has come; `hash` is of everything it asks. Those that are older than a
    /// day are forgotten.
    pub async fn begin_request(
        &self,
        request: &RequestKey,
        hash: &str,
        now: Timestamp,
    ) -> Result<Begun> {
        let request = request.to_owned();
        let hash = hash.to_owned();
        self.write("note the request", move |tx| {
            let (request, hash) = (&request, &hash);
            let day_ago = sure_time(tx, now)?.checked_sub(MEMORY);
            query("DELETE FROM requests WHERE created_at < $1")
                .bind(DbTime(day_ago.unwrap_or(Timestamp::MIN)))
                .execute(tx)?;
            query(
                "INSERT INTO requests (caller, key, hash, created_at) SELECT $1, $2, $3, $4 \
             WHERE (SELECT count(*) FROM requests WHERE caller = $1) < $5 ON CONFLICT DO NOTHING",
            )
            .bind(&request.caller)
            .bind(&request.key)
            .bind(hash)
            .bind(DbTime(now))
            .bind(limits::KEPT_ANSWERS)
            .execute(tx)?;
            let row =
                query("SELECT hash, status, body FROM requests WHERE caller = $1 AND key = $2")
                    .bind(&request.caller)
                    .bind(&request.key)
                    .fetch_optional(tx)?;
            let Some(row) = row else {
                return Ok(Begun::TooMany);
            };
            let stored: String = row.get("hash")?;
            if stored != *hash {
                return Ok(Begun::Other);
            }
            let status: Option<i64> = row.get("status")?;
            let body: Option<String> = row.get("body")?;
            let status = status.and_then(|status| u16::try_from(status).ok());
            Ok(match (status, body) {
                (Some(status), Some(body)) => Begun::Answered(StoredAnswer { status, body }),
                _ => Begun::Unanswered,
            })
        })
        .await
    }

    /// Keeps what a request was answered.
    pub async fn answer_request(&self, request: &RequestKey, answer: &StoredAnswer) -> Result<()> {
        let request = request.to_owned();
        let answer = answer.to_owned();
        self.write("keep the answer", move |tx| {
            let (request, answer) = (&request, &answer);
            query("UPDATE requests SET status = $3, body = $4 WHERE caller = $1 AND key = $2")
                .bind(&request.caller)
                .bind(&request.key)
                .bind(answer.status)
                .bind(&answer.body)
                .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// Forgets a request that made nothing, so that it can be tried again.
    pub async fn forget_request(&self, request: &RequestKey) -> Result<()> {
        let request = request.to_owned();
        self.write("forget the request", move |tx| {
            let request = &request;
            query("DELETE FROM requests WHERE caller = $1 AND key = $2 AND effect IS NULL")
                .bind(&request.caller)
                .bind(&request.key)
                .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// What a request made before, if it was carried out.
    pub async fn request_effect(&self, request: &RequestKey) -> Result<Option<i64>> {
        let request = request.clone();
        let effect = self.read("look for the request", move |tx| {
            Ok(effect_of(tx, Some(&request))?)
        });
        effect.await
    }
}

/// What a request made before, if it was carried out.
pub(in crate::db) fn effect_of(
    tx: &Tx<'_>,
    request: Option<&RequestKey>,
) -> sql::Result<Option<i64>> {
    let Some(request) = request else {
        return Ok(None);
    };
    let effect: Option<Option<i64>> =
        query("SELECT effect FROM requests WHERE caller = $1 AND key = $2")
            .bind(&request.caller)
            .bind(&request.key)
            .optional(tx)?;
    Ok(effect.flatten())
}

/// Notes what a request made, in the transaction that makes it.
pub(in crate::db) fn record_effect(
    tx: &Tx<'_>,
    request: Option<&RequestKey>,
    effect: i64,
) -> sql::Result<()> {
    let Some(request) = request else {
        return Ok(());
    };
    query("UPDATE requests SET effect = $3 WHERE caller = $1 AND key = $2")
        .bind(&request.caller)
        .bind(&request.key)
        .bind(effect)
        .execute(tx)?;
    Ok(())
}
