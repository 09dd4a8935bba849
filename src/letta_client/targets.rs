//! The registry of targets, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::target::Target;
use crate::error::Error;
use crate::models::TargetName;

/// Every configured target. Another kind of target is another entry.
#[derive(Clone)]
pub struct Targets {
    by_name: BTreeMap<TargetName, Arc<dyn Target>>,
    default: Arc<dyn Target>,
}

impl Targets {
    /// A registry with one target, which is also the default one.
    pub fn only(target: Arc<dyn Target>) -> Self {
        Targets {
            by_name: BTreeMap::from([(target.name(), target.clone())]),
            default: target,
        }
    }

    /// The target with a name, unless it has been removed from the settings. An empty name means
    /// the default target.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Target>> {
        match name.is_empty() {
            true => Some(&self.default),
            false => self.by_name.get(name),
        }
    }

    /// The names of all targets.
    pub fn names(&self) -> impl Iterator<Item = &TargetName> {
        self.by_name.keys()
    }

    /// The target of schedules that name none.
    pub fn default_target(&self) -> &Arc<dyn Target> {
        &self.default
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
