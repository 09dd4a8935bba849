//! Finding a schedule by its name.

use std::collections::HashSet;

use super::Service;
use crate::error::{Code, Error, Result, call, fields, message, operation, quoted};
use crate::models::{NamedAgent, NamedSchedule};
use crate::schedule::corrected_count;

/// How many schedules of one name an error lists.
const LISTED: usize = 10;

/// The schedule that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its id.
    Id(i64),
    /// By its name.
    Name(String),
}

impl Service {
    /// The id of the schedule that is meant. A name is that of the live schedule; if there is none,
    /// of the last that had it. A known agent's name is looked for among its own schedules.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], and [`Code::NameAmbiguous`] if several agents have such a
    /// schedule.
    pub async fn id_of(&self, which: &Which) -> Result<i64> {
        let name = match which {
            Which::Id(id) => return Ok(*id),
            Which::Name(name) => name,
        };
        let own = self.caller.scope().cloned().map(NamedAgent::from);
        let found = self.db.find_named(name, own.as_ref()).await?;
        let live: Vec<NamedSchedule> = found.iter().filter(|s| s.is_live).cloned().collect();
        let mut left = if live.is_empty() { found } else { live };
        // The newest of each agent comes first.
        let mut seen = HashSet::new();
        left.retain(|s| seen.insert((s.agent_id.clone(), s.target.clone())));
        left.sort_unstable_by_key(|schedule| schedule.id);
        match left.as_slice() {
            [] => Err(unknown(name)),
            [only] => Ok(only.id),
            several => Err(self.ambiguous(name, several)),
        }
    }

    fn ambiguous(&self, name: &str, several: &[NamedSchedule]) -> Error {
        let each = several.iter().take(LISTED);
        let each: Vec<String> = each
            .map(|s| match self.db.targets().are_several {
                true => format!("{} of {}/{}", s.id, s.target, s.agent_id),
                false => format!("{} of {}", s.id, s.agent_id),
            })
            .collect();
        let more = match several.len() > LISTED {
            true => " and more",
            false => "",
        };
        Error::new(
            Code::NameAmbiguous,
            message![
                "several schedules are named ",
                quoted(name),
                format!(": {}{more}. Give the id instead", each.join(", "))
            ],
        )
        .example(call("list"))
    }
}

fn unknown(name: &str) -> Error {
    let corrected = corrected_count(name, &["id", "id:", "no.", "number", "schedule"]);
    let has_figures = name.contains(|c: char| c.is_ascii_digit());
    let error = Error::new(
        Code::ScheduleNotFound,
        message![
            "there is no schedule named ",
            quoted(name.chars().take(80).collect::<String>()),
            ": ",
            operation("list"),
            " shows those that exist"
        ],
    )
    .example(call("list").with("all", true));
    match corrected.filter(|id| has_figures && *id > 0) {
        Some(id) => error.example(fields([("id", id)])),
        None => error,
    }
}
