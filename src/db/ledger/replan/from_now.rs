//! What a schedule should do from now on, whatever a wrong clock has made of it.

use jiff::{SignedDuration, Timestamp};

use super::super::plans::plan_of;
use crate::db::statements::replan::Made;
use crate::models::{Plan, PromptSchedule};
use crate::schedule::{Spec, Timetable, timetable_of};

/// If a schedule was made by a clock further ahead than this, its times were counted from that
/// clock: nobody plans that far ahead.
const FAR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A plan from now on.
pub(super) struct FromNow {
    /// When it runs.
    pub(super) timetable: Timetable,
    /// A start time that is still in the future.
    pub(super) start_at: Option<Timestamp>,
    /// The first instant after now, if nothing is known about its outcome.
    pub(super) next: Option<Timestamp>,
    /// Whether it starts over, because it was counted from the wrong clock's time.
    pub(super) is_new: bool,
}

/// What a schedule should do from `now` on; `None` if it can't be read.
pub(super) fn planned_from(
    schedule: &PromptSchedule,
    made: Made,
    now: Timestamp,
) -> Option<FromNow> {
    let mut timetable = timetable_of(schedule).ok()?;
    let mut start_at = schedule.start_at;
    let ahead = made.at.duration_since(now);
    // A time before the wrong clock's own was not counted from it.
    let is_counted = |time: Timestamp| time >= made.at;
    let is_new = ahead > SignedDuration::ZERO && is_counted(made.first);
    let back = |time: Timestamp| time.checked_sub(ahead).unwrap_or(time);
    if ahead > FAR && timetable.end_at.is_some_and(is_counted) {
        timetable.end_at = timetable.end_at.map(back);
    }
    if is_new && ahead > FAR {
        start_at = start_at.map(back);
        if timetable.anchor > now {
            timetable.anchor = back(timetable.anchor);
        }
        if let Spec::Once(at) = timetable.spec {
            timetable.spec = Spec::Once(back(at));
        }
    } else if is_new
        && start_at.is_none()
        && timetable.anchor > now
        && matches!(timetable.spec, Spec::Interval(_))
    {
        timetable.anchor = now;
    }
    let start_at = start_at.filter(|start| *start > now);
    let next = match &timetable.spec {
        Spec::Once(at) => Some(*at),
        _ if !is_new && made.first > now => Some(made.first),
        Spec::Interval(_) if is_new && start_at.is_none() && timetable.anchor >= now => {
            timetable.first(now, None)
        }
        _ if start_at.is_some() => timetable.first(now, start_at),
        _ => timetable.next_after(now),
    };
    Some(FromNow {
        timetable,
        start_at,
        next,
        is_new,
    })
}

impl FromNow {
    /// The same as a plan that begins with an instant.
    pub(super) fn plan(&self, schedule: &PromptSchedule, next_run: Timestamp) -> Plan {
        let plan = plan_of(schedule, &self.timetable, next_run);
        Plan {
            schedule_value: match &self.timetable.spec {
                Spec::Once(_) if self.is_new => self.timetable.spec.to_stored(&self.timetable.zone),
                _ => plan.schedule_value,
            },
            start_at: match self.is_new {
                true => self.start_at,
                false => plan.start_at,
            },
            end_at: self.timetable.end_at,
            ..plan
        }
    }
}
