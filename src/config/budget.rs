//! How much an agent may schedule for itself.

use serde::Deserialize;

use super::Environment;
use super::value::invalid;
use crate::error::Result;
use crate::models::{AllAgents, Budget};

/// The `[budget]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    schedules: Option<i64>,
    fires_per_day: Option<i64>,
    registrations_per_day: Option<i64>,
    all_schedules: Option<i64>,
    all_registrations_per_day: Option<i64>,
}

/// Combines environment and file.
pub(super) fn combine(env: &Environment, file: &FileTable) -> Result<Budget> {
    let usual = Budget::default();
    let read = |name: &str, key: &str, from_file: Option<i64>| match env.get(name) {
        Some(text) => number(name, name, text).map(Some),
        None => from_file
            .map(|n| {
                let source = format!("{key} in [budget] of the settings file");
                number(&source, name, &n.to_string())
            })
            .transpose(),
    };
    let schedules = read("PROMPTYOSELF_BUDGET_SCHEDULES", "schedules", file.schedules)?;
    let fires = read(
        "PROMPTYOSELF_BUDGET_FIRES_PER_DAY",
        "fires_per_day",
        file.fires_per_day,
    )?;
    let registrations = read(
        "PROMPTYOSELF_BUDGET_REGISTRATIONS_PER_DAY",
        "registrations_per_day",
        file.registrations_per_day,
    )?;
    let all_schedules = read(
        "PROMPTYOSELF_BUDGET_ALL_SCHEDULES",
        "all_schedules",
        file.all_schedules,
    )?;
    let all_registrations = read(
        "PROMPTYOSELF_BUDGET_ALL_REGISTRATIONS_PER_DAY",
        "all_registrations_per_day",
        file.all_registrations_per_day,
    )?;
    Ok(Budget {
        schedules: schedules.unwrap_or(usual.schedules),
        fires_per_day: fires
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(usual.fires_per_day),
        registrations_per_day: registrations.unwrap_or(usual.registrations_per_day),
        all: AllAgents {
            schedules: all_schedules.unwrap_or(usual.all.schedules),
            registrations: all_registrations.unwrap_or(usual.all.registrations),
        },
    })
}

fn number(source: &str, variable: &str, text: &str) -> Result<i64> {
    text.trim().parse().ok().filter(|n| *n > 0).ok_or_else(|| {
        invalid(
            source,
            format_args!("{text:?} is not a whole number of at least 1"),
            &format!("{variable}=1000"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_from_the_environment_before_the_file() {
        let file = FileTable {
            schedules: Some(5),
            fires_per_day: Some(7),
            all_schedules: Some(9),
            ..FileTable::default()
        };
        let env: Environment = [("PROMPTYOSELF_BUDGET_SCHEDULES", "3")]
            .into_iter()
            .collect();
        let budget = combine(&env, &file).unwrap();
        assert_eq!((budget.schedules, budget.fires_per_day), (3, 7));
        assert_eq!(budget.all.schedules, 9);
        let none = combine(&Environment::default(), &FileTable::default()).unwrap();
        assert_eq!(none, Budget::default());
    }

    #[test]
    fn a_budget_of_nothing_is_refused_with_its_place() {
        let file = FileTable {
            schedules: Some(0),
            ..FileTable::default()
        };
        let error = combine(&Environment::default(), &file).unwrap_err();
        assert!(
            error.to_string().contains("schedules in [budget]"),
            "{error}"
        );
    }
}
