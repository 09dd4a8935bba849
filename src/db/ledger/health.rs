//! The state of delivery, for `doctor`. Nothing here changes anything.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::Db;
use crate::db::statements::health;
use crate::error::Result;
use crate::models::{OverduePrompt, RunningScheduler, StalledPrompt};

impl Db {
    /// The schedulers with a heartbeat, with whether they are alive, and the owners of prompts that
    /// are being sent.
    pub async fn examine_owners(
        &self,
    ) -> Result<(Vec<(RunningScheduler, bool)>, Vec<(Uuid, i64)>)> {
        let schedulers = self.all_schedulers().await?;
        let with_life = |s: RunningScheduler| {
            let alive = self.lives(s.owner);
            (s, alive)
        };
        let senders = self.read("look for what schedulers left", |tx| {
            Ok(health::list_senders(tx)?)
        });
        let senders = senders.await?.into_iter();
        let dead = senders.filter(|sender| !self.lives(sender.owner));
        let dead = dead.map(|sender| (sender.owner, sender.prompts)).collect();
        Ok((schedulers.into_iter().map(with_life).collect(), dead))
    }

    /// Prompts that living schedulers began to send before `silent_since` without a known run, or
    /// before `running_since` with one.
    pub async fn list_stalled(
        &self,
        silent_since: Timestamp,
        running_since: Timestamp,
    ) -> Result<Vec<StalledPrompt>> {
        let sent = self.read("look for what is being sent for too long", move |tx| {
            Ok(health::list_long_sent(tx, silent_since, running_since)?)
        });
        let mut stalled = sent.await?;
        stalled.retain(|s| self.lives(s.owner));
        Ok(stalled)
    }

    /// What should have been sent or searched for before `since`, with nothing being sent in its
    /// lane. Whatever is paused, behind its own open occurrence, or not adopted yet is left out.
    pub async fn list_overdue(&self, since: Timestamp) -> Result<Vec<OverduePrompt>> {
        self.read("look for what is overdue", move |tx| {
            Ok(health::list_overdue(tx, since)?)
        })
        .await
    }
}
