//! Lists, read page by page.

use super::classify::RequestFailure;
use super::http::{Http, Reply};
use crate::http::limits;
use crate::models::ErrorClass;

/// The number of entries requested, unless that turns out to be too large.
const DEFAULT: usize = 100;

/// The number of entries to request.
pub(super) struct PageSize {
    default_size: usize,
    next: usize,
    asked: usize,
}

impl PageSize {
    /// Starts with this many.
    pub(super) fn of(default_size: usize) -> Self {
        PageSize {
            default_size,
            next: default_size,
            asked: default_size,
        }
    }

    /// How many entries the last page was asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }
}

impl Default for PageSize {
    fn default() -> Self {
        PageSize::of(DEFAULT)
    }
}

impl Http {
    /// Requests a page. If it is too large, asks for a smaller one, down to a single entry, and for
    /// more again on the next.
    pub(super) async fn page(
        &self,
        path: &str,
        query: &[(&str, &str)],
        size: &mut PageSize,
    ) -> Result<Reply, RequestFailure> {
        loop {
            size.asked = size.next;
            let limit = size.asked.to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            match self.ask(path, &query, &limits::PAGE).await {
                Err(RequestFailure::Doubt(doubt))
                    if doubt.class == ErrorClass::TooLarge && size.asked > 1 =>
                {
                    size.next = (size.asked / 10).max(1);
                }
                Ok(reply) => {
                    size.next = (size.asked * 10).min(size.default_size);
                    return Ok(reply);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}
