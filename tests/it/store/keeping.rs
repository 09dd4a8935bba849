//! The past stays accounted for, even after its details are gone.

use jiff::{SignedDuration, Timestamp};
use promptyoself::db::Db;
use promptyoself::models::{HistoryFilter, PruneReport, PurgeScope, ScheduleFilter, State};
use promptyoself::service::Service;

use super::{agent, claim, dead, delivered, due, job, on_every_store, settle};
use crate::world::{START, World};

/// Hours of a schedule: three were delivered, one was given up, and one stood for two before it.
async fn seven_hours(world: &World) -> i64 {
    let id = world.every("agent-a", "the secret", "1h").await.id;
    for (hours, verdict) in [
        (1, delivered()),
        (1, dead()),
        (3, delivered()),
        (1, delivered()),
    ] {
        world.advance(hours * 3_600);
        let seen = due(world).await.remove(0);
        let sent = job(claim(&world.service.db, &seen, world.now()).await);
        settle(world, &sent, &verdict).await;
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instant_is_in_the_account_once() {
    on_every_store(async |world| {
        seven_hours(&world).await;
        assert_eq!(
            world.account().await,
            [
                (State::Delivered, 1),
                (State::Dead, 1),
                (State::Coalesced, 2),
                (State::Delivered, 1),
                (State::Delivered, 1)
            ]
        );
        let account = world.service.db.accounts().await.unwrap().remove(0);
        assert_eq!(account.expected, Some(6));
        assert_eq!(account.recorded(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pruned_stays_in_the_account() {
    on_every_store(async |world| {
        seven_hours(&world).await;
        let before = world.now() - SignedDuration::from_mins(30);
        let pruned = world.service.prune(before).await.unwrap();
        assert_eq!((pruned.occurrences, pruned.instants), (4, 5));
        assert_eq!(world.account().await, [(State::Delivered, 1)]);
        let account = world.service.db.accounts().await.unwrap().remove(0);
        assert_eq!((account.expected, account.recorded()), (Some(6), 6));
        assert_eq!(account.pruned["delivered"], 2);
        assert_eq!(account.pruned["coalesced"], 2);
        assert_eq!(account.pruned["dead"], 1);
        let again = world.service.prune(before).await.unwrap();
        assert_eq!(again, PruneReport::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_keeps_its_place_and_loses_its_text() {
    on_every_store(async |world| {
        let id = seven_hours(&world).await;
        world.every("agent-b", "not secret", "1h").await;
        world.service.cancel(id).await.unwrap();
        let (db, whose) = (
            &world.service.db,
            PurgeScope::Agent(agent("agent-a").into()),
        );
        let purged = db.purge(&whose, None, world.now()).await.unwrap();
        assert_eq!(purged.schedules, 1);
        assert_eq!(world.account().await.len(), 5);
        let all = ScheduleFilter {
            all: true,
            ..ScheduleFilter::default()
        };
        let kept = format!("{:?}", db.list_schedules(&all).await.unwrap());
        assert!(!kept.contains("the secret"), "{kept}");
        assert!(kept.contains("not secret"), "{kept}");
        let replies = world.occurrences().await;
        assert!(replies.iter().all(|o| o.reply.is_none()), "{replies:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_asked_by_schedule_agent_state_and_time() {
    on_every_store(async |world| {
        let id = seven_hours(&world).await;
        let of = super::schedule(&world, id).await.uid;
        let start: Timestamp = START.parse().unwrap();
        let fifth = start + SignedDuration::from_hours(5);
        let everything = HistoryFilter {
            limit: 100,
            ..HistoryFilter::default()
        };
        let nobodys = Some(agent("agent-b").into());
        for (filter, wanted) in [
            (everything.clone(), 5),
            (
                HistoryFilter {
                    uid: of,
                    ..everything.clone()
                },
                5,
            ),
            (
                HistoryFilter {
                    agent: nobodys,
                    ..everything.clone()
                },
                0,
            ),
            (
                HistoryFilter {
                    state: Some(State::Dead),
                    ..everything.clone()
                },
                1,
            ),
            (
                HistoryFilter {
                    since: Some(fifth),
                    ..everything.clone()
                },
                2,
            ),
            (
                HistoryFilter {
                    offset: 4,
                    ..everything.clone()
                },
                1,
            ),
        ] {
            let found = world.service.db.list_history(&filter).await.unwrap();
            assert_eq!(found.len(), wanted, "{filter:?}");
            let times: Vec<Timestamp> = found.iter().map(|p| p.occurrence.intended_at).collect();
            assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_all_that_was_and_nothing_of_it_is_sent_twice() {
    on_every_store(async |world| {
        let id = seven_hours(&world).await;
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup");
        let held = world.service.db.back_up(&backup).await.unwrap();
        assert_eq!(held, 1);
        let before = world.account().await;
        world.advance(2 * 3_600);
        let restored = folder.path().join("restored");
        let zone = &world.service.zone;
        Db::restore(&backup, &restored, zone, false, world.now())
            .await
            .unwrap();
        let (letta, clock) = (world.target.clone(), world.clock.clone());
        let opened = Service::open(&restored, "UTC", letta, clock).await;
        let (service, _) = opened.unwrap();
        let found = service.db.get_schedule(id).await.unwrap().unwrap();
        assert_eq!(found.prompt_text, "the secret");
        let now = world.now();
        assert!(service.db.get_due_schedules(now).await.unwrap().is_empty());
        let filter = HistoryFilter {
            limit: 100,
            ..HistoryFilter::default()
        };
        let past = service.db.list_history(&filter).await.unwrap();
        let mut past: Vec<(State, i64)> = past
            .iter()
            .map(|p| (p.occurrence.state, p.occurrence.count))
            .collect();
        past.reverse();
        assert_eq!(past[..before.len()], before);
        // What fell into the time since is told as not sent.
        assert_eq!(past[before.len()..].iter().map(|(_, n)| n).sum::<i64>(), 2);
        for account in service.db.accounts().await.unwrap() {
            assert!(account.balanced, "{account:?}");
        }
    })
    .await;
}
