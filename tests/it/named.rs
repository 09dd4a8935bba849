//! A schedule is found by its name as well as by its id, on every face that takes an id.

use promptyoself::error::Code;
use promptyoself::service::Which;
use reqwest::Method;
use serde_json::{Value, json};

use crate::mcp::raw::Raw;
use crate::program;
use crate::rest::api::Api;
use crate::world::{World, known_agent};

fn named(name: &str) -> Which {
    Which::Name(name.to_owned())
}

async fn make(world: &World, agent: &str, name: &str) -> i64 {
    let mut asked = world.wish(
        agent,
        "tick",
        promptyoself::models::ScheduleType::Interval,
        "1h",
    );
    asked.name = Some(name.to_owned());
    world.service.register(&asked).await.unwrap().id
}

#[tokio::test]
async fn a_name_is_that_of_the_live_schedule_or_of_the_last_that_had_it() {
    let world = World::new().await;
    let first = make(&world, "agent-a", "tea").await;
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), first);
    world.service.cancel(first).await.unwrap();
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), first);
    let second = make(&world, "agent-a", "tea").await;
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), second);
    world.service.pause(second, None).await.unwrap();
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), second);
    world.service.cancel(second).await.unwrap();
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), second);
    let error = world.service.id_of(&named("coffee")).await.unwrap_err();
    assert_eq!(error.code(), Code::ScheduleNotFound);
    let error = world.service.id_of(&named("no. 5")).await.unwrap_err();
    assert_eq!(error.corrected().as_deref(), Some("--id 5"));
}

#[tokio::test]
async fn an_agent_finds_its_own_and_the_operator_is_told_the_ids_of_several() {
    let world = World::new().await;
    let of_a = make(&world, "agent-a", "tea").await;
    let of_b = make(&world, "agent-b", "tea").await;
    for (agent, id) in [("agent-a", of_a), ("agent-b", of_b)] {
        let caller = known_agent(agent);
        let service = world.service.for_caller(caller);
        assert_eq!(service.id_of(&named("tea")).await.unwrap(), id);
    }
    let other = known_agent("agent-c");
    let hidden = world.service.for_caller(other).id_of(&named("tea")).await;
    assert_eq!(hidden.unwrap_err().code(), Code::ScheduleNotFound);
    let error = world.service.id_of(&named("tea")).await.unwrap_err();
    assert_eq!(error.code(), Code::NameAmbiguous);
    let told = format!("{of_a} of agent-a, {of_b} of agent-b");
    assert!(error.to_string().contains(&told), "{error}");
    // Of the two, only one is live.
    world.service.cancel(of_a).await.unwrap();
    assert_eq!(world.service.id_of(&named("tea")).await.unwrap(), of_b);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_on_one_schedule_takes_its_name() {
    let world = program::World::new().await;
    let id = world.register("p", &["--every", "1h", "--name", "Ada's tea"]);
    // Figures are an id, whatever is called like that.
    let five = world.register("p", &["--every", "2h", "--name", "1"]);
    assert_ne!(five, 1);
    for argv in [
        &["show", "Ada's tea"][..],
        &["show", "--id", "Ada's tea"],
        &["update", "Ada's tea", "--prompt", "q"],
        &["pause", "Ada's tea"],
        &["resume", "--id", "Ada's tea"],
        &["run", "Ada's tea"],
        &["history", "--id", "Ada's tea"],
        &["history", "--changes", "--id", "Ada's tea"],
        &["cancel", "Ada's tea"],
    ] {
        world.run(argv).succeeded();
    }
    let shown = world.run(&["show", "1"]).succeeded();
    assert_eq!(shown["schedule"]["id"], 1);
    assert_eq!(shown["schedule"]["lifecycle"], "cancelled");
    assert_eq!(id, 1);
    let ran = world.run(&["history", "--id", "Ada's tea"]).succeeded();
    assert_eq!(ran["occurrences"][0]["schedule_id"], 1);
    for argv in [&["show", "coffee"][..], &["history", "--id", "coffee"]] {
        assert_eq!(world.run(argv).code(), "schedule_not_found", "{argv:?}");
    }
    for wrong in ["5.5", "0", "1e3", " "] {
        assert_eq!(
            world.run(&["show", "--id", wrong]).code(),
            "id_invalid",
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_take_a_name_as_the_id_of_a_schedule() {
    let world = program::World::new().await;
    let id = world.register("p", &["--every", "1h", "--name", "tea"]);
    let mut raw = Raw::start(&world);
    for (tool, more) in [
        ("promptyoself_get", json!({})),
        ("promptyoself_update", json!({ "prompt": "q" })),
        ("promptyoself_pause", json!({ "until": "in 3 days" })),
        ("promptyoself_resume", json!({})),
        ("promptyoself_run_now", json!({})),
        ("promptyoself_history", json!({})),
        ("promptyoself_cancel", json!({})),
    ] {
        let mut arguments = more;
        arguments["schedule_id"] = json!("tea");
        let params = json!({ "name": tool, "arguments": arguments });
        let answer = raw.ask("tools/call", params)["result"]["structuredContent"].take();
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
    }
    let shown = world.run(&["show", &id.to_string()]).succeeded();
    assert_eq!(shown["schedule"]["lifecycle"], "cancelled");
}

#[tokio::test]
async fn a_name_in_a_path_is_found_within_what_the_caller_may_see() {
    let api = Api::new().await;
    let body =
        json!({ "agent_id": "agent-a", "prompt": "p", "every": "1h", "name": "Ada's tea/coffee" });
    let made = api.post("/api/v1/schedules", body).await.is(201);
    let path = "/api/v1/schedules/Ada%27s%20tea%2Fcoffee";
    let shown = api.get(path).await.is(200);
    assert_eq!(shown["schedule"]["id"], made["id"]);
    let paused = api
        .post(&format!("{path}/pause"), json!({ "until": "in 3 days" }))
        .await
        .is(200);
    assert_eq!(paused["paused_id"], made["id"]);
    for list in ["occurrences", "changes", "account"] {
        let path = format!("/api/v1/{list}?schedule_id=Ada%27s%20tea%2Fcoffee");
        let of_one = api.get(&path).await.is(200);
        let all = api
            .get(&format!("/api/v1/{list}?schedule_id={}", made["id"]))
            .await
            .is(200);
        assert_eq!(of_one["count"], all["count"], "{list}");
        let path = format!("/api/v1/{list}?schedule_id=coffee");
        api.get(&path).await.is_problem(404, Code::ScheduleNotFound);
    }
    let key = api.key(Some("agent-b")).await;
    let asked = api.request(Method::GET, path).bearer_auth(key);
    crate::rest::api::send(asked)
        .await
        .is_problem(404, Code::ScheduleNotFound);
    let key = api.key(None).await;
    let asked = api.request(Method::DELETE, path).bearer_auth(key);
    let cancelled: Value = crate::rest::api::send(asked).await.is(200);
    assert_eq!(cancelled["cancelled_id"], made["id"]);
}
