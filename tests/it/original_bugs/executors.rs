//! What was sent twice, late or by mistake: several executors, restarts, slow agents.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::{Answer, World};

fn state_is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |history| history["occurrences"][0]["state"] == state
}

/// A world whose Letta has no Redis: it neither locks nor remembers otids, so that nothing but the
/// scheduler keeps a prompt from being taken twice.
async fn world_without_redis() -> World {
    let world = World::new().await;
    world.letta.set_redis(false);
    world
}

fn texts(world: &World) -> Vec<String> {
    world.letta.received().into_iter().map(|r| r.text).collect()
}

/// Many one-shots that are due, of several agents, as another program writes them.
async fn many_due(world: &World, agents: &[String], n: usize) {
    world.run(&["list"]).succeeded();
    let agents = agents.join("','");
    world
        .sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}), \
             a(agent, at) AS (SELECT value, key FROM json_each(json_array('{agents}'))) \
             INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, active) \
             SELECT agent, 'prompt ' || i, 'once', now, now, 1 FROM n, \
             (SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 seconds') AS now) \
             JOIN a ON a.at = i % (SELECT count(*) FROM a)"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_executors_deliver_each_prompt_once() {
    const PROMPTS: usize = 60;
    let world = world_without_redis().await;
    let agents: Vec<String> = (0..6)
        .map(|_| world.letta.add_agent().to_string())
        .collect();
    many_due(&world, &agents, PROMPTS).await;
    let first = world.start(&["serve"], &[]);
    let second = world.start(&["execute", "--loop", "--interval", "1"], &[]);
    world.run(&["execute"]).succeeded();
    world.letta.wait_for_ended(PROMPTS).await;
    let limit = ["history", "--limit", "100"];
    let all_delivered = |history: &Value| {
        let rows = history["occurrences"].as_array().unwrap();
        rows.len() == PROMPTS && rows.iter().all(|o| o["state"] == "delivered")
    };
    world.wait_until(&limit, all_delivered);
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    first.stop();
    second.stop();
    let received = texts(&world);
    assert_eq!(received.len(), PROMPTS);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>().len(), PROMPTS);
    assert_eq!(world.letta.overlaps(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_make_the_database_together_all_succeed() {
    for _ in 0..5 {
        let world = World::new().await;
        let together: Vec<_> = (0..4).map(|_| world.command(&["list"]).spawn()).collect();
        for child in together {
            Answer::read(child.unwrap().wait_with_output().unwrap()).succeeded();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_leaves_one_executor() {
    let world = world_without_redis().await;
    let first = world.start(&["serve"], &[]);
    let only = |pid: u32| {
        move |answer: &Value| {
            let schedulers = answer["schedulers"].as_array();
            schedulers.is_some_and(|s| s.len() == 1 && s[0]["pid"] == pid)
        }
    };
    world.wait_until(&["test"], only(first.pid()));
    first.stop();
    let mut second = world.start(&["serve"], &[]);
    world.wait_until(&["test"], only(second.pid()));
    // Nor does one that was killed count as one.
    second.kill();
    let none = world.run(&["test"]).succeeded();
    assert_eq!(none["schedulers"], json!([]));
    assert!(
        none["warning"]
            .as_str()
            .unwrap()
            .contains("no scheduler is running")
    );
    let third = world.start(&["serve"], &[]);
    world.wait_until(&["test"], only(third.pid()));
    world.register_due(&world.agent, "p", 1).await;
    world.letta.wait_for_ended(1).await;
    third.stop();
    assert_eq!(texts(&world), ["p"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_slower_than_every_timeout_gets_the_prompt_once() {
    let world = world_without_redis().await;
    let id = world.register_due(&world.agent, "think hard", 1).await;
    let history = ["history", "--id", &id.to_string()].map(str::to_owned);
    let history = history.each_ref().map(String::as_str);
    world.letta.hold(&world.agent);
    let serve = world.start(&["serve"], &[("PROMPTYOSELF_IDLE_TIMEOUT", "0.2")]);
    // The wait for the turn has timed out. The scheduler looks again; it does not send again.
    world.wait_until(&history, state_is("unknown"));
    let run = format!("/v1/runs/{}", world.letta.received()[0].run_id);
    world.letta.wait_for_asked(&run, 2).await;
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    assert_eq!(texts(&world), ["think hard"]);
    world.letta.release(&world.agent);
    let delivered = world.wait_until(&history, state_is("delivered"));
    assert_eq!(
        delivered["occurrences"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    serve.stop();
    assert_eq!(texts(&world), ["think hard"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_sending_and_settling_never_sends_again_what_arrived() {
    let world = world_without_redis().await;
    let id = world.register_due(&world.agent, "p", 1).await.to_string();
    world.letta.hold(&world.agent);
    let mut first = world.start(&["serve"], &[]);
    world.letta.wait_for(1).await;
    first.kill();
    let second = world.start(&["serve"], &[]);
    let history = ["history", "--id", &id];
    world.wait_until(&history, state_is("unknown"));
    world.letta.release(&world.agent);
    let delivered = world.wait_until(&history, state_is("delivered"));
    assert_eq!(
        delivered["occurrences"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    second.stop();
    assert_eq!(texts(&world), ["p"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_agent_holds_up_nobody_else() {
    let world = world_without_redis().await;
    let (b, c) = (world.letta.add_agent(), world.letta.add_agent());
    world.letta.hold(&world.agent);
    for (agent, prompt, seconds) in [(&world.agent, "slow", 3), (&b, "b", 2), (&c, "c", 1)] {
        world.register_due(agent, prompt, seconds).await;
    }
    let serve = world.start(&["serve"], &[]);
    world.letta.wait_for(3).await;
    world.letta.wait_for_ended(2).await;
    let slow = world
        .letta
        .received()
        .into_iter()
        .find(|r| r.text == "slow");
    assert!(slow.unwrap().ended.is_none());
    world.letta.release(&world.agent);
    world.letta.wait_for_ended(3).await;
    serve.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_during_a_batch_keeps_what_is_not_yet_sent_from_being_sent() {
    let world = world_without_redis().await;
    let mut ids = Vec::new();
    for (prompt, seconds) in [("first", 3), ("second", 2), ("third", 1)] {
        ids.push(
            world
                .register_due(&world.agent, prompt, seconds)
                .await
                .to_string(),
        );
    }
    world.letta.hold(&world.agent);
    let serve = world.start(&["serve"], &[]);
    world.letta.wait_for(1).await;
    world.run(&["cancel", "--id", &ids[1]]).succeeded();
    world.letta.release(&world.agent);
    world.letta.wait_for_ended(2).await;
    assert_eq!(texts(&world), ["first", "third"]);
    world.wait_until(&["history", "--id", &ids[1]], state_is("cancelled"));
    world.wait_until(&["history", "--id", &ids[2]], state_is("delivered"));
    serve.stop();
    assert_eq!(texts(&world), ["first", "third"]);
}
