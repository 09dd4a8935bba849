//! Reading an answer, but no more of it than the limits allow.

use reqwest::Response;

use super::limits::Bound;
use super::shorten::Shortened;

/// The mark that some programs put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why an answer was not read completely.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than the limit.
    TooMuch,
    /// The connection ended before the answer was complete.
    Cut(reqwest::Error),
}

/// Reads a JSON answer completely, cutting texts as the bound says. Anything that is not JSON is
/// read as well, and rejected when it is parsed.
pub(crate) async fn read(mut response: Response, bound: &Bound) -> Result<Vec<u8>, Unread> {
    let mut left = bound.read;
    if response
        .content_length()
        .is_some_and(|length| length > left)
    {
        return Err(Unread::TooMuch);
    }
    let mut copy = Shortened::new(bound);
    while let Some(piece) = response.chunk().await.map_err(Unread::Cut)? {
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or(Unread::TooMuch)?;
        copy.push(&piece);
        if copy.is_too_much() {
            return Err(Unread::TooMuch);
        }
    }
    let mut held = copy.finish().ok_or(Unread::TooMuch)?;
    if held.starts_with(BYTE_ORDER_MARK) {
        held.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(held)
}
