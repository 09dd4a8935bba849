//! What is answered about schedules.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::success::Success;
use crate::models::Account;
use crate::service::views::{OccurrenceView, ScheduleView};

/// A schedule that was created or changed, and when it runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// `success`.
    pub status: Success,
    /// The schedule's id, for later calls.
    pub id: i64,
    /// The next run, in UTC.
    pub next_run: Timestamp,
    /// A message for people.
    pub message: String,
    /// The next run in its time zone.
    pub next_run_local: String,
    /// Its time zone.
    pub timezone: String,
    /// When it runs, for people.
    pub describes: String,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The next runs in UTC.
    pub next_runs: Vec<Timestamp>,
    /// Whether it already existed under this name; only when registering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub existed: Option<bool>,
    /// Whether anything changed; only when updating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changed: Option<bool>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A page of schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// `success`.
    pub status: Success,
    /// Number of schedules on this page.
    pub count: usize,
    /// Total number.
    pub total: i64,
    /// Number of broken schedules, which don't run.
    pub broken: i64,
    /// Number of open incidents.
    pub incidents: usize,
    /// The schedules, the next to run first.
    pub schedules: Vec<ScheduleView>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// One schedule in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// `success`.
    pub status: Success,
    /// The schedule.
    pub schedule: ScheduleView,
    /// The next runs in UTC.
    pub next_runs: Vec<Timestamp>,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The last runs, newest first.
    pub last_runs: Vec<OccurrenceView>,
    /// The account of all runs so far; `null` for a row that no scheduler has seen yet.
    pub account: Option<Account>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A cancelled schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelledSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub cancelled_id: i64,
    /// A message for people.
    pub message: String,
}

/// A paused schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PausedSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub paused_id: i64,
    /// When it resumes by itself, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resume_at: Option<Timestamp>,
    /// A message for people.
    pub message: String,
}

/// A resumed schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResumedSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub resumed_id: i64,
    /// Its next run in UTC; `null` if it has finished.
    pub next_run: Option<Timestamp>,
    /// A message for people.
    pub message: String,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A manual run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuedRun {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub schedule_id: i64,
    /// The occurrence id, as shown in the history.
    pub occurrence_id: i64,
    /// Whether such a run was already waiting.
    pub existed: bool,
    /// A message for people.
    pub message: String,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// When something would run, if it were scheduled now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Previewed {
    /// `success`.
    pub status: Success,
    /// When it would run, for people.
    pub describes: String,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The time zone it was read in.
    pub timezone: String,
    /// The runs, in UTC and in local time.
    pub runs: Vec<PreviewedRun>,
    /// The current time.
    pub now: Timestamp,
}

/// One run of a preview.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewedRun {
    /// In UTC.
    pub utc: Timestamp,
    /// In the time zone.
    pub local: String,
}
