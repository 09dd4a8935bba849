//! Reading what Letta's clients send to make a schedule.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Example, Fields, Message, Result, shell};
use crate::models::{AgentId, Conversation, Payload, Policy, ScheduleType, shown};
use crate::schedule::{Zone, meant_time, nearest, parse_time};
use crate::service::{Registration, Service, When, Wish, asked};

/// How an interval is told to clients that know only patterns.
pub(super) const EVERY: &str = "@every ";

/// What may stand in a request. The first five are those of Letta's SDKs (`ScheduleCreateParams` of
/// letta-client 1.12.1 for Python and TypeScript), the next four letta-code sends and reads beside
/// them, and the last one is ours.
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

/// What may stand in its `schedule`, by the same SDKs.
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
                "schedule is missing: it says when the messages are sent",
            ));
        }
    };
    let mut wish = wish;
    let timezone = asked::zone_of(&mut wish, text(body, "timezone")?.as_deref())
        .map_err(|error| in_fields(error, now))?;
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
        conversation: conversation(body)?,
        skip_validation: false,
    })
}

/// An error of registering, in the words of this API.
pub(super) fn explained(error: Error, service: &Service) -> Error {
    in_fields(error, service.clock.now())
}

/// An error whose example is fields of these requests in place of ours, where they can say it.
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

/// Our fields as those of a request.
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

/// Refuses a field that nobody knows: it is a slip of one that matters, and without that the
/// schedule would be another one. What is null says nothing.
fn refuse_unknown(object: &Map<String, Value>, known: &[&str], at: &str) -> Result<()> {
    let unknown = object
        .iter()
        .find(|(key, value)| !value.is_null() && !known.contains(&key.as_str()));
    let Some((key, _)) = unknown else {
        return Ok(());
    };
    let meant = nearest(&key.to_ascii_lowercase(), known.iter().copied());
    let meant = meant.map_or(String::new(), |name| format!(" Is {at}{name} meant?"));
    let shown: String = key.chars().take(80).collect();
    Err(invalid(format!(
        "there is no field {at}{shown:?}: there are {}.{meant}",
        known.join(", ")
    )))
}

fn refuse_what_is_not_done(body: &Map<String, Value>) -> Result<()> {
    if given(body, "callback_url").is_some() {
        return Err(invalid(
            "callback_url is not done here: Letta calls it only for requests that are sent to it \
             without waiting, and promptyoself itself calls no URL that a request names. Leave it \
             out, and ask for the schedule's history instead",
        ));
    }
    Ok(())
}

fn conversation(body: &Map<String, Value>) -> Result<Option<Conversation>> {
    let Some(id) = text(body, "conversation_id")? else {
        return Ok(None);
    };
    let read = Conversation::parse(&id);
    read.map(Some).map_err(|_| {
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
        )),
        (None | Some("one-time"), _, _) => Err(invalid(
            "schedule is one-time, so it must have scheduled_at, in milliseconds since 1970, and \
             no cron_expression",
        )),
        (Some(other), _, _) => {
            let other: String = other.chars().take(80).collect();
            Err(invalid(format!(
                "schedule.type is {other:?}: it must be \"one-time\" or \"recurring\""
            )))
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
        .example_if(meant_instant(at, now).map(|at| Example::Json(json!({ "schedule": once(at) }))))
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
    let in_seconds = Timestamp::from_second(seconds)
        .ok()
        .filter(|_| (seconds - now.as_second()).abs() < 10 * 365 * 86_400);
    let hint = match in_seconds {
        Some(_) => ". It looks like seconds: give milliseconds",
        None => "",
    };
    let meant = in_seconds.filter(|at| *at > now);
    Err(Error::new(
        Code::TimePast,
        format!(
            "schedule.scheduled_at is {at}, which is {time} and has passed: it is now {now}, {} in \
             milliseconds{hint}",
            now.as_millisecond()
        ),
    )
    .example_if(meant.map(|at| Example::Json(json!({ "schedule": once(at) })))))
}

/// The instant that a text in place of a number means.
fn meant_instant(at: &Value, now: Timestamp) -> Option<Timestamp> {
    let text = at.as_str()?;
    let utc = Zone::utc();
    let read = parse_time(text, &utc, now).ok();
    let meant = read.or_else(|| meant_time(text, &utc, now).map(|(at, _)| at));
    meant.filter(|at| *at > now)
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
            Err(invalid(format!("{key} is {shown}: it must be text")))
        }
    }
}

fn invalid(text: impl Into<Message>) -> Error {
    Error::new(Code::RequestInvalid, text)
}
