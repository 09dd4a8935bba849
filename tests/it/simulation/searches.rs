//! What a search for a prompt finds in the model of Letta.

use promptyoself::letta_client::{ErrorClass, Evidence, Lookup, Refusal, RefusalKind};

use super::model_letta::{
    Hides, ModelLetta, QUIET, RunState, agent_unknown, run_id, run_number, unclear,
};
use super::trace::{At, HOUR};

impl ModelLetta {
    /// What the client finds out about a prompt; the rules are those of the REST client.
    pub fn find(&self, lookup: &Lookup, now: At) -> Evidence {
        if !self.up {
            return Evidence::Refused(self.unreachable());
        }
        let agent = &self.agents[&lookup.recipient.agent];
        if agent.deleted {
            return Evidence::Refused(agent_unknown());
        }
        let since_sent = lookup.now.as_microsecond() - lookup.sent_at.as_microsecond();
        let known = lookup.run_id.as_deref().and_then(run_number);
        // The list still shows a run that a crash left behind.
        let known = known.filter(|run| match self.hides {
            Hides::All => false,
            Hides::Run => self.runs[*run].state == RunState::Orphaned,
            Hides::Nothing | Hides::Dates => true,
        });
        let mut failed = None;
        let mut undated = false;
        let heard_at = lookup.heard_at.unwrap_or(lookup.sent_at).as_microsecond();
        let silent = lookup.now.as_microsecond() - heard_at;
        if let Some(run) = known {
            let age = now - self.runs[run].began;
            match self.runs[run].state {
                RunState::Ended => failed = Some(self.failure(run)),
                _ if self.hides == Hides::Dates => undated = true,
                _ if age.min(silent) < HOUR => {
                    let run_id = Some(run_id(run));
                    return Evidence::Running { run_id };
                }
                _ => {
                    let (kind, class) = (RefusalKind::Later, ErrorClass::Interrupted);
                    failed = Some(Refusal::new(kind, class, "it never ended"));
                }
            }
        }
        let kept = agent.history.iter().find(|(o, _)| lookup.otids.contains(o));
        if let Some((_, run)) = kept {
            return Evidence::Found(self.delivery(*run));
        }
        if undated || self.hides == Hides::All {
            return unclear("nothing tells whether its run goes on");
        }
        if known.is_none() && self.active(&lookup.recipient.agent, now).next().is_some() {
            return Evidence::Running { run_id: None };
        }
        if known.is_none() && since_sent < QUIET {
            return unclear("it was sent a moment ago");
        }
        Evidence::Absent { failed }
    }
}
