//! `serve`: the scheduler with the HTTP server beside it.

use tokio::sync::mpsc;

use super::deliver;
use super::mcp::tools_here;
use super::signals::stopped_by_signal;
use crate::config::Settings;
use crate::error::Result;
use crate::notify::Notifier;
use crate::server::{self, Metrics};
use crate::service::Service;

/// Delivers and serves until the process is told to stop.
pub(crate) async fn serve(service: &Service, settings: &Settings) -> Result<()> {
    let notifier = Notifier::new(service.db.clone(), service.clock.clone(), &settings.notify)?;
    let stop = stopped_by_signal()?;
    let (sender, mut reports) = mpsc::unbounded_channel();
    if let Err(e) = service.db.recount_schedules().await {
        tracing::warn!("{}; the metrics may differ", e.chain());
    }
    let metrics = Metrics::default();
    let counted = metrics.clone();
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            counted.count(&report);
        }
    });
    let tools = tools_here(settings, service, stop.clone());
    let serving = server::start(&settings.server, service, metrics, tools, stop.clone()).await?;
    let delivered = deliver::forever(
        service,
        settings,
        None,
        notifier,
        Some(sender),
        stop.clone(),
    )
    .await;
    stop.cancel();
    serving.await;
    delivered
}
