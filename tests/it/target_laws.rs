//! What every target promises, whatever its kind. A new kind needs a server in [`Server`], and nothing
//! else here.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{
    AnyLetta, ErrorClass, Evidence, Letta, Outgoing, RefusalKind, Target,
};
use promptyoself::models::{AgentId, Conversation, Recipient, Turn};
use rstest::rstest;
use serde_json::Value;
use uuid::Uuid;

use crate::app_server::send;
use crate::client::{delivered, lookup, prompt, refused, settings, unknown};
use crate::fake_app_server::{self, FakeAppServer, Scope};
use crate::fake_letta::{self, FakeLetta};

/// The token that [`settings`] gives.
const TOKEN: &str = "pw-test";

/// The kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    V1,
    AppServer,
}

/// A fake server of some kind.
enum Server {
    V1(FakeLetta),
    AppServer(FakeAppServer),
}

impl Server {
    async fn start(kind: Kind) -> Self {
        let server = match kind {
            Kind::V1 => Server::V1(FakeLetta::start().await),
            Kind::AppServer => Server::AppServer(FakeAppServer::start().await),
        };
        server.set_token(TOKEN);
        server
    }

    fn url(&self) -> String {
        match self {
            Server::V1(fake) => fake.url(),
            Server::AppServer(fake) => fake.url(),
        }
    }

    fn add_agent(&self) -> AgentId {
        match self {
            Server::V1(fake) => fake.add_agent(),
            Server::AppServer(fake) => fake.add_agent(),
        }
    }

    fn set_token(&self, token: &str) {
        match self {
            Server::V1(fake) => fake.set_password(Some(token)),
            Server::AppServer(fake) => fake.set_token(Some(token)),
        }
    }

    fn stop(&mut self) {
        match self {
            Server::V1(fake) => fake.stop(),
            Server::AppServer(fake) => fake.kill(),
        }
    }

    async fn start_again(&mut self) {
        match self {
            Server::V1(fake) => fake.start_again().await,
            Server::AppServer(fake) => fake.start_again().await,
        }
    }

    /// The connection of the next prompt ends before the prompt is read.
    fn cut_before(&self, agent: &AgentId) {
        match self {
            Server::V1(fake) => fake.script(agent, fake_letta::Script::CutBefore),
            Server::AppServer(fake) => {
                fake.script("default", fake_app_server::Script::CutBefore);
            }
        }
    }

    /// The connection of the next prompt ends without an answer, and its turn goes on.
    fn cut_after(&self, agent: &AgentId) {
        match self {
            Server::V1(fake) => fake.script(agent, fake_letta::Script::CutAfter),
            Server::AppServer(fake) => {
                fake.observe(&Scope::new(agent, "default"));
                fake.script("default", fake_app_server::Script::CutAfter(0));
            }
        }
    }

    /// Puts the agent into somebody else's turn.
    fn occupy(&self, agent: &AgentId) {
        match self {
            Server::V1(fake) => drop(fake.foreign_run(agent, SignedDuration::ZERO)),
            Server::AppServer(fake) => {
                fake.hold("default", true);
                fake.input_by_another(&Scope::new(agent, "default"), "theirs", "theirs");
            }
        }
    }

    fn messages(&self, agent: &AgentId) -> Vec<Value> {
        match self {
            Server::V1(fake) => fake.messages(agent),
            Server::AppServer(fake) => fake.messages(&Scope::new(agent, "default")),
        }
    }

    /// How many copies of a prompt the agent has.
    fn copies(&self, agent: &AgentId, outgoing: &Outgoing) -> usize {
        let otid = outgoing.otid.to_string();
        let is_it = |m: &&Value| m["otid"] == otid.as_str() && m["message_type"] == "user_message";
        self.messages(agent).iter().filter(is_it).count()
    }
}

/// A server with an agent, and a client that knows what kind of server it is.
async fn scene(kind: Kind) -> (Server, AnyLetta, AgentId) {
    let server = Server::start(kind).await;
    let agent = server.add_agent();
    let target = client(&server);
    target.check().await.unwrap();
    (server, target, agent)
}

fn client(server: &Server) -> AnyLetta {
    AnyLetta::new(settings(&server.url()), None, Clock::system()).unwrap()
}

/// What is found of a prompt that was sent some minutes ago, once no turn goes on.
async fn found(target: &AnyLetta, agent: &AgentId, outgoing: &Outgoing) -> Evidence {
    let age = SignedDuration::from_mins(5);
    let sent_at = Clock::system().now() - age;
    let question = lookup(agent, outgoing.otid.as_u128(), sent_at, age);
    loop {
        match target.find(&question).await {
            Evidence::Running { .. } => tokio::task::yield_now().await,
            evidence => return evidence,
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_prompt_is_stored_once_under_its_otid_and_its_reply_comes_back(
    #[values(Kind::V1, Kind::AppServer)] kind: Kind,
) {
    let (server, target, agent) = scene(kind).await;
    let outgoing = prompt(&agent, 1, "hello");
    let (answer, runs) = send(&target, &outgoing).await;
    let delivery = delivered(answer);
    assert_eq!(delivery.turn, Turn::Ok);
    assert!(delivery.reply.unwrap().contains("hello"));
    assert_eq!(delivery.error, None);
    assert_eq!(delivery.run_id.as_ref(), runs.last());
    assert_eq!(server.copies(&agent, &outgoing), 1);
    assert!(matches!(
        found(&target, &agent, &outgoing).await,
        Evidence::Found(_)
    ));
    assert_eq!(server.copies(&agent, &outgoing), 1);
}

#[rstest]
#[tokio::test]
async fn a_connection_that_ends_proves_nothing_and_the_messages_tell_whether_it_arrived(
    #[values(Kind::V1, Kind::AppServer)] kind: Kind,
    #[values(false, true)] arrives: bool,
) {
    let (server, target, agent) = scene(kind).await;
    match arrives {
        true => server.cut_after(&agent),
        false => server.cut_before(&agent),
    }
    let outgoing = prompt(&agent, 1, "hello");
    unknown(send(&target, &outgoing).await.0);
    match (arrives, found(&target, &agent, &outgoing).await) {
        (true, Evidence::Found(_)) | (false, Evidence::Absent { failed: None }) => {}
        (_, other) => panic!("{other:?}"),
    }
    assert_eq!(server.copies(&agent, &outgoing), usize::from(arrives));
}

#[rstest]
#[tokio::test]
async fn an_unknown_agent_is_permanent(#[values(Kind::V1, Kind::AppServer)] kind: Kind) {
    let (_server, target, _) = scene(kind).await;
    let nobody = AgentId::parse("agent-00000000-0000-4000-8000-00000000ffff").unwrap();
    let said = refused(send(&target, &prompt(&nobody, 1, "hello")).await.0);
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::Permanent, ErrorClass::AgentUnknown)
    );
    let asked = target.get_agent(&nobody).await.unwrap_err();
    assert_eq!(asked.class, ErrorClass::AgentUnknown);
}

#[rstest]
#[tokio::test]
async fn a_server_that_is_absent_or_refuses_our_key_is_at_fault_and_nothing_is_sent(
    #[values(Kind::V1, Kind::AppServer)] kind: Kind,
) {
    let (mut server, target, agent) = scene(kind).await;
    let outgoing = prompt(&agent, 1, "hello");
    server.stop();
    let said = refused(send(&target, &outgoing).await.0);
    assert_eq!(said.kind, RefusalKind::TargetTrouble, "{}", said.text);
    assert!(target.check().await.is_err());
    server.start_again().await;

    server.set_token("another");
    let stranger = client(&server);
    let refusal = stranger.check().await.unwrap_err();
    assert_eq!(refusal.class, ErrorClass::Unauthorized);
    let said = refused(send(&stranger, &outgoing).await.0);
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unauthorized),
        "{}",
        said.text
    );
    assert_eq!(server.copies(&agent, &outgoing), 0);
}

#[rstest]
#[tokio::test]
async fn an_agent_in_somebody_elses_turn_gets_nothing(
    #[values(Kind::V1, Kind::AppServer)] kind: Kind,
) {
    let (server, target, agent) = scene(kind).await;
    server.occupy(&agent);
    let outgoing = prompt(&agent, 1, "hello");
    let said = refused(send(&target, &outgoing).await.0);
    assert_eq!((said.kind, said.otid_spent), (RefusalKind::Busy, false));
    assert_eq!(server.copies(&agent, &outgoing), 0);
}

#[rstest]
#[tokio::test]
async fn a_new_conversation_is_its_agents_alone_and_lanes_carry_the_targets_name(
    #[values(Kind::V1, Kind::AppServer)] kind: Kind,
) {
    let (server, target, agent) = scene(kind).await;
    let other = server.add_agent();
    let id = target.create_conversation(&agent).await.unwrap();
    target.check_conversation(&agent, &id).await.unwrap();
    let strange = target.check_conversation(&other, &id).await.unwrap_err();
    assert_eq!(
        (strange.kind, strange.class),
        (RefusalKind::Permanent, ErrorClass::ConversationUnknown)
    );
    let recipient = Recipient {
        conversation: Conversation::parse(&id).unwrap(),
        ..target.recipient(agent, None)
    };
    let lane = target.lane(&recipient, Uuid::nil());
    assert_eq!(lane.target(), target.name());
    assert_eq!(lane, target.lane(&recipient, Uuid::nil()));
    let outgoing = Outgoing {
        recipient,
        ..prompt(&other, 1, "hello")
    };
    delivered(send(&target, &outgoing).await.0);
}
