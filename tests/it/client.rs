//! The client, against the fake Letta.

mod bounds;
mod conversations;
mod endings;
mod finding;
mod questions;
pub mod raw;
mod redirects;
mod sending;
mod talks;
pub mod waits;

use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::letta_client::{
    Answer, Delivery, Doubt, Lookup, Outgoing, Refusal, Rest, RestSettings, Target,
};
use promptyoself::models::{AgentId, Recipient, TargetName};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::fake_letta::FakeLetta;

/// How a client reaches a server with the password that test servers have.
pub fn settings(url: &str) -> RestSettings {
    RestSettings {
        target: "letta".into(),
        base_url: url.into(),
        api_key: Some(SecretString::from("pw-test".to_owned())),
        idle_timeout: Duration::from_secs(60),
        orphan_age: SignedDuration::from_hours(1),
    }
}

/// A client for a server.
pub fn client(url: &str) -> Rest {
    Rest::new(settings(url), Clock::system()).unwrap()
}

/// An agent of that server.
pub fn recipient(agent: &AgentId) -> Recipient {
    Recipient::agent(TargetName::new("letta"), agent.clone())
}

/// A prompt of one user message.
pub fn prompt(agent: &AgentId, otid: u128, text: &str) -> Outgoing {
    Outgoing {
        recipient: recipient(agent),
        otid: Uuid::from_u128(otid),
        not_found_since: None,
        messages: vec![json!({"role": "user", "content": text})],
        options: serde_json::Map::new(),
    }
}

/// A question about such a prompt, asked `after` it was sent.
pub fn lookup(agent: &AgentId, otid: u128, sent_at: Timestamp, after: SignedDuration) -> Lookup {
    Lookup {
        recipient: recipient(agent),
        otids: vec![Uuid::from_u128(otid)],
        run_id: None,
        sent_at,
        heard_at: None,
        now: sent_at + after,
        orphan_age: SignedDuration::from_hours(1),
    }
}

/// Sends a prompt and gives the answer with the runs that were told meanwhile.
pub async fn send(letta: &Rest, outgoing: &Outgoing) -> (Answer, Vec<String>) {
    let runs = Mutex::new(Vec::new());
    let answer = letta
        .send(outgoing, &|run| runs.lock().unwrap().push(run.to_owned()))
        .await;
    (answer, runs.into_inner().unwrap())
}

/// The delivery that an answer must be.
#[track_caller]
pub fn delivered(answer: Answer) -> Delivery {
    match answer {
        Answer::Delivered(delivery) => delivery,
        other => panic!("not delivered: {other:?}"),
    }
}

/// The refusal that an answer must be.
#[track_caller]
pub fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The doubt that an answer must be.
#[track_caller]
pub fn unknown(answer: Answer) -> Doubt {
    match answer {
        Answer::Unknown(doubt) => doubt,
        other => panic!("not unknown: {other:?}"),
    }
}

/// A fake Letta with one agent, and a client for it.
pub async fn fake() -> (FakeLetta, Rest, AgentId) {
    let fake = FakeLetta::start().await;
    let agent = fake.add_agent();
    let letta = client(&fake.url());
    (fake, letta, agent)
}
