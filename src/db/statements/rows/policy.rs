//! The columns of a policy: their names, how they are read, and what is bound to them.

use jiff::SignedDuration;

use super::{number, text};
use crate::db::sql::{Query, Row};
use crate::models::{CatchUp, EnvelopeStyle, Policy};

/// The columns of a policy.
macro_rules! policy_columns {
    () => {
        "catch_up, grace, pause_on_failure, envelope, max_age"
    };
}
pub(in crate::db) use policy_columns;

/// The places of their values in an INSERT, which has eighteen values of its own before them.
macro_rules! policy_places {
    () => {
        "$19, $20, $21, $22, $23"
    };
}
pub(in crate::db) use policy_places;

/// The assignments of the columns in an UPDATE with one value before them.
macro_rules! policy_assignments {
    () => {
        "catch_up = $2, grace = $3, pause_on_failure = $4, envelope = $5, max_age = $6"
    };
}
pub(in crate::db) use policy_assignments;

/// Binds the values of a policy, in the order of its columns.
pub(in crate::db) fn bind_policy<'q>(query: Query<'q>, policy: &Policy) -> Query<'q> {
    // Destructured, so that no part can be forgotten.
    let Policy {
        catch_up,
        grace,
        pause_on_failure,
        envelope,
        max_age,
    } = policy;
    query
        .bind(catch_up.map(CatchUp::as_str))
        .bind(grace.map(|d| d.as_secs()))
        .bind(pause_on_failure)
        .bind(envelope.map(EnvelopeStyle::as_str))
        .bind(max_age.map(|d| d.as_secs()))
}

/// A policy; what can't be read becomes the default.
pub(super) fn policy(row: &Row) -> Policy {
    let seconds = |column| number(row, column).map(SignedDuration::from_secs);
    Policy {
        catch_up: text(row, "catch_up").and_then(|w| CatchUp::from_word(&w)),
        grace: seconds("grace"),
        pause_on_failure: number(row, "pause_on_failure"),
        envelope: text(row, "envelope").and_then(|w| EnvelopeStyle::from_word(&w)),
        max_age: seconds("max_age"),
    }
}
