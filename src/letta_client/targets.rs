//! The registry of targets, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::directory::Letta;
use crate::error::Error;
use crate::models::{AgentId, Conversation, KnownTargets, Lane, Recipient, TargetName};

/// Every configured target. A new kind of target only needs another entry here.
#[derive(Clone)]
pub struct Targets {
    by_name: BTreeMap<TargetName, Arc<dyn Letta>>,
    default: Arc<dyn Letta>,
}

impl Targets {
    /// A registry with one target, which is also the default one.
    pub fn only(target: Arc<dyn Letta>) -> Self {
        Targets::new(target, Vec::new())
    }

    /// A registry of these targets. Schedules that name no target use the first.
    pub fn new(default: Arc<dyn Letta>, others: Vec<Arc<dyn Letta>>) -> Self {
        let others = others.into_iter().map(|target| (target.name(), target));
        Targets {
            by_name: others.chain([(default.name(), default.clone())]).collect(),
            default,
        }
    }

    /// The target with a name, unless it has been removed from the settings. An empty name means
    /// the default target.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Letta>> {
        match name.is_empty() {
            true => Some(&self.default),
            false => self.by_name.get(name),
        }
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Letta>> {
        self.by_name.values()
    }

    /// All of them, each with its name where there are several.
    pub fn named(&self) -> impl Iterator<Item = (Option<&TargetName>, &Arc<dyn Letta>)> {
        let several = self.by_name.len() > 1;
        let named = self.by_name.iter();
        named.map(move |(name, target)| (several.then_some(name), target))
    }

    /// The names of all targets.
    pub fn names(&self) -> impl Iterator<Item = &TargetName> {
        self.by_name.keys()
    }

    /// What stored rows depend on.
    pub fn known(&self) -> KnownTargets {
        KnownTargets {
            default: self.default.name(),
            are_several: self.by_name.len() > 1,
        }
    }

    /// The target of schedules that name none.
    pub fn default_target(&self) -> &Arc<dyn Letta> {
        &self.default
    }

    /// The recipient of a prompt. Without a target it is for the default one, and without a
    /// conversation for the one that its target uses by default.
    pub fn recipient(
        &self,
        target: Option<&TargetName>,
        agent: &AgentId,
        conversation: Option<&Conversation>,
    ) -> Recipient {
        let target = target.cloned().unwrap_or_else(|| self.default.name());
        match self.get(target.as_str()) {
            Some(known) => known.recipient(agent.clone(), conversation.cloned()),
            None => Recipient {
                target,
                agent: agent.clone(),
                conversation: conversation.cloned().unwrap_or(Conversation::Default),
            },
        }
    }

    /// The lane for the prompts of a schedule to a recipient. If the target is missing from the
    /// settings, nothing is sent in that lane.
    pub fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane {
        match self.get(recipient.target.as_str()) {
            Some(target) => target.lane(recipient, schedule),
            None => Lane::of(&recipient.target, &recipient.agent),
        }
    }

    /// Does what each target needs before its connections end for good.
    pub async fn leave(&self) {
        let leaving = self.by_name.values().map(|target| target.leave());
        futures_util::future::join_all(leaving).await;
    }

    /// The same targets over connections of their own.
    ///
    /// # Errors
    /// If the client of these connections can't be prepared.
    pub fn apart(&self) -> Result<Self, Error> {
        let own = |target: &Arc<dyn Letta>| {
            let own = target.apart()?;
            Ok(own.unwrap_or_else(|| target.clone()))
        };
        let default = own(&self.default)?;
        let mut by_name = BTreeMap::new();
        for (name, target) in &self.by_name {
            let target = match *name == default.name() {
                true => default.clone(),
                false => own(target)?,
            };
            by_name.insert(name.clone(), target);
        }
        Ok(Targets { by_name, default })
    }
}
