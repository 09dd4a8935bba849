//! The tables of a file, according to SQLite.

use crate::db::sql::{self, Tx, query};

/// The columns of a table; none if there is no such table.
pub(super) fn columns_of(tx: &Tx<'_>, table: &str) -> sql::Result<Vec<String>> {
    query("SELECT name FROM pragma_table_info($1)")
        .bind(table)
        .all(tx)
}

/// Whether a table has a column.
pub(super) fn has_column(tx: &Tx<'_>, table: &str, column: &str) -> sql::Result<bool> {
    Ok(columns_of(tx, table)?.iter().any(|c| c == column))
}
