//! An occurrence: one intended instant of a schedule, and its outcome.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Conversation, Lane, TargetName, words};

words! {
    /// What made an occurrence.
    Trigger {
        /// Its schedule's time came.
        Schedule => "schedule",
        /// Somebody requested it.
        Manual => "manual",
    }
}

words! {
    /// The state of an occurrence. The first three are open, the others are outcomes.
    State {
        /// It will be tried (again) at `not_before`.
        Waiting => "waiting",
        /// Its otid is committed and the prompt is being sent.
        Sending => "sending",
        /// The prompt may or may not have arrived; nothing is sent until that is known.
        Unknown => "unknown",
        /// The prompt is in the agent's history.
        Delivered => "delivered",
        /// It was given up, and says why.
        Dead => "dead",
        /// A newer instant of the same schedule was sent in its place.
        Coalesced => "coalesced",
        /// It passed while nothing was to be sent.
        Skipped => "skipped",
        /// It was too late to be useful.
        Missed => "missed",
        /// Its schedule was ended before it was sent.
        Cancelled => "cancelled",
    }
}

impl State {
    /// Whether something is still to happen.
    pub fn is_open(self) -> bool {
        matches!(self, State::Waiting | State::Sending | State::Unknown)
    }
}

words! {
    /// How the agent's turn ended. The prompt is in its history either way.
    Turn {
        /// It ended normally.
        Ok => "ok",
        /// The agent or its model failed.
        Error => "error",
        /// It stopped to ask a person for approval.
        Approval => "approval",
        /// It was cut short.
        Interrupted => "interrupted",
    }
}

/// What identifies an occurrence, in every process and after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The database.
    pub install_id: Uuid,
    /// The schedule.
    pub uid: Uuid,
    /// What made it.
    pub trigger: Trigger,
    /// The intended instant.
    pub intended_at: Timestamp,
}

impl Identity {
    /// The otid of generation `generation`: the same for the same occurrence in every process, so
    /// that a server that knows it can refuse a second copy.
    pub fn otid(&self, generation: i64) -> Uuid {
        let name = format!(
            "{}/{}/{}/{generation}",
            self.uid,
            self.trigger,
            self.intended_at.as_microsecond()
        );
        Uuid::new_v5(&self.install_id, name.as_bytes())
    }
}

/// A stored occurrence.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// Its id in this database.
    pub id: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Its agent, as stored: an occurrence that was never to be sent may name an invalid one.
    pub agent_id: String,
    /// The target that knows the agent; `None` is the default target.
    pub target: Option<TargetName>,
    /// What made it.
    pub trigger: Trigger,
    /// The oldest instant it stands for; equal to `intended_at` unless `count` is over 1.
    pub first_at: Timestamp,
    /// The intended instant; the newest of them if `count` is over 1.
    pub intended_at: Timestamp,
    /// How many instants it stands for in the account.
    pub count: i64,
    /// Which run of its schedule it is, counted from 1; `None` for one that was not to be sent.
    pub firing: Option<i64>,
    /// How many runs it stands for, including itself, according to the line before its prompt; the
    /// others have a `coalesced` row of their own.
    pub stands_for: i64,
    /// The oldest of them.
    pub stands_since: Timestamp,
    /// Its state.
    pub state: State,
    /// Why it is in this state, as text.
    pub reason: Option<String>,
    /// The lane it occupies or waits for; `None` for instants that were never to be sent.
    pub lane: Option<Lane>,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// When to try or search for it next.
    pub not_before: Option<Timestamp>,
    /// When its latest attempt was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was settled.
    pub finished_at: Option<Timestamp>,
    /// Letta's run.
    pub run_id: Option<String>,
    /// Why the agent's turn ended.
    pub stop_reason: Option<String>,
    /// How the agent's turn ended.
    pub turn: Option<Turn>,
    /// Tokens the turn used.
    pub tokens: Option<i64>,
    /// The beginning of the agent's reply.
    pub reply: Option<String>,
    /// The last error's code and text.
    pub error: Option<String>,
}

/// A stored attempt to deliver an occurrence.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// 1 for the first.
    pub n: i64,
    /// The otid it was sent under.
    pub otid: Uuid,
    /// When its first byte was about to be sent.
    pub started_at: Timestamp,
    /// When its answer was known; the last one if it was repeated.
    pub finished_at: Option<Timestamp>,
    /// How many more attempts followed that did not count and got the same answer.
    pub repeats: i64,
    /// The class of its error.
    pub error_code: Option<String>,
    /// Its error as text.
    pub error: Option<String>,
    /// Letta's run.
    pub run_id: Option<String>,
}

/// An occurrence with its attempts.
#[derive(Clone, Debug)]
pub struct PastOccurrence {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// The id of its schedule, if that still exists.
    pub schedule_id: Option<i64>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_otid_tells_every_part_of_an_identity_apart() {
        let a = Identity {
            install_id: Uuid::from_u128(1),
            uid: Uuid::from_u128(2),
            trigger: Trigger::Schedule,
            intended_at: Timestamp::UNIX_EPOCH,
        };
        let others = [
            Identity {
                install_id: Uuid::from_u128(9),
                ..a
            }
            .otid(0),
            Identity {
                uid: Uuid::from_u128(9),
                ..a
            }
            .otid(0),
            Identity {
                trigger: Trigger::Manual,
                ..a
            }
            .otid(0),
            Identity {
                intended_at: Timestamp::from_microsecond(1).unwrap(),
                ..a
            }
            .otid(0),
            a.otid(1),
        ];
        assert!(others.iter().all(|o| *o != a.otid(0)));
        assert_eq!(
            a.otid(0).to_string(),
            "a53d3db5-4f66-5e28-be32-bb356382267f"
        );
    }
}
