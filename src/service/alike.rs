//! Schedules of one agent that do the same.

use jiff::Timestamp;

use super::Service;
use crate::error::Result;
use crate::models::PromptSchedule;
use crate::schedule::{Spec, Timetable, timetable_of};

/// How many schedules of the agent are looked at, the newest first.
const LOOKED_AT: i64 = 200;

impl Service {
    /// A note that another active schedule of the agent sends the same prompt at the same times.
    pub(super) async fn note_alike(
        &self,
        schedule: &PromptSchedule,
        timetable: &Timetable,
    ) -> Result<Option<String>> {
        let Ok(agent) = self.agent_of(schedule) else {
            return Ok(None);
        };
        let prompt = &schedule.prompt_text;
        let others = self.db.list_with_prompt(&agent, prompt, LOOKED_AT).await?;
        let others = others
            .iter()
            .filter(|other| other.id != schedule.id && other.payload == schedule.payload);
        let mut alike = others.filter_map(|other| {
            let theirs = timetable_of(other).ok()?;
            let when = alike(timetable, &theirs, self.now())?;
            let id = other.id;
            Some(format!(
                "schedule {id} of this agent sends the same prompt {when}"
            ))
        });
        Ok(alike.next())
    }
}

/// How alike two timetables are, apart from their end.
fn alike(a: &Timetable, b: &Timetable, now: Timestamp) -> Option<&'static str> {
    let is_same_zone = a.zone.is_same_as(&b.zone);
    if !is_same_zone || !a.spec.is_same_as(&b.spec, &a.zone) || a.except != b.except {
        return None;
    }
    let from = now.max(a.anchor).max(b.anchor);
    match (&a.spec, a.next_after(from) == b.next_after(from)) {
        (Spec::Interval(_), false) => Some("as often"),
        _ => Some("at the same times"),
    }
}
