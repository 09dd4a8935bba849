//! What every process opens: the Letta client and the database.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Settings;
use crate::error::Result;
use crate::letta_client::{Rest, RestSettings};
use crate::models::UpgradeReport;
use crate::service::Service;

/// The name of the only target that settings can define so far.
const TARGET: &str = "letta";

/// The client of the only server that settings can define so far.
pub(crate) fn open_letta(settings: &Settings, clock: &Clock) -> Result<Arc<Rest>> {
    let idle_timeout = settings.delivery.idle_timeout;
    let rest = RestSettings {
        target: TARGET.to_owned(),
        base_url: settings.letta_url.clone(),
        api_key: settings.letta_key.clone(),
        idle_timeout: idle_timeout.try_into().unwrap_or(Duration::MAX),
        orphan_age: settings.delivery.orphaned_run_age,
    };
    let rest = Rest::new(rest, clock.clone())?;
    let withheld = settings.letta_key_withheld.clone();
    Ok(Arc::new(rest.with_key_note(withheld)))
}

/// Opens the database and the client according to the settings. There is a report if the database
/// was written by an older program.
pub(crate) async fn open_service(
    settings: &Settings,
    clock: &Clock,
) -> Result<(Service, Option<UpgradeReport>)> {
    let letta = open_letta(settings, clock)?;
    let (database, zone) = (&settings.database, &settings.timezone);
    let (mut service, upgraded) = Service::open(database, zone, letta, clock.clone()).await?;
    service.budget = settings.budget;
    service.largest_prompt = settings.largest_prompt;
    service.allow_upload = settings.server.allow_upload;
    service.default_agent = settings.default_agent.clone();
    Ok((service, upgraded))
}
