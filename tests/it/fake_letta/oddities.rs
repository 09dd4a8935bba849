//! What servers and proxies do that Letta itself does not.

use std::collections::HashMap;

use jiff::SignedDuration;
use promptyoself::models::AgentId;
use serde_json::Value;

use super::{FakeLetta, Script};

/// How the runs of an agent that go on are shown.
#[derive(Clone, Debug, Default)]
pub struct ShownRuns {
    /// What stands in place of `status`; an empty list leaves it out.
    pub status: Option<Value>,
    /// What stands in place of `created_at`, likewise.
    pub created_at: Option<Value>,
    /// What is answered in place of a run, whether or not it goes on.
    pub run: Option<(u16, Value)>,
    /// What is answered in place of the list of them.
    pub list: Option<(u16, Value)>,
}

/// What is odd about a server.
#[derive(Debug, Default)]
pub struct Oddities {
    /// What happens to every prompt of an agent, as by a rule of a proxy.
    pub rules: HashMap<String, Script>,
    /// How an agent's runs are shown.
    pub shown_runs: HashMap<String, ShownRuns>,
}

impl ShownRuns {
    /// Writes a run that goes on as it is to be shown.
    pub fn show(&self, run: &mut Value) {
        for (key, shown) in [("status", &self.status), ("created_at", &self.created_at)] {
            match shown {
                None => {}
                Some(Value::Array(none)) if none.is_empty() => {
                    run.as_object_mut().unwrap().remove(key);
                }
                Some(shown) => run[key] = shown.clone(),
            }
        }
    }
}

impl FakeLetta {
    /// What happens to every prompt of `agent` from now on, whatever else is planned.
    pub fn set_rule(&self, agent: &AgentId, script: Option<Script>) {
        let rules = &mut self.inner.state().oddities.rules;
        match script {
            Some(script) => drop(rules.insert(agent.to_string(), script)),
            None => drop(rules.remove(agent.as_str())),
        }
    }

    /// How the runs of an agent are shown from now on.
    pub fn show_runs(&self, agent: &AgentId, shown: ShownRuns) {
        let runs = &mut self.inner.state().oddities.shown_runs;
        runs.insert(agent.to_string(), shown);
    }

    /// Lets a run that has ended go on, as one that began `age` ago.
    pub fn revive_as_old(&self, run: &str, age: SignedDuration) {
        self.revive(run);
        let mut state = self.inner.state();
        let began = state.clock.now() - age;
        state.runs.get_mut(run).unwrap().created = began;
    }

    /// Lets requests for `path` through again.
    pub fn unscript_path(&self, path: &str) {
        self.inner.state().scripts_of_paths.remove(path);
    }
}
