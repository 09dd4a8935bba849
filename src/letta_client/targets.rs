//! The registry of targets, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::target::Target;
use crate::error::Error;
use crate::models::{AgentId, Conversation, Lane, Recipient, TargetName};

/// Every target of the settings. Another kind of target is another entry.
#[derive(Clone)]
pub struct Targets {
    by_name: BTreeMap<TargetName, Arc<dyn Target>>,
    default: Arc<dyn Target>,
}

impl Targets {
    /// The registry with one target, which is the one of every schedule that names none.
    pub fn only(target: Arc<dyn Target>) -> Self {
        Targets {
            by_name: BTreeMap::from([(target.name(), target.clone())]),
            default: target,
        }
    }

    /// The target of a name, unless it is not in the settings any more. What names none is of the
    /// default one.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Target>> {
        match name.is_empty() {
            true => Some(&self.default),
            false => self.by_name.get(name),
        }
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &TargetName> {
        self.by_name.keys()
    }

    /// The names of those that can't name lanes yet.
    pub fn unprepared(&self) -> impl Iterator<Item = TargetName> {
        let unprepared = self.by_name.values().filter(|target| !target.is_prepared());
        unprepared.map(|target| target.name())
    }

    /// The target of a schedule that names none.
    pub fn default_target(&self) -> &Arc<dyn Target> {
        &self.default
    }

    /// The recipient of a prompt. What names no target is for the default one, and what names no
    /// conversation is for the usual one of its target.
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

    /// The lane in which the prompts of a schedule to a recipient are sent. In that of a target
    /// that is missing from the settings nothing is sent.
    pub fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane {
        match self.get(recipient.target.as_str()) {
            Some(target) => target.lane(recipient, schedule),
            None => Lane::of(&recipient.target, &recipient.agent),
        }
    }

    /// Does what each needs before its connections end for good.
    pub async fn leave(&self) {
        let leaving = self.by_name.values().map(|target| target.leave());
        futures_util::future::join_all(leaving).await;
    }

    /// The same targets over connections of their own.
    ///
    /// # Errors
    /// If the client of these connections can't be prepared.
    pub fn apart(&self) -> Result<Self, Error> {
        let own = |target: &Arc<dyn Target>| {
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
