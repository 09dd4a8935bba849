//! Checking a server and listing its agents.

use promptyoself::clock::Clock;
use promptyoself::letta_client::{ErrorClass, Letta, RefusalKind, Rest, Target};
use promptyoself::models::AgentId;
use secrecy::SecretString;

use super::{client, fake, settings};
use crate::fake_letta::FakeLetta;

#[tokio::test]
async fn a_well_server_tells_its_version() {
    let (_fake, letta, _) = fake().await;
    assert_eq!(
        letta.check().await.unwrap().version.as_deref(),
        Some("0.16.8")
    );
}

#[tokio::test]
async fn a_wrong_password_is_the_targets_trouble_and_is_never_shown() {
    let (fake, _, agent) = fake().await;
    let wrong = super::RestSettings {
        api_key: Some(SecretString::from("hunter2".to_owned())),
        ..settings(&fake.url())
    };
    let careless = settings("http://me:hunter2@host");
    assert!(!format!("{careless:?} {wrong:?}").contains("hunter2"));
    let letta = Rest::new(wrong, Clock::system()).unwrap();
    let said = letta.check().await.unwrap_err();
    assert_eq!(said.class, ErrorClass::Unauthorized);
    assert_eq!(said.kind, RefusalKind::TargetTrouble);
    let sent = super::refused(super::send(&letta, &super::prompt(&agent, 1, "hi")).await.0);
    assert_eq!((sent.kind, sent.class), (said.kind, said.class));
    let shown = format!("{letta:?} {said:?} {sent:?} {}", letta.address());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let (mut fake, letta, agent) = fake().await;
    fake.stop();
    for refusal in [
        letta.check().await.unwrap_err(),
        letta.list_agents().await.unwrap_err(),
        super::refused(super::send(&letta, &super::prompt(&agent, 1, "hi")).await.0),
    ] {
        assert_eq!(refusal.class, ErrorClass::Unreachable);
        assert_eq!(refusal.kind, RefusalKind::TargetTrouble);
    }
    fake.start_again().await;
    letta.check().await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_unreachable_by_https() {
    let (fake, _, agent) = fake().await;
    let letta = client(&fake.url().replace("http:", "https:"));
    let said = super::refused(super::send(&letta, &super::prompt(&agent, 1, "hi")).await.0);
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unreachable)
    );
}

#[tokio::test]
async fn a_server_that_says_it_is_not_well_is_unhealthy() {
    let (fake, letta, _) = fake().await;
    fake.set_healthy(false);
    let said = letta.check().await.unwrap_err();
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unhealthy)
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_of_its_health_is_judged_by_its_agents() {
    let (fake, letta, _) = fake().await;
    fake.lacks("/v1/health/");
    assert_eq!(letta.check().await.unwrap().version, None);
}

#[tokio::test]
async fn another_server_in_lettas_place_is_told_as_that() {
    let (fake, letta, agent) = fake().await;
    fake.lacks("/v1/");
    let sent = super::refused(super::send(&letta, &super::prompt(&agent, 1, "hi")).await.0);
    for refusal in [
        letta.check().await.unwrap_err(),
        letta.list_agents().await.unwrap_err(),
        letta.get_agent(&agent).await.unwrap_err(),
        sent,
    ] {
        assert_eq!(refusal.class, ErrorClass::WrongServer);
        assert_eq!(refusal.kind, RefusalKind::TargetTrouble);
    }
}

#[tokio::test]
async fn an_app_server_is_named() {
    let fake = FakeLetta::start().await;
    fake.lacks("/v1/");
    fake.set_app_server(true);
    let said = client(&fake.url()).check().await.unwrap_err();
    assert_eq!(said.class, ErrorClass::WrongServer);
    assert!(said.text.contains("App Server"), "{}", said.text);
}

#[tokio::test]
async fn every_agent_is_listed_once_however_many_there_are() {
    let fake = FakeLetta::start().await;
    let letta = client(&fake.url());
    assert!(letta.list_agents().await.unwrap().is_empty());
    for total in [99, 100, 101, 250, 300] {
        while fake.agents() < total {
            fake.add_agent();
        }
        let listed = letta.list_agents().await.unwrap();
        let mut ids: Vec<_> = listed.iter().map(|a| a.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), listed.len()), (total, total));
    }
}

#[tokio::test]
async fn a_cursor_that_the_server_does_not_know_ends_the_list_instead_of_looping() {
    let fake = FakeLetta::start().await;
    for _ in 0..150 {
        fake.add_agent();
    }
    fake.forget_cursors();
    assert_eq!(client(&fake.url()).list_agents().await.unwrap().len(), 100);
}

#[tokio::test]
async fn an_agent_is_told_with_its_name_and_an_unknown_one_is_permanent() {
    let (_fake, letta, agent) = fake().await;
    let known = letta.get_agent(&agent).await.unwrap();
    assert_eq!(known.id, agent.as_str());
    assert!(known.name.is_some());
    let other = AgentId::parse("agent-00000000-0000-4000-8000-999999999999").unwrap();
    let unknown = letta.get_agent(&other).await.unwrap_err();
    assert_eq!(
        (unknown.kind, unknown.class),
        (RefusalKind::Permanent, ErrorClass::AgentUnknown)
    );
}

#[tokio::test]
async fn a_lane_is_one_agent_of_one_target() {
    let (_fake, letta, agent) = fake().await;
    assert_eq!(
        letta.lane(&letta.recipient(agent.clone())).as_str(),
        format!("letta/{agent}")
    );
}
