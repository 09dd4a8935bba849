//! Tools about the default agent.

use serde_json::{Map, Value, json};

use crate::config::AGENT_VARIABLES;
use crate::error::{Code, Error, Result, fields};
use crate::mcp::answers::{Key, Shape, key, nullable};
use crate::mcp::call::Call;
use crate::mcp::caller::Source;
use crate::mcp::definition::{Definition, Work};
use crate::models::NamedAgent;
use crate::operations::definition::Effect;
use crate::operations::field::takes;
use crate::operations::fields::{CLOCK, DEFAULT_AGENT};
use crate::operations::{AGENTS, Values};

/// The tools in this file.
pub(super) fn tools() -> Vec<Definition> {
    vec![
        set_default(),
        set_scoped_default(),
        get_scoped_default(),
        inference_diagnostics(),
    ]
}

fn set_answers() -> Vec<Key> {
    vec![
        key("status", Shape::Text, "\"success\""),
        key("message", Shape::Text, "A message for people"),
        key("agent_id", Shape::Text, "The default agent from now on"),
        key("scope", Shape::Text, "The session it applies to"),
        key("note", Shape::Text, "Where it applies"),
    ]
}

fn set_default() -> Definition {
    Definition {
        name: "promptyoself_set_default_agent",
        title: "Set the default agent",
        description: "Set the agent to use in this session when no agent_id is given. Other \
            clients are not affected. Operator only: an agent's own id is already known. Example: \
            {\"agent_id\": \
                \"agent-00000000-0000-4000-8000-000000000000\"}"
            .to_owned(),
        parameters: vec![takes(&DEFAULT_AGENT).required()],
        answers: set_answers(),
        effect: Effect::Sets,
        is_operators: true,
        work: Work::Own(|call| Box::pin(set(call))),
    }
}

fn set_scoped_default() -> Definition {
    Definition {
        name: "promptyoself_set_scoped_default_agent",
        title: "Set this session's default agent",
        description: "Set the agent to use in this session when no agent_id is given, so that it \
            need not be repeated in every call. Other clients are not affected. \
                Example: {\"agent_id\": \"agent-00000000-0000-4000-8000-000000000000\"}"
            .to_owned(),
        parameters: vec![takes(&DEFAULT_AGENT).required()],
        answers: set_answers(),
        effect: Effect::Sets,
        is_operators: false,
        work: Work::Own(|call| Box::pin(set(call))),
    }
}

fn get_scoped_default() -> Definition {
    Definition {
        name: "promptyoself_get_scoped_default_agent",
        title: "Show this session's default agent",
        description: "Show the agent that was set with promptyoself_set_scoped_default_agent for \
                this session, or null. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"ok\""),
            nullable(
                "scope",
                Shape::Text,
                "The session; null if the client has none",
            ),
            nullable("agent_id", Shape::Text, "The agent; null if none was set"),
        ],
        effect: Effect::Reads,
        is_operators: false,
        work: Work::Own(|call| Box::pin(get(call))),
    }
}

fn inference_diagnostics() -> Definition {
    Definition {
        name: "promptyoself_inference_diagnostics",
        title: "Show the default agent",
        description: "Show which agent a call without agent_id would use, and why. Use it if a \
            schedule was created for the wrong agent or refused for lack of one. Example: {}"
            .to_owned(),
        parameters: vec![takes(&CLOCK)],
        answers: vec![
            key("status", Shape::Text, "\"ok\""),
            nullable(
                "inferred_agent_id",
                Shape::Text,
                "The agent that would be used",
            ),
            key(
                "caller",
                Shape::Text,
                "\"agent\" if the calling agent is known, otherwise \"operator\"",
            ),
            key("transport", Shape::Text, "stdio or http"),
            nullable("protocol_version", Shape::Text, "The MCP version in use"),
            nullable(
                "scope",
                Shape::Text,
                "The session; null if the client has none",
            ),
            key(
                "ctx_present",
                Shape::Truth,
                "Whether the request had a context",
            ),
            key(
                "ctx_metadata_keys",
                Shape::Texts,
                "The keys of the request's metadata",
            ),
            nullable(
                "ctx_agent_id_attr",
                Shape::Text,
                "The agent the caller is known as",
            ),
            key("env", Shape::Object, "The variables that name an agent"),
            key(
                "single_agent_fallback_enabled",
                Shape::Truth,
                "Whether Letta's only agent is used as a last resort",
            ),
            nullable(
                "agents_count",
                Shape::Whole,
                "Letta's number of agents, if it was asked",
            ),
            key(
                "inference_debug",
                Shape::Object,
                "Where the agent comes from",
            ),
            key("order", Shape::Texts, "The sources, in order"),
        ],
        effect: Effect::Reads,
        is_operators: false,
        work: Work::Own(|call| Box::pin(diagnose(call))),
    }
}

async fn set(call: &Call) -> Result<Value> {
    let agent = NamedAgent::parse(&call.arguments.text("agent_id").unwrap_or_default())?;
    if let Some(own) = call.caller.scope().filter(|own| !agent.is(own)) {
        let own = call.shown(own);
        return Err(Error::new(
            Code::NotPermitted,
            format!(
                "this call comes from agent {own}, but names {agent}: an agent can only schedule \
                 for itself, and needs no default"
            ),
        )
        .example(fields([("agent_id", own.to_string())])));
    }
    let scope = call
        .session
        .set_default_agent(&call.caller, agent.clone())?;
    Ok(json!({
        "status": "success",
        "message": format!("Default agent set to {agent}"),
        "agent_id": agent,
        "scope": scope,
        "note": "it applies until this session ends",
    }))
}

async fn get(call: &Call) -> Result<Value> {
    Ok(json!({
        "status": "ok",
        "scope": call.session.id(),
        "agent_id": call.session.default_agent(&call.caller),
    }))
}

async fn diagnose(call: &Call) -> Result<Value> {
    let settings = &call.shared.settings;
    let is_operator = call.caller.scope().is_none();
    let env: Map<String, Value> = AGENT_VARIABLES
        .iter()
        .map(|name| {
            let set = settings.agent_variables.iter().find(|(n, _)| n == name);
            // Other agents' ids are not shown to an agent.
            let value = set.filter(|_| is_operator).map(|(_, v)| v);
            (
                (*name).to_owned(),
                json!({ "set": set.is_some(), "value": value }),
            )
        })
        .collect();
    let (inferred, problem) = match call.infer().await {
        Ok(inferred) => (inferred, None),
        Err(e) => (None, Some(e.chain())),
    };
    let agents_count = match settings.single_agent && is_operator {
        true => {
            let listed = call.operations.ask(&AGENTS, &Values::default()).await;
            listed.ok().map(|a| a["count"].clone())
        }
        false => None,
    };
    let source = inferred.as_ref().map(|(_, source)| source);
    let metadata: Vec<&String> = call.metadata.keys().collect();
    Ok(json!({
        "status": "ok",
        "inferred_agent_id": inferred.as_ref().map(|(agent, _)| agent),
        "caller": if is_operator { "operator" } else { "agent" },
        "transport": call.session.transport(),
        "protocol_version": call.protocol,
        "scope": call.session.id(),
        "ctx_present": true,
        "ctx_metadata_keys": metadata,
        "ctx_agent_id_attr": call.caller.scope().map(|own| call.shown(own)),
        "env": env,
        "single_agent_fallback_enabled": settings.single_agent,
        "agents_count": agents_count,
        "inference_debug": {
            "source": source.map(Source::to_word),
            "key": source.and_then(Source::key),
            "context_metadata_keys": metadata,
            "single_agent_fallback": source == Some(&Source::OnlyAgent),
            "problem": problem,
        },
        "order": [
            "agent_id of the call",
            "the caller: an agent's key, or the header X-Agent-Id",
            "the request's metadata",
            "promptyoself_set_scoped_default_agent",
            "PROMPTYOSELF_DEFAULT_AGENT_ID, LETTA_AGENT_ID, AGENT_ID, LETTA_DEFAULT_AGENT_ID, or \
             default_agent in the settings file",
            "the only agent, with PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK=true",
        ],
    }))
}
