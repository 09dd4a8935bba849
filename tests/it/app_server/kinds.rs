//! Which kind of server an address leads to.

use promptyoself::clock::Clock;
use promptyoself::letta_client::{AnyLetta, ErrorClass, Letta, Target};
use uuid::Uuid;

use super::{delivered, scene, send, settings};
use crate::client::recipient;
use crate::fake_app_server::FakeAppServer;
use crate::fake_letta::FakeLetta;

fn any(url: &str, key: Option<&str>) -> AnyLetta {
    AnyLetta::new(settings(url, key), None, Clock::system()).unwrap()
}

#[tokio::test]
async fn an_app_server_is_recognised_by_either_of_its_addresses() {
    let (fake, agent, _) = scene().await;
    for (n, url) in (1..).zip([fake.url(), fake.ws_url(), format!("{}/ws", fake.ws_url())]) {
        let letta = any(&url, None);
        _ = letta.check().await;
        assert_eq!(
            letta.lane(&recipient(&agent), Uuid::nil()).as_str(),
            "letta/default",
            "{url}"
        );
        assert_eq!(letta.address(), fake.url());
        assert_eq!(letta.list_agents().await.unwrap().len(), 1);
        delivered(
            send(&letta, &crate::client::prompt(&agent, n, "hi"))
                .await
                .0,
        );
    }
}

#[tokio::test]
async fn one_that_asks_for_a_token_is_recognised_without_it() {
    let (fake, agent, _) = scene().await;
    fake.set_token(Some("right"));
    let letta = any(&fake.url(), Some("wrong"));
    assert_eq!(
        letta.check().await.unwrap_err().class,
        ErrorClass::Unauthorized
    );
    assert_eq!(
        letta.lane(&recipient(&agent), Uuid::nil()).as_str(),
        "letta/default"
    );
}

#[tokio::test]
async fn a_v1_server_is_asked_once_what_it_is() {
    let fake = FakeLetta::start().await;
    let agent = fake.add_agent();
    let letta = any(&fake.url(), Some("pw-test"));
    _ = letta.check().await;
    for n in 1..4 {
        delivered(
            send(&letta, &crate::client::prompt(&agent, n, "hi"))
                .await
                .0,
        );
    }
    assert_eq!(
        letta.lane(&recipient(&agent), Uuid::nil()).as_str(),
        format!("letta/{agent}")
    );
    // Before the first talk, and by that.
    assert!(fake.asked("/app-server-info") <= 2);
}

#[tokio::test]
async fn what_took_another_servers_place_is_recognised() {
    let mut v1 = FakeLetta::start().await;
    let agent = v1.add_agent();
    let letta = any(&v1.url(), Some("pw-test"));
    letta.check().await.unwrap();
    let _app_server = FakeAppServer::start_on(v1.leave().await).await;
    assert_eq!(
        letta.check().await.unwrap_err().class,
        ErrorClass::WrongServer
    );
    letta.check().await.unwrap();
    assert_eq!(
        letta.lane(&recipient(&agent), Uuid::nil()).as_str(),
        "letta/default"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_asked_again_later() {
    let (mut fake, agent, _) = scene().await;
    fake.kill();
    let letta = any(&fake.url(), None);
    assert_eq!(
        letta.check().await.unwrap_err().class,
        ErrorClass::Unreachable
    );
    fake.start_again().await;
    letta.check().await.unwrap();
    delivered(
        send(&letta, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
}

/// A V1 server that refuses our key refuses every route, that of an App Server among them.
#[tokio::test]
async fn a_v1_server_that_refuses_the_key_is_not_taken_for_an_app_server() {
    let fake = FakeLetta::start_with(crate::fake_letta::Options {
        password: Some("another".into()),
        ..Default::default()
    })
    .await;
    let agent = fake.add_agent();
    let letta = AnyLetta::new(settings(&fake.url(), None), None, Clock::system()).unwrap();
    let refusal = letta.check().await.unwrap_err();
    assert_eq!(refusal.class, ErrorClass::Unauthorized);
    let lane = letta.lane(&recipient(&agent), Uuid::nil());
    assert_eq!(lane.as_str(), format!("letta/{agent}"));
}
