//! Schedules in terms of Letta's schedule API: messages of one agent, by uid.

use uuid::Uuid;

use super::{Registration, Service};
use crate::error::{Code, Error, Result, shell};
use crate::models::{
    AgentAt, AgentId, Conversation, LARGEST_REQUEST, Occurrence, Payload, PromptSchedule,
};

/// A schedule with the whole request that it sends.
#[derive(Clone, Debug)]
pub struct ScheduledMessage {
    /// The schedule.
    pub schedule: PromptSchedule,
    /// Its uid.
    pub uid: Uuid,
    /// The conversation in which its agent gets it.
    pub conversation: Conversation,
    /// What it sends.
    pub payload: Payload,
}

impl Service {
    /// Creates a schedule and returns it.
    ///
    /// # Errors
    /// Those of [`Service::register`].
    pub async fn schedule_message(&self, asked: &Registration) -> Result<ScheduledMessage> {
        let id = self.make_schedule(asked).await?.id;
        self.whole(self.find(id).await?).await
    }

    /// A page of an agent's schedules of which anything is still to be sent, oldest first, and
    /// whether there are more. `after` is the last one of the previous page.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::IdInvalid`] if `after` never existed.
    pub async fn scheduled_messages(
        &self,
        agent: &AgentId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ScheduledMessage>, bool)> {
        let at = &self.own(agent.clone().into())?;
        let after = match after {
            None => 0,
            // A schedule that has ended still marks its position.
            Some(text) => match self.of_agent(at, text).await? {
                Some((last, _)) => last.id,
                None => {
                    return Err(Error::new(
                        Code::IdInvalid,
                        format!(
                            "after is {:?}, which is not a scheduled message of agent {agent}: \
                             give the id of the last one on the previous page, or leave it out",
                            shortened(text)
                        ),
                    )
                    .example(shell(format!("GET /v1/agents/{agent}/schedule"))));
                }
            },
        };
        let mut page = self
            .db
            .list_live_schedules(at, after, limit.saturating_add(1))
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut more = page.len() > limit;
        page.truncate(limit);
        let mut messages = Vec::with_capacity(page.len());
        let mut bytes = 0;
        // One whose uid can't be read gets a new one when it is adopted.
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

    /// One schedule of an agent, if anything of it is still to be sent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::ScheduleNotFound`].
    pub async fn scheduled_message(&self, agent: &AgentId, id: &str) -> Result<ScheduledMessage> {
        let at = &self.own(agent.clone().into())?;
        match self.of_agent(at, id).await? {
            Some((schedule, true)) => self.whole(schedule).await,
            _ => Err(no_message(agent, id)),
        }
    }

    /// Cancels a schedule of an agent.
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

    /// What was sent by a schedule, or should have been and never was, newest first, and whether
    /// there is more. A schedule that has ended has its history too.
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
        let at = &self.own(agent.clone().into())?;
        let uid = match self.of_agent(at, id).await? {
            Some((schedule, _)) => schedule.uid,
            None => None,
        };
        let uid = uid.ok_or_else(|| no_message(agent, id))?;
        let mut sent = self
            .db
            .list_sent(uid, at, limit.saturating_add(1), offset)
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = sent.len() > limit;
        sent.truncate(limit);
        Ok((sent, more))
    }

    /// The agent's schedule with an id, and whether anything of it is still to be sent.
    async fn of_agent(&self, agent: &AgentAt, id: &str) -> Result<Option<(PromptSchedule, bool)>> {
        let Ok(uid) = Uuid::try_parse(id) else {
            return Ok(None);
        };
        let found = self.db.get_schedule_by_uid(uid).await?;
        Ok(found.filter(|(schedule, _)| self.belongs_to(schedule, agent)))
    }

    async fn whole(&self, schedule: PromptSchedule) -> Result<ScheduledMessage> {
        let gone = |what: &str| Error::new(Code::DatabaseInvalid, format!("{what} is gone"));
        let uid = schedule.uid.ok_or_else(|| gone("a schedule's identity"))?;
        let stored = match &schedule.payload {
            None => None,
            Some(hash) => self.db.get_payload(hash).await?,
        };
        // If a request can't be read, and so will not be sent, its rendering is shown.
        let stored = stored.and_then(|stored| Payload::from_stored(&stored).ok());
        let payload = stored.unwrap_or_else(|| Payload::of_prompt(&schedule.prompt_text));
        let target = self.targets.get(self.target_of(&schedule).as_str());
        let usual = || target.unwrap_or(&self.letta).usual_conversation();
        Ok(ScheduledMessage {
            conversation: schedule.conversation.clone().unwrap_or_else(usual),
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
            "agent {agent} has no scheduled message {:?}: a one-time message is gone once it was \
             sent, and so is a deleted one",
            shortened(id)
        ),
    )
    .example(shell(format!("GET /v1/agents/{agent}/schedule")))
}

fn shortened(id: &str) -> String {
    id.chars().take(80).collect()
}
