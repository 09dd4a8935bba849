//! The laws of the App Server's client, against a fake one.

mod finding;
mod kinds;
mod leaving;
mod resending;
mod sending;

use std::sync::Mutex;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{Answer, AppServer, Lookup, Outgoing, RestSettings, Target};
use promptyoself::models::{AgentId, Conversation, Recipient};
use uuid::Uuid;

use crate::client::{delivered, recipient, refused, unknown};
use crate::fake_app_server::{FakeAppServer, Scope};

/// How a client reaches a server.
pub fn settings(url: &str, token: Option<&str>) -> RestSettings {
    RestSettings {
        api_key: token.map(|token| token.to_owned().into()),
        ..crate::client::settings(url)
    }
}

/// A client for a fake server.
fn client(fake: &FakeAppServer) -> AppServer {
    AppServer::new(settings(&fake.url(), None), Clock::system()).unwrap()
}

/// A prompt for an agent in one of its conversations.
pub fn prompt_in(agent: &AgentId, conversation: &str, otid: u128, text: &str) -> Outgoing {
    let recipient = Recipient {
        conversation: Conversation::parse(conversation).unwrap(),
        ..recipient(agent)
    };
    Outgoing {
        recipient,
        ..crate::client::prompt(agent, otid, text)
    }
}

/// A question about a prompt that was sent so long ago.
pub fn lookup_of(outgoing: &Outgoing, clock: &Clock, age: SignedDuration) -> Lookup {
    Lookup {
        recipient: outgoing.recipient.clone(),
        ..crate::client::lookup(
            &outgoing.recipient.agent,
            outgoing.otid.as_u128(),
            clock.now() - age,
            age,
        )
    }
}

/// Sends, and gives the runs that were told meanwhile.
pub async fn send(server: &dyn Target, outgoing: &Outgoing) -> (Answer, Vec<String>) {
    let runs = Mutex::new(Vec::new());
    let answer = server
        .send(outgoing, &|run: &str| {
            runs.lock().unwrap().push(run.to_owned())
        })
        .await;
    (answer, runs.into_inner().unwrap())
}

/// The id of a prompt as a server stores it.
fn id(otid: u128) -> String {
    Uuid::from_u128(otid).to_string()
}

/// A fake server with an agent, and the agent's default conversation.
async fn scene() -> (FakeAppServer, AgentId, Scope) {
    let fake = FakeAppServer::start().await;
    let agent = fake.add_agent();
    let scope = Scope::new(&agent, "default");
    (fake, agent, scope)
}
