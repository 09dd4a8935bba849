//! The servers that the laws hold for: a fake and a real one of each kind.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{AnyLetta, Outgoing, RestSettings, Target};
use promptyoself::models::AgentId;
use tokio::task::JoinHandle;

use super::cutting::{Cut, before_http, before_web_socket};
use crate::app_server::send;
use crate::client::{prompt, settings};
use crate::fake_app_server::{self, FakeAppServer, Scope};
use crate::fake_letta::{self, FakeLetta};
use crate::real_app_server::RealAppServer;
use crate::real_letta::{Alone, RealLetta};

/// The token of the servers that can be given one.
const TOKEN: &str = "pw-test";

/// The kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    FakeV1,
    RealV1,
    FakeAppServer,
    RealAppServer,
}

/// A server of some kind.
pub enum Server {
    FakeV1(FakeLetta),
    RealV1(Alone),
    FakeAppServer(FakeAppServer),
    RealAppServer(RealAppServer),
}

impl Server {
    pub async fn start(kind: Kind) -> Self {
        match kind {
            Kind::FakeV1 => {
                let fake = FakeLetta::start().await;
                fake.set_password(Some(TOKEN));
                Server::FakeV1(fake)
            }
            Kind::RealV1 => Server::RealV1(RealLetta::alone().await),
            Kind::FakeAppServer => {
                let fake = FakeAppServer::start().await;
                fake.set_token(Some(TOKEN));
                Server::FakeAppServer(fake)
            }
            Kind::RealAppServer => {
                Server::RealAppServer(RealAppServer::start_with(Some(TOKEN)).await)
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Server::FakeV1(fake) => fake.url(),
            Server::RealV1(real) => real.url.clone(),
            Server::FakeAppServer(fake) => fake.url(),
            Server::RealAppServer(real) => real.url.clone(),
        }
    }

    fn token(&self) -> &str {
        match self {
            Server::RealV1(real) => &real.password,
            _ => TOKEN,
        }
    }

    /// A client with the right token.
    pub fn client(&self) -> AnyLetta {
        client_of(&self.url(), self.token())
    }

    /// A client with a wrong token.
    pub fn stranger(&self) -> AnyLetta {
        client_of(&self.url(), "another")
    }

    /// Two agents.
    pub async fn agents(&self) -> (AgentId, AgentId) {
        match self {
            Server::FakeV1(fake) => (fake.add_agent(), fake.add_agent()),
            Server::RealV1(real) => (real.new_agent().await, real.new_agent().await),
            Server::FakeAppServer(fake) => (fake.add_agent(), fake.add_agent()),
            Server::RealAppServer(real) => (real.agent.clone(), real.other.clone()),
        }
    }

    pub async fn stop(&mut self) {
        match self {
            Server::FakeV1(fake) => fake.stop(),
            Server::RealV1(real) => real.stop_letta().await,
            Server::FakeAppServer(fake) => fake.kill(),
            Server::RealAppServer(real) => real.kill().await,
        }
    }

    pub async fn start_again(&mut self) {
        match self {
            Server::FakeV1(fake) => fake.start_again().await,
            Server::RealV1(real) => real.start_letta().await,
            Server::FakeAppServer(fake) => fake.start_again().await,
            Server::RealAppServer(real) => real.restart().await,
        }
    }

    /// A client whose connection ends when it sends this prompt to the agent. If the prompt arrives,
    /// its turn goes on.
    pub async fn cut_client(&self, agent: &AgentId, text: &'static str, arrives: bool) -> AnyLetta {
        let cut = Cut::new(text, arrives);
        match self {
            Server::FakeV1(fake) => {
                let script = match arrives {
                    true => fake_letta::Script::CutAfter,
                    false => fake_letta::Script::CutBefore,
                };
                fake.script(agent, script);
            }
            Server::RealV1(real) => {
                let address = before_http(&real.url, cut).await;
                return client_of(&format!("http://{address}"), self.token());
            }
            Server::FakeAppServer(fake) => {
                let script = match arrives {
                    true => {
                        fake.observe(&Scope::new(agent, "default"));
                        fake_app_server::Script::CutAfter(0)
                    }
                    false => fake_app_server::Script::CutBefore,
                };
                fake.script("default", script);
            }
            Server::RealAppServer(real) => {
                let address = before_web_socket(&real.url, TOKEN, cut).await;
                return client_of(&format!("ws://{address}"), self.token());
            }
        }
        self.client()
    }

    /// Puts the agent into somebody else's turn. A real one lasts for some seconds.
    pub async fn occupy(&self, agent: &AgentId) -> Option<JoinHandle<()>> {
        let slow = "[[sleep 5]] theirs";
        match self {
            Server::FakeV1(fake) => {
                fake.foreign_run(agent, SignedDuration::ZERO);
                None
            }
            Server::FakeAppServer(fake) => {
                fake.hold("default", true);
                fake.input_by_another(&Scope::new(agent, "default"), "theirs", "theirs");
                None
            }
            Server::RealV1(real) => {
                let turn = self.spawn_turn(agent, slow);
                real.wait_for_model(slow).await;
                Some(turn)
            }
            Server::RealAppServer(real) => {
                let turn = self.spawn_turn(agent, slow);
                real.wait_for_model(slow).await;
                Some(turn)
            }
        }
    }

    fn spawn_turn(&self, agent: &AgentId, text: &str) -> JoinHandle<()> {
        let (theirs, outgoing) = (self.client(), prompt(agent, fresh_otid(), text));
        tokio::spawn(async move {
            theirs.check().await.unwrap();
            crate::client::delivered(send(&theirs, &outgoing).await.0);
        })
    }

    /// How many copies of a prompt the agent has in its default conversation.
    pub async fn copies(&self, agent: &AgentId, outgoing: &Outgoing) -> usize {
        let messages = match self {
            Server::FakeV1(fake) => fake.messages(agent),
            Server::RealV1(real) => real.messages(agent).await,
            Server::FakeAppServer(fake) => fake.messages(&Scope::new(agent, "default")),
            Server::RealAppServer(real) => real.messages(agent, "default").await,
        };
        let otid = outgoing.otid.to_string();
        let is_it = |m: &&serde_json::Value| {
            m["otid"] == otid.as_str() && m["message_type"] == "user_message"
        };
        messages.iter().filter(is_it).count()
    }
}

fn client_of(url: &str, token: &str) -> AnyLetta {
    let settings = RestSettings {
        api_key: Some(token.to_owned().into()),
        ..settings(url)
    };
    AnyLetta::new(settings, None, Clock::system()).unwrap()
}

/// A real server remembers the otids of the other tests.
pub fn fresh_otid() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}
