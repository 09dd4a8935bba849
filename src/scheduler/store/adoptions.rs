//! The log of adopted schedules: a line for one, a summary for many.

use std::collections::BTreeMap;

use crate::models::{Adoption, Lifecycle};

/// How many broken schedules of one change the log names.
const NAMED: usize = 10;

/// What was adopted since it was last reported.
#[derive(Default)]
pub(super) struct Adoptions {
    only: Option<Adoption>,
    total: usize,
    readable: BTreeMap<&'static str, usize>,
    broken: usize,
}

impl Adoptions {
    /// Adds what was adopted. The first broken ones are logged at once.
    pub(super) fn add(&mut self, adopted: Vec<Adoption>) {
        self.total += adopted.len();
        for one in adopted {
            match &one.broken_reason {
                Some(reason) => {
                    self.broken += 1;
                    if self.broken <= NAMED {
                        tracing::error!(
                            "schedule {} was changed by another program and can't be read: {reason}",
                            one.id
                        );
                    }
                }
                None => *self.readable.entry(word(one.lifecycle)).or_default() += 1,
            }
            self.only = Some(one);
        }
    }

    /// Logs all of it in one line, and starts again.
    pub(super) fn report(&mut self) {
        let Adoptions {
            only,
            total,
            readable,
            broken,
        } = std::mem::take(self);
        if broken > NAMED {
            tracing::error!(
                "{} more schedules were changed by other programs and can't be read; `promptyoself \
                 doctor` names them",
                broken - NAMED
            );
        }
        match only {
            Some(one) if total == 1 && broken == 0 => tracing::info!(
                "adopted schedule {} as changed by another program: {}",
                one.id,
                one.lifecycle
            ),
            _ if readable.is_empty() => {}
            _ => {
                let each: Vec<String> = (readable.iter())
                    .map(|(lifecycle, n)| format!("{n} {lifecycle}"))
                    .collect();
                tracing::info!(
                    "adopted {} schedules as changed by other programs: {}",
                    readable.values().sum::<usize>(),
                    each.join(", ")
                );
            }
        }
    }
}

fn word(lifecycle: Lifecycle) -> &'static str {
    lifecycle.as_str()
}
