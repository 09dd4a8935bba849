//! The bodies of requests. What they say is read with the same words as on the command line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Policy, ScheduleType};
use crate::service::asked::{self, PolicyText, WhenText, filled};
use crate::service::{Changes, Registration, When, Wish};

/// A prompt to schedule. Exactly one of `time`, `cron` and `every` says when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "agent_id": "agent-00000000-0000-4000-8000-000000000000",
    "prompt": "Check the backup", "cron": "0 9 * * mon-fri", "timezone": "Europe/Berlin",
}))]
pub struct NewScheduleBody {
    /// Whom it is for. It may be left out with an agent's key, or where a default agent is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// What the agent is told.
    pub prompt: String,
    /// Once, at this time; one without an offset is meant in `timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Again and again, on this cron pattern of five fields, in `timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Again and again, this far apart: `30s`, `5m`, `1h30m`, `2d`, `1w`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The IANA zone in which times and patterns are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Not before this time; for an interval it is the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// Not after this time; a run at exactly this time still happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<String>,
    /// So many runs in all; without it the schedule has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_repetitions: Option<i64>,
    /// A name, unique among the agent's live schedules. Asking again for the same schedule under
    /// the same name answers with the one that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What becomes of runs that could not be sent in time: `latest`, `all` or `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<String>,
    /// With `skip`: how late a run may still be sent, as in `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// Pause it after so many prompts in a row that had to be given up; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000000)]
    pub pause_on_failure: Option<i64>,
    /// What the agent is told before the prompt: `none`, `auto` or `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    /// How long a prompt that can't be delivered is tried again, as in `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
    /// The address of a dead-man service that is told of every run; only for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    /// Don't ask Letta whether the agent exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_validation: bool,
}

/// What to change of a schedule; what is left out stays. A changed time is counted from now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "every": "2h" }))]
pub struct ChangesBody {
    /// Another agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// What the agent is told from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Once, at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Again and again, on this cron pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Again and again, this far apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Another zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Another start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// Another end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<String>,
    /// So many runs in all, those that were taken included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_repetitions: Option<i64>,
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What becomes of runs that could not be sent in time: `latest`, `all` or `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<String>,
    /// With `skip`: how late a run may still be sent, as in `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// Pause it after so many prompts in a row that had to be given up; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000000)]
    pub pause_on_failure: Option<i64>,
    /// What the agent is told before the prompt: `none`, `auto` or `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    /// How long a prompt that can't be delivered is tried again, as in `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
    /// Another dead-man service, or `none`; only for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    /// Don't ask Letta whether another agent exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_validation: bool,
}

/// A time whose runs are asked for. Exactly one of `time`, `cron` and `every` says when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "cron": "0 9 * * mon-fri", "timezone": "Europe/Berlin", "count": 5 }))]
pub struct PreviewBody {
    /// Once, at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Again and again, on this cron pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Again and again, this far apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The IANA zone in which times and patterns are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// Not after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<String>,
    /// So many runs in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_repetitions: Option<i64>,
    /// How many runs are shown; 10 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub count: Option<u32>,
}

/// Why something is stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "note": "on holiday" }))]
pub struct NoteBody {
    /// In somebody's words, for whoever looks at it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a schedule goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "replay": true }))]
pub struct ResumeBody {
    /// Catch up with what passed while it was paused, as its `catch_up` says; else that is skipped.
    #[serde(default)]
    pub replay: bool,
}

impl NewScheduleBody {
    /// What is asked for.
    ///
    /// # Errors
    /// Those of reading each part.
    pub fn read(self) -> Result<Registration> {
        let prompt = read_prompt(self.prompt)?;
        Ok(Registration {
            agent_id: self.agent_id.as_deref().map(AgentId::parse).transpose()?,
            prompt,
            payload: None,
            when: asked::when(&WhenText {
                time: self.time,
                cron: self.cron,
                every: self.every,
                timezone: self.timezone,
                start_at: self.start_at,
                end_at: self.end_at,
                max_repetitions: self.max_repetitions.map(|n| n.to_string()),
            })?,
            name: read_text("name", self.name)?,
            policy: asked::policy(&PolicyText {
                catch_up: self.catch_up,
                grace: self.grace,
                pause_on_failure: self.pause_on_failure.map(|n| n.to_string()),
                envelope: self.envelope,
                max_age: self.max_age,
            })?,
            ping_url: asked::ping_url(self.ping_url.as_deref())?.flatten(),
            skip_validation: self.skip_validation,
        })
    }

    /// The body that asks for this.
    pub fn of(asked: &Registration) -> Self {
        let [time, cron, every] = in_its_field(&asked.when.wish);
        let policy = write_policy(&asked.policy);
        NewScheduleBody {
            agent_id: asked.agent_id.as_ref().map(|a| a.to_string()),
            prompt: asked.prompt.clone(),
            time,
            cron,
            every,
            timezone: asked.when.timezone.clone(),
            start_at: asked.when.start_at.clone(),
            end_at: asked.when.end_at.clone(),
            max_repetitions: asked.when.max_repetitions,
            name: asked.name.clone(),
            catch_up: policy.catch_up,
            grace: policy.grace,
            pause_on_failure: asked.policy.pause_on_failure,
            envelope: policy.envelope,
            max_age: policy.max_age,
            ping_url: asked.ping_url.as_ref().map(|u| u.as_str().to_owned()),
            skip_validation: asked.skip_validation,
        }
    }
}

impl ChangesBody {
    /// What is to be changed.
    ///
    /// # Errors
    /// Those of reading each part.
    pub fn read(self) -> Result<Changes> {
        let when = WhenText {
            time: self.time,
            cron: self.cron,
            every: self.every,
            timezone: self.timezone,
            ..WhenText::default()
        };
        let (wish, timezone) = asked::wish_if_given(&when)?;
        let max_repetitions = self.max_repetitions.map(|n| n.to_string());
        Ok(Changes {
            agent_id: self.agent_id.as_deref().map(AgentId::parse).transpose()?,
            prompt: self.prompt.map(read_prompt).transpose()?,
            wish,
            timezone,
            start_at: filled(self.start_at.as_deref()),
            end_at: filled(self.end_at.as_deref()),
            max_repetitions: asked::repetitions(max_repetitions.as_deref())?,
            name: read_text("name", self.name)?,
            policy: asked::policy(&PolicyText {
                catch_up: self.catch_up,
                grace: self.grace,
                pause_on_failure: self.pause_on_failure.map(|n| n.to_string()),
                envelope: self.envelope,
                max_age: self.max_age,
            })?,
            ping_url: asked::ping_url(self.ping_url.as_deref())?,
            skip_validation: self.skip_validation,
        })
    }

    /// The body that asks for this.
    pub fn of(changes: &Changes) -> Self {
        let [time, cron, every] = changes.wish.as_ref().map(in_its_field).unwrap_or_default();
        let policy = write_policy(&changes.policy);
        ChangesBody {
            agent_id: changes.agent_id.as_ref().map(|a| a.to_string()),
            prompt: changes.prompt.clone(),
            time,
            cron,
            every,
            timezone: changes.timezone.clone(),
            start_at: changes.start_at.clone(),
            end_at: changes.end_at.clone(),
            max_repetitions: changes.max_repetitions,
            name: changes.name.clone(),
            catch_up: policy.catch_up,
            grace: policy.grace,
            pause_on_failure: changes.policy.pause_on_failure,
            envelope: policy.envelope,
            max_age: policy.max_age,
            ping_url: changes.ping_url.as_ref().map(|url| match url {
                Some(url) => url.as_str().to_owned(),
                None => "none".to_owned(),
            }),
            skip_validation: changes.skip_validation,
        }
    }
}

impl PreviewBody {
    /// The time, and how many runs of it.
    ///
    /// # Errors
    /// Those of reading each part, and [`Code::RequestInvalid`] of the count.
    pub fn read(self) -> Result<(When, usize)> {
        let count = self.count.unwrap_or(10);
        if !(1..=1_000).contains(&count) {
            return Err(Error::new(
                Code::RequestInvalid,
                format!("count {count} is not from 1 to 1000"),
            ));
        }
        let when = asked::when(&WhenText {
            time: self.time,
            cron: self.cron,
            every: self.every,
            timezone: self.timezone,
            start_at: self.start_at,
            end_at: self.end_at,
            max_repetitions: self.max_repetitions.map(|n| n.to_string()),
        })?;
        Ok((when, count as usize))
    }

    /// The body that asks for this.
    pub fn of(when: &When, count: usize) -> Self {
        let [time, cron, every] = in_its_field(&when.wish);
        PreviewBody {
            time,
            cron,
            every,
            timezone: when.timezone.clone(),
            start_at: when.start_at.clone(),
            end_at: when.end_at.clone(),
            max_repetitions: when.max_repetitions,
            count: u32::try_from(count).ok(),
        }
    }
}

impl NoteBody {
    /// The note, if there is one.
    ///
    /// # Errors
    /// [`Code::RequestInvalid`] if no text can hold it.
    pub fn read(self) -> Result<Option<String>> {
        read_text("note", self.note)
    }
}

/// A text that may be blank, which counts as not given.
fn read_text(field: &str, text: Option<String>) -> Result<Option<String>> {
    let text = filled(text.as_deref());
    match text.as_ref().is_some_and(|t| t.contains('\0')) {
        true => Err(holds_nul(field)),
        false => Ok(text),
    }
}

fn read_prompt(prompt: String) -> Result<String> {
    if prompt.contains('\0') {
        return Err(holds_nul("prompt"));
    }
    asked::prompt(prompt)
}

/// Letta keeps messages in PostgreSQL, whose text can't hold one.
fn holds_nul(field: &str) -> Error {
    Error::new(
        Code::RequestInvalid,
        format!("{field} holds the character NUL (\\u0000), which no text may hold: leave it out"),
    )
}

/// The value under the field of its kind: `time`, `cron`, `every`.
fn in_its_field(wish: &Wish) -> [Option<String>; 3] {
    let of = |kind| (wish.kind == kind).then(|| wish.value.clone());
    [
        of(ScheduleType::Once),
        of(ScheduleType::Cron),
        of(ScheduleType::Interval),
    ]
}

fn write_policy(policy: &Policy) -> PolicyText {
    let seconds = |d: jiff::SignedDuration| format!("{}s", d.as_secs());
    PolicyText {
        catch_up: policy.catch_up.map(|c| c.to_string()),
        grace: policy.grace.map(seconds),
        pause_on_failure: None,
        envelope: policy.envelope.map(|e| e.to_string()),
        max_age: policy.max_age.map(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that can be asked for.
    fn registration() -> Registration {
        NewScheduleBody {
            agent_id: Some("agent-1".into()),
            prompt: " as it is \n".into(),
            cron: Some("0 9 * * *".into()),
            timezone: Some("Europe/Berlin".into()),
            start_at: Some("2030-01-01 00:00".into()),
            end_at: Some("2031-01-01".into()),
            max_repetitions: Some(3),
            name: Some("n".into()),
            catch_up: Some("skip".into()),
            grace: Some("2h".into()),
            pause_on_failure: Some(0),
            envelope: Some("full".into()),
            max_age: Some("90".into()),
            ping_url: Some("https://h/x".into()),
            skip_validation: true,
            ..NewScheduleBody::default()
        }
        .read()
        .unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let asked = registration();
        let again = NewScheduleBody::of(&asked).read().unwrap();
        assert_eq!(format!("{again:?}"), format!("{asked:?}"));
        for kind in [
            ScheduleType::Once,
            ScheduleType::Cron,
            ScheduleType::Interval,
        ] {
            let value = "x".to_owned();
            let wish = Some(Wish { kind, value });
            for ping_url in [None, Some(None), Some(asked.ping_url.clone())] {
                let changes = Changes {
                    wish: wish.clone(),
                    policy: asked.policy,
                    prompt: Some("p".into()),
                    ping_url,
                    ..Changes::default()
                };
                let again = ChangesBody::of(&changes).read().unwrap();
                assert_eq!(format!("{again:?}"), format!("{changes:?}"));
            }
        }
        let (when, count) = PreviewBody::of(&asked.when, 7).read().unwrap();
        assert_eq!(format!("{when:?} {count}"), format!("{:?} 7", asked.when));
    }

    #[test]
    fn a_text_that_letta_can_t_keep_is_refused() {
        let body = |prompt: &str, name: &str| NewScheduleBody {
            prompt: prompt.into(),
            every: Some("1h".into()),
            name: Some(name.into()),
            ..NewScheduleBody::default()
        };
        let code = |b: NewScheduleBody| b.read().unwrap_err().code();
        assert_eq!(code(body("a\0b", "n")), Code::RequestInvalid);
        assert_eq!(code(body("ab", "a\0")), Code::RequestInvalid);
        assert_eq!(code(body(" \n", "n")), Code::PromptMissing);
        assert!(body("ab", " ").read().unwrap().name.is_none());
    }
}
