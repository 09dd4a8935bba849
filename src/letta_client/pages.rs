//! Lists, page by page.

use super::ErrorClass;
use super::classify::Fault;
use super::http::{Http, Reply};
use crate::http::limits;

/// How much is asked for at once, unless that is too large to be taken in.
const USUAL: usize = 100;

/// How much is asked for at once.
pub(super) struct PageSize(usize);

impl Default for PageSize {
    fn default() -> Self {
        PageSize(USUAL)
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
    ) -> Result<Reply, Fault> {
        loop {
            let limit = size.0.to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            match self.ask(path, &query, &limits::PAGE).await {
                Err(Fault::Doubt(doubt)) if doubt.class == ErrorClass::TooLarge && size.0 > 1 => {
                    size.0 /= 10;
                }
                Ok(reply) => {
                    size.0 = (size.0 * 10).min(USUAL);
                    return Ok(reply);
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}
