//! What Letta Code tells the commands that its agents run in their shell.
//!
//! It sets `LETTA_AGENT_ID` and `AGENT_ID`, `LETTA_CONVERSATION_ID` and `CONVERSATION_ID`, and, unless
//! they are set already, `LETTA_BASE_URL` and `LETTA_API_KEY`: those are of the server that it would
//! use by itself (<https://api.letta.com> even if the agent is kept on this machine), not of the one
//! that delivers our prompts.

use super::Environment;

/// The variables that name the default agent, in order of precedence.
pub const AGENT_VARIABLES: &[&str] = &[
    "PROMPTYOSELF_DEFAULT_AGENT_ID",
    "LETTA_AGENT_ID",
    "AGENT_ID",
    "LETTA_DEFAULT_AGENT_ID",
];

/// The variables that name a conversation, in order of precedence.
pub(super) const CONVERSATION_VARIABLES: &[&str] = &["LETTA_CONVERSATION_ID", "CONVERSATION_ID"];

/// The variable with a name so common that other programs may use it for something else.
const COMMON: &str = "AGENT_ID";

/// How the id of every Letta agent begins.
const AGENT: &str = "agent-";

/// The agent in whose shell this process runs, and the conversation in which it runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentShell {
    /// The agent's id.
    pub agent: String,
    /// The conversation's id, or `default`.
    pub conversation: String,
}

impl AgentShell {
    /// The shell of an agent, if both the agent and its conversation are named.
    pub(super) fn of(env: &Environment) -> Option<Self> {
        let own =
            |name: &&str| !name.starts_with("PROMPTYOSELF_") && *name != "LETTA_DEFAULT_AGENT_ID";
        let mut names = AGENT_VARIABLES.iter().copied().filter(own);
        Some(AgentShell {
            agent: names.find_map(|name| agent_in(env, name))?,
            conversation: env.first(CONVERSATION_VARIABLES)?.1.to_owned(),
        })
    }

    /// The conversation of this agent; other agents have their own.
    pub fn conversation_of(&self, agent: &str) -> Option<&str> {
        (self.agent == agent.trim()).then_some(&*self.conversation)
    }
}

/// The agent that a variable names.
fn agent_in(env: &Environment, name: &str) -> Option<String> {
    let id = env.get(name)?;
    (name != COMMON || id.starts_with(AGENT)).then(|| id.to_owned())
}

/// The variables that name the default agent, with their values, the one that holds first. In the
/// shell of an agent, that is the agent itself.
pub(super) fn default_agents(env: &Environment) -> Vec<(&'static str, String)> {
    let named = |name: &&'static str| Some((*name, agent_in(env, name)?));
    let mut all: Vec<_> = AGENT_VARIABLES.iter().filter_map(named).collect();
    if let Some(shell) = AgentShell::of(env) {
        // It is stable, so the others keep their order.
        all.sort_by_key(|(name, id)| name.starts_with("PROMPTYOSELF_") || *id != shell.agent);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&'static str, &'static str)]) -> Environment {
        pairs.iter().copied().collect()
    }

    fn shell(pairs: &[(&'static str, &'static str)]) -> Option<(String, String)> {
        AgentShell::of(&env(pairs)).map(|shell| (shell.agent, shell.conversation))
    }

    #[test]
    fn an_agent_and_its_conversation_are_known_by_either_pair_of_names() {
        let known = |agent: &str, conversation: &str| Some((agent.into(), conversation.into()));
        let letta = [
            ("LETTA_AGENT_ID", "agent-1"),
            ("LETTA_CONVERSATION_ID", "default"),
        ];
        assert_eq!(shell(&letta), known("agent-1", "default"));
        let common = [
            ("AGENT_ID", "agent-2"),
            ("CONVERSATION_ID", " local-conv-1 "),
        ];
        assert_eq!(shell(&common), known("agent-2", "local-conv-1"));
        let both: Vec<_> = common.into_iter().chain(letta).collect();
        assert_eq!(shell(&both), known("agent-1", "default"));
        for none in [
            &letta[..1],
            &letta[1..],
            &[("AGENT_ID", "7"), ("CONVERSATION_ID", "8")],
            &[
                ("LETTA_AGENT_ID", "agent-1"),
                ("LETTA_CONVERSATION_ID", " "),
            ],
            &[
                ("PROMPTYOSELF_DEFAULT_AGENT_ID", "agent-1"),
                ("CONVERSATION_ID", "8"),
            ],
            &[
                ("LETTA_DEFAULT_AGENT_ID", "agent-1"),
                ("CONVERSATION_ID", "8"),
            ],
        ] {
            assert_eq!(shell(none), None, "{none:?}");
        }
    }

    #[test]
    fn in_its_own_shell_an_agent_is_the_default_before_any_other() {
        let first = |pairs: &[(&'static str, &'static str)]| default_agents(&env(pairs)).remove(0);
        let set = [
            ("PROMPTYOSELF_DEFAULT_AGENT_ID", "agent-0"),
            ("LETTA_AGENT_ID", "agent-1"),
            ("LETTA_CONVERSATION_ID", "default"),
        ];
        assert_eq!(
            first(&set[..2]),
            ("PROMPTYOSELF_DEFAULT_AGENT_ID", "agent-0".into())
        );
        assert_eq!(first(&set), ("LETTA_AGENT_ID", "agent-1".into()));
        assert_eq!(default_agents(&env(&set)).len(), 2);
        assert!(default_agents(&env(&[("AGENT_ID", "datadog")])).is_empty());
    }

    #[test]
    fn another_agent_is_not_put_into_the_conversation_of_this_one() {
        let set = [
            ("LETTA_AGENT_ID", "agent-1"),
            ("LETTA_CONVERSATION_ID", "c-1"),
        ];
        let shell = AgentShell::of(&env(&set)).unwrap();
        assert_eq!(shell.conversation_of("agent-1"), Some("c-1"));
        assert_eq!(shell.conversation_of("agent-2"), None);
    }
}
