//! What several patterns mean together, in plain English.

use super::description::{Pieces, Times, list};
use super::pattern::Pattern;
use crate::schedule::words::clauses;

/// A part of the sentence.
enum Clause {
    /// Days, and the times of day of all patterns that have these days.
    At(String, Vec<String>),
    /// A pattern that fires again and again.
    Often(String),
}

/// The sentence. `None` for a text that is no pattern.
pub(super) fn sentence(patterns: &[Pattern]) -> Option<String> {
    let mut parts: Vec<Clause> = Vec::new();
    for pattern in patterns {
        add(&mut parts, &pattern.pieces()?);
    }
    let told = parts.into_iter().map(|part| match part {
        Clause::At(days, mut times) => {
            times.sort_unstable();
            times.dedup();
            format!("{days} at {}", list(&times))
        }
        Clause::Often(told) => told,
    });
    Some(clauses(&told.collect::<Vec<_>>()))
}

fn add(parts: &mut Vec<Clause>, pieces: &Pieces) {
    let Times::At(more) = pieces.times() else {
        parts.push(Clause::Often(pieces.told()));
        return;
    };
    let days = pieces.days();
    for part in parts.iter_mut() {
        if let Clause::At(same, times) = part
            && *same == days
        {
            times.extend(more);
            return;
        }
    }
    parts.push(Clause::At(days, more));
}
