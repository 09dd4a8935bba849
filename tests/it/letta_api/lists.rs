//! Lists of schedules, a page at a time.

use promptyoself::models::ScheduleType;
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Answer, Scene, millis};

fn ids(page: &Answer) -> Vec<String> {
    let list = page.body["scheduled_messages"].as_array().unwrap();
    let id = |m: &Value| m["id"].as_str().unwrap().to_owned();
    list.iter().map(id).collect()
}

#[tokio::test]
async fn pages_show_every_schedule_once_whatever_ends_meanwhile() {
    let scene = Scene::new().await;
    let mut all = Vec::new();
    for n in 1..=5 {
        all.push(scene.create(json!({"scheduled_at": millis(60 * n)})).await);
    }
    let first = scene
        .call("GET", &format!("{}?limit=2", scene.schedules()), None)
        .await;
    assert_eq!(
        (ids(&first), &first.body["has_next_page"]),
        (all[..2].to_vec(), &json!(true))
    );
    // The last one of the page still marks its place when it is gone.
    scene
        .call("DELETE", &format!("{}/{}", scene.schedules(), all[1]), None)
        .await;
    let path = format!("{}?limit=2&after={}", scene.schedules(), all[1]);
    let second = scene.call("GET", &path, None).await;
    assert_eq!(
        (ids(&second), &second.body["has_next_page"]),
        (all[2..4].to_vec(), &json!(true))
    );
    let path = format!("{}?limit=2&after={}", scene.schedules(), all[3]);
    let third = scene.call("GET", &path, None).await;
    assert_eq!(
        (ids(&third), &third.body["has_next_page"]),
        (all[4..].to_vec(), &json!(false))
    );
}

#[rstest]
#[case("limit=0", "limit")]
#[case("limit=many", "limit")]
#[case("limit=-1", "limit")]
#[tokio::test]
async fn an_invalid_page_is_refused(#[case] query: &str, #[case] says: &str) {
    let scene = Scene::new().await;
    let answer = scene
        .call("GET", &format!("{}?{query}", scene.schedules()), None)
        .await;
    let text = answer.refused(StatusCode::BAD_REQUEST, "request_invalid");
    assert!(text.contains(says), "{text}");
}

#[tokio::test]
async fn an_unknown_mark_is_refused_since_the_first_page_again_would_make_callers_go_round() {
    let scene = Scene::new().await;
    let other = scene.fake.add_agent();
    let id = scene.create(json!({"scheduled_at": millis(60)})).await;
    for (agent, after) in [
        (&scene.agent, "nonsense"),
        (&scene.agent, "00000000-0000-4000-8000-000000000000"),
        (&other, &id),
    ] {
        let path = format!("/v1/agents/{agent}/schedule?after={after}");
        let answer = scene.call("GET", &path, None).await;
        answer.refused(StatusCode::BAD_REQUEST, "id_invalid");
    }
}

#[tokio::test]
async fn what_another_face_scheduled_is_listed_too() {
    let scene = Scene::new().await;
    let agent = scene.agent.as_str();
    scene.world.every(agent, "tick", "30m").await;
    let cron = scene
        .world
        .register(agent, "tock", ScheduleType::Cron, "@daily")
        .await;
    scene.world.service.pause(cron.id, None).await.unwrap();
    let list = scene.call("GET", &scene.schedules(), None).await;
    let list = list.body["scheduled_messages"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    let messages = json!({"messages": [{"role": "user", "content": "tick"}]});
    assert_eq!(list[0]["message"], messages);
    assert_eq!(list[0]["schedule"]["cron_expression"], "@every 30m");
    assert_eq!(list[1]["schedule"]["cron_expression"], "@daily");
    // Paused, so there is no next time.
    assert_eq!(list[1]["next_scheduled_time"], Value::Null);
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_refused_with_those_it_has() {
    let scene = Scene::new().await;
    for (path, method, allowed) in [
        (scene.schedules(), "DELETE", "GET, HEAD, POST"),
        (
            format!("{}/x", scene.schedules()),
            "PATCH",
            "GET, HEAD, DELETE",
        ),
        (
            format!("{}/x/history", scene.schedules()),
            "POST",
            "GET, HEAD",
        ),
    ] {
        let answer = scene.call(method, &path, None).await;
        assert_eq!(
            (answer.status, &answer.headers["allow"]),
            (405, &allowed.parse().unwrap())
        );
        assert!(answer.body["detail"].is_string());
    }
    assert_eq!(scene.fake.asked_in_all(), 0);
}
