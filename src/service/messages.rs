//! Schedules as Letta's own schedule API sees them: messages of one agent, by lasting ids.

use uuid::Uuid;

use super::{Registration, Service};
use crate::error::{Code, Error, Result, shell};
use crate::models::{AgentId, LARGEST_REQUEST, Occurrence, Payload, PromptSchedule};

/// A schedule with the whole of what it sends.
#[derive(Clone, Debug)]
pub struct ScheduledMessage {
    /// The schedule.
    pub schedule: PromptSchedule,
    /// Its identity, which never changes.
    pub uid: Uuid,
    /// What it sends.
    pub payload: Payload,
}

impl Service {
    /// Makes a schedule and gives it back.
    ///
    /// # Errors
    /// Those of [`Service::register`].
    pub async fn schedule_message(&self, asked: &Registration) -> Result<ScheduledMessage> {
        let id = self.make_schedule(asked).await?.id;
        self.whole(self.find(id).await?).await
    }

    /// A page of an agent's schedules of which anything is still to be sent, the oldest first, and
    /// whether there are more. `after` is the last one of the page before.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::IdInvalid`] if there never was such a last one.
    pub async fn scheduled_messages(
        &self,
        agent: &AgentId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ScheduledMessage>, bool)> {
        self.own(agent.clone())?;
        let after = match after {
            None => 0,
            // What has ended meanwhile still marks its place.
            Some(text) => match self.of_agent(agent, text).await? {
                Some((last, _)) => last.id,
                None => {
                    return Err(Error::new(
                        Code::IdInvalid,
                        format!(
                            "after is {:?}, which is no scheduled message of agent {agent}: give \
                             the id of the last one of the page before, or leave it out",
                            shortened(text)
                        ),
                    )
                    .example(shell(format!("GET /v1/agents/{agent}/schedule"))));
                }
            },
        };
        let mut page = self
            .db
            .list_live_schedules(agent, after, limit.saturating_add(1))
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut more = page.len() > limit;
        page.truncate(limit);
        let mut messages = Vec::with_capacity(page.len());
        let mut bytes = 0;
        // One whose identity can't be read gets another one when it is adopted.
        for schedule in page.into_iter().filter(|s| s.uid.is_some()) {
            if bytes >= LARGEST_REQUEST {
                more = true;
                break;
            }
            let message = self.whole(schedule).await?;
            bytes += message.payload.to_stored().len();
            messages.push(message);
        }
        Ok((messages, more))
    }

    /// One schedule of an agent of which anything is still to be sent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::ScheduleNotFound`].
    pub async fn scheduled_message(&self, agent: &AgentId, id: &str) -> Result<ScheduledMessage> {
        self.own(agent.clone())?;
        match self.of_agent(agent, id).await? {
            Some((schedule, true)) => self.whole(schedule).await,
            _ => Err(no_message(agent, id)),
        }
    }

    /// Ends a schedule of an agent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::ScheduleNotFound`].
    pub async fn cancel_message(&self, agent: &AgentId, id: &str) -> Result<()> {
        let message = self.scheduled_message(agent, id).await?;
        match self.cancel(message.schedule.id).await {
            // It ended a moment ago.
            Err(e) if e.code() == Code::ScheduleNotActive => Err(no_message(agent, id)),
            cancelled => cancelled.map(drop),
        }
    }

    /// What was sent of a schedule, or should have been and never was, the newest first, and
    /// whether there is more. A schedule that is over has its history too.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::ScheduleNotFound`].
    pub async fn sent_of_message(
        &self,
        agent: &AgentId,
        id: &str,
        limit: u32,
        offset: u32,
    ) -> Result<(Vec<Occurrence>, bool)> {
        self.own(agent.clone())?;
        let uid = match self.of_agent(agent, id).await? {
            Some((schedule, _)) => schedule.uid,
            None => None,
        };
        let uid = uid.ok_or_else(|| no_message(agent, id))?;
        let mut sent = self
            .db
            .list_sent(uid, agent, limit.saturating_add(1), offset)
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = sent.len() > limit;
        sent.truncate(limit);
        Ok((sent, more))
    }

    /// The agent's schedule of an id, and whether anything of it is still to be sent.
    async fn of_agent(&self, agent: &AgentId, id: &str) -> Result<Option<(PromptSchedule, bool)>> {
        let Ok(uid) = Uuid::try_parse(id) else {
            return Ok(None);
        };
        let found = self.db.get_schedule_by_uid(uid).await?;
        Ok(found.filter(|(schedule, _)| schedule.agent_id.trim() == agent.as_str()))
    }

    async fn whole(&self, schedule: PromptSchedule) -> Result<ScheduledMessage> {
        let gone = |what: &str| Error::new(Code::DatabaseInvalid, format!("{what} is gone"));
        let uid = schedule.uid.ok_or_else(|| gone("a schedule's identity"))?;
        let stored = match &schedule.payload {
            None => None,
            Some(hash) => self.db.get_payload(hash).await?,
        };
        // Of a request that can't be read any more, and will not be sent, the rendering is left.
        let stored = stored.and_then(|stored| Payload::from_stored(&stored).ok());
        let payload = stored.unwrap_or_else(|| Payload::of_prompt(&schedule.prompt_text));
        Ok(ScheduledMessage {
            schedule,
            uid,
            payload,
        })
    }
}

fn no_message(agent: &AgentId, id: &str) -> Error {
    Error::new(
        Code::ScheduleNotFound,
        format!(
            "agent {agent} has no scheduled message {:?}: one that is sent once is gone when it \
             was sent, and one that was deleted is gone too",
            shortened(id)
        ),
    )
    .example(shell(format!("GET /v1/agents/{agent}/schedule")))
}

fn shortened(id: &str) -> String {
    id.chars().take(80).collect()
}
