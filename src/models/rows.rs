//! Rows of the table of schedules as other programs write them.

use jiff::Timestamp;

use super::Lifecycle;

/// The columns of a row as another program writes them; `None` leaves a column unchanged. Nullable
/// columns have a second `Option` for NULL.
#[derive(Clone, Debug, Default)]
pub struct RowColumns {
    /// The agent.
    pub agent_id: Option<String>,
    /// The prompt.
    pub prompt_text: Option<String>,
    /// `once`, `cron` or `interval`.
    pub schedule_type: Option<String>,
    /// The time, pattern or interval.
    pub schedule_value: Option<String>,
    /// The first instant, or the next one.
    pub next_run: Option<Timestamp>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Whether it should run.
    pub active: Option<bool>,
    /// When it last ran.
    pub last_run: Option<Option<Timestamp>>,
    /// How many instants it has in total.
    pub max_repetitions: Option<Option<i64>>,
}

/// The result of adopting one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The row.
    pub id: i64,
    /// The schedule's lifecycle now.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
}
