//! The agents of the Letta servers: which there are, and whether there is one.

use super::Service;
use super::answers::{AgentsListed, Success};
use crate::error::{Error, Result, field, message};
use crate::letta_client::{Agent, RefusalKind};
use crate::models::{AgentAt, Conversation, TargetName};

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

    /// Refuses an agent that Letta does not know, or a conversation that is not the agent's. A
    /// caller who sets `skip` is believed; but if a model chooses the agent, only while Letta can't
    /// be reached, or it could fill the database with prompts for agents that never existed.
    ///
    /// # Errors
    /// [`crate::error::Code::TargetUnknown`], [`crate::error::Code::AgentUnknown`], and those of
    /// Letta.
    pub(super) async fn check_agent(
        &self,
        agent: &AgentAt,
        conversation: Option<&Conversation>,
        skip: bool,
    ) -> Result<()> {
        let (target, agent) = (self.target(Some(&agent.target))?, &agent.id);
        if skip && !self.caller.chooses_agent() {
            return Ok(());
        }
        let (found, what) = match conversation {
            Some(Conversation::Id(id)) => (
                target.check_conversation(agent, id).await,
                format!("conversation {id} of agent {agent}"),
            ),
            _ => (
                target.get_agent(agent).await.map(drop),
                format!("agent {agent}"),
            ),
        };
        let Err(refusal) = found else {
            return Ok(());
        };
        let down = refusal.kind == RefusalKind::TargetTrouble;
        if skip && down {
            return Ok(());
        }
        let doing = format!("find {what} on {}", target.address());
        let error = refusal.into_error(&doing, &target.name());
        Err(if down {
            error.hint(message![
                "; ",
                field("skip_validation"),
                " schedules it without asking Letta"
            ])
        } else {
            error
        })
    }
}
