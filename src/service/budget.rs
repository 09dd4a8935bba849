//! Refuses what exceeds an agent's budget.

use jiff::SignedDuration;

use crate::error::{Code, Error, Result};
use crate::models::{Allowance, Budget, Caller, Plan};
use crate::schedule::{Timetable, just_before};

/// How many live schedules the caller's agent may have; `None` for any number.
pub(super) fn most_schedules(budget: &Budget, caller: &Caller) -> Option<i64> {
    caller.has_budget().then_some(budget.schedules)
}

/// What the caller may register; `None` for no limit.
pub(super) fn allowance(budget: &Budget, caller: &Caller) -> Option<Allowance> {
    caller.has_budget().then(|| Allowance {
        schedules: budget.schedules,
        registrations: budget.registrations_per_day,
        all: caller.chooses_agent().then_some(budget.all),
    })
}

/// Refuses a plan that runs too often in the 24 hours from its first run.
///
/// # Errors
/// [`Code::BudgetExceeded`].
pub(super) fn check_fires(
    budget: &Budget,
    caller: &Caller,
    plan: &Plan,
    timetable: &Timetable,
) -> Result<()> {
    if !caller.has_budget() {
        return Ok(());
    }
    let Ok(day_after) = plan.next_run.checked_add(SignedDuration::from_hours(24)) else {
        return Ok(());
    };
    let most = plan.max_repetitions.and_then(|n| u64::try_from(n).ok());
    let fires = timetable
        .passed(plan.next_run, just_before(day_after), most)
        .count;
    if fires <= budget.fires_per_day {
        return Ok(());
    }
    // The shortest interval in whole minutes within the budget.
    let minutes = 1_440_u64.div_ceil(budget.fires_per_day.max(1));
    Err(Error::new(
        Code::BudgetExceeded,
        format!(
            "{} {:?} would run {fires} times in 24 hours, but an agent's schedule may run {} \
             times: make the runs at least {minutes} minutes apart, or fewer in total",
            plan.schedule_type, plan.schedule_value, budget.fires_per_day
        ),
    ))
}
