//! `mcp`: the MCP server for the client that started us, and what `serve` gives its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::output::Reply;
use super::{Context, deliver, running};
use crate::config::{RemoteSettings, Settings};
use crate::error::Result;
use crate::mcp::{self, Backend, Executor, Shared};
use crate::models::Caller;
use crate::remote::Remote;
use crate::schedule::Zone;
use crate::service::Service;

/// Delivers by hand in the database that this process has opened.
struct Here {
    service: Service,
    settings: Settings,
}

#[async_trait]
impl Executor for Here {
    async fn execute(&self, stop: CancellationToken) -> Result<Value> {
        running::execute_once(&self.service, &self.settings, stop).await
    }
}

/// What tools need where the schedules are in our own database.
pub(super) fn tools_here(ctx: &Context, service: &Service, stop: CancellationToken) -> Shared {
    let settings = &ctx.settings;
    Shared {
        backend: Backend::Here(Box::new(service.clone())),
        executor: Some(Arc::new(Here {
            service: service.clone(),
            settings: settings.clone(),
        })),
        clock: ctx.clock.clone(),
        zone: service.zone.clone(),
        default_agent: settings.default_agent.clone(),
        settings: settings.mcp.clone(),
        letta_url: settings.letta_url.clone(),
        has_letta_key: settings.letta_key.is_some(),
        stop,
        calls: TaskTracker::new(),
    }
}

/// Waits a moment for the first sign of a scheduler, or the first answers would warn that there is
/// none.
async fn until_somebody_delivers(service: &Service) {
    for _ in 0..50 {
        let living = service.db.list_schedulers().await;
        if living.is_ok_and(|s| !s.is_empty()) {
            return;
        }
        service.clock.sleep(Duration::from_millis(10)).await;
    }
}

/// What tools need where a server keeps the schedules and delivers.
fn tools_elsewhere(
    ctx: &Context,
    remote: &RemoteSettings,
    stop: CancellationToken,
) -> Result<Shared> {
    let settings = &ctx.settings;
    // A model chooses the arguments, whoever started us.
    let server = Remote::new(remote, Caller::SomeAgent)?;
    Ok(Shared {
        backend: Backend::Elsewhere(Arc::new(server)),
        executor: None,
        clock: ctx.clock.clone(),
        zone: Zone::parse(&settings.timezone)?,
        default_agent: settings.default_agent.clone(),
        settings: settings.mcp.clone(),
        letta_url: settings.letta_url.clone(),
        has_letta_key: settings.letta_key.is_some(),
        stop,
        calls: TaskTracker::new(),
    })
}

/// Speaks MCP on standard input and output until the client goes or we are told to stop, and
/// delivers beside it unless somebody else does.
pub(super) async fn mcp(ctx: &Context) -> Result<Reply> {
    let stop = running::stopped_by_signal()?;
    if let Some(remote) = &ctx.settings.remote {
        mcp::stdio::serve(tools_elsewhere(ctx, remote, stop.clone())?, stop).await?;
        return Reply::new(&json!({ "status": "success" }), String::new());
    }
    let service = ctx.service().await?;
    let delivering = {
        let (service, settings) = (service.clone(), ctx.settings.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            if settings.mcp.delivers {
                deliver::when_nobody_else(&service, &settings, stop).await
            } else {
                Ok(())
            }
        })
    };
    if ctx.settings.mcp.delivers {
        until_somebody_delivers(&service).await;
    }
    let spoken = mcp::stdio::serve(tools_here(ctx, &service, stop.clone()), stop.clone()).await;
    stop.cancel();
    if let Ok(Err(e)) = delivering.await {
        tracing::error!("delivering ended: {}", e.chain());
    }
    spoken?;
    Reply::new(&json!({ "status": "success" }), String::new())
}
