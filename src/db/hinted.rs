//! Statements that say by which index they are to be answered (`INDEXED BY`).
//!
//! Left alone, SQLite takes the index on `active`, which nearly every schedule is; and where
//! another program has run `ANALYZE` when there was little in the file, it goes through whole
//! tables. Where an index is missing, since another program has rebuilt the table, the statement is
//! answered without it, only slower.

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, SqliteConnection};

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The rows of a statement with hints; `bind` gives it its values.
pub(super) async fn fetch_all(
    connection: &mut SqliteConnection,
    sql: &'static str,
    bind: impl for<'q> Fn(Bound<'q>) -> Bound<'q>,
) -> sqlx::Result<Vec<SqliteRow>> {
    match bind(sqlx::query(sql)).fetch_all(&mut *connection).await {
        Err(e) if is_about_an_index(&e) => {
            let plain = sqlx::query(AssertSqlSafe(without_hints(sql)));
            bind(plain).fetch_all(connection).await
        }
        fetched => fetched,
    }
}

/// The first row of a statement with hints.
pub(super) async fn fetch_optional(
    connection: &mut SqliteConnection,
    sql: &'static str,
    bind: impl for<'q> Fn(Bound<'q>) -> Bound<'q>,
) -> sqlx::Result<Option<SqliteRow>> {
    Ok(fetch_all(connection, sql, bind).await?.into_iter().next())
}

/// Carries out a statement with hints. Returns how many rows it changed.
pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: &'static str,
    bind: impl for<'q> Fn(Bound<'q>) -> Bound<'q>,
) -> sqlx::Result<u64> {
    let done = match bind(sqlx::query(sql)).execute(&mut *connection).await {
        Err(e) if is_about_an_index(&e) => {
            let plain = sqlx::query(AssertSqlSafe(without_hints(sql)));
            bind(plain).execute(connection).await
        }
        done => done,
    };
    Ok(done?.rows_affected())
}

/// Whether the index that a statement names is missing, or is not what it was.
fn is_about_an_index(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| {
        let text = e.message();
        text.contains("no such index") || text.contains("no query solution")
    })
}

fn without_hints(sql: &str) -> String {
    let mut words = sql.split(' ');
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "INDEXED" => {
                let _by = words.next();
                let _index = words.next();
            }
            _ => plain.push(word),
        }
    }
    plain.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_can_be_left_out() {
        let hinted = "SELECT a.x FROM a INDEXED BY ix_a WHERE EXISTS (SELECT 1 FROM b INDEXED BY \
                      ix_b WHERE b.y = a.y)";
        let plain = "SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.y = a.y)";
        assert_eq!(without_hints(hinted), plain);
    }
}
