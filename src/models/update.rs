//! An update of a schedule.

use super::{
    AgentId, Conversation, PingUrl, Plan, Policy, PromptSchedule, ScheduleType, TargetName,
};

/// What to change in a schedule; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ScheduleUpdate {
    /// The new agent.
    pub agent_id: Option<AgentId>,
    /// The new prompt.
    pub prompt_text: Option<String>,
    /// The new name, unique among the agent's live schedules.
    pub name: Option<String>,
    /// The new plan. Instants of the old plan that passed unsent become `skipped`.
    pub plan: Option<Plan>,
    /// Another conversation of the agent.
    pub conversation: Option<Conversation>,
    /// Another target, which knows the agent.
    pub target: Option<TargetName>,
    /// The new parts of the policy.
    pub policy: Policy,
    /// The new dead-man service, or none.
    pub ping_url: Option<Option<PingUrl>>,
    /// How many live schedules a new agent may then have; `None` for any number.
    pub most_schedules: Option<i64>,
    /// Whether the plan has the same instants with another end or number: then none is skipped, and
    /// it continues where the schedule is.
    pub keeps_instants: bool,
}

impl ScheduleUpdate {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.agent_id.is_none()
            && self.prompt_text.is_none()
            && self.name.is_none()
            && self.plan.is_none()
            && self.conversation.is_none()
            && self.target.is_none()
            && self.policy == Policy::default()
            && self.ping_url.is_none()
    }

    /// The names of what it changes in a schedule, as an update calls them.
    pub(crate) fn names(&self, schedule: &PromptSchedule) -> String {
        let texts = [
            ("agent_id", self.agent_id.is_some()),
            ("prompt", self.prompt_text.is_some()),
            ("name", self.name.is_some()),
            ("target", self.target.is_some()),
            ("conversation", self.conversation.is_some()),
        ];
        let texts = texts.into_iter().filter(|(_, changes)| *changes);
        let mut names: Vec<&str> = texts.map(|(name, _)| name).collect();
        names.extend(self.policy.names());
        names.extend(self.ping_url.is_some().then_some("ping_url"));
        if let Some(plan) = &self.plan {
            let kind = plan.schedule_type.as_str();
            let spec = (kind, plan.schedule_value.as_str());
            let bounds = [
                (
                    match plan.schedule_type {
                        ScheduleType::Once => "time",
                        ScheduleType::Cron => "cron",
                        ScheduleType::Interval => "every",
                    },
                    spec != (&schedule.schedule_type, &schedule.schedule_value),
                ),
                (
                    "timezone",
                    schedule.timezone.as_deref() != Some(plan.timezone.as_str()),
                ),
                ("start_at", plan.start_at != schedule.start_at),
                ("end_at", plan.end_at != schedule.end_at),
                ("except", plan.except != schedule.except),
                (
                    "max_repetitions",
                    plan.max_repetitions != schedule.max_repetitions,
                ),
            ];
            let changed = bounds.into_iter().filter(|(_, differs)| *differs);
            names.extend(changed.map(|(name, _)| name));
        }
        names.join(", ")
    }
}
