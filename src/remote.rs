//! The schedules of a server on another machine: what is asked of it goes over `/api/v1`.

mod wire;

use async_trait::async_trait;
use reqwest::Method;

use crate::api::bodies::{ChangesBody, NewScheduleBody, NoteBody, PreviewBody, ResumeBody};
use crate::api::queries::{ChangeParams, LARGEST_PAGE, NoParams, OccurrenceParams, ScheduleParams};
use crate::clock::Clock;
use crate::config::RemoteSettings;
use crate::error::Result;
use crate::models::{Caller, ChangeQuery};
use crate::service::answers::{
    AgentsListed, CancelledSchedule, ChangeLog, Halted, History, Listed, PausedSchedule, Planned,
    Previewed, QueuedRun, ResumedSchedule, Shown, Tested,
};
use crate::service::{Changes, HistoryQuery, ListQuery, Operations, Registration, When};

use wire::Wire;

/// A server that keeps the schedules.
pub struct Remote {
    wire: Wire,
}

impl Remote {
    /// A client of the server that the settings name, for this caller: where an agent commands this
    /// program, its budget binds it there, too.
    ///
    /// # Errors
    /// [`crate::error::Code::ConfigInvalid`].
    pub fn new(settings: &RemoteSettings, caller: Caller, clock: Clock) -> Result<Self> {
        Ok(Remote {
            wire: Wire::new(settings, caller, clock)?,
        })
    }

    fn schedule(id: i64) -> String {
        format!("/schedules/{id}")
    }
}

/// No body at all.
const NOTHING: Option<&()> = None;

#[async_trait]
impl Operations for Remote {
    async fn register(&self, asked: &Registration) -> Result<Planned> {
        let body = NewScheduleBody::of(asked);
        self.wire
            .send(Method::POST, "/schedules", Some(&body))
            .await
    }

    async fn update(&self, id: i64, changes: &Changes) -> Result<Planned> {
        let body = ChangesBody::of(changes);
        self.wire
            .send(Method::PATCH, &Remote::schedule(id), Some(&body))
            .await
    }

    async fn list(&self, asked: &ListQuery) -> Result<Listed> {
        let page = |limit: u32, offset: u32| ScheduleParams {
            agent_id: asked.agent_id.as_ref().map(|a| a.to_string()),
            all: asked.all,
            full: asked.full,
            limit: Some(limit),
            offset: Some(offset),
        };
        let mut limit = asked.limit.min(LARGEST_PAGE);
        let first = |limit| page(limit, asked.offset);
        let mut listed: Listed = self.wire.page("/schedules", &mut limit, first).await?;
        let mut got = limit;
        while listed.schedules.len() == got as usize && got < asked.limit {
            limit = limit.min(asked.limit - got);
            let next = |limit| page(limit, asked.offset.saturating_add(got));
            let more: Listed = self.wire.page("/schedules", &mut limit, next).await?;
            listed.schedules.extend(more.schedules);
            got += limit;
        }
        listed.count = listed.schedules.len();
        Ok(listed)
    }

    async fn show(&self, id: i64) -> Result<Shown> {
        self.wire.get(&Remote::schedule(id), &NoParams {}).await
    }

    async fn cancel(&self, id: i64) -> Result<CancelledSchedule> {
        let path = Remote::schedule(id);
        self.wire.send(Method::DELETE, &path, NOTHING).await
    }

    async fn pause(&self, id: i64, note: Option<&str>) -> Result<PausedSchedule> {
        let path = Remote::schedule(id) + "/pause";
        self.wire
            .send(Method::POST, &path, Some(&note_body(note)))
            .await
    }

    async fn resume(&self, id: i64, replay: bool) -> Result<ResumedSchedule> {
        let path = Remote::schedule(id) + "/resume";
        let body = ResumeBody { replay };
        self.wire.send(Method::POST, &path, Some(&body)).await
    }

    async fn run(&self, id: i64) -> Result<QueuedRun> {
        let path = Remote::schedule(id) + "/run";
        self.wire.send(Method::POST, &path, NOTHING).await
    }

    async fn preview(&self, when: &When, count: usize) -> Result<Previewed> {
        let body = PreviewBody::of(when, count);
        self.wire.send(Method::POST, "/preview", Some(&body)).await
    }

    async fn history(&self, asked: &HistoryQuery) -> Result<History> {
        let page = |limit: u32, offset: u32| OccurrenceParams {
            schedule_id: asked.id,
            agent_id: asked.agent_id.as_ref().map(|a| a.to_string()),
            state: asked.state,
            since: asked.since.map(|t| t.to_string()),
            limit: Some(limit),
            offset: Some(offset),
        };
        let mut limit = asked.limit.min(LARGEST_PAGE);
        let first = |limit| page(limit, asked.offset);
        let mut history: History = self.wire.page("/occurrences", &mut limit, first).await?;
        let mut got = limit;
        while history.occurrences.len() == got as usize && got < asked.limit {
            limit = limit.min(asked.limit - got);
            let next = |limit| page(limit, asked.offset.saturating_add(got));
            let more: History = self.wire.page("/occurrences", &mut limit, next).await?;
            history.occurrences.extend(more.occurrences);
            got += limit;
        }
        history.count = history.occurrences.len();
        Ok(history)
    }

    async fn changes(&self, asked: &ChangeQuery) -> Result<ChangeLog> {
        let page = |limit: u32, offset: u32| ChangeParams {
            schedule_id: asked.schedule_id,
            agent_id: asked.agent_id.as_ref().map(|a| a.to_string()),
            since: asked.since.map(|t| t.to_string()),
            limit: Some(limit),
            offset: Some(offset),
        };
        let mut limit = asked.limit.min(LARGEST_PAGE);
        let first = |limit| page(limit, asked.offset);
        let mut log: ChangeLog = self.wire.page("/changes", &mut limit, first).await?;
        let mut got = limit;
        while log.changes.len() == got as usize && got < asked.limit {
            limit = limit.min(asked.limit - got);
            let next = |limit| page(limit, asked.offset.saturating_add(got));
            let more: ChangeLog = self.wire.page("/changes", &mut limit, next).await?;
            log.changes.extend(more.changes);
            got += limit;
        }
        log.count = log.changes.len();
        Ok(log)
    }

    async fn agents(&self) -> Result<AgentsListed> {
        self.wire.get("/agents", &NoParams {}).await
    }

    async fn test(&self) -> Result<Tested> {
        self.wire.get("/test", &NoParams {}).await
    }

    async fn halt(&self, note: Option<&str>) -> Result<Halted> {
        let body = note_body(note);
        self.wire.send(Method::PUT, "/halt", Some(&body)).await
    }

    async fn lift_halt(&self) -> Result<Halted> {
        self.wire.send(Method::DELETE, "/halt", NOTHING).await
    }
}

fn note_body(note: Option<&str>) -> NoteBody {
    NoteBody {
        note: note.map(str::to_owned),
    }
}
