//! What a fake App Server is asked over its WebSocket.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inner;
use super::state::{Out, Scope, Script, State};
use super::turns;

/// Takes a request of a client; false if its connection is to end. What is not understood is met with
/// silence.
pub fn take(inner: &Arc<Inner>, client: u64, text: &str) -> bool {
    let Ok(request) = serde_json::from_str::<Value>(text) else {
        return true;
    };
    let kind = request["type"].as_str().unwrap_or_default().to_owned();
    *inner.state().asked.entry(kind.clone()).or_default() += 1;
    inner.changed();
    let answer = match kind.as_str() {
        "runtime_start" => start(inner, client, &request),
        "sync" => {
            let scope = scope(&request["runtime"]);
            inner.state().tell_all(&scope);
            Some(json!({"success": true, "runtime": scope.json()}))
        }
        "input" => {
            let scope = scope(&request["runtime"]);
            let script = inner.state().scripts.get(&scope.conversation).cloned();
            match script {
                Some(Script::CutBefore) => {
                    inner.state().scripts.remove(&scope.conversation);
                    return false;
                }
                Some(Script::Silence) => return true,
                Some(Script::CutAfter(n)) => {
                    inner.state().scripts.remove(&scope.conversation);
                    let state = inner.state();
                    let Some(client) = state.clients.get(&client) else {
                        return false;
                    };
                    let _ = client.out.send(Out::CutAfter(n));
                }
                _ => {}
            }
            match inner.state().clients.get_mut(&client) {
                Some(client) => client.follows.insert(scope.clone()),
                // The server was restarted a moment ago.
                None => return false,
            };
            let messages = request["payload"]["messages"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            // The answer comes before anything that is told of the turn.
            return match turns::admit(inner, &scope, &messages) {
                Ok(begin) => {
                    let body = json!({"accepted": true, "disposition": "started"});
                    answer_with(&inner.state(), client, "input_accepted", &request, body);
                    begin();
                    true
                }
                Err(error) => {
                    let body = json!({"accepted": false, "error": error});
                    answer_with(&inner.state(), client, "input_accepted", &request, body);
                    true
                }
            };
        }
        "abort_message" => {
            let aborted = turns::abort(inner, &scope(&request["runtime"]));
            Some(json!({"success": true, "aborted": aborted}))
        }
        "agent_list" => Some(list(&inner.state(), &request["query"])),
        "agent_retrieve" => {
            let id = request["agent_id"].as_str().unwrap_or_default();
            let state = inner.state();
            Some(match state.agents.iter().any(|a| a == id) {
                true => json!({"success": true, "agent": agent(id)}),
                false => failed(&format!("Agent {id} not found")),
            })
        }
        "conversation_create" => {
            let id = request["body"]["agent_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mut state = inner.state();
            let conversation = format!("local-conv-{}", state.owners.len() + 1);
            Some(match state.lacks(&Scope::new(&id, "default")) {
                Some(error) => failed(&error),
                None => {
                    state.owners.insert(conversation.clone(), id);
                    json!({"success": true, "conversation": {"id": conversation}})
                }
            })
        }
        "conversation_retrieve" => {
            let id = request["conversation_id"].as_str().unwrap_or_default();
            Some(match inner.state().owners.get(id) {
                Some(owner) => {
                    json!({"success": true, "conversation": {"id": id, "agent_id": owner}})
                }
                None => failed(&format!("Conversation {id} not found")),
            })
        }
        "cron_list" => Some(json!({"success": true, "tasks": inner.state().tasks})),
        "cron_pause" => Some(pause(&mut inner.state(), &request)),
        "conversation_messages_list" => Some(messages(&mut inner.state(), &request)),
        _ => None,
    };
    if let Some(body) = answer {
        answer_with(
            &inner.state(),
            client,
            &format!("{kind}_response"),
            &request,
            body,
        );
        if kind == "runtime_start" {
            inner.changed();
            let starter = request["client_info"]["name"].as_str().unwrap_or_default();
            turns::go_on(inner, &scope(&request), starter);
        }
    }
    true
}

fn answer_with(state: &State, client: u64, kind: &str, request: &Value, mut body: Value) {
    body["type"] = kind.into();
    body["request_id"] = request["request_id"].clone();
    if let Some(client) = state.clients.get(&client) {
        let _ = client.out.send(Out::Text(body.to_string()));
    }
}

fn start(inner: &Inner, client: u64, request: &Value) -> Option<Value> {
    request["agent_id"].as_str()?;
    let scope = scope(request);
    let mut state = inner.state();
    if let Some(error) = state.lacks(&scope) {
        return Some(failed(&error));
    }
    state
        .clients
        .get_mut(&client)?
        .follows
        .insert(scope.clone());
    Some(json!({"success": true, "agent": agent(&scope.agent)}))
}

/// Newest first; a cursor that is not known gives the first page.
fn messages(state: &mut State, request: &Value) -> Value {
    let query = &request["query"];
    let scope = Scope::new(
        query["agent_id"].as_str().unwrap_or("agent-local-default"),
        request["conversation_id"].as_str().unwrap_or_default(),
    );
    if let Some(error) = state.lacks(&scope) {
        return failed(&error);
    }
    let all: Vec<Value> = state.messages_of(&scope).iter().rev().cloned().collect();
    let limit = query["limit"].as_u64().unwrap_or(20) as usize;
    let at = all.iter().position(|m| m["id"] == query["before"]);
    let rest = &all[at.map_or(0, |at| at + 1)..];
    let page = &rest[..rest.len().min(limit)];
    json!({"success": true, "messages": page, "has_more": rest.len() > page.len()})
}

/// Newest first; a cursor that is not known gives the first page.
fn list(state: &State, query: &Value) -> Value {
    let all: Vec<&String> = state.agents.iter().rev().collect();
    let limit = query["limit"].as_u64().unwrap_or(50) as usize;
    let at = all.iter().position(|id| query["after"] == id.as_str());
    let rest = all[at.map_or(0, |at| at + 1)..].iter();
    let page: Vec<Value> = rest.take(limit).map(|id| agent(id)).collect();
    json!({"success": true, "agents": page})
}

/// Pauses a schedule of the server's own; one that has ended can't be paused.
fn pause(state: &mut State, request: &Value) -> Value {
    let mut tasks = state.tasks.iter_mut();
    let Some(task) = tasks.find(|task| task["id"] == request["task_id"]) else {
        return json!({"success": false, "found": false, "error": "Schedule not found"});
    };
    if task["status"] != "active" && task["status"] != "paused" || task["name"] == "stubborn" {
        let error = "Completed schedules cannot be paused";
        return json!({"success": false, "found": true, "task": task, "error": error});
    }
    task["status"] = "paused".into();
    json!({"success": true, "found": true, "task": task})
}

fn agent(id: &str) -> Value {
    json!({"id": id, "name": format!("name of {id}"), "system": "You are …", "tools": []})
}

fn failed(error: &str) -> Value {
    json!({"success": false, "error": error})
}

fn scope(of: &Value) -> Scope {
    let text = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
    Scope::new(text("agent_id"), &text("conversation_id"))
}
