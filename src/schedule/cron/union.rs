//! The instants of several patterns together.

use std::iter::Peekable;

use jiff::Timestamp;

use super::instants::Instants;
use super::pattern::Pattern;
use crate::schedule::Zone;

/// The instants of patterns in order, each once.
pub(in crate::schedule) struct Union<'a> {
    each: Vec<Peekable<Instants<'a>>>,
}

impl<'a> Union<'a> {
    pub(super) fn new(patterns: &'a [Pattern], zone: &'a Zone, after: Timestamp) -> Self {
        let each = patterns.iter();
        Union {
            each: each
                .map(|p| Instants::new(p, zone, after).peekable())
                .collect(),
        }
    }
}

impl Iterator for Union<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let first = self.each.iter_mut().filter_map(|of| of.peek().copied());
        let first = first.min()?;
        for of in &mut self.each {
            of.next_if_eq(&first);
        }
        Some(first)
    }
}
