//! Incidents: trouble that needs somebody's attention, and the notices about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AgentAt, KnownTargets, words};
use crate::printable::is_seen;

words! {
    /// The kind of an incident.
    IncidentKind {
        /// Prompts of a schedule are dead: given up, or of unknown outcome.
        Dead => "dead",
        /// A prompt waits until a person does something.
        NeedsHuman => "needs_human",
        /// A target does not answer.
        Held => "held",
        /// A schedule was paused because its prompts failed repeatedly.
        Paused => "paused",
        /// A schedule can't be read and does not run.
        Broken => "broken",
        /// This machine's clock was wrong, and schedules were planned by it.
        Clock => "clock",
        /// There are prompts for many agents that Letta does not know.
        UnknownAgents => "unknown_agents",
    }
}

words! {
    /// What a notice says about an incident.
    NoticeEvent {
        /// It has begun.
        Opened => "opened",
        /// It is over.
        Closed => "closed",
    }
}

words! {
    /// A channel for notices and pings.
    Channel {
        /// The operator's command.
        Command => "command",
        /// The operator's URL.
        Url => "url",
        /// The dead-man service of a schedule.
        Ping => "ping",
    }
}

/// An incident, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Its id.
    #[serde(rename = "incident")]
    pub id: i64,
    /// Its kind.
    pub kind: IncidentKind,
    /// A line for people.
    pub text: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// A stable code for the reason, if there is one.
    pub code: Option<String>,
    /// The reason; the latest one if it happened again.
    pub reason: String,
    /// How often it happened while open.
    pub count: i64,
    /// The schedule's id; `null` if several are affected.
    pub schedule_id: Option<i64>,
    /// The schedule's name.
    pub name: Option<String>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The occurrence.
    pub occurrence_id: Option<i64>,
    /// When its prompt was intended to be sent.
    pub intended_at: Option<Timestamp>,
    /// The target that does not answer, or that knows the agent.
    pub target: Option<String>,
    /// Whether it affects all schedules of the agent.
    #[serde(skip)]
    pub is_agents: bool,
}

/// A notice to the operator: one JSON object that always has all its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its id: the same however often it is sent, and unique across databases.
    pub id: String,
    /// What it says.
    pub event: NoticeEvent,
    /// When that happened.
    pub at: Timestamp,
    /// How the incident ended, if it has.
    pub outcome: Option<String>,
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
}

/// The state of notices to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxStatus {
    /// Notices still to be delivered.
    pub pending: i64,
    /// Notices given up in the last days.
    pub given_up: i64,
    /// Why the latest one could not be delivered.
    pub last_error: Option<String>,
}

impl OutboxStatus {
    /// What keeps notices from being delivered, in one line.
    pub fn problem(&self) -> Option<String> {
        let error = self.last_error.as_deref()?;
        Some(format!(
            "{} notices are undelivered and {} were given up: {error}",
            self.pending, self.given_up
        ))
    }
}

/// The longest line for people, in characters: it may become the subject of a mail.
const LONGEST_LINE: usize = 500;

impl Incident {
    /// Whether it is an agent's.
    pub fn is_of(&self, agent: &AgentAt) -> bool {
        self.agent_id.as_deref() == Some(agent.id.as_str())
            && self.target.as_deref() == Some(agent.target.as_str())
    }

    /// The incident in one line, with its end if it has ended.
    pub fn describe(&self, targets: &KnownTargets, outcome: Option<&str>) -> String {
        let schedule = match (self.schedule_id, &self.name) {
            (Some(id), Some(name)) => format!("schedule {id} {name:?}"),
            (Some(id), None) => format!("schedule {id}"),
            (None, _) => "a schedule that was deleted".to_owned(),
        };
        let agent = match (&self.agent_id, &self.target) {
            (Some(agent), Some(target)) if targets.are_several => format!("{target}/{agent}"),
            (Some(agent), _) => agent.clone(),
            (None, _) => "its agent".to_owned(),
        };
        let target = self.target.as_deref().unwrap_or("the target");
        let since = self.opened_at;
        let several = self.is_agents && self.schedule_id.is_none();
        let what = match self.kind {
            IncidentKind::Dead if several => match self.count {
                1 => format!("a prompt for {agent} is dead"),
                n => format!("{n} prompts for {agent} are dead"),
            },
            IncidentKind::NeedsHuman if several => {
                format!("{agent} needs a person before prompts can be sent to it")
            }
            IncidentKind::Paused if several => match self.count {
                1 => format!("a schedule for {agent} was paused"),
                n => format!("{n} schedules for {agent} were paused"),
            },
            IncidentKind::Dead => match self.count {
                1 => format!("a prompt of {schedule} for {agent} is dead"),
                n => format!("{n} prompts of {schedule} for {agent} are dead"),
            },
            IncidentKind::NeedsHuman => {
                format!("{agent} needs a person before a prompt of {schedule} can be sent")
            }
            IncidentKind::Held => format!("nothing is sent to {target} (noticed at {since})"),
            IncidentKind::Paused => format!("{schedule} for {agent} was paused"),
            IncidentKind::Broken => format!("{schedule} can't be read and does not run"),
            IncidentKind::Clock => "this machine's clock was wrong".to_owned(),
            IncidentKind::UnknownAgents => match self.count {
                1 => "a prompt for another of many agents that Letta does not know is dead"
                    .to_owned(),
                n => {
                    format!("{n} prompts for more of many agents that Letta does not know are dead")
                }
            },
        };
        let line = match (outcome, &self.code) {
            (Some(outcome), _) => format!("over: {outcome} ({what} since {since})"),
            (None, Some(code)) => format!("{what}: {code}: {}", self.reason),
            (None, None) => format!("{what}: {}", self.reason),
        };
        one_line(&line)
    }
}

/// Text without line breaks or invisible characters, and not too long.
fn one_line(text: &str) -> String {
    let plain = |c: char| if is_seen(c) { c } else { ' ' };
    text.chars().map(plain).take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(kind: IncidentKind) -> Incident {
        Incident {
            id: 7,
            kind,
            text: String::new(),
            opened_at: Timestamp::UNIX_EPOCH,
            code: Some("server_error".into()),
            reason: "no\nmodel\0".into(),
            count: 1,
            schedule_id: Some(3),
            name: Some("report".into()),
            agent_id: Some("agent-a".into()),
            occurrence_id: Some(9),
            intended_at: Some(Timestamp::UNIX_EPOCH),
            target: None,
            is_agents: false,
        }
    }

    #[test]
    fn an_incident_is_told_in_one_line_that_an_environment_variable_can_hold() {
        let line = incident(IncidentKind::Dead).describe(&KnownTargets::default(), None);
        assert_eq!(
            line,
            "a prompt of schedule 3 \"report\" for agent-a is dead: server_error: no model "
        );
        let long = Incident {
            reason: "é".repeat(2_000),
            ..incident(IncidentKind::Broken)
        };
        assert_eq!(
            long.describe(&KnownTargets::default(), None)
                .chars()
                .count(),
            LONGEST_LINE
        );
    }

    #[test]
    fn an_incident_of_an_agent_names_the_schedule_only_where_it_is_one() {
        let of_agent = |kind| Incident {
            is_agents: true,
            count: 7,
            ..incident(kind)
        };
        let several = |kind| Incident {
            schedule_id: None,
            name: None,
            ..of_agent(kind)
        };
        for (kind, one, many) in [
            (
                IncidentKind::Dead,
                "7 prompts of schedule 3 \"report\" for agent-a are dead",
                "7 prompts for agent-a are dead",
            ),
            (
                IncidentKind::NeedsHuman,
                "agent-a needs a person before a prompt of schedule 3 \"report\" can be sent",
                "agent-a needs a person before prompts can be sent to it",
            ),
            (
                IncidentKind::Paused,
                "schedule 3 \"report\" for agent-a was paused",
                "7 schedules for agent-a were paused",
            ),
        ] {
            let reason = ": server_error: no model ";
            assert_eq!(
                of_agent(kind).describe(&KnownTargets::default(), None),
                format!("{one}{reason}")
            );
            assert_eq!(
                several(kind).describe(&KnownTargets::default(), None),
                format!("{many}{reason}")
            );
        }
    }

    #[test]
    fn an_incident_names_the_target_of_its_agent_where_there_are_several() {
        let at_home = Incident {
            target: Some("home".into()),
            ..incident(IncidentKind::Dead)
        };
        let several = KnownTargets {
            are_several: true,
            ..KnownTargets::default()
        };
        let only = KnownTargets::default();
        for (targets, agent) in [
            (&several, " for home/agent-a is"),
            (&only, " for agent-a is"),
        ] {
            let line = at_home.describe(targets, None);
            assert!(line.contains(agent), "{line}");
        }
    }

    #[test]
    fn the_end_of_an_incident_tells_what_it_was() {
        let line = incident(IncidentKind::NeedsHuman)
            .describe(&KnownTargets::default(), Some("its prompt was delivered"));
        assert!(
            line.starts_with("over: its prompt was delivered ("),
            "{line}"
        );
        assert!(line.contains("needs a person"), "{line}");
    }
}
