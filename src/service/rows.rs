//! The table of schedules for other programs on this machine, through the plugin's Python modules.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::Service;
use crate::error::{Code, Error, Result};
use crate::models::{NamedAgent, PromptSchedule, RowColumns, ScheduleFilter, ScheduleType};
use crate::schedule::{LeftOut, Spec, Timetable, read_stored_time};

/// A request about the table.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum RowRequest {
    /// Creates the database if there is none, and returns its path.
    Place {},
    /// Adds a row.
    Add {
        /// Its columns.
        columns: Columns,
    },
    /// Reads a row.
    Get {
        /// Its id.
        id: i64,
    },
    /// Reads rows, by their next run.
    List {
        /// Only of this agent.
        agent_id: Option<String>,
        /// Only those that will run.
        active_only: bool,
    },
    /// Reads the rows that are due.
    Due {},
    /// Changes a row.
    Update {
        /// Its id.
        id: i64,
        /// The columns to change.
        columns: Columns,
    },
    /// Computes the next run.
    Next {
        /// `cron` or `interval`.
        schedule_type: String,
        /// The pattern or interval.
        schedule_value: String,
        /// The time to start from; now if it is `null`.
        after: Option<String>,
    },
}

/// Columns in JSON; times are UTC unless they have an offset.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    agent_id: Option<String>,
    prompt_text: Option<String>,
    schedule_type: Option<String>,
    schedule_value: Option<String>,
    next_run: Option<String>,
    created_at: Option<String>,
    active: Option<bool>,
    #[serde(deserialize_with = "given")]
    last_run: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    max_repetitions: Option<Option<i64>>,
}

/// Distinguishes `null` from a missing key.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    d: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

impl Service {
    /// Carries out a request about the table.
    ///
    /// # Errors
    /// [`Code::NotPermitted`] for agents, [`Code::TimeInvalid`], [`Code::ScheduleBroken`] for a row
    /// that would not run, and those of the database.
    pub async fn rows(&self, asked: RowRequest) -> Result<Value> {
        self.refuse_agents("reading and writing rows")?;
        self.refuse_scoped("reading and writing rows")?;
        let now = self.now();
        Ok(match asked {
            RowRequest::Place {} => json!({ "database": self.db.path() }),
            RowRequest::Add { columns } => {
                let columns = columns.read()?;
                json!({ "id": self.db.insert_row(&columns, now).await? })
            }
            RowRequest::Get { id } => {
                let found = self.db.get_schedule(id).await?;
                json!({ "row": found.as_ref().map(row) })
            }
            RowRequest::List {
                agent_id,
                active_only,
            } => {
                let filter = ScheduleFilter {
                    agent: agent_id.as_deref().map(NamedAgent::parse).transpose()?,
                    all: !active_only,
                    ..ScheduleFilter::default()
                };
                let found = self.db.list_schedules(&filter).await?;
                json!({ "rows": found.iter().map(row).collect::<Vec<_>>() })
            }
            RowRequest::Due {} => {
                let due = self.db.due_rows(now).await?;
                json!({ "rows": due.iter().map(row).collect::<Vec<_>>() })
            }
            RowRequest::Update { id, columns } => {
                let columns = columns.read()?;
                json!({ "updated": self.db.update_row(id, &columns, now).await? })
            }
            RowRequest::Next {
                schedule_type,
                schedule_value,
                after,
            } => {
                let after = match after {
                    Some(text) => time("after", &text)?,
                    None => now,
                };
                let next = self.next_after(&schedule_type, &schedule_value, after)?;
                json!({ "next_run": next.map(naive) })
            }
        })
    }

    fn next_after(&self, kind: &str, value: &str, after: Timestamp) -> Result<Option<Timestamp>> {
        let spec = match ScheduleType::from_word(kind) {
            Some(kind @ (ScheduleType::Cron | ScheduleType::Interval)) => {
                Spec::read_stored(kind, value, &self.zone)?
            }
            _ => {
                return Err(Error::new(
                    Code::SpecMissing,
                    format!("{kind:?} has no next run: only cron and interval have one"),
                ));
            }
        };
        let timetable = Timetable {
            spec,
            zone: self.zone.clone(),
            anchor: after,
            end_at: None,
            except: LeftOut::default(),
        };
        Ok(timetable.next_after(after))
    }
}

impl Columns {
    fn read(self) -> Result<RowColumns> {
        let optional = |name, text: Option<String>| text.map(|t| time(name, &t)).transpose();
        Ok(RowColumns {
            agent_id: self.agent_id,
            prompt_text: self.prompt_text,
            schedule_type: self.schedule_type,
            schedule_value: self.schedule_value,
            next_run: optional("next_run", self.next_run)?,
            created_at: optional("created_at", self.created_at)?,
            active: self.active,
            last_run: match self.last_run {
                None => None,
                Some(text) => Some(optional("last_run", text)?),
            },
            max_repetitions: self.max_repetitions,
        })
    }
}

fn time(name: &str, text: &str) -> Result<Timestamp> {
    read_stored_time(text).ok_or_else(|| {
        Error::new(
            Code::TimeInvalid,
            format!("{name} {text:?} is not a date and time, such as 2030-01-31T09:00:00"),
        )
    })
}

/// A row as stored, with naive times in UTC.
fn row(s: &PromptSchedule) -> Value {
    json!({
        "id": s.id,
        "agent_id": s.agent_id,
        "prompt_text": s.prompt_text,
        "schedule_type": s.schedule_type,
        "schedule_value": s.schedule_value,
        "next_run": s.next_run.map(naive),
        "created_at": s.created_at.map(naive),
        "active": s.active,
        "last_run": s.last_run.map(naive),
        "max_repetitions": s.max_repetitions,
        "repetition_count": s.repetitions,
    })
}

fn naive(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
