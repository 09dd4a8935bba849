//! Creating a schedule.

use jiff::Timestamp;

use super::Service;
use super::answers::{Planned, Success};
use super::budget::{allowance, check_fires};
use super::planning::{Planning, When, plan};
use super::views::show_local;
use crate::error::{Code, Error, Result, call, field, fields, message, quoted};
use crate::models::{
    AgentAt, AgentId, CatchUp, Conversation, NewSchedule, Payload, PingUrl, Policy, PromptSchedule,
    TargetName,
};
use crate::schedule::{Timetable, Zone, in_words, is_meant, parse_time, remaining, timetable_of};

/// The name of setting a dead-man service in errors: it would let an agent make this machine call
/// any address.
pub(super) const PINGS: &str = "naming a dead-man service";

/// How many of its runs an answer contains.
const SHOWN_RUNS: usize = 3;

/// A schedule requested by a caller.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its agent; `None` for the caller's own or the default one.
    pub agent_id: Option<AgentId>,
    /// The prompt.
    pub prompt: String,
    /// A whole request to send instead of the prompt, which is then its rendering.
    pub payload: Option<Payload>,
    /// The time.
    pub when: When,
    /// A name unique among the agent's live schedules.
    pub name: Option<String>,
    /// The target that knows the agent; `None` for the default one.
    pub target: Option<TargetName>,
    /// The conversation of the agent; `None` for the usual one of the target.
    pub conversation: Option<Conversation>,
    /// Its policy.
    pub policy: Policy,
    /// Its dead-man service; only the operator may set one.
    pub ping_url: Option<PingUrl>,
    /// Whether to register without checking the agent with Letta.
    pub skip_validation: bool,
}

impl Registration {
    /// What lists show as its prompt.
    fn prompt_text(&self) -> String {
        match &self.payload {
            Some(payload) => payload.render(),
            None => self.prompt.clone(),
        }
    }
}

/// A schedule that now exists.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) id: i64,
    /// Whether it already existed under this name.
    pub(super) existed: bool,
    /// Whether this request created or changed anything.
    pub(super) changed: bool,
    pub(super) next_run: Timestamp,
    /// Its next runs, including that one.
    pub(super) next_runs: Vec<Timestamp>,
    pub(super) zone: Zone,
    /// When it runs, for people.
    pub(super) describes: String,
    /// The words that mean the same, if there are any.
    pub(super) understood: Option<String>,
    /// What a person should know about its times.
    pub(super) notes: Vec<String>,
}

impl Registered {
    /// With what words took for granted, before everything else.
    pub(super) fn noting(mut self, mut notes: Vec<String>) -> Self {
        notes.append(&mut self.notes);
        self.notes = notes;
        self
    }
}

impl Service {
    /// Creates a schedule. Registering the same one again under the same name returns the existing
    /// one, because callers that got no answer ask twice.
    ///
    /// # Errors
    /// One of the codes of bad input, [`Code::TooLarge`], [`Code::AgentUnknown`],
    /// [`Code::NameTaken`], or those of Letta and the database; then nothing was created.
    pub async fn register(&self, asked: &Registration) -> Result<Planned> {
        let mut made = self.make_schedule(asked).await?;
        if let (false, Some(schedule)) = (made.existed, self.db.get_schedule(made.id).await?)
            && let Ok(timetable) = timetable_of(&schedule)
        {
            made.notes
                .extend(self.note_alike(&schedule, &timetable).await?);
        }
        let existed = Some(made.existed);
        let message = match made.existed {
            true => format!("This prompt was already scheduled, with ID {}", made.id),
            false => format!("Prompt scheduled with ID {}", made.id),
        };
        Ok(Planned {
            existed,
            ..self.planned(made, message).await?
        })
    }

    /// The answer about a schedule that was created or changed.
    pub(super) async fn planned(&self, made: Registered, message: String) -> Result<Planned> {
        let warning = self.warning_about(made.id).await?;
        Ok(Planned {
            status: Success::Success,
            id: made.id,
            next_run: made.next_run,
            message,
            next_run_local: show_local(made.next_run, &made.zone),
            timezone: made.zone.name().to_owned(),
            describes: made.describes,
            understood: made.understood,
            notes: made.notes,
            next_runs: made.next_runs,
            existed: None,
            changed: None,
            now: self.now(),
            warning,
        })
    }

    /// Checks a schedule as far as that is possible without creating it.
    ///
    /// # Errors
    /// Those of [`Service::register`], except for what only the database knows.
    pub(super) async fn check_registration(&self, asked: &Registration) -> Result<()> {
        self.check_size(asked)?;
        let zone = match &asked.when.timezone {
            Some(name) => Zone::parse(name)?,
            None => self.zone.clone(),
        };
        plan(&asked.when, &zone, self.now())?;
        let agent = self.agent_or_default(asked.agent_id.as_ref(), asked.target.as_ref())?;
        let (conversation, skip) = (asked.conversation.as_ref(), asked.skip_validation);
        self.check_agent(&agent, conversation, skip).await
    }

    /// Creates a schedule, and leaves the answer to the caller.
    ///
    /// # Errors
    /// Those of [`Service::register`].
    pub(super) async fn make_schedule(&self, asked: &Registration) -> Result<Registered> {
        self.check_size(asked)?;
        let now = self.now();
        let zone = asked.when.zone(&self.zone, now)?;
        let agent = self.agent_or_default(asked.agent_id.as_ref(), asked.target.as_ref())?;
        self.target(Some(&agent.target))?;
        if asked.ping_url.is_some() {
            self.refuse_agents(PINGS)?;
        }
        if let Some(before) = self.registered_before().await? {
            return Ok(before);
        }
        // First, because the requested time may have come since.
        let existing = self.find_named(&agent, asked).await?;
        if let Some(before) = existing
            .as_ref()
            .and_then(|e| asked_again(asked, e, &zone, now))
        {
            return Ok(before);
        }
        let Planning {
            plan,
            timetable,
            notes,
        } = plan(&asked.when, &zone, now)?;
        if let Some(existing) = existing {
            return Err(self.name_taken(&agent, asked, &existing));
        }
        check_policy(&asked.policy)?;
        check_fires(&self.budget, &self.caller, &plan, &timetable)?;
        let (conversation, skip) = (asked.conversation.as_ref(), asked.skip_validation);
        self.check_agent(&agent, conversation, skip).await?;
        let new = NewSchedule {
            agent_id: agent.id.clone(),
            target: Some(agent.target.clone()),
            conversation: asked.conversation.clone(),
            prompt_text: asked.prompt_text(),
            payload: asked.payload.clone(),
            name: asked.name.clone(),
            plan: plan.clone(),
            policy: asked.policy,
            ping_url: asked.ping_url.clone(),
            allowance: allowance(&self.budget, &self.caller),
            request: self.request.as_deref().cloned(),
        };
        match self.db.add_schedule(&new, now).await {
            Ok(id) => {
                let left = plan.max_repetitions;
                let made = registered(id, false, plan.next_run, &timetable, left, Some(now), now);
                Ok(made.noting(notes))
            }
            // Somebody was quicker, perhaps with the same schedule.
            Err(e) if e.code() == Code::NameTaken => match self.find_named(&agent, asked).await? {
                Some(existing) => asked_again(asked, &existing, &zone, now)
                    .ok_or_else(|| self.name_taken(&agent, asked, &existing)),
                None => Err(e),
            },
            Err(e) => Err(e),
        }
    }

    /// The schedule that this very request created before, if its answer was lost.
    async fn registered_before(&self) -> Result<Option<Registered>> {
        let Some(request) = &self.request else {
            return Ok(None);
        };
        let Some(id) = self.db.request_effect(request).await? else {
            return Ok(None);
        };
        let made = self.find(id).await?;
        let timetable = timetable_of(&made)?;
        let next_run = made.next_run.unwrap_or(self.now());
        let left = remaining(&made).and_then(|n| i64::try_from(n).ok());
        let (at, now) = (made.created_at, self.now());
        Ok(Some(registered(
            id, false, next_run, &timetable, left, at, now,
        )))
    }

    async fn find_named(
        &self,
        agent: &AgentAt,
        asked: &Registration,
    ) -> Result<Option<PromptSchedule>> {
        match &asked.name {
            Some(name) => self.db.get_schedule_by_name(agent, name).await,
            None => Ok(None),
        }
    }

    fn name_taken(
        &self,
        agent: &AgentAt,
        asked: &Registration,
        existing: &PromptSchedule,
    ) -> Error {
        let name = asked.name.as_deref().unwrap_or_default();
        Error::new(
            Code::NameTaken,
            message![
                "agent ",
                self.show_agent(agent),
                " already has a live schedule named ",
                quoted(name),
                " that does something else: it is ",
                existing.id,
                ", ",
                &existing.schedule_type,
                " ",
                quoted(&existing.schedule_value),
                ". Change that one with ",
                call("update").with("id", existing.id),
                " …, or give this one another name"
            ],
        )
        .example(fields([("name", format!("{name}-2"))]))
    }
}

/// The existing schedule with the requested name, if it means the same. Parts of its policy that
/// were not requested may be anything.
fn asked_again(
    asked: &Registration,
    existing: &PromptSchedule,
    zone: &Zone,
    now: Timestamp,
) -> Option<Registered> {
    let stored = timetable_of(existing).ok()?;
    let when = &asked.when;
    // Without a given start a schedule starts when it is created, which is never the same.
    let same = existing.prompt_text == asked.prompt_text()
        && existing.payload == asked.payload.as_ref().map(Payload::hash)
        && stored.zone.is_same_as(zone)
        && is_meant(&stored, when.wish.asked, &when.wish.value, zone, now)
        && is_time_meant(&when.start_at, existing.start_at, zone, now)
        && is_time_meant(&when.end_at, existing.end_at, zone, now)
        && stored.except == when.except
        && existing.max_repetitions == when.max_repetitions
        && existing.is_delivered_by(&existing.policy.changed_by(&asked.policy))
        && (asked.conversation.is_none() || existing.conversation == asked.conversation)
        && (asked.ping_url.is_none() || existing.ping_url == asked.ping_url);
    let left = remaining(existing).and_then(|n| i64::try_from(n).ok());
    same.then_some(registered(
        existing.id,
        true,
        existing.next_run?,
        &stored,
        left,
        existing.created_at,
        now,
    ))
}

/// Whether a given time, or none, is the one that a schedule has.
pub(super) fn is_time_meant(
    said: &Option<String>,
    has: Option<Timestamp>,
    zone: &Zone,
    now: Timestamp,
) -> bool {
    match said {
        Some(text) => has.is_some() && parse_time(text, zone, now).ok() == has,
        None => has.is_none(),
    }
}

/// Refuses a policy whose parts don't fit together.
///
/// # Errors
/// [`Code::PolicyInvalid`].
pub(super) fn check_policy(policy: &Policy) -> Result<()> {
    if policy.grace.is_some() && policy.catch_up() != CatchUp::Skip {
        return Err(Error::new(
            Code::PolicyInvalid,
            message![
                "a grace was given, but ",
                field("catch_up"),
                " is ",
                policy.catch_up(),
                ": only skip has a grace"
            ],
        )
        // Otherwise, whoever gives a grace wants skip.
        .example_if(
            policy
                .catch_up
                .is_none()
                .then(|| fields([("catch_up", "skip")])),
        ));
    }
    Ok(())
}

pub(super) fn registered(
    id: i64,
    existed: bool,
    next_run: Timestamp,
    timetable: &Timetable,
    left: Option<i64>,
    made: Option<Timestamp>,
    now: Timestamp,
) -> Registered {
    let most = left
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(SHOWN_RUNS)
        .min(SHOWN_RUNS);
    Registered {
        id,
        existed,
        changed: !existed,
        next_run,
        next_runs: timetable.upcoming(next_run, most),
        zone: timetable.zone.clone(),
        describes: timetable.describe(),
        understood: in_words(timetable, next_run, made),
        notes: timetable.surprises(next_run, left.and_then(|n| u64::try_from(n).ok()), now),
    }
}
