//! Lists, page by page.

use super::classify::RequestFailure;
use super::http::{Http, Reply};
use crate::http::limits;
use crate::models::ErrorClass;

/// How much is asked for at once, unless that is too large to be taken in.
const USUAL: usize = 100;

/// How much is asked for at once.
pub(super) struct PageSize {
    usual: usize,
    next: usize,
    asked: usize,
}

impl PageSize {
    /// So much, unless that is too large.
    pub(super) fn of(usual: usize) -> Self {
        PageSize {
            usual,
            next: usual,
            asked: usual,
        }
    }

    /// How much the last page was asked to hold.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }
}

impl Default for PageSize {
    fn default() -> Self {
        PageSize::of(USUAL)
    }
}

impl Http {
    /// Asks for a page. One that is too large is asked for again with less in it, down to a single
    /// entry, and the next one with more.
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
                    size.next = (size.asked * 10).min(size.usual);
                    return Ok(reply);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}
