//! Uploads Python tools for agents to Letta.

use super::Context;
use super::args::UploadArgs;
use super::input::{self, given};
use super::output::Reply;
use crate::error::Result;

pub(super) async fn upload(ctx: &Context, args: &UploadArgs) -> Result<Reply> {
    let source = input::source_code(args.source_code.as_deref(), std::io::stdin())?;
    let service = ctx.service().await?;
    let name = given(args.name.as_deref());
    let description = given(args.description.as_deref());
    let uploaded = service.upload_tool(&source, name, description).await?;
    Reply::new(&uploaded, &uploaded.message)
}
