//! Databases of version 0.1.0, whose migrations were recorded in another table.

use sha2::{Digest, Sha384};

use crate::db::sql::{self, Row, Tx, query};

/// Migrates its tables to those of the baseline.
pub(super) const TO_BASELINE: &str = include_str!("../../../migrations/takeover/from_0_1_0.sql");

/// An entry among its migrations in a file of ours, so that version 0.1.0 refuses it. The
/// development versions after it have lower numbers.
pub(super) const MARK: i64 = 19;

/// The number of its migrations.
const NEWEST: i64 = 9;

/// The SHA-384 of its migrations' concatenated checksums.
const CHECKSUMS: &str = "f9f716bb9a2f4b5b67f4f3523ae9515950c481a5ecc22344\
    e199eb623579bb445029eefabbba5b21c5fcd9874d675273";

/// A migration recorded by version 0.1.0 or a development version around it.
pub(super) struct Noted {
    pub(super) version: i64,
    is_done: bool,
    checksum: Vec<u8>,
}

/// The recorded migrations; none in a file that it never opened.
pub(super) fn noted(tx: &Tx<'_>) -> sql::Result<Vec<Noted>> {
    let has_noted = include_str!("../../../migrations/takeover/has_noted.sql");
    if query(has_noted).optional::<i64>(tx)?.is_none() {
        return Ok(Vec::new());
    }
    query(include_str!("../../../migrations/takeover/noted.sql")).map(tx, read)
}

fn read(row: &Row) -> sql::Result<Noted> {
    Ok(Noted {
        version: row.get("version")?,
        is_done: row.get("success")?,
        checksum: row.get("checksum")?,
    })
}

/// How a file differs from one made by version 0.1.0; `None` if it doesn't.
pub(super) fn difference(tx: &Tx<'_>, noted: &[Noted]) -> sql::Result<Option<String>> {
    if let Some(half) = noted.iter().find(|noted| !noted.is_done) {
        let why = format!("its migration {} is half done", half.version);
        return Ok(Some(why));
    }
    let versions = noted.iter().map(|noted| noted.version);
    if !versions.clone().eq(1..=NEWEST) {
        let versions: Vec<String> = versions.map(|version| version.to_string()).collect();
        return Ok(Some(format!(
            "it has the migrations {}, where version 0.1.0 has 1 to {NEWEST}",
            versions.join(", ")
        )));
    }
    let checksums: Vec<u8> = noted.iter().flat_map(|n| n.checksum.clone()).collect();
    if format!("{:x}", Sha384::digest(checksums)) != CHECKSUMS {
        let why = "its migrations are not those of version 0.1.0";
        return Ok(Some(why.to_owned()));
    }
    // Its account has no plans for what was sent before plans were recorded.
    let begun_before: Option<i64> =
        query("SELECT 1 FROM install WHERE early_occurrences <> 0").optional(tx)?;
    Ok(begun_before.map(|_| "it was created before version 0.1.0".to_owned()))
}
