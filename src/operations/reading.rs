//! Reads the values of a request: each group of fields is read once for all faces, with errors that
//! teach.

mod history;
mod ids;
mod numbers;
mod pages;
mod policy;
mod schedules;
mod when;

pub use history::{point, settled_since, since, state};
pub use ids::{agent, agent_at, filtered_id, id, schedule_filter, schedule_number, target, which};
pub use pages::{Page, count, list, page, refuse_large};
pub use schedules::{changes, note, registration};
pub use when::{when, zone_of};
