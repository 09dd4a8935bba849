//! Reads the requests of Letta's clients that create a schedule.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Example, Fields, Message, Result, shell};
use crate::models::{AgentId, Conversation, Payload, Policy, ScheduleType, shown};
use crate::operations::reading::zone_of;
use crate::schedule::{Asked, LeftOut, Zone, corrected_time, nearest, parse_time};
use crate::service::{Registration, Service, When, Wish};

/// The prefix that shows an interval to clients that know only cron patterns.
pub(super) const EVERY: &str = "@every ";

/// The fields of a request. The first five are those of Letta's SDKs (`ScheduleCreateParams` of
/// letta-client 1.12.1 for Python and TypeScript), the next four are also used by letta-code, and
/// the last one is ours.
const FIELDS: &[&str] = &[
    "messages",
    "schedule",
    "callback_url",
    "include_return_message_types",
    "max_steps",
    "name",
    "description",
    "conversation_id",
    "created_at",
    "timezone",
];

/// The fields of its `schedule`, in the same SDKs.
const SCHEDULE_FIELDS: &[&str] = &["type", "scheduled_at", "cron_expression"];

/// The schedule that a request asks for.
///
/// # Errors
/// [`Code::RequestInvalid`], [`Code::PromptMissing`], [`Code::TimePast`].
pub(super) fn read(body: &Value, agent: &AgentId, now: Timestamp) -> Result<Registration> {
    let Value::Object(body) = body else {
        return Err(invalid("the body must be an object"));
    };
    refuse_unknown(body, FIELDS, "")?;
    let payload = Payload::read(body)?;
    refuse_what_is_not_done(body)?;
    let wish = match given(body, "schedule") {
        Some(Value::Object(schedule)) => {
            refuse_unknown(schedule, SCHEDULE_FIELDS, "schedule.")?;
            read_when(schedule, now)?
        }
        _ => {
            return Err(invalid(
                "schedule is missing: it says when to send the messages",
            ));
        }
    };
    let mut wish = wish;
    let timezone = zone_of(&mut wish, text(body, "timezone")?.as_deref())
        .map_err(|error| in_fields(error, now))?;
    Ok(Registration {
        agent_id: Some(agent.clone()),
        prompt: String::new(),
        payload: Some(payload),
        when: When {
            wish,
            // Letta's own API knows no zones and uses UTC, whatever our default is.
            timezone: Some(timezone.unwrap_or_else(|| "UTC".into())),
            start_at: None,
            end_at: None,
            except: LeftOut::default(),
            max_repetitions: None,
        },
        name: text(body, "name")?,
        policy: Policy::default(),
        ping_url: None,
        conversation: conversation(body)?,
        target: None,
        skip_validation: false,
    })
}

/// An error of registering, in the terms of this API.
pub(super) fn explained(error: Error, service: &Service) -> Error {
    in_fields(error, service.clock.now())
}

/// Replaces the example of an error by one in the fields of this API, if that is possible.
fn in_fields(error: Error, now: Timestamp) -> Error {
    if error.code() == Code::NameTaken {
        return error.example(shell(r#"{"name": "another-name"}"#));
    }
    let Some(Example::Fields(corrected)) = error.correction() else {
        return error;
    };
    let fields = fields_of(corrected, now);
    error
        .without_example()
        .example_if(fields.map(|fields| Example::Json(fields.into())))
}

/// Our fields, as fields of this API.
fn fields_of(corrected: &Fields, now: Timestamp) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for (name, value) in corrected {
        let value = value.as_str()?;
        let (name, value) = match name.as_ref() {
            "cron" => ("schedule", recurring(value)),
            "every" => ("schedule", recurring(&format!("{EVERY}{value}"))),
            "time" => ("schedule", once(parse_time(value, &Zone::utc(), now).ok()?)),
            "timezone" => ("timezone", value.into()),
            _ => return None,
        };
        fields.insert(name.to_owned(), value);
    }
    Some(fields)
}

fn recurring(pattern: &str) -> Value {
    json!({ "type": "recurring", "cron_expression": pattern })
}

fn once(at: Timestamp) -> Value {
    json!({ "type": "one-time", "scheduled_at": at.as_millisecond() })
}

/// Refuses an unknown field: it may be a misspelt one that matters, and without it the schedule
/// would be a different one. Fields that are null are ignored.
fn refuse_unknown(object: &Map<String, Value>, known: &[&str], at: &str) -> Result<()> {
    let unknown = object
        .iter()
        .find(|(key, value)| !value.is_null() && !known.contains(&key.as_str()));
    let Some((key, _)) = unknown else {
        return Ok(());
    };
    let suggestion = nearest(&key.to_ascii_lowercase(), known.iter().copied());
    let suggestion = suggestion.map_or(String::new(), |name| format!(" Did you mean {at}{name}?"));
    let shown: String = key.chars().take(80).collect();
    Err(invalid(format!(
        "unknown field {at}{shown:?}; known fields are {}.{suggestion}",
        known.join(", ")
    )))
}

fn refuse_what_is_not_done(body: &Map<String, Value>) -> Result<()> {
    if given(body, "callback_url").is_some() {
        return Err(invalid(
            "callback_url is not supported: Letta calls it only for asynchronous requests, and \
             promptyoself never calls a URL named in a request. Leave it out and read the \
             schedule's history instead",
        ));
    }
    Ok(())
}

fn conversation(body: &Map<String, Value>) -> Result<Option<Conversation>> {
    let Some(id) = text(body, "conversation_id")? else {
        return Ok(None);
    };
    Conversation::parse(&id).map(Some).map_err(|_| {
        let shown = shown(given(body, "conversation_id"));
        invalid(format!(
            "conversation_id is {shown}: it must be \"default\", \"new\" or the id of a \
             conversation"
        ))
    })
}

fn read_when(schedule: &Map<String, Value>, now: Timestamp) -> Result<Wish> {
    let (at, cron) = (
        given(schedule, "scheduled_at"),
        given(schedule, "cron_expression"),
    );
    let kind = given(schedule, "type").map(|k| k.as_str().unwrap_or_default());
    match (kind, at, cron) {
        (None | Some("one-time"), Some(at), None) => Ok(Wish {
            asked: Asked::Exactly(ScheduleType::Once),
            value: read_instant(at, now)?.to_string(),
        }),
        (None | Some("recurring"), None, Some(Value::String(cron))) => {
            Ok(match cron.trim().strip_prefix(EVERY) {
                Some(interval) => Wish {
                    asked: Asked::Exactly(ScheduleType::Interval),
                    value: interval.trim().to_owned(),
                },
                // Letta's own server has no more than one.
                None if cron.contains(';') => {
                    return Err(invalid(
                        "cron_expression is one pattern: make a schedule for each",
                    ));
                }
                None => Wish {
                    asked: Asked::Exactly(ScheduleType::Cron),
                    value: cron.clone(),
                },
            })
        }
        (Some("recurring"), _, _) => Err(invalid(
            "a recurring schedule needs cron_expression (text) and no scheduled_at",
        )),
        (None | Some("one-time"), _, _) => Err(invalid(
            "a one-time schedule needs scheduled_at (milliseconds since 1970) and no cron_expression",
        )),
        (Some(other), _, _) => {
            let other: String = other.chars().take(80).collect();
            Err(invalid(format!(
                "schedule.type is {other:?}: it must be \"one-time\" or \"recurring\""
            )))
        }
    }
}

/// A time in milliseconds since 1970, possibly with a fraction.
fn read_instant(at: &Value, now: Timestamp) -> Result<Timestamp> {
    let unreadable = || {
        invalid(format!(
            "schedule.scheduled_at is {}: it must be a number of milliseconds since 1970; now is {}",
            shown(Some(at)),
            now.as_millisecond()
        ))
        .example_if(corrected_instant(at, now).map(|at| Example::Json(json!({ "schedule": once(at) }))))
    };
    let micros = match (at.as_i64(), at.as_f64()) {
        (Some(millis), _) => millis.checked_mul(1_000),
        // Out of range, the cast saturates.
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
    let in_seconds = Timestamp::from_second(seconds)
        .ok()
        .filter(|_| (seconds - now.as_second()).abs() < 10 * 365 * 86_400);
    let hint = match in_seconds {
        Some(_) => ". It looks like seconds: give milliseconds",
        None => "",
    };
    let suggestion = in_seconds.filter(|at| *at > now);
    Err(Error::new(
        Code::TimePast,
        format!(
            "schedule.scheduled_at is {at}, which is {time} and has passed: it is now {now}, {} in \
             milliseconds{hint}",
            now.as_millisecond()
        ),
    )
    .example_if(suggestion.map(|at| Example::Json(json!({ "schedule": once(at) })))))
}

/// The instant that a text probably stands for, given in place of a number.
fn corrected_instant(at: &Value, now: Timestamp) -> Option<Timestamp> {
    let text = at.as_str()?;
    let utc = Zone::utc();
    let read = parse_time(text, &utc, now).ok();
    let suggestion = read.or_else(|| corrected_time(text, &utc, now).map(|(at, _)| at));
    suggestion.filter(|at| *at > now)
}

fn given<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|v| !v.is_null())
}

/// An optional text; blank counts as absent.
fn text(body: &Map<String, Value>, key: &str) -> Result<Option<String>> {
    match given(body, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
        Some(other) => {
            let shown = shown(Some(other));
            Err(invalid(format!("{key} is {shown}: it must be text")))
        }
    }
}

fn invalid(text: impl Into<Message>) -> Error {
    Error::new(Code::RequestInvalid, text)
}
