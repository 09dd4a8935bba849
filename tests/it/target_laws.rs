//! What every target promises, whatever its kind. A new kind needs a server in [`Server`], and nothing
//! else here.

mod cutting;
mod server;

use std::time::Duration;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{
    AnyLetta, ErrorClass, Evidence, Letta, Outgoing, RefusalKind, Target,
};
use promptyoself::models::{AgentId, Conversation, Recipient, Turn};
use rstest::rstest;
use rstest_reuse::{apply, template};
use uuid::Uuid;

use self::server::{Kind, Server, fresh_otid};
use crate::app_server::send;
use crate::client::{delivered, lookup, prompt, refused, unknown};

#[template]
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_kind(
    #[values(Kind::FakeV1, Kind::RealV1, Kind::FakeAppServer, Kind::RealAppServer)] kind: Kind,
) {
}

/// A server with an agent, and a client that knows what kind of server it is.
async fn scene(kind: Kind) -> (Server, AnyLetta, AgentId) {
    let server = Server::start(kind).await;
    let (agent, _) = server.agents().await;
    let target = server.client();
    target.check().await.unwrap();
    (server, target, agent)
}

/// What is found of a prompt that was sent some minutes ago, once no turn goes on.
async fn found(target: &AnyLetta, agent: &AgentId, outgoing: &Outgoing) -> Evidence {
    let age = SignedDuration::from_mins(5);
    let sent_at = Clock::system().now() - age;
    let question = lookup(agent, outgoing.otid.as_u128(), sent_at, age);
    for _ in 0..600 {
        match target.find(&question).await {
            // A real server takes its time.
            Evidence::Running { .. } => Clock::system().sleep(Duration::from_millis(100)).await,
            evidence => return evidence,
        }
    }
    panic!("its turn did not end within a minute");
}

#[apply(every_kind)]
async fn a_prompt_is_stored_once_under_its_otid_and_its_reply_comes_back(kind: Kind) {
    let (server, target, agent) = scene(kind).await;
    let outgoing = prompt(&agent, fresh_otid(), "hello");
    let (answer, runs) = send(&target, &outgoing).await;
    let delivery = delivered(answer);
    assert_eq!(delivery.turn, Turn::Ok);
    assert!(delivery.reply.unwrap().contains("hello"));
    assert_eq!(delivery.error, None);
    assert_eq!(delivery.run_id.as_ref(), runs.last());
    assert_eq!(server.copies(&agent, &outgoing).await, 1);
    assert!(matches!(
        found(&target, &agent, &outgoing).await,
        Evidence::Found(_)
    ));
    assert_eq!(server.copies(&agent, &outgoing).await, 1);
}

#[apply(every_kind)]
async fn a_connection_that_ends_proves_nothing_and_the_messages_tell_whether_it_arrived(
    kind: Kind,
    #[values(false, true)] arrives: bool,
) {
    let (server, _, agent) = scene(kind).await;
    let target = server.cut_client(&agent, "hello", arrives).await;
    target.check().await.unwrap();
    let outgoing = prompt(&agent, fresh_otid(), "hello");
    unknown(send(&target, &outgoing).await.0);
    match (arrives, found(&target, &agent, &outgoing).await) {
        (true, Evidence::Found(_)) | (false, Evidence::Absent { failed: None }) => {}
        (_, other) => panic!("{other:?}"),
    }
    assert_eq!(server.copies(&agent, &outgoing).await, usize::from(arrives));
}

#[apply(every_kind)]
async fn an_unknown_agent_is_permanent(kind: Kind) {
    let (_server, target, _) = scene(kind).await;
    let nobody = AgentId::parse("agent-00000000-0000-4000-8000-00000000ffff").unwrap();
    let said = refused(
        send(&target, &prompt(&nobody, fresh_otid(), "hello"))
            .await
            .0,
    );
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::Permanent, ErrorClass::AgentUnknown)
    );
    let asked = target.get_agent(&nobody).await.unwrap_err();
    assert_eq!(asked.class, ErrorClass::AgentUnknown);
}

#[apply(every_kind)]
async fn a_server_that_is_absent_or_refuses_our_key_is_at_fault_and_nothing_is_sent(kind: Kind) {
    let (mut server, target, agent) = scene(kind).await;
    let outgoing = prompt(&agent, fresh_otid(), "hello");
    server.stop().await;
    let said = refused(send(&target, &outgoing).await.0);
    assert_eq!(said.kind, RefusalKind::TargetTrouble, "{}", said.text);
    assert!(target.check().await.is_err());
    server.start_again().await;

    let stranger = server.stranger();
    let refusal = stranger.check().await.unwrap_err();
    assert_eq!(refusal.class, ErrorClass::Unauthorized);
    let said = refused(send(&stranger, &outgoing).await.0);
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unauthorized),
        "{}",
        said.text
    );
    assert_eq!(server.copies(&agent, &outgoing).await, 0);
}

#[apply(every_kind)]
async fn an_agent_in_somebody_elses_turn_gets_nothing(kind: Kind) {
    let (server, target, agent) = scene(kind).await;
    let theirs = server.occupy(&agent).await;
    let outgoing = prompt(&agent, fresh_otid(), "hello");
    let said = refused(send(&target, &outgoing).await.0);
    assert_eq!((said.kind, said.otid_spent), (RefusalKind::Busy, false));
    assert_eq!(server.copies(&agent, &outgoing).await, 0);
    if let Some(theirs) = theirs {
        theirs.await.unwrap();
    }
}

#[apply(every_kind)]
async fn a_new_conversation_is_its_agents_alone_and_lanes_carry_the_targets_name(kind: Kind) {
    let server = Server::start(kind).await;
    let (agent, other) = server.agents().await;
    let target = server.client();
    target.check().await.unwrap();
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
        ..prompt(&other, fresh_otid(), "hello")
    };
    delivered(send(&target, &outgoing).await.0);
}
