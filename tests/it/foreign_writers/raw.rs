//! Another program's connection to the database, for what SQLAlchemy would not write.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{FromSql, Value, ValueRef};
use rusqlite::{Connection, Params, Row};
use tokio::task::yield_now;

/// Another program. It gives way before each statement: whoever asks again and again until something
/// has happened lets it happen.
pub struct Foreign(Connection);

impl Foreign {
    /// Connects to a database, which is made if there is none.
    pub async fn connect(path: &Path) -> Self {
        yield_now().await;
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = ON")
            .unwrap();
        Foreign(connection)
    }

    /// Runs statements.
    pub async fn run(&mut self, sql: &str) {
        self.try_to_run(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs statements, which SQLite may refuse.
    pub async fn try_to_run(&mut self, sql: &str) -> rusqlite::Result<()> {
        yield_now().await;
        self.0.execute_batch(sql)
    }

    /// Runs a statement with values.
    pub async fn run_with(&mut self, sql: &str, values: impl Params) {
        yield_now().await;
        self.0
            .execute(sql, values)
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs a statement with values, which SQLite may refuse, and leaves its rows.
    pub async fn try_to_run_with(
        &mut self,
        sql: &str,
        values: impl Params,
    ) -> rusqlite::Result<()> {
        yield_now().await;
        let mut statement = self.0.prepare(sql)?;
        let mut rows = statement.query(values)?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// The names of the places for values in a statement, in SQLite's order.
    pub async fn places(&mut self, sql: &str) -> rusqlite::Result<Vec<String>> {
        yield_now().await;
        let statement = self.0.prepare(sql)?;
        let names = (1..=statement.parameter_count()).map(|n| statement.parameter_name(n));
        Ok(names.map(|name| name.unwrap_or("?").to_owned()).collect())
    }

    /// Every row, read by a function.
    pub async fn map<T>(
        &mut self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        yield_now().await;
        let rows = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.0.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect()
        };
        rows().unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Every row as a tuple of its columns.
    pub async fn tuples<T>(&mut self, sql: &str, values: impl Params) -> Vec<T>
    where
        T: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error>,
    {
        self.map(sql, values, |row| T::try_from(row)).await
    }

    /// The first column of every row.
    pub async fn all<T: FromSql>(&mut self, sql: &str, values: impl Params) -> Vec<T> {
        self.map(sql, values, |row| row.get(0)).await
    }

    /// The first column of the first row, if there is one.
    pub async fn optional<T: FromSql>(&mut self, sql: &str, values: impl Params) -> Option<T> {
        self.all(sql, values).await.into_iter().next()
    }

    /// The first column of the first row.
    pub async fn one<T: FromSql>(&mut self, sql: &str) -> T {
        let first = self.optional(sql, ()).await;
        first.unwrap_or_else(|| panic!("{sql}: there is no row"))
    }

    /// Every row as text: each column as SQLite makes text of it, or `None` where it is NULL.
    pub async fn texts(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.map(sql, (), |row| {
            let columns = row.as_ref().column_count();
            (0..columns).map(|n| Ok(as_text(row.get_ref(n)?))).collect()
        })
        .await
    }

    /// The first column of the first row as text.
    pub async fn text(&mut self, sql: &str) -> String {
        let first = self.texts(sql).await.into_iter().flatten().next();
        let first = first.unwrap_or_else(|| panic!("{sql}: there is no row"));
        first.unwrap_or_else(|| "NULL".to_owned())
    }

    /// What SQLite would do for a statement, step by step, whatever its values are.
    pub async fn plan(&mut self, sql: &str) -> Vec<String> {
        self.plan_with(sql, &[]).await
    }

    /// What SQLite would do for a statement with these values, step by step.
    pub async fn plan_with(&mut self, sql: &str, values: &[Value]) -> Vec<String> {
        yield_now().await;
        let steps = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.0.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            for (n, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(n + 1, value)?;
            }
            let steps = statement.raw_query();
            steps.mapped(|step| step.get("detail")).collect()
        };
        steps().unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Inserts a schedule as another program does, and gives its number.
    pub async fn insert(&mut self, kind: &str, value: &str, next_run: &str) -> i64 {
        let sql = "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
                   next_run, active) VALUES ('agent-a', 'foreign', ?1, ?2, ?3, 1) RETURNING id";
        self.all(sql, (kind, value, next_run)).await[0]
    }

    /// A column of a schedule as text.
    pub async fn column(&mut self, id: i64, column: &str) -> String {
        self.text(&format!("SELECT {column} FROM schedules WHERE id = {id}"))
            .await
    }

    /// What holds of every row once adoption is through.
    pub async fn check(&mut self) {
        for (law, rows) in [
            (
                "active exactly when lifecycle is",
                "coalesce(active, 0) <> (lifecycle = 'active') OR active IS NULL",
            ),
            ("adopted, with an identity", "touched <> 0 OR uid IS NULL"),
            (
                "next_run in our form",
                "lifecycle = 'active' AND next_run NOT LIKE '____-__-__ __:__:__.______'",
            ),
            (
                "a reason exactly when broken",
                "(lifecycle = 'broken') <> (broken_reason IS NOT NULL)",
            ),
        ] {
            let sql = format!("SELECT group_concat(id) FROM schedules WHERE {rows}");
            assert_eq!(self.text(&sql).await, "NULL", "{law}");
        }
    }
}

/// What SQLite makes of a value that it is asked for as text.
fn as_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Real(n) => Some(format!("{n:?}")),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}
