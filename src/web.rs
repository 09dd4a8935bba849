//! What the HTTP faces share: whom they answer, how much at a time, and how errors are sent.

pub(crate) mod admission;
mod answer;
pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod guard;
mod holders;
mod key_cache;
mod leftover;
mod places;
mod problem;
mod wire;

pub(crate) use admission::Admitted;
pub(crate) use answer::Answer;
pub use credentials::credentials;
pub use guard::Guard;
pub(crate) use holders::too_many;
pub use problem::Problem;
