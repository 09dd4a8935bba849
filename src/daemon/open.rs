//! What every process opens: the Letta client and the database.

use std::sync::Arc;
use std::time::Duration;

use super::observe::own_observer;
use crate::clock::Clock;
use crate::config::{Settings, TargetSettings};
use crate::error::Result;
use crate::letta_client::{AnyLetta, Letta, Rest, RestSettings, Targets};
use crate::models::UpgradeReport;
use crate::service::Service;

/// A server by its V1 REST API.
pub(crate) fn open_rest(
    settings: &Settings,
    target: &TargetSettings,
    clock: &Clock,
) -> Result<Arc<Rest>> {
    let rest = Rest::new(server_of(settings, target), clock.clone())?;
    Ok(Arc::new(rest.with_key_note(target.key_withheld.clone())))
}

fn open_target(
    settings: &Settings,
    target: &TargetSettings,
    clock: &Clock,
) -> Result<Arc<AnyLetta>> {
    let server = server_of(settings, target);
    let (note, clock) = (target.key_withheld.clone(), clock.clone());
    let letta = AnyLetta::observed(server, note, clock, own_observer())?;
    Ok(Arc::new(letta))
}

fn server_of(settings: &Settings, target: &TargetSettings) -> RestSettings {
    let idle_timeout = settings.delivery.idle_timeout;
    RestSettings {
        target: target.name.to_string(),
        base_url: target.url.clone(),
        api_key: target.key.clone(),
        idle_timeout: idle_timeout.try_into().unwrap_or(Duration::MAX),
        orphan_age: settings.delivery.orphaned_run_age,
    }
}

/// The clients of all servers that prompts are delivered to.
pub(crate) fn open_targets(settings: &Settings, clock: &Clock) -> Result<Targets> {
    let open = |target| -> Result<Arc<dyn Letta>> { Ok(open_target(settings, target, clock)?) };
    let others: Result<Vec<_>> = settings.targets.others.iter().map(open).collect();
    Ok(Targets::new(open(&settings.targets.default)?, others?))
}

/// Opens the database and the client according to the settings. There is a report if the database
/// was written by an older program.
pub(crate) async fn open_service(
    settings: &Settings,
    clock: &Clock,
) -> Result<(Service, Option<UpgradeReport>)> {
    let targets = open_targets(settings, clock)?;
    let letta = targets.default_target().clone();
    let (database, zone) = (&settings.database, &settings.timezone);
    let (service, upgraded) = Service::open(database, zone, letta, clock.clone()).await?;
    let mut service = service.with_targets(targets);
    service.budget = settings.budget;
    service.largest_prompt = settings.largest_prompt;
    service.allow_upload = settings.server.allow_upload;
    service.default_agent = settings.default_agent.clone();
    Ok((service, upgraded))
}
