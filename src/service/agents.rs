//! The agents of the Letta server.

use super::Service;
use super::answers::{AgentsListed, Success};
use crate::error::Result;

impl Service {
    /// All agents of the server.
    ///
    /// # Errors
    /// Those of Letta.
    pub async fn agents(&self) -> Result<AgentsListed> {
        let doing = format!("list the agents of {}", self.letta.address());
        let listed = self.letta.list_agents().await;
        let agents = listed.map_err(|r| r.into_error(&doing))?;
        Ok(AgentsListed {
            status: Success::Success,
            count: agents.len(),
            agents,
        })
    }
}
