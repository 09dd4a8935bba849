//! Requests that may come again: what they made, and what was answered.

use jiff::{SignedDuration, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::Db;
use super::time::DbTime;
use crate::error::Result;
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
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_request(
        &self,
        request: &RequestKey,
        hash: &str,
        now: Timestamp,
    ) -> Result<Begun> {
        let doing = "note the request";
        let failed = |e| self.failed(doing, e);
        let day_ago = self.sure_time(now).await?.checked_sub(MEMORY);
        let mut tx = self.begin(doing).await?;
        sqlx::query("DELETE FROM requests WHERE created_at < $1")
            .bind(DbTime(day_ago.unwrap_or(Timestamp::MIN)))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query(
            "INSERT INTO requests (caller, key, hash, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&request.caller)
        .bind(&request.key)
        .bind(hash)
        .bind(DbTime(now))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let row =
            sqlx::query("SELECT hash, status, body FROM requests WHERE caller = $1 AND key = $2")
                .bind(&request.caller)
                .bind(&request.key)
                .fetch_one(&mut *tx)
                .await
                .map_err(failed)?;
        self.commit(tx, doing).await?;
        let stored: String = row.try_get("hash").map_err(failed)?;
        if stored != hash {
            return Ok(Begun::Other);
        }
        let status: Option<u16> = row.try_get("status").map_err(failed)?;
        let body: Option<String> = row.try_get("body").map_err(failed)?;
        Ok(match (status, body) {
            (Some(status), Some(body)) => Begun::Answered(StoredAnswer { status, body }),
            _ => Begun::Unanswered,
        })
    }

    /// Keeps what a request was answered.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn answer_request(&self, request: &RequestKey, answer: &StoredAnswer) -> Result<()> {
        sqlx::query("UPDATE requests SET status = $3, body = $4 WHERE caller = $1 AND key = $2")
            .bind(&request.caller)
            .bind(&request.key)
            .bind(answer.status)
            .bind(&answer.body)
            .execute(&self.pool)
            .await
            .map_err(|e| self.failed("keep the answer", e))?;
        Ok(())
    }

    /// Forgets a request that made nothing, so that it can be tried again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_request(&self, request: &RequestKey) -> Result<()> {
        sqlx::query("DELETE FROM requests WHERE caller = $1 AND key = $2 AND effect IS NULL")
            .bind(&request.caller)
            .bind(&request.key)
            .execute(&self.pool)
            .await
            .map_err(|e| self.failed("forget the request", e))?;
        Ok(())
    }

    /// What a request made before, if it was carried out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn request_effect(&self, request: &RequestKey) -> Result<Option<i64>> {
        let failed = |e| self.failed("look for the request", e);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        effect_of(&mut connection, Some(request))
            .await
            .map_err(failed)
    }
}

/// What a request made before, if it was carried out.
pub(super) async fn effect_of(
    connection: &mut SqliteConnection,
    request: Option<&RequestKey>,
) -> sqlx::Result<Option<i64>> {
    let Some(request) = request else {
        return Ok(None);
    };
    let effect: Option<Option<i64>> =
        sqlx::query_scalar("SELECT effect FROM requests WHERE caller = $1 AND key = $2")
            .bind(&request.caller)
            .bind(&request.key)
            .fetch_optional(connection)
            .await?;
    Ok(effect.flatten())
}

/// Notes what a request made, in the transaction that makes it.
pub(super) async fn record_effect(
    connection: &mut SqliteConnection,
    request: Option<&RequestKey>,
    effect: i64,
) -> sqlx::Result<()> {
    let Some(request) = request else {
        return Ok(());
    };
    sqlx::query("UPDATE requests SET effect = $3 WHERE caller = $1 AND key = $2")
        .bind(&request.caller)
        .bind(&request.key)
        .bind(effect)
        .execute(connection)
        .await?;
    Ok(())
}
