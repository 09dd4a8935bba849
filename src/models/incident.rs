//! Incidents: what has gone wrong and needs somebody; and the notices that tell of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use crate::printable::is_seen;

words! {
    /// What kind of trouble an incident is.
    IncidentKind {
        /// Prompts of a schedule are dead: given up, or of unknown fate.
        Dead => "dead",
        /// A prompt waits until a person does something.
        NeedsHuman => "needs_human",
        /// A target does not answer.
        Held => "held",
        /// A schedule was paused because it failed again and again.
        Paused => "paused",
        /// A schedule can't be read and does not run.
        Broken => "broken",
        /// This machine's clock was wrong, and schedules were planned by it.
        Clock => "clock",
        /// Prompts are for many agents that Letta does not know.
        UnknownAgents => "unknown_agents",
    }
}

words! {
    /// What a notice tells of an incident.
    NoticeEvent {
        /// It has begun.
        Opened => "opened",
        /// It is over.
        Closed => "closed",
    }
}

words! {
    /// A way to tell somebody something.
    Channel {
        /// The operator's command.
        Command => "command",
        /// The operator's URL.
        Url => "url",
        /// The dead-man service of a schedule.
        Ping => "ping",
    }
}

/// An incident as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Its number.
    #[serde(rename = "incident")]
    pub id: i64,
    /// What it is.
    pub kind: IncidentKind,
    /// The same for people, in one line.
    pub text: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// A stable word for the reason, where there is one.
    pub code: Option<String>,
    /// Why; the latest reason where it happened again.
    pub reason: String,
    /// How often it happened while it was open.
    pub count: i64,
    /// The schedule's number; none where several are concerned.
    pub schedule_id: Option<i64>,
    /// The schedule's name.
    pub name: Option<String>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The occurrence.
    pub occurrence_id: Option<i64>,
    /// When that was meant to be sent.
    pub intended_at: Option<Timestamp>,
    /// The target that does not answer.
    pub target: Option<String>,
    /// Whether it is the agent's, whichever of its schedules meets it.
    #[serde(skip)]
    pub is_agents: bool,
}

/// What the operator is told: one JSON object, whose keys are always all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The same however often it is sent, and of no other notice of any database.
    pub id: String,
    /// What it tells.
    pub event: NoticeEvent,
    /// When that was.
    pub at: Timestamp,
    /// How it ended, if it has.
    pub outcome: Option<String>,
    /// What it is about.
    #[serde(flatten)]
    pub incident: Incident,
}

/// How it stands with what is to be sent to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxStatus {
    /// Notices that are still to be delivered.
    pub pending: i64,
    /// Notices that were given up within the last days.
    pub given_up: i64,
    /// Why the latest one could not be delivered.
    pub last_error: Option<String>,
}

impl OutboxStatus {
    /// What keeps the operator from being told, in one line.
    pub fn problem(&self) -> Option<String> {
        let error = self.last_error.as_deref()?;
        Some(format!(
            "{} notices could not be delivered yet and {} were given up: {error}",
            self.pending, self.given_up
        ))
    }
}

/// The longest line for people, in characters: it may become the subject of a mail.
const LONGEST_LINE: usize = 500;

impl Incident {
    /// The incident in one line, with how it ended if it has.
    pub fn describe(&self, outcome: Option<&str>) -> String {
        let schedule = match (self.schedule_id, &self.name) {
            (Some(id), Some(name)) => format!("schedule {id} {name:?}"),
            (Some(id), None) => format!("schedule {id}"),
            (None, _) => "a schedule that was deleted".to_owned(),
        };
        let agent = self.agent_id.as_deref().unwrap_or("its agent");
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
            IncidentKind::Held => format!("nothing is sent to {target}, noticed at {since}"),
            IncidentKind::Paused => format!("{schedule} for {agent} was paused"),
            IncidentKind::Broken => format!("{schedule} can't be read and does not run"),
            IncidentKind::Clock => "this machine's clock was wrong".to_owned(),
            IncidentKind::UnknownAgents => match self.count {
                1 => "a prompt for one more of many agents that Letta does not know is dead"
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

/// Text without line breaks or anything else that is not seen as itself, and not too long.
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
        let line = incident(IncidentKind::Dead).describe(None);
        assert_eq!(
            line,
            "a prompt of schedule 3 \"report\" for agent-a is dead: server_error: no model "
        );
        let long = Incident {
            reason: "é".repeat(2_000),
            ..incident(IncidentKind::Broken)
        };
        assert_eq!(long.describe(None).chars().count(), LONGEST_LINE);
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
            assert_eq!(of_agent(kind).describe(None), format!("{one}{reason}"));
            assert_eq!(several(kind).describe(None), format!("{many}{reason}"));
        }
    }

    #[test]
    fn the_end_of_an_incident_tells_what_it_was() {
        let line = incident(IncidentKind::NeedsHuman).describe(Some("its prompt was delivered"));
        assert!(
            line.starts_with("over: its prompt was delivered ("),
            "{line}"
        );
        assert!(line.contains("needs a person"), "{line}");
    }
}
