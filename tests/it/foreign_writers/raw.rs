//! Another program's connection to the database, for what SQLAlchemy would not write.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// Another program.
pub struct Foreign(SqliteConnection);

impl Foreign {
    /// Connects to a database.
    pub async fn connect(path: &Path) -> Self {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        Foreign(SqliteConnection::connect(&url).await.unwrap())
    }

    /// Runs statements.
    pub async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    /// Inserts a schedule as another program does, and gives its number.
    pub async fn insert(&mut self, kind: &str, value: &str, next_run: &str) -> i64 {
        let sql = "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
                   next_run, active) VALUES ('agent-a', 'foreign', $1, $2, $3, 1) RETURNING id";
        sqlx::query_scalar(sql)
            .bind(kind)
            .bind(value)
            .bind(next_run)
            .fetch_one(&mut self.0)
            .await
            .unwrap()
    }

    /// One value as text.
    pub async fn text(&mut self, sql: &str) -> String {
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut self.0)
            .await
            .unwrap();
        let value: Option<Vec<u8>> = row.try_get_unchecked(0).unwrap();
        value.map_or_else(
            || "NULL".to_owned(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
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
