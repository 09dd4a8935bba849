//! Connections that end, and what becomes of the conversations that were followed over them.

use std::pin::pin;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::http::limits;
use promptyoself::letta_client::{AppServer, ErrorClass, Evidence, RefusalKind, Target};
use promptyoself::models::Turn;

use super::{client, delivered, id, lookup_of, prompt_in, refused, scene, send, settings, unknown};
use crate::client::waits::timing;
use crate::fake_app_server::{FakeAppServer, Scope};

#[tokio::test]
async fn a_conversation_that_was_left_in_a_turn_is_recognised_and_the_remedy_named() {
    let (mut fake, agent, _) = scene().await;
    let server = client(&fake);
    let named = server.create_conversation(&agent).await.unwrap();
    fake.hold(&named, true);
    {
        let prompt = prompt_in(&agent, &named, 1, "hi");
        let leaving = pin!(send(&server, &prompt));
        tokio::select! {
            answer = leaving => panic!("{answer:?}"),
            () = fake.wait_for_begun(1) => {}
        }
    }
    drop(server);
    fake.wait_for_quiet().await;
    fake.hold(&named, false);
    assert!(fake.is_wedged(&named));
    let server = client(&fake);
    let said = refused(send(&server, &prompt_in(&agent, &named, 2, "hi")).await.0);
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::NeedsHuman, ErrorClass::Busy)
    );
    assert!(
        said.otid_spent && said.text.contains("restarted"),
        "{}",
        said.text
    );
    // Others go on.
    delivered(
        send(&server, &crate::client::prompt(&agent, 3, "hi"))
            .await
            .0,
    );
    fake.start_again().await;
    delivered(send(&server, &prompt_in(&agent, &named, 4, "hi")).await.0);
    assert_eq!(fake.turns(&id(1)), 1);
}

#[tokio::test]
async fn who_leaves_in_order_ends_its_turns_and_leaves_no_conversation_blocked() {
    let (fake, agent, scope) = scene().await;
    let server = client(&fake);
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    fake.hold("default", true);
    {
        let mut leaving = pin!(send(&server, &outgoing));
        tokio::select! {
            answer = &mut leaving => panic!("{answer:?}"),
            () = fake.wait_for_begun(1) => {}
        }
    }
    server.leave().await;
    drop(server);
    fake.wait_for_quiet().await;
    fake.hold("default", false);
    assert!(!fake.is_wedged("default"));
    let server = client(&fake);
    let lookup = lookup_of(&outgoing, &Clock::system(), SignedDuration::from_mins(1));
    match server.find(&lookup).await {
        Evidence::Found(delivery) => assert_eq!(delivery.turn, Turn::Interrupted),
        other => panic!("{other:?}"),
    }
    delivered(
        send(&server, &crate::client::prompt(&agent, 2, "hi"))
            .await
            .0,
    );
    assert_eq!(fake.count(&scope, &id(1)), 1);
}

#[tokio::test]
async fn who_leaves_without_a_turn_of_its_own_ends_nobodys() {
    let (fake, agent, _) = scene().await;
    let server = client(&fake);
    delivered(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    let other = fake.add_agent();
    fake.hold("default", true);
    fake.input_by_another(&Scope::new(&other, "default"), "theirs", "hi");
    server.leave().await;
    assert_eq!(fake.asked("abort_message"), 0);
}

#[tokio::test]
async fn a_server_that_stands_still_keeps_its_connection_and_finishes_the_turn() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let scope = Scope::new(&agent, "default");
    let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    fake.hold("default", true);
    let answer = {
        let mut sending = pin!(send(&server, &outgoing));
        tokio::select! {
            answer = &mut sending => panic!("{answer:?}"),
            () = fake.wait_for_begun(1) => {}
        }
        fake.freeze(true);
        let step = SignedDuration::from_secs(1);
        let limit = limits::NO_NEWS + limits::QUESTION + limits::SIGN + limits::CONNECT;
        let limit = SignedDuration::try_from(limit).unwrap();
        timing(&clock, step, limit, sending).await.0.0
    };
    assert_eq!(unknown(answer).class, ErrorClass::Timeout);
    fake.freeze(false);
    let lookup = lookup_of(&outgoing, &clock, SignedDuration::from_mins(2));
    assert!(matches!(
        server.find(&lookup).await,
        Evidence::Running { .. }
    ));
    fake.hold("default", false);
    fake.wait_for_quiet().await;
    assert!(matches!(server.find(&lookup).await, Evidence::Found(_)));
    assert!(!fake.is_wedged("default"));
    assert_eq!(fake.count(&scope, &id(1)), 1);
}

#[tokio::test]
async fn after_a_restart_of_the_server_it_is_connected_to_again() {
    let (mut fake, agent, _) = scene().await;
    let server = client(&fake);
    for n in 1..4 {
        delivered(
            send(&server, &crate::client::prompt(&agent, n, "hi"))
                .await
                .0,
        );
        fake.start_again().await;
        server.check().await.unwrap();
    }
}
