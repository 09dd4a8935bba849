//! Backups, and restoring them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use promptyoself::db::Db;
use promptyoself::error::{Code, Result};
use promptyoself::models::State;
use promptyoself::models::{ChangeQuery, RestoreReport};
use promptyoself::scheduler::Mode;
use promptyoself::service::Service;

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

async fn deliver(world: &World, service: &Service) {
    world.start_on(service, Mode::Once).ended().await;
}

fn beside(world: &World, name: &str) -> PathBuf {
    world.path().parent().unwrap().join(name)
}

async fn back_up(world: &World, name: &str) -> PathBuf {
    let file = beside(world, name);
    world.service.db.back_up(&file).await.unwrap();
    file
}

async fn restore(world: &World, from: &Path, to: &Path, replay: bool) -> Result<RestoreReport> {
    Db::restore(from, to, &world.service.zone, replay, world.now()).await
}

async fn open(world: &World, path: &Path) -> Service {
    let target: Arc<FakeTarget> = world.target.clone();
    Service::open(path, "UTC", target, world.clock.clone())
        .await
        .unwrap()
        .0
}

async fn states(service: &Service) -> Vec<(State, i64)> {
    let filter = promptyoself::models::HistoryFilter {
        limit: 100,
        ..promptyoself::models::HistoryFilter::default()
    };
    for account in service.db.accounts().await.unwrap() {
        assert!(account.balanced, "{account:?}");
    }
    let all = service.db.list_history(&filter).await.unwrap();
    let all = all.iter().rev().map(|p| &p.occurrence);
    all.map(|o| (o.state, o.count)).collect()
}

#[tokio::test]
async fn a_backup_is_whole_private_and_overwrites_nothing() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let running = world.start();
    let file = back_up(&world, "backup.db").await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let error = world.service.db.back_up(&file).await.unwrap_err();
    assert_eq!(error.code(), Code::FileUnusable);
    assert!(error.to_string().contains("not overwritten"), "{error}");
    running.stop().await;
    let copy = open(&world, &file).await;
    assert_eq!(
        copy.db.get_schedule(1).await.unwrap().unwrap().prompt_text,
        "tick"
    );
}

#[tokio::test]
async fn what_has_passed_since_the_backup_is_not_sent_again_and_is_told() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    world.once("agent-b", "hello", 15).await;
    let file = back_up(&world, "backup.db").await;
    for _ in 0..2 {
        world.advance(10);
        deliver(&world, &world.service).await;
    }
    assert_eq!(world.target.sent().len(), 3);
    let place = beside(&world, "restored.db");
    let restored = restore(&world, &file, &place, false).await.unwrap();
    assert_eq!((restored.schedules, restored.passed), (2, vec![1, 2]));
    let service = open(&world, &place).await;
    let filter = ChangeQuery {
        limit: 1,
        ..ChangeQuery::default()
    };
    let last = service.db.list_changes(&filter).await.unwrap();
    assert_eq!(last[0].operation, "restore");
    deliver(&world, &service).await;
    assert_eq!(world.target.sent().len(), 3);
    assert_eq!(
        states(&service).await,
        [(State::Skipped, 1), (State::Skipped, 2)]
    );
    world.advance(10);
    deliver(&world, &service).await;
    assert_eq!(world.target.sent().len(), 4);
}

#[tokio::test]
async fn with_replay_what_has_passed_since_the_backup_is_caught_up_with() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let file = back_up(&world, "backup.db").await;
    world.advance(30);
    let place = beside(&world, "restored.db");
    let restored = restore(&world, &file, &place, true).await.unwrap();
    assert_eq!(restored.passed, [1]);
    let service = open(&world, &place).await;
    deliver(&world, &service).await;
    assert_eq!(
        states(&service).await,
        [(State::Coalesced, 2), (State::Delivered, 1)]
    );
}

#[tokio::test]
async fn a_restored_copy_sends_under_its_own_otids() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let file = back_up(&world, "backup.db").await;
    let place = beside(&world, "restored.db");
    restore(&world, &file, &place, false).await.unwrap();
    let copy = open(&world, &place).await;
    assert_ne!(copy.db.install_id(), world.service.db.install_id());
    world.advance(10);
    deliver(&world, &world.service).await;
    deliver(&world, &copy).await;
    let sent = world.target.sent();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].otid, sent[1].otid);
}

#[tokio::test]
async fn a_prompt_on_its_way_in_the_backup_is_looked_for_under_its_old_otid() {
    let world = World::new().await;
    world.once("agent-a", "hello", 10).await;
    world.target.hold("agent-a");
    let running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    let file = back_up(&world, "backup.db").await;
    let place = beside(&world, "restored.db");
    restore(&world, &file, &place, false).await.unwrap();
    running.kill().await;
    let service = open(&world, &place).await;
    let otid = world.target.sent()[0].otid;
    let open = service.db.list_open_occurrences().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].state, State::Sending);
    assert!(open[0].otids.contains(&otid));
    assert_ne!(open[0].otids.last(), Some(&otid));
}

#[tokio::test]
async fn what_waits_in_the_backup_may_have_been_sent_since() {
    let world = World::new().await;
    world.once("agent-a", "hello", 10).await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(10);
    deliver(&world, &world.service).await;
    let file = back_up(&world, "backup.db").await;
    let place = beside(&world, "restored.db");
    restore(&world, &file, &place, false).await.unwrap();
    let service = open(&world, &place).await;
    assert_eq!(states(&service).await, [(State::Skipped, 1)]);
}

#[tokio::test]
async fn a_database_in_use_is_not_replaced() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let file = back_up(&world, "backup.db").await;
    // By another process that has it open.
    let error = restore(&world, &file, &world.path(), false)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DatabaseUnavailable);
    assert!(error.to_string().contains("stop the scheduler"), "{error}");
    // By a scheduler.
    let lock = world.service.db.lock_owner().unwrap();
    world.service.db.close().await;
    let error = restore(&world, &file, &world.path(), false)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DatabaseUnavailable);
    drop(lock);

    let restored = restore(&world, &file, &world.path(), false).await.unwrap();
    let aside = restored.set_aside.unwrap();
    let old = open(&world, &aside).await;
    let new = open(&world, &world.path()).await;
    assert_eq!(old.db.install_id(), world.service.db.install_id());
    assert_ne!(new.db.install_id(), old.db.install_id());
    assert!(new.db.get_schedule(1).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_nothing_is_left_behind() {
    let world = World::new().await;
    world.every("agent-a", &"x".repeat(50_000), "10s").await;
    let file = back_up(&world, "backup.db").await;
    let whole = std::fs::read(&file).unwrap();
    let place = beside(&world, "restored.db");
    for content in [&b"no database at all"[..], &whole[..whole.len() / 2], b""] {
        let broken = beside(&world, "broken.db");
        std::fs::write(&broken, content).unwrap();
        let before = std::fs::read_dir(place.parent().unwrap()).unwrap().count();
        let error = restore(&world, &broken, &place, false).await.unwrap_err();
        assert!(
            [Code::FileUnusable, Code::DatabaseInvalid].contains(&error.code()),
            "{error}"
        );
        assert!(!place.exists());
        let after = std::fs::read_dir(place.parent().unwrap()).unwrap().count();
        assert_eq!(before, after);
    }
    let none = beside(&world, "none.db");
    let error = restore(&world, &none, &place, false).await.unwrap_err();
    assert_eq!(error.code(), Code::FileUnusable);
}

#[tokio::test]
async fn a_log_that_a_crash_left_behind_is_not_played_into_what_is_restored() {
    let world = World::new().await;
    world.every("agent-a", "kept", "1h").await;
    let backup = back_up(&world, "backup.db").await;
    let lost = beside(&world, "lost.db");
    let log = beside(&world, "lost.db-wal");
    // The database itself is gone; its log is not.
    world.every("agent-a", "newer", "1h").await;
    std::fs::copy(format!("{}-wal", world.path().display()), &log).unwrap();
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    restore(&world, &backup, &lost, false).await.unwrap();
    assert!(!log.exists(), "it is set aside");
    let service = open(&world, &lost).await;
    let all = promptyoself::models::ScheduleFilter::default();
    let schedules = service.db.list_schedules(&all).await.unwrap();
    let prompts: Vec<String> = schedules.into_iter().map(|s| s.prompt_text).collect();
    assert_eq!(prompts, ["kept"]);
}

#[tokio::test]
async fn a_copy_that_was_put_in_place_by_other_means_is_settled_where_it_is() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    world.once("agent-b", "hello", 15).await;
    let file = back_up(&world, "snapshot.db").await;
    for _ in 0..2 {
        world.advance(10);
        deliver(&world, &world.service).await;
    }
    assert_eq!(world.target.sent().len(), 3);
    let before = std::fs::read(&file).unwrap();
    let settled = Db::settle_in_place(&file, &world.service.zone, world.now());
    let settled = settled.await.unwrap();
    assert_eq!((settled.schedules, settled.passed), (2, vec![1, 2]));
    assert_eq!(
        std::fs::read(settled.set_aside.unwrap()).unwrap().len(),
        before.len()
    );
    let service = open(&world, &file).await;
    assert_ne!(service.db.install_id(), world.service.db.install_id());
    deliver(&world, &service).await;
    assert_eq!(world.target.sent().len(), 3);
    assert_eq!(
        states(&service).await,
        [(State::Skipped, 1), (State::Skipped, 2)]
    );
    // What comes is sent as usual.
    world.advance(10);
    deliver(&world, &service).await;
    assert_eq!(world.target.sent().len(), 4);
    service.db.close().await;

    let nothing = beside(&world, "none.db");
    let refused = Db::settle_in_place(&nothing, &world.service.zone, world.now()).await;
    assert_eq!(refused.unwrap_err().code(), Code::DatabaseUnavailable);
    // Somebody has it open.
    let refused = Db::settle_in_place(&world.path(), &world.service.zone, world.now()).await;
    assert_eq!(refused.unwrap_err().code(), Code::DatabaseUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_on_its_way_in_a_settled_copy_is_looked_for_and_never_sent_again() {
    let world = World::new().await;
    world.once("agent-a", "hello", 10).await;
    world.target.hold("agent-a");
    let running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    let file = back_up(&world, "snapshot.db").await;
    world.target.release("agent-a");
    running.stop().await;
    let settled = Db::settle_in_place(&file, &world.service.zone, world.now());
    assert!(settled.await.unwrap().passed.is_empty());
    let service = open(&world, &file).await;
    deliver(&world, &service).await;
    assert_eq!(world.target.sent().len(), 1);
    assert_eq!(states(&service).await, [(State::Unknown, 1)]);
    let open = service.db.list_open_occurrences().await.unwrap();
    assert!(open[0].otids.contains(&world.target.sent()[0].otid));
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_asks_for_a_backup_or_to_settle_what_is_there() {
    let world = crate::program::World::new().await;
    world.register("p", &["--every", "1h"]);
    world.run(&["backup", "b.db"]).succeeded();
    for argv in [
        &["restore"][..],
        &["restore", "--replay"],
        &["restore", "--settle", "--replay"],
        &["restore", "b.db", "--settle", "--replay"],
    ] {
        let refused = world.run(argv);
        assert_eq!((refused.status, refused.code()), (2, "usage"), "{argv:?}");
    }
    world.make_due(1, 7200).await;
    let settled = world.run(&["restore", "--settle"]).succeeded();
    assert_eq!(settled["restored"]["passed"], serde_json::json!([1]));
    let shown = world.run(&["history"]).succeeded();
    assert_eq!(shown["occurrences"][0]["state"], "skipped");
    world.run(&["restore", "b.db", "--settle"]).succeeded();
    let plugin =
        crate::program::Answer::read(world.plugin(&["restore", "--settle"]).output().unwrap());
    assert_eq!(plugin.code(), "refused_in_plugin");
}
