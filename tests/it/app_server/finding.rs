//! What is found out about a prompt whose fate is unknown.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{AppServer, ErrorClass, Evidence, Outgoing, RefusalKind, Target};
use promptyoself::models::{AgentId, Answer, Turn};
use rstest::rstest;

use super::{client, delivered, id, lookup_of, prompt_in, scene, send, settings, unknown};
use crate::fake_app_server::{FakeAppServer, Script};

/// Looks for a prompt that was sent a minute ago, until no turn goes on.
async fn find(fake: &FakeAppServer, server: &AppServer, outgoing: &Outgoing) -> Evidence {
    for _ in 0..10 {
        let lookup = lookup_of(outgoing, &Clock::system(), SignedDuration::from_mins(1));
        match server.find(&lookup).await {
            Evidence::Running { .. } => fake.wait_for_quiet().await,
            evidence => return evidence,
        }
    }
    panic!("a turn goes on for ever");
}

#[rstest]
#[tokio::test]
async fn wherever_the_connection_ends_a_prompt_is_run_once_and_found(
    #[values(false, true)] observed: bool,
) {
    let mut heard = 0;
    for cut in 0..14 {
        let (fake, agent, scope) = scene().await;
        if observed {
            fake.observe(&scope);
        }
        let server = client(&fake);
        fake.script(
            "default",
            match cut {
                0 => Script::CutBefore,
                n => Script::CutAfter(n),
            },
        );
        let outgoing = crate::client::prompt(&agent, 1, "hi");
        match send(&server, &outgoing).await.0 {
            Answer::Delivered(delivery) => {
                heard += 1;
                assert_eq!(delivery.turn, Turn::Ok, "{cut}");
            }
            Answer::Unknown(doubt) => {
                assert_eq!(doubt.class, ErrorClass::Cut, "{cut}: {}", doubt.text);
                match (cut, find(&fake, &server, &outgoing).await) {
                    // It may be sent again under the same id.
                    (0, Evidence::Absent { failed: None }) => {
                        delivered(send(&server, &outgoing).await.0);
                    }
                    (1.., Evidence::Found(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
            Answer::Refused(refusal) => panic!("{cut}: {}", refusal.text),
        }
        fake.wait_for_quiet().await;
        assert_eq!(fake.turns(&id(1)), 1, "{cut}");
        assert_eq!(fake.count(&scope, &id(1)), 1, "{cut}");
        assert!(!(observed && fake.is_wedged("default")));
    }
    assert!(heard > 0 && heard < 13, "{heard}");
}

/// Kills a server in the middle of a prompt's turn, and starts it again.
async fn kill_mid_turn(fake: &mut FakeAppServer, server: &AppServer, agent: &AgentId) -> Outgoing {
    fake.hold("default", true);
    let outgoing = crate::client::prompt(agent, 1, "hi");
    let begun = fake.begun().len();
    let answer = {
        let sending = send(server, &outgoing);
        tokio::pin!(sending);
        tokio::select! {
            answer = &mut sending => panic!("{answer:?}"),
            () = fake.wait_for_begun(begun + 1) => {}
        }
        fake.kill();
        sending.await.0
    };
    unknown(answer);
    fake.start_again().await;
    outgoing
}

#[tokio::test]
async fn a_server_that_was_killed_runs_a_prompt_again_and_its_end_is_heard() {
    let (mut fake, agent, scope) = scene().await;
    let server = client(&fake);
    let outgoing = kill_mid_turn(&mut fake, &server, &agent).await;
    let lookup = lookup_of(&outgoing, &Clock::system(), SignedDuration::from_mins(1));
    assert_eq!(fake.begun().len(), 1);
    // It is this question that makes the server go on.
    assert!(matches!(
        server.find(&lookup).await,
        Evidence::Running { .. }
    ));
    fake.wait_for_begun(2).await;
    assert!(matches!(
        server.find(&lookup).await,
        Evidence::Running { .. }
    ));
    fake.hold("default", false);
    match find(&fake, &server, &outgoing).await {
        Evidence::Found(delivery) => {
            assert_eq!(
                (delivery.turn, delivery.reply.as_deref()),
                (Turn::Ok, Some("fake: hi"))
            );
        }
        other => panic!("{other:?}"),
    }
    // That the server has stored it twice is the server's own doing: it was sent once.
    assert_eq!((fake.count(&scope, &id(1)), fake.asked("input")), (2, 1));
}

#[tokio::test]
async fn a_prompt_that_is_sent_again_after_a_restart_is_not_run_twice() {
    let (mut fake, agent, _) = scene().await;
    let server = client(&fake);
    let outgoing = kill_mid_turn(&mut fake, &server, &agent).await;
    fake.hold("default", false);
    assert!(matches!(
        find(&fake, &server, &outgoing).await,
        Evidence::Found(_)
    ));
    delivered(send(&client(&fake), &outgoing).await.0);
    assert_eq!(fake.turns(&id(1)), 2);
}

#[tokio::test]
async fn absence_proves_nothing_at_first_and_allows_a_second_sending_while_ids_are_remembered() {
    let (fake, agent, _) = scene().await;
    let server = client(&fake);
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let evidence = async |age| {
        server
            .find(&lookup_of(&outgoing, &Clock::system(), age))
            .await
    };
    let after = |seconds| SignedDuration::from_secs(seconds);
    assert!(matches!(evidence(after(5)).await, Evidence::Unclear { .. }));
    assert_eq!(evidence(after(31)).await, Evidence::Absent { failed: None });
    assert_eq!(
        evidence(after(39 * 60)).await,
        Evidence::Absent { failed: None }
    );
    assert!(matches!(
        evidence(after(41 * 60)).await,
        Evidence::Unclear { .. }
    ));
}

#[tokio::test]
async fn while_anybodys_turn_goes_on_nothing_is_concluded() {
    let (fake, agent, scope) = scene().await;
    fake.hold("default", true);
    fake.input_by_another(&scope, "theirs", "hi");
    let server = client(&fake);
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let lookup = lookup_of(&outgoing, &Clock::system(), SignedDuration::from_mins(1));
    assert_eq!(
        server.find(&lookup).await,
        Evidence::Running { run_id: None }
    );
    fake.hold("default", false);
    fake.wait_for_quiet().await;
    assert_eq!(
        server.find(&lookup).await,
        Evidence::Absent { failed: None }
    );
}

#[tokio::test]
async fn every_otid_of_a_prompt_is_looked_for_however_much_was_said_since() {
    let (fake, agent, scope) = scene().await;
    let server = client(&fake);
    delivered(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    for n in 0..200 {
        fake.input_by_another(&scope, &format!("theirs-{n}"), "more");
        fake.wait_for_quiet().await;
    }
    let mut lookup = lookup_of(
        &crate::client::prompt(&agent, 1, "hi"),
        &Clock::system(),
        SignedDuration::from_mins(1),
    );
    lookup.otids.push(uuid::Uuid::from_u128(9));
    match server.find(&lookup).await {
        Evidence::Found(delivery) => {
            assert_eq!(delivery.reply.as_deref(), Some("fake: hi"));
            // Nobody of us has heard it end.
            assert_eq!(delivery.turn, Turn::Interrupted);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_prompt_for_an_agent_that_is_gone_is_refused_for_good() {
    let (fake, _, _) = scene().await;
    let nobody = AgentId::parse("agent-local-none").unwrap();
    let outgoing = prompt_in(&nobody, "default", 1, "hi");
    let lookup = lookup_of(&outgoing, &Clock::system(), SignedDuration::from_mins(1));
    match client(&fake).find(&lookup).await {
        Evidence::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::Permanent);
            assert_eq!(refusal.class, ErrorClass::AgentUnknown);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_its_own_trouble() {
    let (mut fake, agent, _) = scene().await;
    fake.kill();
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let server = AppServer::new(settings(&fake.url(), None), Clock::system()).unwrap();
    let lookup = lookup_of(&outgoing, &Clock::system(), SignedDuration::from_mins(1));
    match server.find(&lookup).await {
        Evidence::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::TargetTrouble);
            assert_eq!(refusal.class, ErrorClass::Unreachable);
        }
        other => panic!("{other:?}"),
    }
}
