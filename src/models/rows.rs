//! Rows of the table of schedules as other programs write them.

use jiff::Timestamp;

use super::Lifecycle;

/// The columns of a row as another program writes them; `None` leaves a column as it is. Those that
/// may be empty have a second `None` for that.
#[derive(Clone, Debug, Default)]
pub struct RowColumns {
    /// Whom it is for.
    pub agent_id: Option<String>,
    /// What is sent.
    pub prompt_text: Option<String>,
    /// `once`, `cron` or `interval`.
    pub schedule_type: Option<String>,
    /// The time, pattern or interval.
    pub schedule_value: Option<String>,
    /// The first instant, or the next one.
    pub next_run: Option<Timestamp>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Whether it is to run.
    pub active: Option<bool>,
    /// When it last ran.
    pub last_run: Option<Option<Timestamp>>,
    /// How many instants it has in all.
    pub max_repetitions: Option<Option<i64>>,
}

/// What adoption made of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The row.
    pub id: i64,
    /// Where the schedule stands now.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
}
