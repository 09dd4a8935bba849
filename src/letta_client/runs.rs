//! Questions about runs: whether one goes on, and which of an agent's do.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::classify::Fault;
use super::http::{Http, segment};
use super::pages::PageSize;

/// Whether a run goes on.
pub(super) enum Life {
    /// It goes on.
    Runs,
    /// It says that it goes on, but is so old that the server must have died under it.
    Orphaned,
    /// It has ended; this is all that Letta tells of it.
    Ended(Value),
}

/// A run that goes on.
pub(super) struct ActiveRun {
    /// Letta's id for it.
    pub id: String,
}

impl Http {
    /// Asks whether a run goes on.
    pub(super) async fn life_of(
        &self,
        run: &str,
        orphan_age: SignedDuration,
    ) -> Result<Life, Fault> {
        let reply = self.get(&format!("/v1/runs/{}", segment(run)), &[]).await?;
        let age = age_of(&reply.body, reply.server_now);
        Ok(match is_active(&reply.body) {
            false => Life::Ended(reply.body),
            true if age.is_some_and(|age| age >= orphan_age) => Life::Orphaned,
            true => Life::Runs,
        })
    }

    /// The runs of an agent that go on, those orphaned by a crash left out.
    pub(super) async fn active_runs(
        &self,
        agent: &str,
        orphan_age: SignedDuration,
    ) -> Result<Vec<ActiveRun>, Fault> {
        // The newest come first, and an agent has few that go on: one page holds every young one.
        let query = [("agent_id", agent), ("active", "true")];
        let mut size = PageSize::default();
        let reply = self.page("/v1/runs/", &query, &mut size).await?;
        let runs = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(runs
            .iter()
            // Servers that do not know a filter leave it out without a word.
            .filter(|run| is_active(run) && run.get("agent_id").is_none_or(|a| a == agent))
            .filter_map(|run| {
                let id = run.get("id")?.as_str()?.to_owned();
                let age = age_of(run, reply.server_now).unwrap_or(SignedDuration::ZERO);
                (age < orphan_age).then_some(ActiveRun { id })
            })
            .collect())
    }
}

fn is_active(run: &Value) -> bool {
    let status = run.get("status").and_then(Value::as_str);
    matches!(status, Some("created" | "running" | "pending"))
}

fn age_of(run: &Value, now: Timestamp) -> Option<SignedDuration> {
    let made = time(run.get("created_at")?.as_str()?)?;
    Some(now.duration_since(made))
}

/// Reads a time as Letta writes it: some of its fields have no `Z` (`completed_at`), and mean UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_z_is_utc() {
        let with = time("2026-11-22T10:27:55.064603Z").unwrap();
        assert_eq!(time("2026-11-22T10:27:55.064603"), Some(with));
        assert_eq!(time("2026-11-22T10:27:55.064603+00:00"), Some(with));
        assert_eq!(time("yesterday"), None);
    }
}
