//! Who may schedule for whom, and who may reach Letta through us.

use promptyoself::models::AgentId;
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::json;

use super::{Answer, PASSWORD, Reach, Scene, read};

/// What a caller shows.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Nothing,
    Password,
    WrongPassword,
    OperatorKey,
    OwnKey,
    OthersKey,
    RevokedKey,
    /// The agent's own key where SDKs put Letta's password.
    OwnKeyAsBearer,
}

/// Calls a path of the scene's agent, showing this. A key exists afterwards if one is shown.
async fn call(scene: &Scene, shows: Shows, method: &str, path: &str) -> Answer {
    let other = AgentId::parse("agent-other").unwrap();
    let request = scene.served.request(method, path);
    let ours = "x-promptyoself-key";
    read(match shows {
        Shows::Nothing => request,
        Shows::Password => request.bearer_auth(PASSWORD),
        Shows::WrongPassword => request.bearer_auth("wrong"),
        Shows::OperatorKey => request.header(ours, scene.key(None).await),
        Shows::OwnKey => request.header(ours, scene.key(Some(&scene.agent)).await),
        Shows::OthersKey => request.header(ours, scene.key(Some(&other)).await),
        Shows::OwnKeyAsBearer => request.bearer_auth(scene.key(Some(&scene.agent)).await),
        Shows::RevokedKey => {
            let key = scene.key(None).await;
            let keys = scene.world.service.list_keys().await.unwrap();
            let id = keys.last().unwrap().id;
            scene.world.service.revoke_key(id).await.unwrap();
            request.header(ours, key)
        }
    })
    .await
}

#[rstest]
#[case(Shows::Nothing, 401)]
#[case(Shows::Password, 200)]
#[case(Shows::WrongPassword, 401)]
#[case(Shows::OperatorKey, 200)]
#[case(Shows::OwnKey, 200)]
#[case(Shows::OwnKeyAsBearer, 200)]
#[case(Shows::OthersKey, 403)]
#[case(Shows::RevokedKey, 401)]
#[tokio::test]
async fn whoever_letta_knows_or_has_our_key_schedules(
    #[case] shows: Shows,
    #[case] status: u16,
    #[values(Reach::Local, Reach::World)] reach: Reach,
) {
    let scene = Scene::with(reach, Some(PASSWORD)).await;
    // So that the face is on everywhere.
    scene.key(None).await;
    let id = scene
        .world
        .every(scene.agent.as_str(), "tick", "1h")
        .await
        .id;
    let uid = scene
        .world
        .service
        .db
        .get_schedule(id)
        .await
        .unwrap()
        .unwrap()
        .uid;
    let one = format!("{}/{}", scene.schedules(), uid.unwrap());
    for (method, path) in [
        ("GET", scene.schedules()),
        ("GET", one.clone()),
        ("GET", format!("{one}/history")),
        ("DELETE", one.clone()),
    ] {
        let answer = call(&scene, shows, method, &path).await;
        assert_eq!(
            answer.status, status,
            "{shows:?} {method} {path}: {answer:?}"
        );
        if status != 200 {
            assert!(answer.body["detail"].is_string(), "{answer:?}");
            assert!(!answer.body.to_string().contains("tick"));
        }
    }
    assert_eq!(scene.world.active().await == 0, status == 200);
}

#[tokio::test]
async fn an_agent_s_key_reaches_no_schedule_of_another_agent_by_its_own_path() {
    let scene = Scene::new().await;
    let other = scene.fake.add_agent();
    let id = scene.world.every(other.as_str(), "theirs", "1h").await.id;
    let uid = scene
        .world
        .service
        .db
        .get_schedule(id)
        .await
        .unwrap()
        .unwrap()
        .uid;
    let one = format!("{}/{}", scene.schedules(), uid.unwrap());
    for shows in [Shows::OwnKey, Shows::OperatorKey, Shows::Password] {
        for (method, path) in [
            ("GET", one.clone()),
            ("GET", format!("{one}/history")),
            ("DELETE", one.clone()),
        ] {
            let answer = call(&scene, shows, method, &path).await;
            answer.refused(StatusCode::NOT_FOUND, "schedule_not_found");
        }
    }
    assert_eq!(scene.world.active().await, 1);
}

#[tokio::test]
async fn an_agent_that_letta_does_not_show_gets_letta_s_own_answer() {
    let scene = Scene::new().await;
    let path = "/v1/agents/agent-nobody/schedule";
    let answer = scene.call("GET", path, None).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body,
        json!({"detail": "Agent with ID agent-nobody not found"})
    );
    // With our key nobody asks Letta before there is something to make.
    let key = scene.key(None).await;
    let body = json!({
        "messages": [{"role": "user", "content": "hello"}],
        "schedule": {"type": "recurring", "cron_expression": "0 9 * * *"},
    });
    let request = scene.served.request("POST", path).json(&body);
    let answer = read(request.header("x-promptyoself-key", key)).await;
    answer.refused(StatusCode::NOT_FOUND, "agent_unknown");
}

#[tokio::test]
async fn an_agent_that_says_it_is_another_one_is_refused() {
    let scene = Scene::new().await;
    let request = scene.served.request("GET", &scene.schedules());
    let request = request
        .bearer_auth(PASSWORD)
        .header("x-agent-id", "agent-other");
    read(request)
        .await
        .refused(StatusCode::FORBIDDEN, "not_permitted");
}

#[tokio::test]
async fn who_comes_with_letta_s_credentials_has_an_agent_s_budget_and_the_operator_has_none() {
    let mut scene = Scene::new().await;
    scene.world.service.budget.schedules = 1;
    scene.served = super::Served::start(&scene.world, Reach::Local).await;
    let schedule = json!({"type": "recurring", "cron_expression": "0 9 * * *"});
    scene.create(schedule.clone()).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}], "schedule": schedule});
    let over = scene
        .call("POST", &scene.schedules(), Some(body.clone()))
        .await;
    over.refused(StatusCode::TOO_MANY_REQUESTS, "budget_exceeded");
    assert_eq!(over.headers["x-should-retry"], "false");
    let request = scene.served.request("POST", &scene.schedules()).json(&body);
    let made = read(request.header("x-promptyoself-key", scene.key(None).await)).await;
    assert_eq!(made.status, 200, "{made:?}");
}

#[rstest]
// As long as there is no key and nobody comes from elsewhere, it is as open as Letta itself.
#[case(Reach::Local, None, false, Shows::Nothing, 200)]
#[case(Reach::Local, Some(PASSWORD), false, Shows::Password, 200)]
#[case(Reach::Local, Some(PASSWORD), false, Shows::Nothing, 401)]
// From the first key on a Letta that lets everybody in opens nothing.
#[case(Reach::Local, None, true, Shows::Nothing, 403)]
#[case(Reach::Local, None, true, Shows::Password, 403)]
#[case(Reach::World, None, true, Shows::Nothing, 403)]
#[case(Reach::World, None, true, Shows::Password, 403)]
#[case(Reach::World, None, true, Shows::OwnKey, 403)]
#[case(Reach::World, None, true, Shows::OperatorKey, 200)]
#[case(Reach::World, None, true, Shows::RevokedKey, 401)]
// One that asks for a password decides by itself.
#[case(Reach::World, Some(PASSWORD), true, Shows::Nothing, 401)]
#[case(Reach::World, Some(PASSWORD), true, Shows::WrongPassword, 401)]
#[case(Reach::World, Some(PASSWORD), true, Shows::Password, 200)]
#[case(Reach::World, Some(PASSWORD), true, Shows::OperatorKey, 401)]
// So does a name by which it is called from elsewhere.
#[case(Reach::Proxied, None, true, Shows::Nothing, 403)]
#[case(Reach::Proxied, None, false, Shows::Nothing, 403)]
// Without any key it is off where anybody could come from anywhere.
#[case(Reach::World, None, false, Shows::Nothing, 403)]
#[case(Reach::World, Some(PASSWORD), false, Shows::Password, 403)]
#[tokio::test]
async fn nobody_speaks_to_letta_through_us_whom_neither_of_us_knows(
    #[case] reach: Reach,
    #[case] password: Option<&str>,
    #[case] key_exists: bool,
    #[case] shows: Shows,
    #[case] status: u16,
) {
    let scene = Scene::with(reach, password).await;
    if key_exists {
        scene.key(None).await;
    }
    let path = format!("/v1/agents/{}", scene.agent);
    let answer = call(&scene, shows, "GET", &path).await;
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["id"] == scene.agent.as_str(), status == 200);
    if status == 403 {
        let example = answer.body["example"].as_str().unwrap();
        assert!(example.contains("key create"), "{answer:?}");
    }
    // Schedules are no wider open; only an agent's own key opens that much and no more.
    let listed = call(&scene, shows, "GET", &scene.schedules()).await;
    let expected = match shows {
        Shows::OwnKey | Shows::OperatorKey => 200,
        _ => status,
    };
    assert_eq!(listed.status, expected, "{listed:?}");
}

#[tokio::test]
async fn a_letta_that_has_just_lost_its_password_is_noticed_within_a_minute() {
    let scene = Scene::with(Reach::World, Some(PASSWORD)).await;
    scene.key(None).await;
    let path = format!("/v1/agents/{}", scene.agent);
    assert_eq!(
        call(&scene, Shows::Password, "GET", &path).await.status,
        200
    );
    scene.fake.set_password(None);
    scene.world.advance(61);
    assert_eq!(
        call(&scene, Shows::Password, "GET", &path).await.status,
        403
    );
}
