//! The parameters of `GET` requests.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::error::{Code, Error, Result, call, field, message, operation, quoted};
use crate::models::{AgentId, State};

/// The most that a page holds.
pub const LARGEST_PAGE: u32 = crate::limits::PAGE;

/// How much a page holds where nothing is said.
const USUAL_PAGE: u32 = 100;

/// Which schedules are asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScheduleParams {
    /// Only this agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "agent-00000000-0000-4000-8000-000000000000")]
    pub agent_id: Option<String>,
    /// Also those that are over or can't be read, and not only the active and the paused ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Leave long prompts whole; else they are shortened to a hundred characters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// At most so many; 100 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Leave out so many at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 4294967295_u64)]
    pub offset: Option<u32>,
}

/// Which occurrences are asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OccurrenceParams {
    /// Only those of this schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub schedule_id: Option<i64>,
    /// Only this agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "agent-00000000-0000-4000-8000-000000000000")]
    pub agent_id: Option<String>,
    /// Only those in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<State>,
    /// Only those meant for this time or later: a time, or how far to go back from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "24h")]
    pub since: Option<String>,
    /// At most so many, the newest first; 100 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Leave out so many at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 4294967295_u64)]
    pub offset: Option<u32>,
}

/// Which changes are asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeParams {
    /// Only those of this schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub schedule_id: Option<i64>,
    /// Only those of this agent's schedules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "agent-00000000-0000-4000-8000-000000000000")]
    pub agent_id: Option<String>,
    /// Only those of this time or later: a time, or how far to go back from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "24h")]
    pub since: Option<String>,
    /// At most so many, the newest first; 100 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Leave out so many at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 4294967295_u64)]
    pub offset: Option<u32>,
}

/// Which accounts are asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountParams {
    /// Only this schedule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub schedule_id: Option<i64>,
    /// At most so many one by one; 100 unless it is given. The sum is always of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Leave out so many at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 4294967295_u64)]
    pub offset: Option<u32>,
}

/// No parameters at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// How many a page holds.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn limit(given: Option<u32>) -> Result<u32> {
    let limit = given.unwrap_or(USUAL_PAGE);
    match (1..=LARGEST_PAGE).contains(&limit) {
        true => Ok(limit),
        false => Err(Error::new(
            Code::RequestInvalid,
            message![
                field("limit"),
                " {limit} is not from 1 to {LARGEST_PAGE}; ",
                field("offset"),
                " leads to the pages after the first"
            ],
        )),
    }
}

/// The agent to narrow to, if one was given.
///
/// # Errors
/// [`Code::AgentMissing`] if it is blank, [`Code::AgentInvalid`].
pub fn agent(given: Option<&str>) -> Result<Option<AgentId>> {
    given.map(AgentId::parse).transpose()
}

/// The id of a schedule.
///
/// # Errors
/// [`Code::IdInvalid`] if none has it.
pub fn id(given: i64) -> Result<i64> {
    match given >= 1 {
        true => Ok(given),
        false => Err(wrong_id(&given.to_string())),
    }
}

/// What is said of something that is not the id of a schedule.
pub fn wrong_id(text: &str) -> Error {
    Error::new(
        Code::IdInvalid,
        message![
            quoted(text),
            " is not the id of a schedule: give a whole number, as ",
            operation("list"),
            " shows it"
        ],
    )
    .example(call("list").with("all", true))
}
