//! Who is calling.

use super::AgentAt;

/// Who is calling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// The operator, who sees and changes everything.
    #[default]
    Operator,
    /// An unknown agent: bound by a budget, but otherwise like the operator.
    SomeAgent,
    /// This agent: bound by a budget, and no other agent exists for it.
    Agent(AgentAt),
}

impl Caller {
    /// Whether the budget of agents applies to it.
    pub fn has_budget(&self) -> bool {
        *self != Caller::Operator
    }

    /// Whether it has a budget and still chooses the agent itself.
    pub fn chooses_agent(&self) -> bool {
        *self == Caller::SomeAgent
    }

    /// The only agent whose schedules it sees; `None` for all.
    pub fn scope(&self) -> Option<&AgentAt> {
        match self {
            Caller::Agent(agent) => Some(agent),
            Caller::Operator | Caller::SomeAgent => None,
        }
    }
}
