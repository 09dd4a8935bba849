//! Tells when there may be something new: in the database, or at a server elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use crate::clock::Clock;
use crate::error::{Code, Result};
use crate::operations::Ask;
use crate::service::Service;

/// How often a server elsewhere is asked.
const ASK: Duration = Duration::from_secs(2);

/// Tells when there may be something new.
pub(super) enum Feed {
    /// In our own database: when another process has written.
    Here {
        service: Box<Service>,
        seen: Option<i64>,
    },
    /// At a server elsewhere, which tells nobody: after a while.
    Elsewhere(Clock),
}

impl Feed {
    /// Whom to ask, and what tells when to ask again.
    pub(super) async fn open(ctx: &Context) -> Result<(Arc<dyn Ask>, Feed)> {
        if ctx.settings.remote.is_some() {
            return Ok((ctx.operations().await?, Feed::Elsewhere(ctx.clock.clone())));
        }
        let service = ctx.service().await?;
        // Read first, so that what is written while the first answer is read counts as new.
        let seen = service.version_by_others().await;
        let here = Feed::Here {
            service: Box::new(service.clone()),
            seen,
        };
        Ok((Arc::new(service), here))
    }

    /// Waits until there may be something new.
    pub(super) async fn wait(&mut self) {
        match self {
            Feed::Here { service, seen } => service.wait_for_others(seen).await,
            Feed::Elsewhere(clock) => clock.sleep(ASK).await,
        }
    }
}

/// Whether asking again may help.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::ServerUnreachable | Code::DatabaseUnavailable | Code::TooMany
    )
}
