//! What the scheduler and the service need from a target without contacting it: names and lanes.

use async_trait::async_trait;
use promptyoself::letta_client::{
    Agent, Answer, Evidence, Letta, Lookup, NewTool, OnRun, Outgoing, Refusal, ServerInfo, Target,
    Tool,
};
use promptyoself::models::{AgentId, Lane, Recipient, TargetName};

/// The simulated server's name and lanes. Talks with it are happenings, never calls.
pub struct Directory;

const NO_TALKS: &str = "the simulation carries out every talk itself";

#[async_trait]
impl Target for Directory {
    fn name(&self) -> TargetName {
        TargetName::new("sim")
    }

    fn address(&self) -> String {
        "sim".into()
    }

    fn lane(&self, recipient: &Recipient) -> Lane {
        Lane::of(&self.name(), &recipient.agent)
    }

    async fn check(&self) -> Result<ServerInfo, Refusal> {
        unreachable!("{NO_TALKS}")
    }

    async fn send(&self, _: &Outgoing, _: OnRun<'_>) -> Answer {
        unreachable!("{NO_TALKS}")
    }

    async fn find(&self, _: &Lookup) -> Evidence {
        unreachable!("{NO_TALKS}")
    }
}

#[async_trait]
impl Letta for Directory {
    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        unreachable!("{NO_TALKS}")
    }

    async fn get_agent(&self, _: &AgentId) -> Result<Agent, Refusal> {
        unreachable!("{NO_TALKS}")
    }

    async fn create_tool(&self, _: &NewTool) -> Result<Tool, Refusal> {
        unreachable!("{NO_TALKS}")
    }
}
