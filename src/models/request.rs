//! A request that may come again, since its caller may have lost the answer.

/// What tells a request from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asks: keys of different callers have nothing to do with each other.
    pub caller: String,
    /// What the caller named it.
    pub key: String,
}

/// How it stands with a request that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestStatus {
    /// It is to be carried out: nobody has answered it yet.
    Unanswered,
    /// It was answered before.
    Answered(StoredAnswer),
    /// Another request came under this key.
    Other,
    /// As many of this caller are kept as may be, and this one was not noted.
    TooMany,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}
