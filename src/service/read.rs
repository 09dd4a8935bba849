//! Reading schedules and their history.

use uuid::Uuid;

use super::answers::{History, Listed, Shown, Success};
use super::views::{OccurrenceView, ScheduleView};
use super::{Service, Status};
use crate::error::{Code, Error, Result, call, field, message};
use crate::limits;
use crate::models::{
    AgentId, HistoryFilter, NamedAgent, OpenOccurrence, PastOccurrence, PromptSchedule,
    ScheduleFilter, State,
};
use crate::schedule::{in_words, remaining, timetable_of};

/// How many future and past runs are shown with one schedule.
const SHOWN: usize = 5;

/// Which schedules to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only of this agent.
    pub agent: Option<NamedAgent>,
    /// Include finished, cancelled and broken schedules.
    pub all: bool,
    /// Don't shorten prompts.
    pub full: bool,
    /// At most this many.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}

/// Which occurrences to show.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// Only of this schedule.
    pub id: Option<i64>,
    /// Only of this agent.
    pub agent: Option<NamedAgent>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only those intended for this time or later.
    pub since: Option<jiff::Timestamp>,
    /// Only those settled at this time or later; they then come in the order of settling.
    pub settled_since: Option<jiff::Timestamp>,
    /// At most this many.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}

impl Service {
    /// A number that changes whenever another process has written; `None` if it can't be read.
    pub async fn version_by_others(&self) -> Option<i64> {
        self.db.data_version().await.ok()
    }

    /// Waits until another process has written since that number was `seen`, and updates it.
    pub async fn wait_for_others(&self, seen: &mut Option<i64>) {
        self.db.wait_for_others(&self.clock, seen).await;
    }

    /// A page of schedules, by their next run.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::TooLarge`], and those of the database.
    pub async fn list(&self, asked: &ListQuery) -> Result<Listed> {
        let status = self.status().await?;
        let _place = self.place_to_read().await;
        let filter = &ScheduleFilter {
            agent: self.narrow(asked.agent.clone())?,
            paused: true,
            all: asked.all,
            limit: Some(asked.limit),
            offset: asked.offset,
        };
        let schedules = match asked.full {
            false => self.db.list_schedules_briefly(filter).await?,
            true => {
                self.check_prompts(filter).await?;
                self.db.list_schedules(filter).await?
            }
        };
        let total = self.db.count_schedules(filter).await?;
        let broken = self.db.count_broken(filter.agent.as_ref()).await?;
        let open = self.db.list_open_occurrences().await?;
        let view = |s: PromptSchedule| {
            let waiting_for = self.explain_wait(&s, &open, &status);
            let timetable = timetable_of(&s).ok();
            let view = ScheduleView::new(s, &self.zone, timetable.as_ref(), asked.full, self.now());
            ScheduleView {
                waiting_for,
                ..view
            }
        };
        let schedules: Vec<ScheduleView> = schedules.into_iter().map(view).collect();
        Ok(Listed {
            status: Success::Success,
            count: schedules.len(),
            total,
            broken,
            incidents: self.visible(&status.incidents).count(),
            schedules,
            now: self.now(),
            warning: status.warning(),
        })
    }

    /// Refuses a page of whole prompts that would be too large.
    async fn check_prompts(&self, filter: &ScheduleFilter) -> Result<()> {
        let size = self.db.size_of_prompts(filter).await?;
        if usize::try_from(size).unwrap_or(usize::MAX) <= limits::LISTED_PROMPTS {
            return Ok(());
        }
        let most = limits::Amount::Bytes(limits::LISTED_PROMPTS);
        Err(Error::new(
            Code::TooLarge,
            message![
                "the prompts of this list have {size} bytes together, but a list contains at most \
                 {most} bytes of whole prompts: give a smaller ",
                field("limit"),
                ", or leave out ",
                field("full")
            ],
        )
        .example(call("list").with("full", true).with("limit", 5)))
    }

    /// One schedule with its next runs and the outcome of its last ones.
    ///
    /// # Errors
    /// [`crate::error::Code::ScheduleNotFound`], and those of the database.
    pub async fn show(&self, id: i64) -> Result<Shown> {
        let status = self.status().await?;
        let _place = self.place_to_read().await;
        let schedule = self.find(id).await?;
        let open = self.db.list_open_occurrences().await?;
        let waiting_for = self.explain_wait(&schedule, &open, &status);
        let timetable = timetable_of(&schedule).ok();
        let left = remaining(&schedule)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(SHOWN);
        let next_runs = match (&timetable, schedule.next_run, schedule.active) {
            (Some(timetable), Some(next), true) => timetable.upcoming(next, SHOWN.min(left)),
            _ => Vec::new(),
        };
        let (understood, mut notes) = match (&timetable, next_runs.first()) {
            (Some(timetable), Some(next)) => {
                let notes = timetable.surprises(*next, remaining(&schedule), self.now());
                (in_words(timetable, *next, schedule.created_at), notes)
            }
            _ => (None, Vec::new()),
        };
        if let (Some(timetable), true) = (&timetable, schedule.active) {
            notes.extend(self.note_alike(&schedule, timetable).await?);
        }
        let last_runs = match schedule.uid {
            Some(uid) => {
                let filter = HistoryFilter {
                    uid: Some(uid),
                    // What it sent while it belonged to another agent is that agent's.
                    agent: self.caller.scope().cloned().map(NamedAgent::from),
                    limit: 5,
                    ..HistoryFilter::default()
                };
                self.occurrences(&filter).await?
            }
            None => Vec::new(),
        };
        let account = match schedule.uid {
            Some(uid) => Some(self.db.account(uid).await?),
            None => None,
        };
        let view = ScheduleView::new(schedule, &self.zone, timetable.as_ref(), true, self.now());
        Ok(Shown {
            status: Success::Success,
            schedule: ScheduleView {
                waiting_for,
                ..view
            },
            next_runs,
            understood,
            notes,
            last_runs,
            account,
            now: self.now(),
            warning: status.warning(),
        })
    }

    /// Past and open occurrences, newest first.
    ///
    /// # Errors
    /// [`crate::error::Code::ScheduleNotFound`] for an id that does not exist, and those of the
    /// database.
    pub async fn history(&self, asked: &HistoryQuery) -> Result<History> {
        let _place = self.place_to_read().await;
        let occurrences = match asked.id {
            None => self.history_of(None, asked).await?,
            Some(id) => match self.find(id).await?.uid {
                Some(uid) => self.history_of(Some(uid), asked).await?,
                // A row that has not been adopted yet has no history.
                None => Vec::new(),
            },
        };
        Ok(History {
            status: Success::Success,
            count: occurrences.len(),
            occurrences,
        })
    }

    async fn history_of(
        &self,
        uid: Option<Uuid>,
        asked: &HistoryQuery,
    ) -> Result<Vec<OccurrenceView>> {
        self.occurrences(&HistoryFilter {
            uid,
            agent: self.narrow(asked.agent.clone())?,
            state: asked.state,
            since: asked.since,
            settled_since: asked.settled_since,
            limit: asked.limit,
            offset: asked.offset,
        })
        .await
    }

    async fn occurrences(&self, filter: &HistoryFilter) -> Result<Vec<OccurrenceView>> {
        let past = self.db.list_history(filter).await?;
        let view = |past: PastOccurrence| {
            OccurrenceView::new(past.occurrence, past.schedule_id, past.attempts)
        };
        Ok(past.into_iter().map(view).collect())
    }

    /// Why a schedule that is due is not being sent.
    fn explain_wait(
        &self,
        s: &PromptSchedule,
        open: &[OpenOccurrence],
        status: &Status,
    ) -> Option<String> {
        let own = open.iter().find(|o| Some(o.uid) == s.uid);
        let due = s.active && s.next_run.is_some_and(|t| t <= self.now());
        if own.is_none() && !due {
            return None;
        }
        match own.map(|o| (o.state, o.not_before)) {
            Some((State::Sending, _)) => return Some("its prompt is being sent".to_owned()),
            Some((State::Unknown, _)) => {
                return Some(
                    "it is not known yet whether its last prompt arrived; searching for it"
                        .to_owned(),
                );
            }
            _ => {}
        }
        if let Some(warning) = status.about(self.target_of(s)).warning() {
            return Some(warning);
        }
        if let Some((_, Some(not_before))) = own.map(|o| (o.state, o.not_before)) {
            return Some(format!("its prompt will be retried at {not_before}"));
        }
        let agent = AgentId::parse(&s.agent_id).ok()?;
        let conversation = s.conversation.as_ref();
        let recipient = (self.targets).recipient(s.target.as_ref(), &agent, conversation);
        let lane = self.targets.lane(&recipient, s.uid.unwrap_or_default());
        let busy = open
            .iter()
            .any(|o| o.lane == lane && o.state != State::Waiting);
        Some(if busy {
            "the agent is busy with another prompt".to_owned()
        } else {
            "it is about to be sent".to_owned()
        })
    }
}
