//! The tools that create schedules: one for any time in words, and one for each kind of time.

use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::mcp::answers::{Shape, keys_of, nullable};
use crate::mcp::call::Call;
use crate::mcp::definition::{Definition, Work};
use crate::operations::field::{Field, Parameter};
use crate::operations::fields::{
    AGENT, BOUNDS, CONVERSATION, CRON, EVERY, PROMPT, REPEATED, SPEC, TIME, WHEN,
};
use crate::operations::{REGISTER, to_json};

/// The tools in this file.
pub(super) fn tools() -> Vec<Definition> {
    vec![
        Definition {
            name: "promptyoself_schedule",
            title: "Schedule a prompt",
            description:
                "Schedule a prompt to be delivered to a Letta agent, once or again and again, at a time \
                in plain English or on a cron pattern. The agent receives it as a user message and wakes \
                up. What could mean two times is refused, with its readings; the answer says what was \
                understood. Example: {\"prompt\": \"Ask Ada how the talk went\", \"when\": \
                \"tomorrow at 5pm\", \"timezone\": \"Europe/Berlin\"}"
                    .to_owned(),
            parameters: parameters(&WHEN, &[]),
            ..scheduling()
        },
        Definition {
            name: "promptyoself_schedule_time",
            title: "Schedule a prompt once",
            description:
                "Schedule a prompt to be delivered to a Letta agent once, at an exact time. \
                The agent receives it as a user message and wakes up. To repeat, use promptyoself_schedule_every or promptyoself_schedule_cron. \
                Example: {\"prompt\": \"Ask Ada how the talk went\", \"time\": \
                \"2030-01-31T17:00:00Z\"}"
                    .to_owned(),
            parameters: parameters(&TIME, &[BOUNDS, REPEATED]),
            ..scheduling()
        },
        Definition {
            name: "promptyoself_schedule_cron",
            title: "Schedule a prompt on a calendar pattern",
            description:
                "Schedule a prompt to be delivered to a Letta agent repeatedly, on a cron pattern: \
                 at times of day, on days of the week or month. For a fixed interval use \
                 promptyoself_schedule_every. Example: {\"prompt\": \
                \"Write the daily report\", \"cron\": \"0 9 * * mon-fri\", \"timezone\": \
                \"Europe/Berlin\"}"
                    .to_owned(),
            parameters: parameters(&CRON, &[]),
            ..scheduling()
        },
        Definition {
            name: "promptyoself_schedule_every",
            title: "Schedule a prompt at an interval",
            description:
                "Schedule a prompt to be delivered to a Letta agent repeatedly, at a fixed \
                 interval. A late run does not shift the next. \
                For times of the day or week use promptyoself_schedule_cron. Example: \
                {\"prompt\": \"Stand up and stretch\", \"every\": \"30m\", \
                \"max_repetitions\": 10}"
                    .to_owned(),
            parameters: parameters(&EVERY, &[]),
            ..scheduling()
        },
    ]
}

/// What they have in common.
fn scheduling() -> Definition {
    let mut answers = keys_of(&REGISTER.answer);
    answers.push(nullable("agent_id", Shape::Text, "The agent to prompt"));
    Definition {
        name: "",
        title: "",
        description: String::new(),
        parameters: Vec::new(),
        answers,
        effect: REGISTER.effect,
        is_operators: false,
        work: Work::Own(|call| Box::pin(schedule(call))),
    }
}

/// The parameters of registering, with only this kind of time and without some groups.
fn parameters(time: &'static Field, without: &[&[Parameter]]) -> Vec<Parameter> {
    let is_in =
        |group: &[Parameter], p: &Parameter| group.iter().any(|q| q.field.name == p.field.name);
    let of_tools = REGISTER.parameters().filter(|p| p.is_in_tools());
    let taken = of_tools.filter(|p| !without.iter().any(|group| is_in(group, p)));
    let taken = taken.filter_map(|p| match p.field.name == time.name {
        true => Some(p.required()),
        false => (!is_in(SPEC, p)).then_some(*p),
    });
    taken.collect()
}

async fn schedule(call: &Call) -> Result<Value> {
    let mut values = call.arguments.values(call.tool);
    if !SPEC.iter().any(|p| values.has(p.field)) {
        return Err(spec_missing(call));
    }
    let agent = call.agent().await?;
    if let Some(agent) = &agent {
        values.set_default(&AGENT, agent.to_string());
        if let Some(conversation) = call.conversation_of(agent) {
            values.set_default(&CONVERSATION, conversation);
        }
    }
    let mut answer = call.operations.ask(&REGISTER, &values).await?;
    answer["agent_id"] = to_json(&agent.map(|agent| agent.id))?;
    Ok(answer)
}

/// Each of these tools takes only one kind of time.
fn spec_missing(call: &Call) -> Error {
    let parameters = call.tool.parameters.iter();
    let mut missing = parameters.filter(|p| p.is_required && p.field.name != PROMPT.name);
    let name = missing.next().map_or(EVERY.name, |p| p.argument());
    Error::new(Code::SpecMissing, format!("no time was given: give {name}"))
}
