//! Statements and their rows, on a connection of this thread.
//!
//! `$1`, `$2` and so on are bound by number. SQLite itself treats them as names, and numbers them
//! by their first appearance.

mod bind;
mod error;
mod row;

use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection};

use crate::models::{KnownTargets, TargetName};

use bind::Bind;
pub(super) use error::{Error, Result};
pub(super) use row::{FromColumn, FromRow, Row};

/// A connection inside a transaction. What goes through it is committed as a whole or not at all.
pub(super) struct Tx<'c> {
    connection: &'c Connection,
    only_reads: bool,
    targets: &'c KnownTargets,
}

/// What is known of targets where no settings say more.
static UNKNOWN_TARGETS: LazyLock<KnownTargets> = LazyLock::new(KnownTargets::default);

impl<'c> Tx<'c> {
    /// A transaction on a connection, which somebody else ends.
    pub(super) fn on(connection: &'c Connection) -> Self {
        Tx {
            connection,
            only_reads: false,
            targets: &UNKNOWN_TARGETS,
        }
    }

    /// The same for a transaction that only reads.
    pub(super) fn reading(connection: &'c Connection) -> Self {
        Tx {
            connection,
            only_reads: true,
            targets: &UNKNOWN_TARGETS,
        }
    }

    /// The same, with what the settings say about targets.
    pub(super) fn knowing<'t>(&'t self, targets: &'t KnownTargets) -> Tx<'t> {
        Tx { targets, ..*self }
    }

    /// What the settings say about targets.
    pub(super) fn targets(&self) -> &KnownTargets {
        self.targets
    }

    /// Whether it only reads.
    pub(super) fn only_reads(&self) -> bool {
        self.only_reads
    }

    /// The connection itself.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Executes several statements without values.
    pub(super) fn run_script(&self, script: &str) -> Result<()> {
        Ok(self.connection.execute_batch(script)?)
    }
}

/// A statement with its values.
#[derive(Clone, Debug)]
pub(super) struct Query<'q> {
    sql: &'q str,
    values: Vec<Value>,
}

/// A statement, whose text may have several parts. It is added to the list of all, so that a test
/// can try every one.
macro_rules! statement {
    ($($sql:tt)+) => {{
        // The text's section is only read by `linkme`.
        #[allow(unsafe_code)]
        #[linkme::distributed_slice($crate::db::sql::STATEMENTS)]
        static SQL: &str = concat!($($sql)+);
        $crate::db::sql::query(SQL)
    }};
}
pub(super) use statement;

/// Whether a row is of the target that is bound to the first place, if any is. The second place is
/// that of the default target, to which rows without a target belong.
macro_rules! at_target {
    ($target:literal, $default:literal) => {
        at_target!("target", $target, $default)
    };
    ($column:literal, $target:literal, $default:literal) => {
        concat!(
            "(",
            $target,
            " IS NULL OR coalesce(",
            $column,
            ", ",
            $default,
            ") = ",
            $target,
            ")"
        )
    };
}
pub(super) use at_target;

/// Whether a lane is of the target in a column. The place is that of the default target, to which
/// rows without a target belong.
macro_rules! in_lane {
    ($column:literal, $lane:literal, $default:literal) => {
        concat!(
            "substr(",
            $lane,
            ", 1, length(coalesce(",
            $column,
            ", ",
            $default,
            ")) + 1) = coalesce(",
            $column,
            ", ",
            $default,
            ") || '/'"
        )
    };
}
pub(super) use in_lane;

/// Every statement of the program.
#[allow(unsafe_code)]
#[linkme::distributed_slice]
pub static STATEMENTS: [&str];

/// A statement whose text is built at run time, or that only SQLite understands.
pub(super) fn query(sql: &str) -> Query<'_> {
    Query {
        sql,
        values: Vec::new(),
    }
}

impl<'q> Query<'q> {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.into_value());
        self
    }

    /// Binds the next value if there is one: the statement has a place for it only then.
    pub(super) fn bind_given(self, value: Option<impl Bind>) -> Self {
        match value {
            Some(value) => self.bind(value),
            None => self,
        }
    }

    /// Binds the next two values, for `at_target!`.
    pub(super) fn bind_target(self, tx: &Tx<'_>, target: Option<&TargetName>) -> Self {
        self.bind(target.map(TargetName::as_str))
            .bind(tx.targets.default.as_str())
    }

    /// Executes it, and returns how many rows it changed.
    pub(super) fn execute(self, tx: &Tx<'_>) -> Result<u64> {
        let mut statement = self.prepare(tx)?;
        // One that returns rows is run to its end.
        let changed = match statement.column_count() {
            0 => statement.raw_execute()?,
            _ => {
                let mut rows = statement.raw_query();
                while rows.next()?.is_some() {}
                0
            }
        };
        Ok(changed as u64)
    }

    /// Every row.
    pub(super) fn fetch_all(self, tx: &Tx<'_>) -> Result<Vec<Row>> {
        let mut statement = self.prepare(tx)?;
        let columns = row::columns_of(&statement);
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(next) = rows.next()? {
            all.push(Row::read(&columns, next)?);
        }
        Ok(all)
    }

    /// Every row, read by a function.
    pub(super) fn map<T>(self, tx: &Tx<'_>, read: fn(&Row) -> Result<T>) -> Result<Vec<T>> {
        self.fetch_all(tx)?.iter().map(read).collect()
    }

    /// The first row, if there is one.
    pub(super) fn fetch_optional(self, tx: &Tx<'_>) -> Result<Option<Row>> {
        let mut statement = self.prepare(tx)?;
        let columns = row::columns_of(&statement);
        let mut rows = statement.raw_query();
        match rows.next()? {
            Some(next) => {
                let first = Row::read(&columns, next)?;
                // A change is complete only at its end.
                while rows.next()?.is_some() {}
                Ok(Some(first))
            }
            None => Ok(None),
        }
    }

    /// The first row.
    pub(super) fn fetch_one(self, tx: &Tx<'_>) -> Result<Row> {
        self.fetch_optional(tx)?.ok_or(Error::NoRow)
    }

    /// The first column of every row.
    pub(super) fn all<T: FromColumn>(self, tx: &Tx<'_>) -> Result<Vec<T>> {
        let rows = self.fetch_all(tx)?;
        rows.iter().map(|row| row.at(0)).collect()
    }

    /// The first column of the first row, if there is one.
    pub(super) fn optional<T: FromColumn>(self, tx: &Tx<'_>) -> Result<Option<T>> {
        let row = self.fetch_optional(tx)?;
        row.map(|row| row.at(0)).transpose()
    }

    /// The first column of the first row.
    pub(super) fn one<T: FromColumn>(self, tx: &Tx<'_>) -> Result<T> {
        self.fetch_one(tx)?.at(0)
    }

    /// Every row as a tuple.
    pub(super) fn tuples<T: FromRow>(self, tx: &Tx<'_>) -> Result<Vec<T>> {
        self.fetch_all(tx)?.iter().map(T::from_row).collect()
    }

    /// The first row as a tuple.
    pub(super) fn tuple<T: FromRow>(self, tx: &Tx<'_>) -> Result<T> {
        T::from_row(&self.fetch_one(tx)?)
    }

    /// A statement may name its index (`INDEXED BY`). Otherwise SQLite takes the index on `active`,
    /// which is true for nearly every schedule, and if another program has run `ANALYZE` when there
    /// was little in the file, it scans whole tables. If that index is missing because another
    /// program has rebuilt the table, the statement is run without it, only slower.
    fn prepare<'t>(self, tx: &'t Tx<'_>) -> Result<CachedStatement<'t>> {
        tracing::trace!(statement = self.sql);
        let mut statement = match tx.connection.prepare_cached(self.sql) {
            Err(e) if is_about_an_index(&e) => {
                tx.connection.prepare_cached(&without_hints(self.sql))?
            }
            prepared => prepared?,
        };
        let (places, values) = (statement.parameter_count(), self.values.len());
        let misfit = || Error::Misfit { places, values };
        if places != values {
            return Err(misfit());
        }
        for (n, value) in self.values.into_iter().enumerate() {
            let place = statement.parameter_index(&format!("${}", n + 1))?;
            statement.raw_bind_parameter(place.ok_or_else(misfit)?, value)?;
        }
        Ok(statement)
    }
}

/// Whether the index that a statement names is missing or unsuitable.
fn is_about_an_index(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    text.contains("no such index") || text.contains("no query solution")
}

fn without_hints(sql: &str) -> String {
    let mut words = sql.split(' ').peekable();
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        match (word, words.peek()) {
            ("INDEXED", Some(&"BY")) => {
                let _by = words.next();
                let _index = words.next();
            }
            ("NOT", Some(&"INDEXED")) => {
                let _indexed = words.next();
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
    fn a_value_stands_where_its_number_is_wherever_that_appears() {
        let connection = Connection::open_in_memory().unwrap();
        let tx = Tx::on(&connection);
        let row = query("SELECT $2, $1, $2, $3")
            .bind(10_i64)
            .bind("twenty")
            .bind(None::<i64>)
            .fetch_one(&tx)
            .unwrap();
        assert_eq!(row.at::<String>(0).unwrap(), "twenty");
        assert_eq!(row.at::<i64>(1).unwrap(), 10);
        assert_eq!(row.at::<String>(2).unwrap(), "twenty");
        assert_eq!(row.at::<Option<i64>>(3).unwrap(), None);
    }

    #[test]
    fn a_statement_is_given_as_many_values_as_it_has_places_for() {
        let connection = Connection::open_in_memory().unwrap();
        let tx = Tx::on(&connection);
        let misfit = |query: Query<'_>| {
            let refused = query.fetch_all(&tx);
            matches!(refused, Err(Error::Misfit { .. }))
        };
        let sql = "SELECT $1";
        assert!(!misfit(query(sql).bind(1_i64)));
        // Nor is the value of an earlier use kept.
        assert!(misfit(query(sql)));
        assert!(misfit(query(sql).bind(1_i64).bind(2_i64)));
        assert!(misfit(query("SELECT $1, $3").bind(1_i64).bind(2_i64)));
        assert!(misfit(query("SELECT ?1").bind(1_i64)));
    }

    #[test]
    fn a_change_that_answers_with_rows_is_made_whole() {
        let connection = Connection::open_in_memory().unwrap();
        let tx = Tx::on(&connection);
        query("CREATE TABLE t (n)").execute(&tx).unwrap();
        query("INSERT INTO t VALUES (1), (2), (3)")
            .execute(&tx)
            .unwrap();
        let changed = query("UPDATE t SET n = n + 10 RETURNING n").optional::<i64>(&tx);
        assert_eq!(changed.unwrap(), Some(11));
        let all = query("SELECT n FROM t ORDER BY n").all::<i64>(&tx).unwrap();
        assert_eq!(all, [11, 12, 13]);
    }

    #[test]
    fn hints_can_be_left_out() {
        let hinted = "SELECT a.x FROM a INDEXED BY ix_a WHERE EXISTS (SELECT 1 FROM b INDEXED BY \
                      ix_b WHERE b.y = a.y)";
        let plain = "SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.y = a.y)";
        assert_eq!(without_hints(hinted), plain);
        let hinted = "SELECT a.x FROM a LEFT JOIN b NOT INDEXED ON b.y = a.y WHERE a.x IS NOT NULL";
        let plain = "SELECT a.x FROM a LEFT JOIN b ON b.y = a.y WHERE a.x IS NOT NULL";
        assert_eq!(without_hints(hinted), plain);
    }

    #[test]
    fn a_statement_whose_index_is_missing_is_answered_without_it() {
        let connection = Connection::open_in_memory().unwrap();
        let tx = Tx::on(&connection);
        query("CREATE TABLE t (n)").execute(&tx).unwrap();
        query("INSERT INTO t VALUES (7)").execute(&tx).unwrap();
        let hinted = query("SELECT n FROM t INDEXED BY ix_gone WHERE n > $1").bind(1_i64);
        assert_eq!(hinted.one::<i64>(&tx).unwrap(), 7);
    }
}
