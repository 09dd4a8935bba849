//! Taking over the schedules that Letta Code keeps itself.

use serde::Serialize;

use super::planning::{When, Wish};
use super::{Registration, Service};
use crate::error::{Code, Error, Result};
use crate::letta_client::{Letta, ServerTask};
use crate::limits;
use crate::models::{AgentId, Conversation, Policy, ScheduleType, TargetName};
use crate::schedule::Asked;

/// What became of the schedules of a server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Import {
    /// Those that are registered here and paused there.
    pub imported: Vec<ImportedTask>,
    /// Those that were left alone, because nothing is to be done.
    pub skipped: Vec<LeftTask>,
    /// Those that could not be taken over; they run there as before.
    pub failed: Vec<LeftTask>,
}

/// A schedule that was taken over, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct ImportedTask {
    /// Its id there.
    pub task_id: String,
    /// Its id here; `None` if it was not registered, as this was only to be shown.
    pub schedule_id: Option<i64>,
    /// The agent.
    pub agent_id: String,
    /// Its name here.
    pub name: String,
}

/// A schedule that was not taken over.
#[derive(Clone, Debug, Serialize)]
pub struct LeftTask {
    /// Its id there.
    pub task_id: String,
    /// The agent.
    pub agent_id: String,
    /// Why not.
    pub reason: String,
}

impl Service {
    /// Registers the active schedules that a server keeps itself, and pauses each of them there once
    /// it is registered here. It can be repeated: what is registered already is not registered twice.
    /// `count` is told how many have been looked at so far.
    ///
    /// # Errors
    /// [`Code::TargetUnknown`], [`Code::LettaWrongServer`] if that server keeps none, and those of
    /// Letta if it can't be asked.
    pub async fn import_tasks(
        &self,
        target: Option<&TargetName>,
        dry_run: bool,
        count: impl Fn(usize),
    ) -> Result<Import> {
        let server = self.target(target)?.clone();
        let listed = server.list_tasks().await;
        let doing = format!("list the schedules of {}", server.address());
        let tasks = listed.map_err(|r| r.into_error(&doing, &server.name()))?.ok_or_else(|| {
            Error::new(
                Code::LettaWrongServer,
                format!(
                    "{} keeps no schedules that can be taken over: only the App Server of Letta Code \
                     does",
                    server.address()
                ),
            )
        })?;
        let mut import = Import::default();
        for (n, task) in tasks.into_iter().enumerate() {
            count(n);
            let left = |reason: String| LeftTask {
                task_id: task.id.clone(),
                agent_id: task.agent_id.clone(),
                reason,
            };
            if !task.is_active {
                import
                    .skipped
                    .push(left(format!("it is {} there", task.status)));
                continue;
            }
            match self.take_over(&*server, &task, dry_run).await {
                Ok(schedule_id) => import.imported.push(ImportedTask {
                    schedule_id,
                    name: name_of(&task),
                    task_id: task.id,
                    agent_id: task.agent_id,
                }),
                Err(e) => import.failed.push(left(e.chain())),
            }
        }
        Ok(import)
    }

    /// Registers one and pauses it there. If that fails, it is cancelled here again: in doubt it runs
    /// in one place.
    async fn take_over(
        &self,
        server: &dyn Letta,
        task: &ServerTask,
        dry_run: bool,
    ) -> Result<Option<i64>> {
        let asked = registration_of(task, server.name())?;
        if dry_run {
            self.check_registration(&asked).await?;
            return Ok(None);
        }
        let made = self.register(&asked).await?;
        if let Err(refusal) = server.pause_task(&task.id).await {
            if made.existed == Some(false) {
                self.cancel(made.id).await?;
            }
            return Err(refusal.into_error(
                &format!("pause {} on {}", task.id, server.address()),
                &server.name(),
            ));
        }
        Ok(Some(made.id))
    }
}

/// Its name here, by which it is recognised if it is imported again.
fn name_of(task: &ServerTask) -> String {
    let id = format!("letta-code {}", task.id);
    let name = task.name.as_deref().map(str::trim).unwrap_or_default();
    match name.is_empty() || id.len() + name.len() + 3 > limits::NAME {
        true => id,
        false => format!("{name} ({id})"),
    }
}

fn registration_of(task: &ServerTask, target: TargetName) -> Result<Registration> {
    let wish = match (&task.at, &task.cron) {
        (Some(at), _) => Wish {
            asked: Asked::Exactly(ScheduleType::Once),
            value: at.clone(),
        },
        (None, Some(cron)) => Wish {
            asked: Asked::Exactly(ScheduleType::Cron),
            value: cron.clone(),
        },
        (None, None) => {
            return Err(Error::new(
                Code::SpecMissing,
                "it has neither a time nor a pattern",
            ));
        }
    };
    if task.prompt.trim().is_empty() {
        return Err(Error::new(Code::PromptMissing, "it has no prompt"));
    }
    // Letta Code's own default is a new conversation for each run.
    let conversation = task
        .conversation
        .as_deref()
        .unwrap_or(Conversation::New.as_str());
    Ok(Registration {
        agent_id: Some(AgentId::parse(&task.agent_id)?),
        prompt: task.prompt.clone(),
        payload: None,
        when: When {
            wish,
            timezone: task.timezone.clone(),
            start_at: None,
            end_at: None,
            max_repetitions: None,
        },
        name: Some(name_of(task)),
        target: Some(target),
        conversation: Some(Conversation::parse(conversation)?),
        policy: Policy::default(),
        ping_url: None,
        skip_validation: false,
    })
}
