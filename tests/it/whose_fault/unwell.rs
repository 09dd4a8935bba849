//! A server that is unwell is held, however it says so: nothing ages, one notice, recovery by itself.

use jiff::SignedDuration;
use promptyoself::letta_client::{Letta, RefusalKind};
use promptyoself::models::{IncidentKind, Lifecycle, State};
use rstest::rstest;
use serde_json::json;

use super::{Stage, answer, page};
use crate::fake_letta::Script;

/// Every way in which a whole server, or what stands before it, says no.
fn every_way() -> Vec<(&'static str, Script)> {
    let lettas = |status| answer(status, json!({"detail": "Something is wrong here"}));
    let mut ways = vec![
        ("cut", Script::CutBefore),
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
        let ticking = stage.tick();
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
        drop(ticking);
        running.stop().await;
        stage.world.assert_balanced().await;
    }
}

#[tokio::test]
async fn every_way_of_saying_no_is_trouble_of_the_target_when_it_is_asked() {
    for (name, script) in every_way() {
        let stage = Stage::new(true, 1).await;
        stage.letta.script_path("/v1/*", script.clone());
        let said = stage.world.target.check().await.unwrap_err();
        assert_eq!(said.kind, RefusalKind::TargetTrouble, "{name} {script:?}");
    }
}
