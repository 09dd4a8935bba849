//! Reading what Letta's clients send to make a schedule.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Payload, Policy, ScheduleType, shown};
use crate::service::{Registration, Service, When, Wish};

/// The conversation that scheduled messages go to: the agent's own.
pub(super) const CONVERSATION: &str = "default";

/// How an interval is told to clients that know only patterns.
pub(super) const EVERY: &str = "@every ";

/// A request that is accepted.
pub(super) fn example() -> &'static str {
    r#"{"messages": [{"role": "user", "content": "Check the backup"}], "schedule": {"type": "recurring", "cron_expression": "0 9 * * *"}}"#
}

/// The schedule that a request asks for.
///
/// # Errors
/// [`Code::RequestInvalid`], [`Code::PromptMissing`], [`Code::TimePast`].
pub(super) fn read(body: &Value, agent: &AgentId, now: Timestamp) -> Result<Registration> {
    let Value::Object(body) = body else {
        return Err(invalid("the body must be an object").example(example()));
    };
    let payload = Payload::read(body)?;
    refuse_what_is_not_done(body)?;
    let wish = match given(body, "schedule") {
        Some(Value::Object(schedule)) => read_when(schedule, now)?,
        _ => {
            return Err(
                invalid("schedule is missing: it says when the messages are sent")
                    .example(example()),
            );
        }
    };
    let timezone = text(body, "timezone")?;
    Ok(Registration {
        agent_id: Some(agent.clone()),
        prompt: String::new(),
        payload: Some(payload),
        when: When {
            wish,
            // Letta's own API knows no zones and means UTC, whatever ours is set to.
            timezone: Some(timezone.unwrap_or_else(|| "UTC".into())),
            start_at: None,
            end_at: None,
            max_repetitions: None,
        },
        name: text(body, "name")?,
        policy: Policy::default(),
        ping_url: None,
        skip_validation: false,
    })
}

/// An error of registering, in the words of this API.
pub(super) fn explained(error: Error, service: &Service) -> Error {
    let now = service.clock.now();
    let corrected = match error.code() {
        Code::TimePast | Code::TimeInvalid => once_example(now),
        Code::CronInvalid | Code::CronNever => cron_example(),
        Code::IntervalInvalid => {
            r#"{"schedule": {"type": "recurring", "cron_expression": "@every 30m"}}"#.to_owned()
        }
        Code::TimezoneUnknown => r#"{"timezone": "Europe/Berlin"}"#.to_owned(),
        Code::NameTaken => r#"{"name": "another-name"}"#.to_owned(),
        _ => return error,
    };
    error.example(corrected)
}

fn refuse_what_is_not_done(body: &Map<String, Value>) -> Result<()> {
    if given(body, "callback_url").is_some() {
        return Err(invalid(
            "callback_url is not done here: Letta calls it only for requests that are sent to it \
             without waiting, and promptyoself itself calls no URL that a request names. Leave it \
             out, and ask for the schedule's history instead",
        )
        .example(example()));
    }
    match given(body, "conversation_id") {
        None => Ok(()),
        Some(id) if id == CONVERSATION => Ok(()),
        Some(id) => Err(invalid(format!(
            "conversation_id is {}, and scheduled messages are delivered to the agent's default \
             conversation only: leave it out, or give \"{CONVERSATION}\"",
            shown(Some(id))
        ))
        .example(r#"{"conversation_id": "default"}"#)),
    }
}

fn read_when(schedule: &Map<String, Value>, now: Timestamp) -> Result<Wish> {
    let (at, cron) = (
        given(schedule, "scheduled_at"),
        given(schedule, "cron_expression"),
    );
    let kind = given(schedule, "type").map(|k| k.as_str().unwrap_or_default());
    match (kind, at, cron) {
        (None | Some("one-time"), Some(at), None) => Ok(Wish {
            kind: ScheduleType::Once,
            value: read_instant(at, now)?.to_string(),
        }),
        (None | Some("recurring"), None, Some(Value::String(cron))) => {
            Ok(match cron.trim().strip_prefix(EVERY) {
                Some(interval) => Wish {
                    kind: ScheduleType::Interval,
                    value: interval.trim().to_owned(),
                },
                None => Wish {
                    kind: ScheduleType::Cron,
                    value: cron.clone(),
                },
            })
        }
        (Some("recurring"), _, _) => Err(invalid(
            "schedule is recurring, so it must have cron_expression, as text, and no scheduled_at",
        )
        .example(cron_example())),
        (None | Some("one-time"), _, _) => Err(invalid(
            "schedule is one-time, so it must have scheduled_at, in milliseconds since 1970, and \
             no cron_expression",
        )
        .example(once_example(now))),
        (Some(other), _, _) => {
            let other: String = other.chars().take(80).collect();
            Err(invalid(format!(
                "schedule.type is {other:?}: it must be \"one-time\" or \"recurring\""
            ))
            .example(cron_example()))
        }
    }
}

/// A time in milliseconds since 1970, perhaps with a fraction.
fn read_instant(at: &Value, now: Timestamp) -> Result<Timestamp> {
    let unreadable = || {
        invalid(format!(
            "schedule.scheduled_at is {}: it must be a number, in milliseconds since 1970; now \
             is {}",
            shown(Some(at)),
            now.as_millisecond()
        ))
        .example(once_example(now))
    };
    let micros = match (at.as_i64(), at.as_f64()) {
        (Some(millis), _) => millis.checked_mul(1_000),
        // Beyond what a timestamp can be, the cast ends at the largest number there is.
        #[allow(clippy::cast_possible_truncation)]
        (None, Some(millis)) => Some((millis * 1_000.0).round() as i64),
        _ => None,
    };
    let time = micros
        .and_then(|m| Timestamp::from_microsecond(m).ok())
        .ok_or_else(unreadable)?;
    if time > now {
        return Ok(time);
    }
    let seconds = time.as_millisecond();
    let hint = match (seconds - now.as_second()).abs() < 10 * 365 * 86_400 {
        true => ". It looks like seconds: give milliseconds",
        false => "",
    };
    Err(Error::new(
        Code::TimePast,
        format!(
            "schedule.scheduled_at is {at}, which is {time} and has passed: it is now {now}, {} in \
             milliseconds{hint}",
            now.as_millisecond()
        ),
    )
    .example(once_example(now)))
}

fn once_example(now: Timestamp) -> String {
    let in_an_hour = now.as_millisecond().saturating_add(3_600_000);
    format!(r#"{{"schedule": {{"type": "one-time", "scheduled_at": {in_an_hour}}}}}"#)
}

fn cron_example() -> String {
    r#"{"schedule": {"type": "recurring", "cron_expression": "0 9 * * *"}}"#.to_owned()
}

fn given<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|v| !v.is_null())
}

/// Text that may be left out; blank is as good as absent.
fn text(body: &Map<String, Value>, key: &str) -> Result<Option<String>> {
    match given(body, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
        Some(other) => {
            let shown = shown(Some(other));
            Err(invalid(format!("{key} is {shown}: it must be text")).example(example()))
        }
    }
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::RequestInvalid, text)
}
