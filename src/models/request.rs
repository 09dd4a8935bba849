//! A request that may be repeated, because its caller may not have received the answer.

/// What identifies a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// The caller: keys of different callers are unrelated.
    pub caller: String,
    /// The key that the caller chose.
    pub key: String,
}

/// The status of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestStatus {
    /// It has no answer yet and has to be carried out.
    Unanswered,
    /// It was answered before.
    Answered(StoredAnswer),
    /// The key was used for a different request.
    Other,
    /// The caller already has as many stored requests as allowed; this one was not recorded.
    TooMany,
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}
