//! The schedules that Letta Code keeps itself.

use serde::Deserialize;
use serde_json::{Value, json};

use super::protocol::lenient;
use super::server::Server;
use crate::letta_client::directory::ServerTask;
use crate::letta_client::v1::turn::beginning;
use crate::limits;
use crate::models::Refusal;

/// The most schedules that are read: a server allows 50 for each agent.
const MOST_TASKS: usize = 10_000;

/// The answer to `cron_list`.
#[derive(Deserialize)]
struct Tasks {
    #[serde(default)]
    tasks: Vec<Value>,
}

/// One of its tasks, as far as it is needed.
#[derive(Deserialize)]
struct Task {
    id: String,
    agent_id: String,
    #[serde(default, deserialize_with = "lenient")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    cron: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    timezone: Option<String>,
    #[serde(default)]
    recurring: bool,
    #[serde(default, deserialize_with = "lenient")]
    prompt: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    scheduled_for: Option<String>,
}

impl Server {
    /// All of its schedules, also those that have ended.
    pub(super) async fn list_tasks(&self) -> Result<Vec<ServerTask>, Refusal> {
        let listed: Tasks = self.request("cron_list", json!({})).await?;
        let tasks = listed.tasks.into_iter().take(MOST_TASKS);
        let read = tasks.filter_map(|task| serde_json::from_value(task).ok());
        Ok(read.map(task).collect())
    }

    /// Pauses one of its schedules; one that is paused stays so.
    pub(super) async fn pause_task(&self, id: &str) -> Result<(), Refusal> {
        let body = json!({"task_id": id});
        let _: serde::de::IgnoredAny = self.request("cron_pause", body).await?;
        Ok(())
    }
}

fn task(task: Task) -> ServerTask {
    let short = |text: String| beginning(&text, limits::TEXT).to_owned();
    ServerTask {
        id: short(task.id),
        agent_id: short(task.agent_id),
        conversation: task.conversation_id.map(short),
        name: task.name.map(short),
        is_active: task.status.as_deref() == Some("active"),
        status: task.status.map(short).unwrap_or_default(),
        // Of a one-shot, the pattern is only its time in another form, and may name another year.
        at: task.scheduled_for.filter(|_| !task.recurring).map(short),
        cron: task.cron.filter(|_| task.recurring).map(short),
        timezone: task.timezone.map(short),
        prompt: task.prompt.unwrap_or_default(),
    }
}
