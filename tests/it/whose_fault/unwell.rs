//! A server that is not well is held, however it says so: nothing ages, there is one notice, and it
//! recovers by itself.

use jiff::SignedDuration;
use promptyoself::letta_client::{RefusalKind, Target};
use promptyoself::models::{IncidentKind, Lifecycle, State};
use rstest::rstest;
use serde_json::json;

use super::{Stage, answer, page};
use crate::fake_letta::{Moment, Script, Spell};

/// Every way in which a whole server, or what stands before it, says no.
fn every_way() -> Vec<(&'static str, Script)> {
    let lettas = |status| answer(status, json!({"detail": "Something is wrong here"}));
    let mut ways = vec![
        ("cut", Script::CutBefore),
        ("frozen", Script::Silence),
        ("the headers alone", Script::Stall),
        ("no JSON", answer(200, json!("<html>hello</html>"))),
        (
            "JSON of somebody else",
            answer(200, json!({"hello": "there"})),
        ),
    ];
    ways.extend([500, 503].map(|s| ("in Letta's own words", lettas(s))));
    ways.extend([401, 402, 403].map(|s| ("in Letta's own form", lettas(s))));
    let pages = [
        301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429,
    ];
    ways.extend(pages.map(|s| ("by a page", page(s))));
    ways.extend([451, 499, 500, 502, 503, 504, 520, 530].map(|s| ("by a page", page(s))));
    ways
}

#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn while_the_whole_server_says_no_nothing_ages_and_one_notice_tells(#[case] redis: bool) {
    for (name, script) in every_way() {
        let what = format!("{name}, {script:?}, redis {redis}");
        eprintln!("{what}");
        let mut stage = Stage::new(redis, 5).await;
        stage.world.settings.max_age = SignedDuration::from_mins(4);
        let agents = stage.agents.clone();
        for agent in &agents {
            stage.world.once(agent.as_str(), "once", 5).await;
            stage.world.every(agent.as_str(), "again", "2m").await;
        }
        stage.letta.script_path("/v1/*", script);
        let running = stage.world.start();
        // Far beyond the age at which a prompt is given up.
        stage.pass(SignedDuration::from_mins(12)).await;
        let told = stage.incidents().await;
        assert_eq!(told.len(), 1, "{what}: {told:?}");
        assert_eq!(told[0].0, IncidentKind::Held, "{what}");
        let now = stage.world.occurrences().await;
        let tried = now.iter().filter(|o| o.state != State::Coalesced);
        assert!(tried.count() <= 5, "{what}: {now:#?}");
        stage.letta.unscript_path("/v1/*");
        let all = stage
            .until(|all| {
                let sent = |o: &&_| -> bool {
                    let o: &promptyoself::models::Occurrence = o;
                    o.state == State::Delivered
                };
                all.iter().filter(sent).count() >= 10
            })
            .await;
        let lost = [State::Dead, State::Missed, State::Skipped];
        let lost: Vec<_> = all.iter().filter(|o| lost.contains(&o.state)).collect();
        assert!(lost.is_empty(), "{what}: {lost:#?}");
        assert!(stage.incidents().await.is_empty(), "{what}");
        for schedule in stage
            .world
            .service
            .db
            .list_schedules(&Default::default())
            .await
            .unwrap()
        {
            assert_ne!(schedule.lifecycle, Lifecycle::Paused, "{what}");
        }
        stage.meanwhile(running.stop()).await;
        stage.world.assert_balanced().await;
    }
}

#[tokio::test]
async fn what_a_frozen_server_was_sent_and_acts_on_when_it_goes_on_is_not_sent_twice() {
    for redis in [true, false] {
        let stage = Stage::new(redis, 1).await;
        let agent = stage.agents[0].clone();
        stage.letta.trap(Moment::Read, 1);
        stage.world.once(agent.as_str(), "once", 5).await;
        let running = stage.world.start();
        stage.meanwhile(stage.letta.trapped()).await;
        stage.letta.set_spell(Some(Spell::Frozen));
        stage.pass(SignedDuration::from_mins(10)).await;
        // Questions that come later are answered before the prompt is acted on.
        stage.letta.set_spell(None);
        let looked_for = loop {
            stage.pass(SignedDuration::from_secs(1)).await;
            let occurrence = stage.world.occurrences().await.remove(0);
            let error = occurrence.error.clone().unwrap_or_default();
            if !error.starts_with("timeout") {
                break occurrence;
            }
        };
        assert_eq!(looked_for.state, State::Unknown, "{looked_for:#?}");
        stage.letta.free();
        let all = stage
            .until(|all| all.iter().all(|o| !o.state.is_open()))
            .await;
        assert_eq!(all[0].state, State::Delivered, "{all:#?}");
        stage.meanwhile(running.stop()).await;
        let received = stage.letta.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        assert_eq!(stage.letta.repeats(), 0);
    }
}

#[tokio::test]
async fn every_way_of_saying_no_is_trouble_of_the_target_when_it_is_asked() {
    for (name, script) in every_way() {
        let stage = Stage::new(true, 1).await;
        stage.letta.script_path("/v1/*", script.clone());
        let said = stage.meanwhile(stage.world.target.check()).await;
        let said = said.unwrap_err();
        assert_eq!(said.kind, RefusalKind::TargetTrouble, "{name} {script:?}");
    }
}
