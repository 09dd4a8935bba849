//! What the HTTP faces share: whom they answer, how much at a time, and how errors are sent.

mod active_requests;
pub(crate) mod admission;
mod answer;
pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod credentials;
mod discard;
pub(crate) mod guard;
mod key_cache;
mod places;
mod problem;
mod wire;

pub(crate) use active_requests::too_many;
pub(crate) use admission::Admitted;
pub(crate) use answer::Answer;
pub use credentials::credentials;
pub use guard::Guard;
pub use problem::Problem;
