//! The agents of the Letta servers.

use super::Service;
use super::answers::{AgentsListed, Success};
use crate::error::Result;
use crate::letta_client::Agent;

impl Service {
    /// All agents of all targets; where there are several targets, each with the name of its own.
    ///
    /// # Errors
    /// Those of Letta.
    pub async fn agents(&self) -> Result<AgentsListed> {
        let several = self.targets.names().count() > 1;
        let mut agents = Vec::new();
        for target in self.targets.all() {
            let doing = format!("list the agents of {}", target.address());
            let listed = target.list_agents().await;
            let listed = listed.map_err(|r| r.into_error(&doing))?;
            agents.extend(listed.into_iter().map(|agent| Agent {
                target: several.then(|| target.name().to_string()),
                ..agent
            }));
        }
        Ok(AgentsListed {
            status: Success::Success,
            count: agents.len(),
            agents,
        })
    }
}
