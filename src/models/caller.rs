//! Who asks for something.

use super::AgentId;

/// Who asks for something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// Whoever runs this program: sees and changes everything.
    #[default]
    Operator,
    /// Some agent, and nobody tells which: bound by a budget, else as the operator.
    SomeAgent,
    /// This agent: bound by a budget, and nothing of any other agent exists for it.
    Agent(AgentId),
}

impl Caller {
    /// Whether an agent's budget binds it.
    pub fn has_budget(&self) -> bool {
        *self != Caller::Operator
    }

    /// Whether it has a budget and yet says itself which agent is meant.
    pub fn chooses_agent(&self) -> bool {
        *self == Caller::SomeAgent
    }

    /// The one agent whose schedules exist for it; `None` for all.
    pub fn scope(&self) -> Option<&AgentId> {
        match self {
            Caller::Agent(agent) => Some(agent),
            Caller::Operator | Caller::SomeAgent => None,
        }
    }
}
