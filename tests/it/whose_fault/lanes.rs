//! One agent's trouble is not the server's, and trouble that many agents share is not theirs.

use std::time::Duration;

use jiff::SignedDuration;
use promptyoself::models::{IncidentKind, State};
use serde_json::json;

use super::{Stage, page};
use crate::fake_letta::{Script, ShownRuns};

/// Every answer of something between us and the server that may be a rule against one agent.
const RULES: [u16; 14] = [
    301, 307, 400, 401, 402, 403, 404, 405, 407, 421, 426, 429, 451, 410,
];

#[tokio::test]
async fn a_rule_against_one_agent_makes_it_back_off_grow_old_and_be_told_while_others_go_on() {
    for status in RULES {
        eprintln!("{status}");
        let mut stage = Stage::new(true, 2).await;
        stage.world.settings.max_age = SignedDuration::from_mins(20);
        let (a, b) = (stage.agents[0].clone(), stage.agents[1].clone());
        stage.letta.set_rule(&a, Some(page(status)));
        stage.world.once(a.as_str(), "never", 5).await;
        stage.world.every(b.as_str(), "work on", "1m").await;
        let running = stage.world.start();
        stage.pass(SignedDuration::from_mins(10)).await;
        let held = stage.world.service.db.list_held_targets().await.unwrap();
        assert!(held.is_empty(), "{status}: {held:?}");
        let told = stage.incidents().await;
        let expected = match status {
            429 => vec![],
            _ => vec![IncidentKind::NeedsHuman],
        };
        let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, expected, "{status}: {told:?}");
        stage
            .until(|all| all.iter().any(|o| o.state == State::Dead))
            .await;
        let of_a = stage.of(&a).await;
        let error = of_a[0].error.clone().unwrap_or_default();
        assert!(error.starts_with("expired: "), "{status}: {error}");
        let tries = stage.tries(&of_a[0]).await;
        assert!((4..=12).contains(&tries), "{status}: {tries}");
        let of_b = stage.of(&b).await;
        let delivered = of_b.iter().filter(|o| o.state == State::Delivered);
        assert!(delivered.count() >= 10, "{status}: {of_b:#?}");
        for occurrence in &of_b {
            assert!(stage.tries(occurrence).await <= 1, "{status}");
        }
        stage.meanwhile(running.stop()).await;
        stage.world.assert_balanced().await;
    }
}

#[tokio::test]
async fn agents_that_are_all_refused_alike_while_the_server_says_it_is_well_hold_it() {
    for script in [page(402), page(403), page(404), page(405), page(451)] {
        eprintln!("{script:?}");
        let mut stage = Stage::new(true, 20).await;
        stage.world.settings.max_age = SignedDuration::from_mins(10);
        let agents = stage.agents.clone();
        for agent in &agents {
            stage.letta.set_rule(agent, Some(script.clone()));
            stage.world.once(agent.as_str(), "hello", 5).await;
        }
        let running = stage.world.start();
        stage.pass(SignedDuration::from_mins(30)).await;
        let told = stage.incidents().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, IncidentKind::Held);
        // Each agent once, and one every half minute from then on.
        let path = "/v1/conversations/default/messages";
        assert!(stage.letta.asked(path) < 20 + 2 * 30 + 40);
        for agent in &agents {
            stage.letta.set_rule(agent, None);
        }
        let all = stage
            .until(|all| all.iter().filter(|o| o.state == State::Delivered).count() == 20)
            .await;
        assert_eq!(all.len(), 20);
        assert!(stage.incidents().await.is_empty());
        stage.meanwhile(running.stop()).await;
    }
}

#[tokio::test]
async fn a_few_agents_that_are_refused_alike_hold_nobody_once_another_is_taken_in() {
    let mut stage = Stage::new(true, 8).await;
    stage.world.settings.max_age = SignedDuration::from_hours(1);
    let agents = stage.agents.clone();
    let (blocked, well) = agents.split_at(4);
    for agent in blocked {
        stage.letta.set_rule(agent, Some(page(403)));
        stage.world.once(agent.as_str(), "never", 5).await;
    }
    for agent in well {
        stage.world.every(agent.as_str(), "work on", "1m").await;
    }
    let running = stage.world.start();
    stage
        .until(|all| all.iter().filter(|o| o.state == State::Dead).count() == 4)
        .await;
    for agent in blocked {
        let of = stage.of(agent).await;
        let tries = stage.tries(&of[0]).await;
        assert!(tries <= 20, "{tries}");
    }
    for agent in well {
        let of = stage.of(agent).await;
        let delivered = of.iter().filter(|o| o.state == State::Delivered).count();
        assert!(delivered > 30, "{of:#?}");
    }
    stage.meanwhile(running.stop()).await;
}

/// A server that refused four agents alike, so that it is held though it says that it is well, and
/// then takes prompts again, but treats the first one in its own way.
async fn after_a_hold(first: impl Fn(&Stage)) {
    let stage = Stage::patient(true, 5, Duration::from_secs(3_600)).await;
    let agents = stage.agents.clone();
    for agent in &agents[..4] {
        stage.letta.set_rule(agent, Some(page(403)));
        stage.world.once(agent.as_str(), "hello", 5).await;
    }
    let running = stage.world.start();
    let db = &stage.world.service.db;
    while db.list_held_targets().await.unwrap().is_empty() {
        stage.pass(SignedDuration::from_secs(1)).await;
    }
    // An agent that has met nothing yet is tried before the others.
    first(&stage);
    stage.world.once(agents[4].as_str(), "first", 1).await;
    stage.meanwhile(stage.letta.wait_for(1)).await;
    for agent in &agents[..4] {
        stage.letta.set_rule(agent, None);
    }
    stage.pass(SignedDuration::from_mins(3)).await;
    let of_first = stage.of(&agents[4]).await;
    assert_eq!(of_first[0].state, State::Sending, "{of_first:#?}");
    for agent in &agents[..4] {
        let of = stage.of(agent).await;
        assert_eq!(of[0].state, State::Delivered, "{of:#?}");
    }
    stage.meanwhile(running.stop()).await;
}

#[tokio::test]
async fn a_turn_that_has_begun_ends_a_hold_however_long_it_goes_on() {
    after_a_hold(|stage| stage.letta.hold(&stage.agents[4])).await;
}

#[tokio::test]
async fn a_prompt_that_finds_out_whether_a_hold_is_over_keeps_the_others_for_half_a_minute_at_most()
{
    after_a_hold(|stage| stage.letta.script(&stage.agents[4], Script::Stall)).await;
}

#[tokio::test]
async fn a_search_that_only_one_agent_is_refused_holds_nobody_and_ends_without_a_second_prompt() {
    let stage = Stage::new(true, 2).await;
    let (a, b) = (stage.agents[0].clone(), stage.agents[1].clone());
    stage.letta.script(&a, Script::CutAfter);
    let messages = format!("/v1/agents/{a}/messages");
    stage.letta.script_path(&messages, page(404));
    stage.world.once(a.as_str(), "once", 5).await;
    stage.world.every(b.as_str(), "work on", "1m").await;
    let running = stage.world.start();
    stage
        .until(|all| all.iter().any(|o| o.state == State::Dead))
        .await;
    let of_a = stage.of(&a).await;
    let error = of_a[0].error.clone().unwrap_or_default();
    assert!(error.starts_with("delivery_unknown: "), "{error}");
    let of_b = stage.of(&b).await;
    let delivered = of_b.iter().filter(|o| o.state == State::Delivered);
    assert!(delivered.count() > 20);
    stage.meanwhile(running.stop()).await;
    let to_a = stage.letta.received().into_iter();
    assert_eq!(to_a.filter(|r| r.agent == a.as_str()).count(), 1);
}

/// How a server hides what becomes of a run, and whether the end of a turn can be seen all the same.
fn every_disguise() -> Vec<(&'static str, ShownRuns)> {
    let hidden = || Some((404, json!("<html>no such page</html>")));
    let status = |status| ShownRuns {
        status: Some(status),
        ..ShownRuns::default()
    };
    vec![
        (
            "all hidden",
            ShownRuns {
                run: hidden(),
                list: hidden(),
                ..ShownRuns::default()
            },
        ),
        (
            "the run not found",
            ShownRuns {
                run: Some((404, json!({"detail": "Run not found with id='it'"}))),
                ..ShownRuns::default()
            },
        ),
        (
            "the run refused",
            ShownRuns {
                run: Some((403, json!("no"))),
                ..ShownRuns::default()
            },
        ),
        (
            "the list hidden",
            ShownRuns {
                list: hidden(),
                ..ShownRuns::default()
            },
        ),
        (
            "the list an object",
            ShownRuns {
                run: hidden(),
                list: Some((200, json!({"runs": []}))),
                ..ShownRuns::default()
            },
        ),
        ("queued", status(json!("queued"))),
        ("null", status(json!(null))),
        ("missing", status(json!([]))),
        ("a number", status(json!(3))),
        ("in capitals", status(json!("COMPLETED?"))),
        (
            "without a date",
            ShownRuns {
                created_at: Some(json!(null)),
                ..ShownRuns::default()
            },
        ),
        (
            "with a date far ahead",
            ShownRuns {
                created_at: Some(json!("9999-01-01T00:00:00Z")),
                ..ShownRuns::default()
            },
        ),
    ]
}

#[tokio::test]
async fn a_turn_that_goes_on_unseen_is_never_prompted_again_and_found_when_it_ends() {
    for redis in [true, false] {
        for (name, shown) in every_disguise() {
            eprintln!("{name}, redis {redis}");
            let stage = Stage::new(redis, 1).await;
            let agent = stage.agents[0].clone();
            stage.letta.hold(&agent);
            stage.letta.script(&agent, Script::CutMidStream);
            stage.world.once(agent.as_str(), "once", 5).await;
            let running = stage.world.start();
            stage.meanwhile(stage.letta.wait_for(1)).await;
            stage.letta.show_runs(&agent, shown);
            // Longer than any prompt that was lost is waited for.
            stage.pass(SignedDuration::from_mins(20)).await;
            assert_eq!(stage.letta.received().len(), 1, "{name}");
            stage.letta.release(&agent);
            let all = stage
                .until(|all| all.iter().all(|o| !o.state.is_open()))
                .await;
            assert_eq!(all[0].state, State::Delivered, "{name}: {all:#?}");
            assert_eq!(stage.letta.received().len(), 1, "{name}");
            stage.meanwhile(running.stop()).await;
        }
    }
}

#[tokio::test]
async fn a_run_that_never_ends_and_can_not_be_judged_is_given_up_as_unknown() {
    let disguises = every_disguise();
    let undecided = [
        "all hidden",
        "the list an object",
        "without a date",
        "with a date far ahead",
    ];
    for (name, shown) in disguises.into_iter().filter(|(n, _)| undecided.contains(n)) {
        eprintln!("{name}");
        let stage = Stage::new(true, 1).await;
        let agent = stage.agents[0].clone();
        stage.letta.script(&agent, Script::Orphan);
        stage.world.once(agent.as_str(), "once", 5).await;
        let running = stage.world.start();
        stage.meanwhile(stage.letta.wait_for(1)).await;
        stage.letta.show_runs(&agent, shown);
        let all = stage
            .until(|all| !all.is_empty() && all.iter().all(|o| !o.state.is_open()))
            .await;
        let error = all[0].error.clone().unwrap_or_default();
        assert!(error.starts_with("delivery_unknown: "), "{name}: {error}");
        assert_eq!(stage.letta.received().len(), 1, "{name}");
        stage.meanwhile(running.stop()).await;
    }
}
