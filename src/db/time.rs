//! Timestamps as stored in the database.

use jiff::Timestamp;

/// A timestamp in its stored form: UTC text `YYYY-MM-DD HH:MM:SS.ffffff`, as SQLAlchemy writes
/// it. Text in this form sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DbTime(pub(crate) Timestamp);

/// Binds an optional timestamp.
pub(crate) fn optional(time: Option<Timestamp>) -> Option<DbTime> {
    time.map(DbTime)
}

impl DbTime {
    pub(super) fn to_text(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::read_stored_time;

    #[test]
    fn a_stored_time_looks_as_sqlalchemy_writes_it() {
        for (given, stored) in [
            ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05.000000"),
            ("2026-01-02T03:04:05.5+01:00", "2026-01-02 02:04:05.500000"),
        ] {
            let time: Timestamp = given.parse().unwrap();
            assert_eq!(DbTime(time).to_text(), stored);
            assert_eq!(read_stored_time(stored), Some(time));
        }
    }
}
