//! A notice is kept until it was delivered, and delays nothing.

use std::path::Path;

use jiff::SignedDuration;
use promptyoself::config::{Notify, NotifyCommand};
use promptyoself::models::State;

use super::recorder::Recorder;
use super::{Telling, final_refusal, posting_to, until_outbox};
use crate::daemon::pause;
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// A world in which one prompt dies while a recorder's notices hang or fail as prepared before.
async fn one_dead(recorder: &Recorder) -> (World, Telling) {
    let world = World::new().await;
    let telling = Telling::start(&world, &world.service, &posting_to(recorder)).await;
    die(&world).await;
    (world, telling)
}

async fn die(world: &World) {
    world.target.script("agent-a", final_refusal());
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let mut running = world.start();
    running.until(State::Dead).await;
    running.stop().await;
}

fn line(line: String) -> Notify {
    Notify {
        command: Some(NotifyCommand::Line(line)),
        url: None,
    }
}

async fn read_when_there(path: &Path) -> String {
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => pause().await,
        }
    }
}

#[tokio::test]
async fn a_notice_is_posted_as_json_and_not_again_after_a_restart() {
    let recorder = Recorder::start().await;
    let (world, telling) = one_dead(&recorder).await;
    let told = recorder.wait_for(1).await;
    assert_eq!(told[0].path, "/notices");
    assert_eq!(told[0].headers["content-type"], "application/json");
    until_outbox(&world, |o| o.pending == 0).await;
    telling.kill().await;
    let other = world.another().await;
    let telling = Telling::start(&world, &other, &posting_to(&recorder)).await;
    world.advance(3_600);
    telling.stop().await;
    assert_eq!(recorder.all().len(), 1);
}

#[tokio::test]
async fn a_notice_is_tried_ever_more_slowly_until_it_arrives_also_over_a_restart() {
    let recorder = Recorder::start().await;
    for status in [500, 302, 404] {
        recorder.answer(status);
    }
    let (world, telling) = one_dead(&recorder).await;
    // A status alone could also be part of the recorder's port.
    let refused = |status: &str| {
        let answered = format!("answered {status} ");
        move |o: &promptyoself::models::OutboxStatus| {
            o.last_error.as_ref().is_some_and(|e| e.contains(&answered))
        }
    };
    until_outbox(&world, refused("500")).await;
    world.advance(4);
    assert_eq!(recorder.all().len(), 1);
    world.advance(1);
    until_outbox(&world, refused("302")).await;
    telling.stop().await;
    assert_eq!(recorder.all().len(), 2);

    let other = world.another().await;
    let telling = Telling::start(&world, &other, &posting_to(&recorder)).await;
    world.advance(10);
    until_outbox(&world, refused("404")).await;
    world.advance(20);
    until_outbox(&world, |o| o.pending == 0).await;
    telling.stop().await;
    let ids: Vec<_> = recorder
        .all()
        .iter()
        .map(|r| r.json()["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_crash_between_sending_and_noting_it_sends_it_again() {
    let recorder = Recorder::start().await;
    recorder.hold(true);
    let (world, telling) = one_dead(&recorder).await;
    recorder.wait_for(1).await;
    telling.kill().await;
    recorder.hold(false);
    let other = world.another().await;
    let telling = Telling::start(&world, &other, &posting_to(&recorder)).await;
    world.advance(60);
    let told = recorder.wait_for(2).await;
    until_outbox(&world, |o| o.pending == 0).await;
    telling.stop().await;
    assert_eq!(told[0].json()["id"], told[1].json()["id"]);
}

#[tokio::test]
async fn two_schedulers_do_not_both_send() {
    let recorder = Recorder::start().await;
    recorder.hold(true);
    let (world, first) = one_dead(&recorder).await;
    recorder.wait_for(1).await;
    let other = world.another().await;
    let second = Telling::start(&world, &other, &posting_to(&recorder)).await;
    // Nothing can be seen of something that is not done: it ends, and would have done it.
    second.stop().await;
    recorder.hold(false);
    until_outbox(&world, |o| o.pending == 0).await;
    first.stop().await;
    assert_eq!(recorder.all().len(), 1);
}

#[tokio::test]
async fn a_slow_receiver_of_notices_delays_no_prompt_and_no_stop() {
    let recorder = Recorder::start().await;
    recorder.hold(true);
    let world = World::new().await;
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    let mut running = world.start();
    for agent in ["a", "b", "c", "d", "e", "f"] {
        world.target.script(agent, final_refusal());
        world.every(agent, "hello", "1h").await;
    }
    world.advance(3_600);
    for _ in 0..6 {
        running.until(State::Dead).await;
    }
    // All that may be on their way hang.
    recorder.wait_for(4).await;
    for agent in ["a", "g", "h"] {
        world.once(agent, "hello", 1).await;
    }
    world.advance(1);
    for _ in 0..3 {
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let open = until_outbox(&world, |_| true).await;
    // Those of the six, and that one of them takes prompts again.
    assert_eq!(open.pending, 7);
    telling.stop.cancel();
    // It ends although nobody takes what hangs; when it hears of the stop is its own matter.
    while !telling.task.is_finished() {
        world.advance(1);
        world.service.db.data_version().await.unwrap();
    }
    telling.task.await.unwrap();
    // What was broken off is free at once, and arrives when it can: what had its time before the stop
    // was heard, a little later.
    let mut foreign = Foreign::connect(&world.path()).await;
    let leased = "SELECT count(*) FROM outbox WHERE lease_until IS NOT NULL";
    assert_eq!(foreign.text(leased).await, "0");
    world.advance(60);
    recorder.hold(false);
    let other = world.another().await;
    Telling::start(&world, &other, &posting_to(&recorder))
        .await
        .stop()
        .await;
    assert_eq!(until_outbox(&world, |_| true).await.pending, 0);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_given_up_after_three_days_and_shown() {
    let recorder = Recorder::start().await;
    recorder.answer(503);
    let (world, telling) = one_dead(&recorder).await;
    until_outbox(&world, |o| o.last_error.is_some()).await;
    telling.stop().await;
    world.clock.advance(SignedDuration::from_hours(72));
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    let given_up = until_outbox(&world, |o| o.given_up == 1).await;
    telling.stop().await;
    assert_eq!(given_up.pending, 0);
    assert!(given_up.problem().unwrap().contains("answered 503 "));
    assert_eq!(recorder.all().len(), 1);
    // In time that, too, is over.
    world.clock.advance(SignedDuration::from_hours(73));
    assert_eq!(until_outbox(&world, |_| true).await.problem(), None);
}

#[tokio::test]
async fn a_command_gets_the_notice_as_json_and_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let world = World::new().await;
    let script = format!(
        "{{ cat; echo \"$PROMPTYOSELF_NOTICE_KIND $PROMPTYOSELF_NOTICE_EVENT\"; \
         echo \"$PROMPTYOSELF_NOTICE_TEXT\"; }} >> {}",
        told.display()
    );
    let telling = Telling::start(&world, &world.service, &line(script)).await;
    die(&world).await;
    telling.stop().await;
    let told = std::fs::read_to_string(told).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    let json: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(json["kind"], "dead");
    assert_eq!(lines[1], "dead opened");
    assert_eq!(json["text"], lines[2]);
}

#[tokio::test]
async fn a_command_of_several_words_needs_no_shell_and_must_end_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    let tried = folder.path().join("$(tried) by;us");
    let script = folder.path().join("tell");
    std::fs::write(
        &script,
        "#!/bin/sh\ntest -e \"$1\" || { : > \"$1\"; exit 3; }\n",
    )
    .unwrap();
    let words = ["sh", script.to_str().unwrap(), tried.to_str().unwrap()];
    let notify = Notify {
        command: Some(NotifyCommand::Words(words.map(str::to_owned).to_vec())),
        url: None,
    };
    let world = World::new().await;
    let telling = Telling::start(&world, &world.service, &notify).await;
    die(&world).await;
    let failed = until_outbox(&world, |o| o.last_error.is_some()).await;
    assert!(failed.last_error.unwrap().contains("exit status: 3"));
    assert!(tried.exists());
    world.advance(5);
    until_outbox(&world, |o| o.pending == 0).await;
    telling.stop().await;
}

#[tokio::test]
async fn a_command_that_does_not_end_is_killed_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 1000 & echo $! > {0}; wait", pids.display());
    let world = World::new().await;
    let telling = Telling::start(&world, &world.service, &line(script)).await;
    die(&world).await;
    let pid = read_when_there(&pids).await;
    world.advance(30);
    let failed = until_outbox(&world, |o| o.last_error.is_some()).await;
    assert!(failed.last_error.unwrap().contains("longer than 30s"));
    let is_alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // What nobody has waited for yet is dead all the same.
        stat.is_ok_and(|s| !s.contains(") Z "))
    };
    while is_alive() {
        pause().await;
    }
    telling.stop().await;
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_a_failure_that_is_told() {
    let world = World::new().await;
    let words = vec!["/nowhere/at/all".to_owned()];
    let notify = Notify {
        command: Some(NotifyCommand::Words(words)),
        url: None,
    };
    let telling = Telling::start(&world, &world.service, &notify).await;
    die(&world).await;
    let failed = until_outbox(&world, |o| o.last_error.is_some()).await;
    telling.stop().await;
    assert!(failed.problem().unwrap().contains("could not be started"));
}
