//! A request that may come again, since its caller may have lost the answer.

/// What tells a request from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asks: keys of different callers have nothing to do with each other.
    pub caller: String,
    /// What the caller named it.
    pub key: String,
}
