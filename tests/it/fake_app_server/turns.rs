//! The turns of a fake App Server.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inner;
use super::load::{Load, Received};
use super::state::{Scope, Script, State, Taken};
use crate::fake_letta::Moment;

/// Takes the inputs of a request, or says why not. What is returned begins their turn; the ids of
/// inputs that were taken before begin none.
pub fn admit(
    inner: &Arc<Inner>,
    scope: &Scope,
    messages: &[Value],
) -> Result<impl FnOnce() + use<>, String> {
    let mut state = inner.state();
    if let Some(Script::NotTaken(why)) = state.scripts.get(&scope.conversation).cloned() {
        state.scripts.remove(&scope.conversation);
        return Err(why);
    }
    let mut new = Vec::new();
    for message in messages {
        let Some(id) = message["client_message_id"].as_str() else {
            return Err("Input was rejected by the queue or durable ledger".to_owned());
        };
        let is_remembered = state.remembered(scope, id);
        let is_repeat = is_remembered && state.keeps(scope, id);
        state.record.received.push(Received {
            scope: scope.clone(),
            id: id.to_owned(),
            is_repeat,
        });
        if !is_remembered {
            let taken = Taken {
                at: state.clock.now(),
                finished: false,
                content: message["content"].clone(),
            };
            state.ledger.insert((scope.clone(), id.to_owned()), taken);
            new.push((id.to_owned(), message["content"].clone()));
        }
    }
    let (inner, scope) = (inner.clone(), scope.clone());
    Ok(move || enqueue(&inner, &scope, new))
}

/// Takes an input of another client's.
pub fn input_of(inner: &Arc<Inner>, scope: &Scope, id: &str, text: &str) {
    let message = json!({"role": "user", "content": text, "client_message_id": id});
    admit(inner, scope, &[message]).unwrap()();
}

/// Runs again what was taken and not finished when the server was killed: only when somebody starts
/// the conversation.
pub fn go_on(inner: &Arc<Inner>, scope: &Scope, starter: &str) {
    let again: Vec<(String, Value)> = {
        let mut state = inner.state();
        let is_turning = state.active.values().any(|(of, _)| of == scope);
        let waits = state
            .queues
            .get(scope)
            .is_some_and(|queue| !queue.is_empty());
        let unfinished = state
            .ledger
            .iter()
            .filter(|((of, _), t)| of == scope && !t.finished);
        let again: Vec<(String, Value)> = unfinished
            .map(|((_, id), t)| (id.clone(), t.content.clone()))
            .collect();
        state.tell_all(scope);
        match is_turning || waits || state.asking.contains(scope) {
            true => Vec::new(),
            false => {
                let ids = again.iter().map(|(id, _)| id.clone());
                state.record.reruns.extend(ids);
                if !again.is_empty() {
                    state.record.rerun_by.push(starter.to_owned());
                }
                again
            }
        }
    };
    enqueue(inner, scope, again);
    inner.state().tell_all(scope);
}

fn enqueue(inner: &Arc<Inner>, scope: &Scope, new: Vec<(String, Value)>) {
    if new.is_empty() {
        return;
    }
    let is_turning = {
        let mut state = inner.state();
        state.queues.entry(scope.clone()).or_default().extend(new);
        let is_turning = state
            .active
            .get(&scope.conversation)
            .is_some_and(|(of, _)| of == scope)
            || state.asking.contains(scope);
        if is_turning {
            state.tell_queue(scope, json!([]));
        }
        is_turning
    };
    if !is_turning {
        begin(inner, scope);
    }
}

/// Begins one turn of everything that waits in a conversation.
fn begin(inner: &Arc<Inner>, scope: &Scope) {
    let mut state = inner.state();
    let batch = state.queues.remove(scope).unwrap_or_default();
    if batch.is_empty() {
        return;
    }
    let ids: Vec<String> = batch.iter().map(|(id, _)| id.clone()).collect();
    let removed: Vec<Value> = (ids.iter())
        .map(|id| json!({"client_message_id": id, "disposition": "dequeued"}))
        .collect();
    state.tell_queue(scope, removed.into());
    state.tell_loop(scope, "SENDING_API_REQUEST");
    let locked = state
        .active
        .get(&scope.conversation)
        .map(|(_, run)| run.clone());
    let locked = locked.or_else(|| state.wedged.get(&scope.conversation).cloned());
    let script = state.scripts.remove(&scope.conversation);
    let unstored = match (&script, locked) {
        (Some(Script::FailsUnstored(error)), _) => Some(error.clone()),
        (_, Some(run)) => Some(format!(
            "Conversation {} already has an active run ({run})",
            scope.conversation
        )),
        _ => state.lacks(scope),
    };
    if let Some(error) = unstored {
        fail(&mut state, scope, &ids, &error);
        drop(state);
        inner.changed();
        return;
    }
    let run = state.next_run();
    state
        .active
        .insert(scope.conversation.clone(), (scope.clone(), run.clone()));
    state.begun.push(ids.clone());
    for (id, content) in &batch {
        state.store(scope, "user_message", Some(id), content.clone());
    }
    state.tell_loop(scope, "WAITING_FOR_API_RESPONSE");
    drop(state);
    inner.changed();
    let turn = Turn {
        inner: inner.clone(),
        scope: scope.clone(),
        ids,
        text: batch
            .last()
            .map(|(_, content)| text(content))
            .unwrap_or_default(),
        script,
        run,
    };
    inner.spawn(turn.run());
}

/// Ends a turn that had no run.
fn fail(state: &mut State, scope: &Scope, ids: &[String], error: &str) {
    let delta = json!({
        "message_type": "loop_error", "message": error, "stop_reason": "error",
        "is_terminal": true, "client_message_ids": ids,
    });
    state.tell(scope, "stream_delta", json!({"delta": delta}));
    state.tell_loop(scope, "WAITING_ON_INPUT");
    finish_inputs(state, scope, ids);
    state.tell(
        scope,
        "turn_finished",
        json!({"stop_reason": "error", "error": error}),
    );
}

fn finish_inputs(state: &mut State, scope: &Scope, ids: &[String]) {
    for id in ids {
        if let Some(taken) = state.ledger.get_mut(&(scope.clone(), id.clone())) {
            taken.finished = true;
        }
    }
}

struct Turn {
    inner: Arc<Inner>,
    scope: Scope,
    ids: Vec<String>,
    text: String,
    script: Option<Script>,
    run: String,
}

impl Turn {
    async fn run(mut self) {
        let scope = self.scope.clone();
        let conversation = scope.conversation.clone();
        let is_cancelled = |s: &State| s.cancelled.contains(&scope);
        self.inner.pass(Moment::Begun).await;
        self.inner.take_time(Load::turn).await;
        self.inner
            .until(|s| !s.held.contains(&conversation) || is_cancelled(s))
            .await;
        self.inner.pass(Moment::Ended).await;
        if self.end_if_cancelled() {
            return;
        }
        let inner = self.inner.clone();
        let calls = match &self.script {
            Some(Script::Runs(n)) => *n,
            _ => 1,
        };
        for call in 1..=calls {
            let mut state = inner.state();
            if call > 1 {
                self.run = state.next_run();
                let run = self.run.clone();
                state
                    .active
                    .insert(conversation.clone(), (scope.clone(), run));
            }
            let runs = state.runs.entry(scope.clone()).or_default();
            runs.insert(self.run.clone(), self.ids.clone());
            state.tell_loop(&scope, "PROCESSING_API_RESPONSE");
            if call < calls {
                self.tell_usage(&mut state);
            }
        }
        match self.script.take() {
            Some(Script::ModelError(error)) => self.end(None, "error", Some(error)),
            Some(Script::Asks) => {
                {
                    let mut state = inner.state();
                    state.asking.insert(scope.clone());
                    state.tell_all(&scope);
                }
                inner.changed();
                inner.until(|s| !s.asking.contains(&scope)).await;
                self.end(Some("approved"), "end_turn", None);
            }
            _ => {
                let reply = format!("fake: {}", self.text);
                self.end(Some(&reply), "end_turn", None);
            }
        }
    }

    /// Ends a turn that was cancelled before it had a run.
    fn end_if_cancelled(&self) -> bool {
        let scope = &self.scope;
        let mut state = self.inner.state();
        if !state.cancelled.remove(scope) {
            return false;
        }
        state.active.remove(&scope.conversation);
        state.store(
            scope,
            "assistant_message",
            None,
            json!([{"type": "text", "text": "fa"}]),
        );
        if !state.is_followed(scope) {
            for id in &self.ids {
                let is_rerun = state.record.reruns.contains(id);
                state.record.wedges.push((id.clone(), is_rerun));
            }
            state
                .wedged
                .insert(scope.conversation.clone(), self.run.clone());
        }
        finish_inputs(&mut state, scope, &self.ids);
        state.tell_loop(scope, "WAITING_ON_INPUT");
        state.tell(scope, "turn_finished", json!({"stop_reason": "cancelled"}));
        drop(state);
        self.inner.changed();
        true
    }

    fn tell_usage(&self, state: &mut State) {
        let delta = json!({
            "message_type": "usage_statistics", "total_tokens": 15, "run_id": self.run,
        });
        state.tell(&self.scope, "stream_delta", json!({"delta": delta}));
    }

    fn end(&self, reply: Option<&str>, stop_reason: &str, error: Option<String>) {
        let scope = &self.scope;
        let mut state = self.inner.state();
        for piece in reply.into_iter().flat_map(halves) {
            let delta = json!({
                "id": "ui-1", "message_type": "assistant_message", "run_id": self.run,
                "content": [{"type": "text", "text": piece}],
            });
            state.tell(scope, "stream_delta", json!({"delta": delta}));
        }
        if let Some(reply) = reply {
            self.tell_usage(&mut state);
            let content = json!([{"type": "text", "text": reply}]);
            state.store(scope, "assistant_message", None, content);
        }
        if let Some(error) = &error {
            let delta = json!({"message_type": "loop_error", "message": error, "run_id": self.run});
            state.tell(scope, "stream_delta", json!({"delta": delta}));
        }
        state.active.remove(&scope.conversation);
        finish_inputs(&mut state, scope, &self.ids);
        state.tell_loop(scope, "WAITING_ON_INPUT");
        let end = json!({"stop_reason": stop_reason, "run_id": self.run, "error": error});
        state.tell(scope, "turn_finished", end);
        drop(state);
        self.inner.changed();
        begin(&self.inner, scope);
    }
}

fn halves(text: &str) -> [&str; 2] {
    let (a, b) = text.split_at(text.len() / 2);
    [a, b]
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Cancels the turn of a conversation; what waits there is forgotten.
pub fn abort(inner: &Inner, scope: &Scope) -> bool {
    let mut state = inner.state();
    let is_turning = state
        .active
        .get(&scope.conversation)
        .is_some_and(|(of, _)| of == scope);
    if is_turning {
        state.cancelled.insert(scope.clone());
        // Whoever follows then, it ended in order.
        state.stay(scope);
        state.queues.remove(scope);
    }
    drop(state);
    inner.changed();
    is_turning
}

/// A client has left. If it was the last that followed a conversation in a call of the model, the turn
/// is cancelled, and the conversation never given back.
pub fn left(inner: &Inner, client: u64) {
    let mut state = inner.state();
    let Some(client) = state.clients.remove(&client) else {
        return;
    };
    for scope in client.follows {
        let is_turning = state
            .active
            .get(&scope.conversation)
            .is_some_and(|(of, _)| *of == scope);
        if is_turning && !state.is_followed(&scope) && !state.asking.contains(&scope) {
            state.cancelled.insert(scope);
        }
    }
    drop(state);
    inner.changed();
}
