//! Who is delivering: heartbeats, and held targets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::halt::{Deadline, give_time_back};
use super::incidents::close_incident;
use super::locks::lock_subject;
use crate::db::Db;
use crate::db::statements::schedulers;
use crate::error::Result;
use crate::models::{HeldTarget, IncidentKind, RunningScheduler};

impl Db {
    /// Writes a scheduler's heartbeat; the first one also records its start.
    pub async fn beat(&self, owner: Uuid, holding: Option<&str>, now: Timestamp) -> Result<()> {
        let holding = holding.map(str::to_owned);
        self.write("write the heartbeat", move |tx| {
            let (pid, holding) = (std::process::id(), holding.as_deref());
            schedulers::upsert_heartbeat(tx, owner, pid, holding, now)?;
            Ok(())
        })
        .await
    }

    /// Deletes a scheduler that has stopped.
    pub async fn forget_scheduler(&self, owner: &str) -> Result<()> {
        let owner = owner.to_owned();
        self.write("forget a stopped scheduler", move |tx| {
            schedulers::delete_heartbeat(tx, &owner)?;
            Ok(())
        })
        .await
    }

    /// The live schedulers on this database.
    pub async fn list_schedulers(&self) -> Result<Vec<RunningScheduler>> {
        let mut schedulers = self.all_schedulers().await?;
        schedulers.retain(|s| self.lives(s.owner));
        Ok(schedulers)
    }

    /// The dead owners of heartbeats or prompts, as stored. An unreadable or missing name belongs
    /// to nobody.
    pub async fn list_dead_owners(&self) -> Result<Vec<String>> {
        let owners = self.read("look for dead schedulers", |tx| {
            Ok(schedulers::list_owners(tx)?)
        });
        let owners: BTreeSet<String> = owners.await?.into_iter().collect();
        let is_dead = |owner: &String| owner.parse().map_or(true, |owner| !self.is_alive(owner));
        Ok(owners.into_iter().filter(is_dead).collect())
    }

    /// Every scheduler with a heartbeat, including dead ones.
    pub(in crate::db) async fn all_schedulers(&self) -> Result<Vec<RunningScheduler>> {
        self.read("look for running schedulers", |tx| {
            Ok(schedulers::list_heartbeats(tx)?)
        })
        .await
    }

    /// Records that a target is held, and why; the start time stays as first recorded.
    pub async fn hold_target(&self, held: &HeldTarget) -> Result<()> {
        let held = held.to_owned();
        self.write("record that a target is held", move |tx| {
            schedulers::upsert_held(tx, &held)?;
            Ok(())
        })
        .await
    }

    /// Records that a target accepts prompts again, and extends the deadlines of open occurrences
    /// in its lanes by the time it was held: neither retries nor searches age during a hold.
    pub async fn release_target(&self, target: &str, now: Timestamp) -> Result<()> {
        let target = target.to_owned();
        self.write("record that a target answers again", move |tx| {
            lock_subject(tx, &target)?;
            // Another scheduler may already have released it and extended the deadlines.
            let Some(released) = schedulers::delete_held(tx, &target)? else {
                return Ok(());
            };
            let held = now.duration_since(released.held_since.unwrap_or(now));
            for deadline in [Deadline::Expiry, Deadline::Reconcile] {
                give_time_back(tx, deadline, Some(&target), held)?;
            }
            let answers = "the target answers again";
            close_incident(tx, IncidentKind::Held, &target, answers, now)?;
            Ok(())
        })
        .await
    }

    /// The targets that are held.
    pub async fn list_held_targets(&self) -> Result<Vec<HeldTarget>> {
        self.read("look for held targets", |tx| Ok(schedulers::list_held(tx)?))
            .await
    }
}
