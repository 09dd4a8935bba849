//! Reading an answer, no more of it than is worth holding.

use reqwest::Response;

use super::limits::Bound;
use super::shorten::Shortened;

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why an answer was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than we take in.
    TooMuch,
    /// The connection ended before it did.
    Cut(reqwest::Error),
}

/// Reads a JSON answer to its end, texts cut as the bound says. What is no JSON is read all the
/// same, and is none afterwards.
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
