//! `rows`: schedules for other programs, one JSON request at a time.

use std::io::Read;

use super::Context;
use super::output::Reply;
use crate::error::{Code, Error, Result, shell};
use crate::service::RowRequest;

/// The largest request, in bytes: the largest prompt with every character escaped.
const LARGEST: u64 = 128 * 1024 * 1024;

pub(super) async fn rows(ctx: &Context) -> Result<Reply> {
    let mut text = String::new();
    let wrong = |what: String| {
        let text = format!("standard input is not a valid request: {what}");
        Error::new(Code::Usage, text).example(shell("echo '{\"do\": \"due\"}' | promptyoself rows"))
    };
    std::io::stdin()
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|e| wrong(e.to_string()))?;
    let asked: RowRequest = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let answer = ctx.service().await?.rows(asked).await?;
    Reply::new(&answer, format!("{answer:#}"))
}
