//! Updating a schedule. A value that means what the schedule already is changes nothing: callers
//! save whole schedules, and that must not move anything.

use jiff::Timestamp;

use super::answers::Planned;
use super::budget::{check_fires, most_schedules};
use super::planning::{Planning, When, Wish, only_once, plan, refuse_all_left_out};
use super::register::{PINGS, Registered, check_policy, is_time_meant, registered};
use super::{Service, not_found, not_live};
use crate::error::{Code, Error, Result, call, fields};
use crate::models::{
    AgentAt, AgentId, Conversation, Lifecycle, NamedAgent, PingUrl, Plan, Policy, PromptSchedule,
    ScheduleType, ScheduleUpdate, TargetName,
};
use crate::schedule::{
    Asked, LeftOut, Spec, Timetable, Understood, Zone, is_meant, just_before, parse_time_of,
    remaining, timetable_of,
};

/// What to change in a schedule; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The new agent.
    pub agent_id: Option<AgentId>,
    /// The new prompt.
    pub prompt: Option<String>,
    /// The new time.
    pub wish: Option<Wish>,
    /// The new time zone.
    pub timezone: Option<String>,
    /// The new start.
    pub start_at: Option<String>,
    /// The new end.
    pub end_at: Option<String>,
    /// The new dates on which it does not run; no date at all clears them.
    pub except: Option<LeftOut>,
    /// The new total number of instants, including those already used.
    pub max_repetitions: Option<i64>,
    /// The new name.
    pub name: Option<String>,
    /// Another conversation of the agent.
    pub conversation: Option<Conversation>,
    /// Another target, which knows the agent.
    pub target: Option<TargetName>,
    /// The new parts of the policy.
    pub policy: Policy,
    /// The new dead-man service, or none; only the operator may set one.
    pub ping_url: Option<Option<PingUrl>>,
    /// Whether to change the agent without checking it with Letta.
    pub skip_validation: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.wish.is_none()
            && self.timezone.is_none()
            && self.start_at.is_none()
            && self.agent_id.is_none()
            && self.prompt.is_none()
            && self.end_at.is_none()
            && self.except.is_none()
            && self.max_repetitions.is_none()
            && self.name.is_none()
            && self.conversation.is_none()
            && self.target.is_none()
            && self.policy == Policy::default()
            && self.ping_url.is_none()
    }
}

/// Which parts of the time differ from those of the schedule.
struct NewTime {
    spec: bool,
    zone: bool,
    start: bool,
    end: bool,
    except: bool,
    repetitions: bool,
}

impl NewTime {
    /// Compares the given parts with the schedule. Unreadable ones count as different, so that
    /// planning reports what is wrong with them.
    fn of(
        changes: &Changes,
        schedule: &PromptSchedule,
        stored: &Timetable,
        now: Timestamp,
    ) -> Result<Self> {
        let said = (changes.wish.as_ref()).and_then(|wish| wish.said_zone(&stored.zone, now));
        let zone = match &changes.timezone {
            Some(name) => Zone::parse(name)?,
            None => said.unwrap_or(stored.zone.clone()),
        };
        let differs =
            |said: &Option<String>, has| said.is_some() && !is_time_meant(said, has, &zone, now);
        let spec = changes.wish.as_ref().is_some_and(|wish| {
            let Wish { asked, value } = wish;
            !is_meant(stored, *asked, value, &zone, now)
        });
        Ok(NewTime {
            spec,
            zone: !zone.is_same_as(&stored.zone),
            start: differs(&changes.start_at, schedule.start_at),
            end: differs(&changes.end_at, schedule.end_at),
            except: (changes.except.as_ref()).is_some_and(|except| *except != stored.except),
            repetitions: changes
                .max_repetitions
                .is_some_and(|most| Some(most) != schedule.max_repetitions),
        })
    }

    /// Whether the instants are replanned, counted from now.
    fn moves(&self) -> bool {
        self.spec || self.zone || self.start
    }

    fn is_any(&self) -> bool {
        self.moves() || self.end || self.except || self.repetitions
    }
}

impl Service {
    /// Updates a schedule that is active or paused. Prompts being sent are not affected; a new time
    /// counts from now. A value that means the same as the old one changes nothing.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`], [`Code::Usage`] if no change is
    /// given, and those of registering; then nothing has changed.
    pub async fn update(&self, id: i64, changes: &Changes) -> Result<Planned> {
        let seen = self.find(id).await?;
        refuse_ended(&seen)?;
        if changes.is_empty() {
            return Err(Error::new(Code::Usage, "no change was given"));
        }
        self.check_size_of_changes(changes)?;
        if let Some(id) = changes.agent_id.clone() {
            let target = changes.target.clone();
            self.own(NamedAgent { id, target })?;
        } else if let Some(target) = changes.target.clone() {
            self.own(AgentAt::new(target, AgentId::parse(&seen.agent_id)?).into())?;
        }
        if changes.ping_url.is_some() {
            self.refuse_agents(PINGS)?;
        }
        let agent = changes.agent_id.clone();
        let other_agent = agent.filter(|agent| agent.as_str() != seen.agent_id);
        let conversation = changes.conversation.as_ref();
        let other_conversation =
            conversation.is_some() && conversation != seen.conversation.as_ref();
        let target = changes.target.as_ref().unwrap_or(self.target_of(&seen));
        let other_target = changes.target.is_some() && changes.target != seen.target;
        if other_agent.is_some() || other_conversation || other_target {
            self.target(Some(target))?;
            // Before the database is locked. The rest is decided by its state then.
            self.decide_update(&seen, changes, self.now())?;
            let id = match other_agent {
                Some(agent) => agent,
                None => AgentId::parse(&seen.agent_id)?,
            };
            let agent = AgentAt::new(target.clone(), id);
            let conversation = conversation.or(seen.conversation.as_ref());
            self.check_agent(&agent, conversation, changes.skip_validation)
                .await?;
        }
        let now = self.now();
        let (service, changes) = (self.clone(), changes.clone());
        let decide =
            move |schedule: &PromptSchedule| service.decide_update(schedule, &changes, now);
        let updated = self.db.change_schedule(id, decide, now).await?;
        let updated = updated.ok_or_else(|| not_found(id))?;
        let changed = Some(updated.changed);
        let message = match updated.changed {
            true => format!("Schedule {id} updated"),
            false => format!("Schedule {id} is already like this: nothing was changed"),
        };
        Ok(Planned {
            changed,
            ..self.planned(updated, message).await?
        })
    }

    /// What to write for a change, and what to answer.
    fn decide_update(
        &self,
        schedule: &PromptSchedule,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<(ScheduleUpdate, Registered)> {
        refuse_ended(schedule)?;
        let stored = timetable_of(schedule)?;
        let time = NewTime::of(changes, schedule, &stored, now)?;
        let next_run = schedule.next_run.ok_or_else(unreadable)?;
        let (plan, timetable, notes) = match time {
            _ if time.moves() => {
                let planned = self.replan(schedule, &stored, changes, &time, now)?;
                (Some(planned.plan), planned.timetable, planned.notes)
            }
            _ if time.is_any() => {
                let (stored, next_run) = match &changes.except {
                    Some(except) if time.except => leave_out(schedule, stored, except, now)?,
                    _ => (stored, next_run),
                };
                let (plan, timetable) = plan_on(schedule, changes, stored, next_run, now)?;
                (Some(plan), timetable, Vec::new())
            }
            _ => (None, stored, Vec::new()),
        };
        let policy = schedule.policy.changed_by(&changes.policy);
        check_policy(&policy)?;
        if let Some(plan) = &plan {
            check_fires(&self.budget, &self.caller, plan, &timetable)?;
        }
        let left = remaining(&PromptSchedule {
            max_repetitions: match &plan {
                Some(plan) => plan.max_repetitions,
                None => schedule.max_repetitions,
            },
            ..schedule.clone()
        });
        let next_run = plan.as_ref().map_or(next_run, |plan| plan.next_run);
        let update = ScheduleUpdate {
            agent_id: (changes.agent_id.clone()).filter(|new| new.as_str() != schedule.agent_id),
            prompt_text: (changes.prompt.clone())
                .filter(|new| schedule.payload.is_some() || *new != schedule.prompt_text),
            name: (changes.name.clone()).filter(|new| Some(new) != schedule.name.as_ref()),
            target: (changes.target.clone()).filter(|new| Some(new) != schedule.target.as_ref()),
            conversation: (changes.conversation.clone())
                .filter(|new| Some(new) != schedule.conversation.as_ref()),
            plan,
            policy: match schedule.is_delivered_by(&policy) {
                true => Policy::default(),
                false => changes.policy,
            },
            ping_url: (changes.ping_url.clone()).filter(|new| *new != schedule.ping_url),
            most_schedules: most_schedules(&self.budget, &self.caller),
            keeps_instants: !time.moves() && !time.except,
        };
        let left = left.and_then(|n| i64::try_from(n).ok());
        let begins_now = Some(now).filter(|now| timetable.anchor == *now);
        let made = begins_now.or(schedule.created_at);
        let answer = Registered {
            changed: !update.is_empty(),
            ..registered(schedule.id, true, next_run, &timetable, left, made, now).noting(notes)
        };
        Ok((update, answer))
    }

    /// The plan after a change of its time: everything that was not given stays, and it is counted
    /// from now.
    fn replan(
        &self,
        schedule: &PromptSchedule,
        stored: &Timetable,
        changes: &Changes,
        time: &NewTime,
        now: Timestamp,
    ) -> Result<Planning> {
        let kind = ScheduleType::from_word(&schedule.schedule_type);
        let wish = match (&changes.wish, kind) {
            (Some(wish), _) => wish.clone(),
            (None, Some(kind)) => Wish {
                asked: Asked::Exactly(kind),
                value: schedule.schedule_value.clone(),
            },
            (None, None) => return Err(unreadable()),
        };
        let text = |time: Option<Timestamp>| time.map(|t| t.to_string());
        let usual = match &schedule.timezone {
            Some(name) => Zone::parse(name)?,
            None => self.zone.clone(),
        };
        let is_once = |wish: &Wish| {
            let understood = Understood::parse(wish.asked, &wish.value, &usual, now);
            understood.is_ok_and(|read| read.spec.kind() == ScheduleType::Once)
        };
        let new_start = changes.start_at.clone().filter(|_| time.start);
        let asked = When {
            // A start in the past has no effect any more.
            start_at: new_start.or_else(|| {
                let start = schedule.start_at.filter(|t| *t > now);
                text(start.filter(|_| !is_once(&wish)))
            }),
            end_at: changes.end_at.clone().or_else(|| text(schedule.end_at)),
            except: match &changes.except {
                Some(except) => except.clone(),
                // A single time is on the date that was asked for.
                None if is_once(&wish) => LeftOut::default(),
                None => stored.except.clone(),
            },
            max_repetitions: changes.max_repetitions.or(schedule.max_repetitions),
            timezone: changes.timezone.clone(),
            wish,
        };
        plan(&asked, &asked.zone(&usual, now)?, now)
    }
}

/// The timetable from now on with other dates left out, and its first instant then: what passed
/// keeps the dates of its time, and an interval its phase.
fn leave_out(
    schedule: &PromptSchedule,
    stored: Timetable,
    except: &LeftOut,
    now: Timestamp,
) -> Result<(Timetable, Timestamp)> {
    if let Spec::Once(_) = stored.spec {
        return Err(only_once());
    }
    let timetable = Timetable {
        except: except.clone(),
        end_at: None,
        ..stored
    };
    let next_run = timetable.next_after(from_now(schedule, now));
    let next_run = next_run.ok_or_else(|| {
        let text = format!("it would never run again; it is now {now}");
        Error::new(Code::CronNever, text)
    })?;
    Ok((timetable, next_run))
}

/// The instant after which a schedule runs from now on: now, or just before its start.
fn from_now(schedule: &PromptSchedule, now: Timestamp) -> Timestamp {
    let start = schedule.start_at.map(just_before);
    start.map_or(now, |start| start.max(now))
}

/// The plan with the same instants, and another end or number.
fn plan_on(
    schedule: &PromptSchedule,
    changes: &Changes,
    stored: Timetable,
    next_run: Timestamp,
    now: Timestamp,
) -> Result<(Plan, Timetable)> {
    let end_at = match &changes.end_at {
        Some(text) => Some(parse_time_of("end_at", text, &stored.zone, now)?),
        None => schedule.end_at,
    };
    if let Some(end) = end_at.filter(|end| *end < next_run) {
        if !stored.except.is_empty() {
            let on_any_date = stored.on_any_date();
            refuse_all_left_out(on_any_date.next_after(from_now(schedule, now)), end)?;
        }
        return Err(Error::new(
            Code::EndBeforeFirst,
            format!(
                "it would end at {end}, before its next run at {next_run}; it is now {now}. \
                 To end it now, cancel it"
            ),
        )
        .example(fields([("end_at", next_run.to_string())])));
    }
    let plan = Plan {
        schedule_type: stored.spec.kind(),
        schedule_value: schedule.schedule_value.clone(),
        timezone: stored.zone.name().to_owned(),
        anchor: stored.anchor,
        next_run,
        start_at: schedule.start_at,
        end_at,
        except: stored.except.to_stored(),
        max_repetitions: changes.max_repetitions.or(schedule.max_repetitions),
    };
    Ok((plan, Timetable { end_at, ..stored }))
}

fn refuse_ended(schedule: &PromptSchedule) -> Result<()> {
    match schedule.lifecycle {
        Lifecycle::Active | Lifecycle::Paused => Ok(()),
        ended => Err(not_live(schedule.id, ended, "changed; create a new one")),
    }
}

fn unreadable() -> Error {
    Error::new(Code::ScheduleBroken, "the stored schedule can't be read")
        .example(call("list").with("all", true))
}
