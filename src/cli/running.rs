//! The commands that deliver: one pass, a loop, the daemon, and MCP for the client that started it.

use std::time::Duration;

use serde_json::json;

use super::Context;
use super::output::{Reply, reply};
use crate::daemon;
use crate::error::Result;
use crate::mcp::tools::LONGEST_WAIT;

/// Delivers what is due, once. In the plugin a client waits for the answer, so it comes within the
/// time limit of MCP clients.
pub(super) async fn execute(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    let stop = daemon::stopped_by_signal()?;
    let json = match ctx.settings.plugin {
        None => daemon::execute_once(&service, &ctx.settings, stop).await?,
        Some(_) => daemon::execute_within(LONGEST_WAIT, &service, &ctx.settings, stop).await?,
    };
    let text = json["message"].as_str().unwrap_or_default().to_owned();
    reply(&json, text)
}

pub(super) async fn execute_loop(ctx: &Context, poll: Duration) -> Result<Reply> {
    let service = ctx.service().await?;
    daemon::execute_loop(&service, &ctx.settings, poll).await?;
    completed()
}

/// Runs the scheduler and the server until told to stop.
pub(super) async fn serve(ctx: &Context) -> Result<Reply> {
    let service = ctx.service().await?;
    daemon::serve(&service, &ctx.settings).await?;
    completed()
}

fn completed() -> Result<Reply> {
    let message = "Scheduler loop completed";
    Reply::new(&json!({ "status": "success", "message": message }), message)
}

/// Serves MCP over stdio, for our own database or on behalf of a server elsewhere.
pub(super) async fn mcp(ctx: &Context) -> Result<Reply> {
    match &ctx.settings.remote {
        Some(remote) => daemon::speak_mcp_for(remote, &ctx.settings, &ctx.clock).await?,
        None => daemon::speak_mcp(&ctx.service().await?, &ctx.settings).await?,
    }
    Reply::new(&json!({ "status": "success" }), String::new())
}
