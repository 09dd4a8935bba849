//! Schedules as Letta's clients expect them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::create::{CONVERSATION, EVERY};
use crate::models::{Occurrence, ScheduleType, State, Turn};
use crate::service::ScheduledMessage;

pub(super) fn json(body: Value) -> Response {
    Json(body).into_response()
}

/// The answer to creating one; only here the time is called `next_scheduled_at`.
pub(super) fn created(message: &ScheduledMessage) -> Value {
    json!({ "id": message.uid.to_string(), "next_scheduled_at": next(message) })
}

/// A schedule with its messages.
pub(super) fn message(m: &ScheduledMessage) -> Value {
    let s = &m.schedule;
    let mut sent = m.payload.options().clone();
    sent.insert("messages".into(), m.payload.messages().into());
    json!({
        "id": m.uid.to_string(),
        "agent_id": s.agent_id,
        "message": sent,
        "next_scheduled_time": next(m),
        "schedule": when(m),
        "name": s.name,
        "description": m.payload.description(),
        "conversation_id": CONVERSATION,
        "timezone": s.timezone,
        "created_at": s.created_at,
    })
}

pub(super) fn page(messages: &[ScheduledMessage], more: bool) -> Value {
    let shown: Vec<Value> = messages.iter().map(message).collect();
    json!({ "has_next_page": more, "scheduled_messages": shown })
}

pub(super) fn deleted() -> Value {
    json!({ "success": true })
}

/// The delivery history of a schedule, newest first.
pub(super) fn history(id: &str, sent: &[Occurrence], more: bool, offset: u32) -> Value {
    let shown: Vec<Value> = sent.iter().map(|o| run(id, o)).collect();
    let next = u32::try_from(sent.len())
        .unwrap_or(0)
        .saturating_add(offset);
    json!({
        "history": shown,
        "has_next_page": more,
        "next_offset": more.then_some(next),
    })
}

fn run(id: &str, o: &Occurrence) -> Value {
    let well = matches!(o.turn, None | Some(Turn::Ok | Turn::Approval));
    let success = o.state == State::Delivered && well;
    let told = match success {
        true => o.reply.clone(),
        false => o
            .error
            .clone()
            .or_else(|| o.reason.clone())
            .or_else(|| o.stop_reason.clone()),
    };
    json!({
        "id": o.id.to_string(),
        "scheduled_message_id": id,
        "status": if success { "success" } else { "failed" },
        "response": told,
        "run_id": o.run_id,
        "sent_at": o.sent_at.unwrap_or(o.intended_at),
    })
}

/// The next run; `None` while it is paused, or when its last run is being sent.
fn next(message: &ScheduledMessage) -> Option<Timestamp> {
    let schedule = &message.schedule;
    schedule.next_run.filter(|_| schedule.active)
}

fn when(message: &ScheduledMessage) -> Value {
    let s = &message.schedule;
    match ScheduleType::from_word(&s.schedule_type) {
        Some(ScheduleType::Once) => {
            let at = s.schedule_value.parse::<Timestamp>().ok().or(s.next_run);
            json!({ "type": "one-time", "scheduled_at": at.map(milliseconds) })
        }
        Some(ScheduleType::Interval) => {
            let pattern = format!("{EVERY}{}", s.schedule_value);
            json!({ "type": "recurring", "cron_expression": pattern })
        }
        _ => json!({ "type": "recurring", "cron_expression": s.schedule_value }),
    }
}

/// Milliseconds since 1970, with a fraction only if there is one.
fn milliseconds(time: Timestamp) -> Value {
    let micros = time.as_microsecond();
    match micros % 1_000 {
        0 => (micros / 1_000).into(),
        // Exact for the next centuries: it has fewer digits than a float holds.
        #[allow(clippy::cast_precision_loss)]
        _ => (micros as f64 / 1_000.0).into(),
    }
}
