//! The context of every command.

use std::sync::{Arc, OnceLock};

use super::output::Output;
use super::progress;
use crate::clock::Clock;
use crate::config::{Settings, TargetSettings};
use crate::daemon;
use crate::error::Result;
use crate::letta_client::{Rest, Targets};
use crate::models::{Caller, Face};
use crate::operations::Ask;
use crate::remote::Remote;
use crate::service::Service;

/// The context of every command.
pub struct Context {
    /// The settings.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// How its answer is printed.
    pub(super) output: Output,
    /// Whether the command runs until it is stopped.
    is_lasting: bool,
    /// The service that the command has opened.
    opened: OnceLock<Service>,
}

impl Context {
    /// A context in which nothing is open yet.
    pub(super) fn new(settings: Settings, clock: Clock, output: Output, is_lasting: bool) -> Self {
        Context {
            settings,
            clock,
            output,
            is_lasting,
            opened: OnceLock::new(),
        }
    }

    /// The caller: through the plugin, an agent chooses the arguments.
    fn caller(&self) -> Caller {
        match self.settings.plugin {
            Some(_) => Caller::SomeAgent,
            None => Caller::Operator,
        }
    }

    /// The clients of every server that prompts are delivered to.
    pub(super) fn targets(&self) -> Result<Targets> {
        daemon::open_targets(&self.settings, &self.clock)
    }

    /// The client of a target by Letta's V1 REST API.
    pub(super) fn rest(&self, target: &TargetSettings) -> Result<Arc<Rest>> {
        daemon::open_rest(&self.settings, target, &self.clock)
    }

    /// Opens the database and the client.
    pub(super) async fn service(&self) -> Result<Service> {
        let opening = daemon::open_service(&self.settings, &self.clock);
        // A large database of an older version takes a while.
        let (mut service, upgraded) = match self.is_lasting {
            // It has a log instead.
            true => opening.await?,
            false => {
                let what = || "Opening the database";
                progress::shown(self.output, &self.clock, what, opening).await?
            }
        };
        if !self.is_lasting {
            service = service.with_one_connection();
        }
        let face = match self.settings.plugin {
            Some(_) => Face::Plugin,
            None => Face::Cli,
        };
        let service = service.for_caller(self.caller()).through(face, None);
        let _ = self.opened.set(service.clone());
        if let Some(report) = upgraded {
            tracing::warn!("{report}");
        }
        Ok(service)
    }

    /// The operations, on our own database or on a server elsewhere.
    pub(super) async fn operations(&self) -> Result<Arc<dyn Ask>> {
        if let Some(remote) = &self.settings.remote {
            return Ok(Arc::new(Remote::new(
                remote,
                self.caller(),
                self.clock.clone(),
            )?));
        }
        Ok(Arc::new(self.service().await?))
    }

    /// Closes the database, if the command has opened it.
    pub(super) async fn close(&self) {
        if let Some(service) = self.opened.get() {
            service.close().await;
        }
    }
}
