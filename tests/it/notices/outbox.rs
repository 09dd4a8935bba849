//! An outbox with very many messages.

use promptyoself::config::Notify;

use super::Telling;
use super::recorder::Recorder;
use crate::foreign_writers::raw::Foreign;
use crate::program;
use crate::world::World;

/// Puts pings into the outbox, each in a lane of its own, that are due since `since`.
async fn put(foreign: &mut Foreign, n: usize, url: &str, since: &str) {
    let server = url.rsplit_once('/').unwrap().0;
    foreign
        .run(&format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {n}) \
             INSERT INTO outbox (channel, lane, kind, event, destination, server, body, \
                 created_at, not_before, expires_at) \
             SELECT 'ping', 'schedule:{url}' || n, 'ping', 'start', '{url}', '{server}', '', \
                 '{since}', '{since}', '2100-01-01 00:00:00.000000' FROM n"
        ))
        .await;
}

#[tokio::test]
async fn a_dead_man_service_that_hangs_keeps_no_other_from_its_pings() {
    let (hanging, too, well) = (
        Recorder::start().await,
        Recorder::start().await,
        Recorder::start().await,
    );
    hanging.hold(true);
    too.hold(true);
    let world = World::new().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    let long_ago = "2026-02-01 11:00:00.000000";
    put(&mut foreign, 500, &hanging.url("/start"), long_ago).await;
    put(&mut foreign, 500, &too.url("/start"), long_ago).await;
    put(
        &mut foreign,
        40,
        &well.url("/start"),
        "2026-02-01 12:00:00.000000",
    )
    .await;
    let telling = Telling::start(&world, &world.service, &Notify::default()).await;
    well.wait_for(40).await;
    // It is still asked, too.
    hanging.wait_for(1).await;
    hanging.hold(false);
    too.hold(false);
    hanging.wait_for(500).await;
    too.wait_for(500).await;
    telling.stop().await;
}

#[tokio::test]
async fn a_stop_is_heard_between_two_messages_and_ends_in_time_whatever_is_due() {
    let recorder = Recorder::start().await;
    let world = World::new().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    let since = "2026-02-01 11:00:00.000000";
    put(&mut foreign, 5_000, &recorder.url("/start"), since).await;
    let telling = Telling::start(&world, &world.service, &Notify::default()).await;
    recorder.wait_for(1).await;
    telling.stop.cancel();
    // The last call is over before it has begun, or after some.
    while !telling.task.is_finished() {
        world.advance(3);
        tokio::task::yield_now().await;
    }
    let left = foreign
        .text("SELECT count(*) FROM outbox WHERE lease_until IS NULL")
        .await;
    let left: usize = left.parse().unwrap();
    assert!(left > 0, "all of them were sent first");
    assert!(recorder.all().len() + left >= 5_000);
    // The next scheduler sends the rest, and again what had its time while it was sent.
    world.advance(60);
    let other = world.another().await;
    let telling = Telling::start(&world, &other, &Notify::default()).await;
    recorder.wait_for(5_000).await;
    telling.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_fills_no_log() {
    let world = program::World::new().await;
    world.run(&["list"]).succeeded();
    let mut foreign = Foreign::connect(&world.database()).await;
    // Nobody listens at the port of discarded things.
    put(
        &mut foreign,
        200,
        "http://127.0.0.1:9/start",
        "2026-01-01 00:00:00.000000",
    )
    .await;
    foreign
        .run("UPDATE outbox SET expires_at = '2026-01-01 01:00:00.000000' WHERE id % 2")
        .await;
    let daemon = world.start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    let tried = "SELECT count(*) FROM outbox WHERE tries = 0";
    while foreign.text(tried).await != "0" {
        crate::daemon::pause().await;
    }
    let log = daemon.stop();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("could not send ping start by ping"), 1, "{log}");
    assert_eq!(lines("gave up sending ping start by ping"), 1, "{log}");
    assert_eq!(lines("99 more could not be sent by ping"), 1, "{log}");
    assert_eq!(lines("gave up sending 99 more by ping"), 1, "{log}");
}
