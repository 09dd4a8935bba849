//! A dead-man service gets a ping for every run, in order.

use promptyoself::config::Notify;
use promptyoself::error::Code;
use promptyoself::letta_client::{Answer, Delivery, ErrorClass, RefusalKind};
use promptyoself::models::{PingUrl, ScheduleType, State, Turn};
use promptyoself::service::Changes;

use super::recorder::Recorder;
use super::{Telling, final_refusal, refused};
use crate::fake_target::{Act, FakeTarget};
use crate::program;
use crate::world::World;

/// An hourly schedule that a recorder hears of.
async fn pinged() -> (World, Recorder, Telling, i64) {
    let (world, recorder) = (World::new().await, Recorder::start().await);
    let telling = Telling::start(&world, &world.service, &Notify::default()).await;
    let mut wish = world.wish("agent-a", "SECRET PROMPT", ScheduleType::Interval, "1h");
    wish.ping_url = Some(PingUrl::parse(&recorder.url("/check?x=1")).unwrap());
    let id = world.service.register(&wish).await.unwrap().id;
    (world, recorder, telling, id)
}

fn paths(recorder: &Recorder) -> Vec<String> {
    recorder.all().into_iter().map(|r| r.path).collect()
}

#[tokio::test]
async fn a_run_is_told_by_its_start_and_by_how_it_ended() {
    let (world, recorder, telling, _) = pinged().await;
    // What comes later waits for what failed, so that the order is not by chance.
    recorder.answer(500);
    let mut running = world.start();
    world.advance(3_600);
    running.until(State::Delivered).await;
    telling.stop().await;
    assert_eq!(paths(&recorder), ["/check/start?x=1"]);
    world.advance(5);
    let telling = Telling::start(&world, &world.service, &Notify::default()).await;
    recorder.wait_for(3).await;
    world.target.script("agent-a", final_refusal());
    world.advance(3_600);
    running.until(State::Dead).await;
    let all = recorder.wait_for(5).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(
        paths(&recorder),
        [
            "/check/start?x=1",
            "/check/start?x=1",
            "/check?x=1",
            "/check/start?x=1",
            "/check/fail?x=1"
        ]
    );
    assert_eq!(all[4].body, "agent_unknown: as scripted");
    assert!(all.iter().all(|r| !r.body.contains("SECRET PROMPT")));
}

#[tokio::test]
async fn retries_are_no_new_starts() {
    let (world, recorder, telling, _) = pinged().await;
    let later = || refused(RefusalKind::Later, ErrorClass::ServerError);
    world.target.script("agent-a", later());
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Waiting).await;
    recorder.wait_for(1).await;
    world.advance(10);
    running.until(State::Waiting).await;
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    telling.stop().await;
    assert_eq!(paths(&recorder), ["/check/start?x=1", "/check?x=1"]);
}

#[tokio::test]
async fn a_turn_that_did_not_end_well_is_a_failure_to_the_service() {
    let (world, recorder, telling, _) = pinged().await;
    let ended = Answer::Delivered(Delivery {
        run_id: None,
        stop_reason: Some("error".into()),
        turn: Turn::Error,
        tokens: None,
        reply: None,
        error: None,
    });
    world.target.script("agent-a", Act::Answer(ended));
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    telling.stop().await;
    let all = recorder.all();
    assert_eq!(all[1].path, "/check/fail?x=1");
    assert!(all[1].body.contains("turn ended with: error"), "{all:?}");
}

#[tokio::test]
async fn a_ping_that_is_an_hour_late_is_never_sent() {
    let (world, recorder, telling, _) = pinged().await;
    telling.kill().await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    world.advance(3_600);
    let telling = Telling::start(&world, &world.service, &Notify::default()).await;
    telling.stop().await;
    assert!(recorder.all().is_empty());
    // Nobody is troubled with it.
    let outbox = world.service.status().await.unwrap().outbox;
    assert_eq!(outbox.problem(), None);
}

#[tokio::test]
async fn an_update_takes_the_pings_away_and_show_never_tells_the_whole_address() {
    let (world, recorder, telling, id) = pinged().await;
    let shown = world.service.show(id).await.unwrap().schedule;
    let shown = shown.ping_url.unwrap();
    assert!(
        shown.starts_with("http://127.0.0.1:") && !shown.contains("check"),
        "{shown}"
    );
    let changes = Changes {
        ping_url: Some(None),
        ..Changes::default()
    };
    world.service.update(id, &changes).await.unwrap();
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    telling.stop().await;
    assert!(recorder.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_takes_an_address_which_the_plugin_refuses() {
    let world = program::World::new().await;
    let recorder = Recorder::start().await;
    let url = recorder.url("/5f2b8d1c-0000-4000-8000-000000000000");
    let id = world.register("hello", &["--every", "1h", "--ping-url", &url]);
    world.make_due(id, 5).await;
    world.run(&["execute"]).succeeded();
    let pinged: Vec<String> = paths(&recorder);
    assert_eq!(pinged.len(), 2, "{pinged:?}");
    assert!(pinged[0].ends_with("/start") && url.ends_with(&pinged[1]));
    let shown = world.run(&["show", &id.to_string()]).succeeded();
    let shown = shown["schedule"]["ping_url"].as_str().unwrap().to_owned();
    assert!(shown.ends_with("/…0000"), "{shown}");

    let wrong = world.run(&["update", &id.to_string(), "--ping-url", "example.com"]);
    assert_eq!(wrong.code(), Code::PolicyInvalid.as_str());
    let argv = ["update", &id.to_string(), "--ping-url", "none"];
    let refused = program::Answer::read(world.plugin(&argv).output().unwrap());
    assert_eq!(refused.code(), Code::RefusedInPlugin.as_str());
    world.run(&argv).succeeded();
    world.make_due(id, 5).await;
    world.run(&["execute"]).succeeded();
    assert_eq!(recorder.all().len(), 2);
}
