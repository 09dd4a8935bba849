//! `doctor`: looks for everything that can keep a prompt from being accounted for. It changes
//! nothing.

mod checks;
mod finding;

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Service, Status};
use crate::clock::Clock;
use crate::config::Delivery;
use crate::db::Db;
use crate::error::Result;
use crate::http::limits::TURN;
use crate::letta_client::Letta;
use crate::models::{Account, OverduePrompt};
use crate::schedule::Zone;

pub use finding::{Finding, Severity};

/// The result of the examination.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// How many schedules have an account, including deleted ones.
    pub accounts: usize,
    /// How many of their instants are accounted for.
    pub instants: i64,
}

impl Diagnosis {
    /// Whether anything is worse than a warning.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// The delivery settings of the database's schedulers.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryProfile {
    /// How many prompts may be sent at once.
    pub concurrency: usize,
    /// How long a turn may be silent.
    pub idle_timeout: SignedDuration,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphaned_run_age: SignedDuration,
}

impl From<&Delivery> for DeliveryProfile {
    fn from(delivery: &Delivery) -> Self {
        DeliveryProfile {
            concurrency: delivery.concurrency,
            idle_timeout: delivery.idle_timeout,
            orphaned_run_age: delivery.orphaned_run_age,
        }
    }
}

impl From<usize> for DeliveryProfile {
    /// The default settings, with this concurrency.
    fn from(concurrency: usize) -> Self {
        DeliveryProfile {
            concurrency,
            ..DeliveryProfile::from(&Delivery::default())
        }
    }
}

/// How long the requests before and after a turn may take, with a margin.
const AROUND_A_TURN: SignedDuration = SignedDuration::from_mins(15);

/// How late the scheduler may be with anything before it is a finding.
const LATE: SignedDuration = SignedDuration::from_mins(2);

impl Service {
    /// Opens the database for [`Service::diagnose`] only: nothing is created or upgraded.
    ///
    /// # Errors
    /// Those of [`Db::open_to_look`].
    pub async fn open_to_look(
        database: &Path,
        timezone: &str,
        letta: Arc<dyn Letta>,
        clock: Clock,
    ) -> Result<Service> {
        let zone = Zone::parse(timezone)?;
        let db = Db::open_to_look(database, &zone).await?;
        Ok(Service::new(db, letta, clock, zone))
    }

    /// Examines everything, assuming these delivery settings.
    ///
    /// # Errors
    /// Those of a database that can't be read at all.
    pub async fn diagnose(&self, profile: impl Into<DeliveryProfile>) -> Result<Diagnosis> {
        let profile = profile.into();
        let mut findings = checks::file(&self.db).await;
        if findings.iter().any(|f| f.code == checks::DAMAGED) {
            // Whatever else is read from a damaged file may be wrong.
            return Ok(Diagnosis {
                findings,
                accounts: 0,
                instants: 0,
            });
        }
        let accounts = self.db.accounts().await?;
        let checked = self.accounts_checked(&accounts).await?;
        findings.extend(checked);
        findings.extend(self.schedules_checked().await?);
        let status = self.status().await?;
        findings.extend(checks::schedulers(self, &status).await?);
        findings.extend(self.overdue_checked(&status, profile.concurrency).await?);
        findings.extend(self.sending_checked(&profile).await?);
        findings.extend(checks::clock(&self.db, self.now()).await?);
        findings.extend(checks::letta(self, &status).await);
        findings.sort_by_key(|f| f.severity != Severity::Error);
        Ok(Diagnosis {
            findings,
            accounts: accounts.len(),
            instants: (accounts.iter().map(Account::recorded)).fold(0, i64::saturating_add),
        })
    }

    async fn accounts_checked(&self, accounts: &[Account]) -> Result<Vec<Finding>> {
        let mut findings: Vec<Finding> = accounts.iter().filter_map(checks::account).collect();
        for (id, why) in self.db.unreadable_occurrences().await? {
            findings.push(checks::unreadable(id, &why));
        }
        Ok(findings)
    }

    async fn schedules_checked(&self) -> Result<Vec<Finding>> {
        let everything = crate::models::ScheduleFilter {
            all: true,
            ..crate::models::ScheduleFilter::default()
        };
        let schedules = self.db.list_schedules_briefly(&everything).await?;
        Ok(schedules.iter().filter_map(checks::schedule).collect())
    }

    /// Prompts that have been sending for longer than any wait can explain. Before a run is known,
    /// the answer may first be silent and then contain only keep-alives; after that, a turn has its
    /// own limit.
    async fn sending_checked(&self, profile: &DeliveryProfile) -> Result<Vec<Finding>> {
        let long_ago = |time: SignedDuration| {
            let time = time.saturating_add(AROUND_A_TURN);
            self.now().checked_sub(time).unwrap_or(Timestamp::MIN)
        };
        let silent = profile
            .idle_timeout
            .saturating_add(profile.orphaned_run_age);
        let turn = SignedDuration::try_from(TURN).unwrap_or(SignedDuration::MAX);
        let stalled = self
            .db
            .list_stalled(long_ago(silent), long_ago(turn.max(silent)));
        let stalled = stalled.await?;
        let (schedulers, _) = self.db.examine_owners().await?;
        let path = self.db.path();
        let found = stalled.iter().map(|stalled| {
            let owner = schedulers.iter().find(|(s, _)| s.owner == stalled.owner);
            checks::stalled(stalled, owner.map(|(s, _)| s.pid), path)
        });
        Ok(found.collect())
    }

    /// Lanes that are stuck although a scheduler could serve them.
    async fn overdue_checked(&self, status: &Status, concurrency: usize) -> Result<Vec<Finding>> {
        let sending = self.db.list_open_occurrences().await?;
        let busy = sending
            .iter()
            .filter(|o| o.state == crate::models::State::Sending)
            .count();
        let able = status.warning().is_none() && busy < concurrency;
        if !able {
            return Ok(Vec::new());
        }
        let since = self.now().checked_sub(LATE).unwrap_or(self.now());
        let overdue: Vec<OverduePrompt> = self.db.list_overdue(since).await?;
        Ok(overdue.iter().map(checks::overdue).collect())
    }
}
