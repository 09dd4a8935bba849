//! The agents of the Letta servers.

use super::Service;
use super::answers::{AgentsListed, Success};
use crate::error::{Error, Result};
use crate::letta_client::Agent;
use crate::models::TargetName;

impl Service {
    /// All agents of all targets; where there are several targets, each with the name of its own.
    ///
    /// # Errors
    /// Those of Letta, if no target answers.
    pub async fn agents(&self) -> Result<AgentsListed> {
        let several = self.targets.names().count() > 1;
        let (mut agents, mut failed) = (Vec::new(), Vec::new());
        for target in self.targets.all() {
            let doing = format!("list the agents of {}", target.address());
            let listed = match target.list_agents().await {
                Ok(listed) => listed,
                Err(refusal) => {
                    failed.push((target.name(), refusal.into_error(&doing, &target.name())));
                    continue;
                }
            };
            agents.extend(listed.into_iter().map(|agent| Agent {
                target: several.then(|| target.name().to_string()),
                ..agent
            }));
        }
        if failed.len() == self.targets.names().count()
            && let Some((_, error)) = failed.pop()
        {
            return Err(error);
        }
        let told =
            |(name, error): &(TargetName, Error)| format!("target {name}: {}", error.chain());
        let told: Vec<String> = failed.iter().map(told).collect();
        Ok(AgentsListed {
            status: Success::Success,
            count: agents.len(),
            agents,
            warning: (!told.is_empty()).then(|| told.join("; ")),
        })
    }
}
