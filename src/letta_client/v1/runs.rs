//! Requests about runs: whether one is running, and which ones an agent has.
//!
//! An unknown state is not an end: a run has ended only if it says so in a word we know, or reports
//! when it ended. In any other state it may be running, but not forever.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::classify::RequestFailure;
use super::http::{Http, segment};
use super::pages::PageSize;
use crate::models::ErrorClass;

/// How many of an agent's messages are read to see whether its runs have produced any lately.
const LATEST: usize = 20;

/// How far the parts of one server may disagree about the time.
pub(super) const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// The states in which Letta says that a run has ended.
const OVER: [&str; 4] = ["completed", "failed", "cancelled", "expired"];

/// Whether a run is still running.
pub(super) enum RunState {
    /// It may be running.
    Active,
    /// It may be running, and doesn't say when it began.
    Undated,
    /// It doesn't say that it has ended, but is so old that the server must have died during it.
    Orphaned,
    /// It has ended; this is Letta's description of it.
    Ended(Value),
}

/// A run that has not ended.
pub(super) struct ActiveRun {
    /// Letta's id for it.
    pub id: String,
    /// Its age, at least.
    pub age: SignedDuration,
    /// Whether it is so old that the server must have died during it, unless the agent's messages
    /// show otherwise.
    pub orphaned: bool,
}

impl Http {
    /// Asks whether a run is still running.
    pub(super) async fn run_state(
        &self,
        run: &str,
        orphan_age: SignedDuration,
    ) -> Result<RunState, RequestFailure> {
        let reply = self.get(&format!("/v1/runs/{}", segment(run)), &[]).await?;
        if !reply.body.is_object() {
            return Err(RequestFailure::doubt(
                ErrorClass::Garbled,
                "a run is not an object",
            ));
        }
        Ok(match age_of(&reply.body, reply.server_now) {
            _ if has_ended(&reply.body) => RunState::Ended(reply.body),
            None => RunState::Undated,
            Some(age) if age >= orphan_age => RunState::Orphaned,
            Some(_) => RunState::Active,
        })
    }

    /// The runs of an agent that have not ended.
    pub(super) async fn active_runs(
        &self,
        agent: &str,
        orphan_age: SignedDuration,
    ) -> Result<Vec<ActiveRun>, RequestFailure> {
        // The newest come first, and an agent has few that are running: one page holds every young
        // one.
        let query = [("agent_id", agent), ("active", "true")];
        let mut size = PageSize::default();
        let reply = self.page("/v1/runs/", &query, &mut size).await?;
        let runs = match &reply.body {
            Value::Array(runs) if runs.iter().all(Value::is_object) => runs,
            _ => {
                let text = "the list of runs is not a list of runs";
                return Err(RequestFailure::doubt(ErrorClass::Garbled, text));
            }
        };
        // Servers that don't know a filter ignore it silently.
        let is_foreign = |run: &Value| {
            let of = run.get("agent_id").and_then(Value::as_str);
            of.is_some_and(|of| of != agent)
        };
        if runs.len() >= size.asked() && runs.iter().any(is_foreign) {
            let text = "the list of runs contains those of other agents, and not all of this one's";
            return Err(RequestFailure::doubt(ErrorClass::Garbled, text));
        }
        let uptime = self.clock().moment().uptime;
        let active = runs.iter().filter(|r| !has_ended(r) && !is_foreign(r));
        Ok(active
            .map(|run| {
                let id = run.get("id").and_then(Value::as_str).unwrap_or("a run");
                let age = age_of(run, reply.server_now).unwrap_or_else(|| {
                    let of_agent = format!("{agent}/{id}");
                    self.sightings().age(&of_agent, uptime)
                });
                ActiveRun {
                    id: id.to_owned(),
                    age,
                    orphaned: age >= orphan_age,
                }
            })
            .collect())
    }

    /// Whether any of these runs of an agent has produced a message lately.
    pub(super) async fn left_messages_lately(
        &self,
        agent: &str,
        runs: &[ActiveRun],
        orphan_age: SignedDuration,
    ) -> Result<bool, RequestFailure> {
        let path = format!("/v1/agents/{}/messages", segment(agent));
        let mut size = PageSize::of(LATEST);
        let reply = self.page(&path, &[], &mut size).await?;
        let messages = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(messages.iter().any(|message| {
            let of = message.get("run_id").and_then(Value::as_str);
            runs.iter().any(|run| Some(run.id.as_str()) == of)
                && is_dated_within(message, orphan_age, reply.server_now)
        }))
    }
}

/// Whether a message is no older than this.
pub(super) fn is_dated_within(message: &Value, time_ago: SignedDuration, now: Timestamp) -> bool {
    let date = message.get("date").and_then(Value::as_str).and_then(time);
    date.is_some_and(|date| now.duration_since(date) < time_ago)
}

fn has_ended(run: &Value) -> bool {
    let text = |key: &str| run.get(key).and_then(Value::as_str);
    text("status").is_some_and(|status| OVER.contains(&status))
        || text("completed_at").and_then(time).is_some()
}

/// A run's age by its own start time; `None` if that is in the future.
fn age_of(run: &Value, now: Timestamp) -> Option<SignedDuration> {
    let made = time(run.get("created_at")?.as_str()?)?;
    let age = now.duration_since(made);
    (age > -SKEW).then_some(age)
}

/// Parses a time as Letta writes it: some fields (`completed_at`) have no `Z` but are in UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_without_z_is_utc() {
        let with = time("2026-11-22T10:27:55.064603Z").unwrap();
        assert_eq!(time("2026-11-22T10:27:55.064603"), Some(with));
        assert_eq!(time("2026-11-22T10:27:55.064603+00:00"), Some(with));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn a_run_is_over_only_if_it_says_so_in_a_word_we_know_or_when_it_ended() {
        for over in OVER {
            assert!(has_ended(&json!({"status": over})), "{over}");
        }
        let ended = json!({"status": "?", "completed_at": "2026-11-22T10:27:55.064603"});
        assert!(has_ended(&ended));
        for status in [
            json!("created"),
            json!("running"),
            json!("pending"),
            json!("queued"),
            json!("requires_action"),
            json!("Completed "),
            json!(""),
            json!(null),
            json!(7),
            json!(["completed"]),
        ] {
            for completed_at in [json!(null), json!(""), json!("soon"), json!(false)] {
                let run = json!({"status": status, "completed_at": completed_at});
                assert!(!has_ended(&run), "{run}");
            }
        }
        assert!(!has_ended(&json!({})));
    }
}
