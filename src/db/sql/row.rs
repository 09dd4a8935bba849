//! Rows that outlive their statement.

use std::sync::Arc;

use rusqlite::Statement;
use rusqlite::types::ValueRef;

use super::error::{Error, Result};
use crate::db::time::DbTime;
use crate::schedule::read_stored_time;

/// One row.
#[derive(Clone, Debug)]
pub(in crate::db) struct Row {
    columns: Arc<[Box<str>]>,
    cells: Vec<Cell>,
}

/// The content of a column. Text is bytes here, because another program may have written anything.
#[derive(Clone, Debug)]
pub(in crate::db) enum Cell {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(n) => Cell::Integer(n),
            ValueRef::Real(n) => Cell::Real(n),
            ValueRef::Text(text) => Cell::Text(text.to_vec()),
            ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        }
    }
}

/// The names of a statement's columns.
pub(super) fn columns_of(statement: &Statement<'_>) -> Arc<[Box<str>]> {
    let names = statement.column_names();
    names.into_iter().map(Box::from).collect()
}

impl Row {
    pub(super) fn read(columns: &Arc<[Box<str>]>, row: &rusqlite::Row<'_>) -> Result<Self> {
        let cells = (0..columns.len()).map(|n| row.get_ref(n).map(Cell::from));
        Ok(Row {
            columns: columns.clone(),
            cells: cells.collect::<rusqlite::Result<Vec<Cell>>>()?,
        })
    }

    /// A column by name.
    pub(in crate::db) fn get<T: FromColumn>(&self, column: &str) -> Result<T> {
        match self.columns.iter().position(|name| **name == *column) {
            Some(place) => self.at(place),
            None => Err(unreadable(column, "there is no such column")),
        }
    }

    /// A column by position, from 0.
    pub(in crate::db) fn at<T: FromColumn>(&self, place: usize) -> Result<T> {
        let cell = self.cells.get(place).unwrap_or(&Cell::Null);
        T::from_column(cell).ok_or_else(|| {
            let column = self.columns.get(place).map_or("", |name| name);
            unreadable(column, &format!("{cell:?} is not of the kind it must be"))
        })
    }

    /// The bytes of a column whatever its storage class, as SQLite converts it to text; `None` if
    /// it is NULL or missing.
    pub(in crate::db) fn bytes(&self, column: &str) -> Option<Vec<u8>> {
        let place = self.columns.iter().position(|name| **name == *column)?;
        match self.cells.get(place)? {
            Cell::Null => None,
            Cell::Integer(n) => Some(n.to_string().into_bytes()),
            Cell::Real(n) => Some(format!("{n:?}").into_bytes()),
            Cell::Text(bytes) | Cell::Blob(bytes) => Some(bytes.clone()),
        }
    }
}

fn unreadable(column: &str, problem: &str) -> Error {
    Error::Unreadable {
        column: column.to_owned(),
        problem: problem.to_owned(),
    }
}

/// A type that a column can be read as.
pub(in crate::db) trait FromColumn: Sized {
    /// The value, if it has this type.
    fn from_column(cell: &Cell) -> Option<Self>;
}

impl FromColumn for i64 {
    fn from_column(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Integer(n) => Some(*n),
            _ => None,
        }
    }
}

impl FromColumn for bool {
    fn from_column(cell: &Cell) -> Option<Self> {
        i64::from_column(cell).map(|n| n != 0)
    }
}

impl FromColumn for f64 {
    fn from_column(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Integer(n) => Some(*n as f64),
            Cell::Real(n) => Some(*n),
            _ => None,
        }
    }
}

impl FromColumn for String {
    fn from_column(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(bytes) | Cell::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl FromColumn for DbTime {
    fn from_column(cell: &Cell) -> Option<Self> {
        let text = String::from_column(cell)?;
        read_stored_time(&text).map(DbTime)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_column(cell).map(Some),
        }
    }
}

/// A row as a tuple of its columns, in order.
pub(in crate::db) trait FromRow: Sized {
    /// The tuple.
    fn from_row(row: &Row) -> Result<Self>;
}

macro_rules! from_row {
    ($($name:ident $place:literal),+) => {
        impl<$($name: FromColumn),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self> {
                Ok(($(row.at::<$name>($place)?,)+))
            }
        }
    };
}

from_row!(A 0, B 1);
from_row!(A 0, B 1, C 2);
