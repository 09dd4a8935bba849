//! A prompt is claimed once, sent by whoever claimed it, and settled once.

use jiff::SignedDuration;
use promptyoself::models::{Claim, DueSchedule, State, Trigger};

use super::{
    agent, anybodys, busy, claim, dead, delivered, due, job, lane, on_every_store, only_occurrence,
    schedule, sending, settle, together,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_tells_all_that_is_to_be_sent() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        assert_eq!(job.agent_id, agent("agent-a"));
        assert_eq!(job.lane, lane("agent-a"));
        assert_eq!(job.intended_at, world.now());
        assert_eq!(job.failures, 0);
        let message = serde_json::to_string(&job.messages).unwrap();
        assert!(message.contains("hello"), "{message}");
        let occurrence = only_occurrence(&world).await;
        assert_eq!(occurrence.id, job.occurrence_id);
        assert_eq!(occurrence.state, State::Sending);
        assert_eq!(occurrence.trigger, Trigger::Schedule);
        assert_eq!(occurrence.sent_at, Some(world.now()));
        let tries = world.service.db.list_attempts(job.occurrence_id);
        let tries = tries.await.unwrap();
        assert_eq!((tries.len(), tries[0].otid), (1, job.otid));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_a_schedule_at_once_one_gets_it() {
    on_every_store(async |world| {
        world.every("agent-a", "hello", "1h").await;
        world.advance(3_600);
        let (seen, now) = (due(&world).await.remove(0), world.now());
        let claims = together(&world, move |_, service| {
            let seen = seen.clone();
            async move { claim(&service.db, &seen, now).await }
        });
        let claims = claims.await;
        let won = claims.iter().filter(|c| matches!(c, Claim::Job(_)));
        assert_eq!(won.count(), 1, "{claims:?}");
        let lost = |c: &&Claim| matches!(c, Claim::Gone | Claim::LaneBusy);
        assert_eq!(claims.iter().filter(lost).count(), claims.len() - 1);
        only_occurrence(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_schedules_of_one_lane_claimed_at_once_one_is_on_its_way() {
    on_every_store(async |world| {
        for _ in 0..super::MANY {
            world.every("agent-a", "hello", "1h").await;
        }
        world.advance(3_600);
        let (seen, now) = (due(&world).await, world.now());
        let claims = together(&world, move |n, service| {
            let seen = seen[n].clone();
            async move { claim(&service.db, &seen, now).await }
        });
        let claims = claims.await;
        let won = claims.iter().filter(|c| matches!(c, Claim::Job(_)));
        assert_eq!(won.count(), 1, "{claims:?}");
        let busy = claims.iter().filter(|c| matches!(c, Claim::LaneBusy));
        assert_eq!(busy.count(), claims.len() - 1, "{claims:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_takes_the_next_prompt_once_the_one_on_its_way_is_settled() {
    on_every_store(async |world| {
        let first = sending(&world).await;
        world.once("agent-a", "second", 1).await;
        world.once("agent-b", "elsewhere", 1).await;
        world.advance(1);
        let db = &world.service.db;
        let (mut own, mut others) = (due(&world).await, due(&world).await);
        own.retain(|d| d.agent_id == agent("agent-a"));
        others.retain(|d| d.agent_id == agent("agent-b"));
        let refused = claim(db, &own[0], world.now()).await;
        assert!(matches!(refused, Claim::LaneBusy), "{refused:?}");
        job(claim(db, &others[0], world.now()).await);
        assert_eq!(settle(&world, &first, &delivered()).await, State::Delivered);
        job(claim(db, &own[0], world.now()).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_changed_since_it_was_seen_is_gone() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1h").await.id;
        world.advance(3_600);
        let seen = due(&world).await.remove(0);
        let stale = DueSchedule {
            next_run: seen.next_run - SignedDuration::from_secs(1),
            ..seen.clone()
        };
        let db = &world.service.db;
        let gone = claim(db, &stale, world.now()).await;
        assert!(matches!(gone, Claim::Gone), "{gone:?}");
        assert!(world.occurrences().await.is_empty());
        world.service.cancel(id).await.unwrap();
        let gone = claim(db, &seen, world.now()).await;
        assert!(matches!(gone, Claim::Gone), "{gone:?}");
        assert_eq!(world.account().await, [(State::Cancelled, 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_sends_the_latest_instant_and_says_for_which_it_stands() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1h").await.id;
        world.advance(3 * 3_600);
        let seen = due(&world).await.remove(0);
        let sent = job(claim(&world.service.db, &seen, world.now()).await);
        assert_eq!(sent.intended_at, world.now());
        settle(&world, &sent, &delivered()).await;
        assert_eq!(
            world.account().await,
            [(State::Coalesced, 2), (State::Delivered, 1)]
        );
        let next = schedule(&world, id).await.next_run;
        assert_eq!(next, Some(world.now() + SignedDuration::from_hours(1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_keeps_what_was_found_out() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        world.advance(5);
        assert_eq!(settle(&world, &job, &delivered()).await, State::Delivered);
        let told = only_occurrence(&world).await;
        assert_eq!(told.finished_at, Some(world.now()));
        assert_eq!(told.run_id.as_deref(), Some("run-1"));
        assert_eq!((told.tokens, told.reply.as_deref()), (Some(3), Some("yes")));
        assert_eq!(told.error, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_without_the_right_to_it_changes_nothing() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        let (db, id) = (&world.service.db, job.occurrence_id);
        for fence in [job.fence - 1, job.fence + 1] {
            let settled = db.settle(id, fence, &dead(), world.now()).await.unwrap();
            assert!(settled.is_none(), "{settled:?}");
        }
        assert_eq!(only_occurrence(&world).await.state, State::Sending);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_verdicts_at_once_one_is_kept() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        let (id, fence, now) = (job.occurrence_id, job.fence, world.now());
        let settled = together(&world, move |n, service| async move {
            let verdict = if n % 2 == 0 { delivered() } else { dead() };
            let settled = service.db.settle(id, fence, &verdict, now);
            settled.await.unwrap().map(|s| s.state)
        });
        let kept: Vec<State> = settled.await.into_iter().flatten().collect();
        assert_eq!(kept, [only_occurrence(&world).await.state]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_claimed_under_another_right_and_the_old_one_is_lost() {
    on_every_store(async |world| {
        let first = sending(&world).await;
        let later = world.now() + SignedDuration::from_secs(30);
        assert_eq!(settle(&world, &first, &busy(later)).await, State::Waiting);
        let waiting = only_occurrence(&world).await;
        assert_eq!(waiting.not_before, Some(later));
        world.advance(30);
        let (db, id) = (&world.service.db, first.occurrence_id);
        let open = db.list_open_occurrences().await.unwrap();
        assert_eq!((open.len(), open[0].id), (1, id));
        let again = db.claim_waiting(id, &anybodys(), world.now()).await;
        let again = job(again.unwrap());
        assert_ne!(again.fence, first.fence);
        assert_eq!((again.otid, again.failures), (first.otid, 1));
        let old = db.settle(id, first.fence, &delivered(), world.now()).await;
        assert!(old.unwrap().is_none());
        assert_eq!(settle(&world, &again, &delivered()).await, State::Delivered);
        assert_eq!(db.list_attempts(id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_what_waits_at_once_one_gets_it() {
    on_every_store(async |world| {
        let first = sending(&world).await;
        settle(&world, &first, &busy(world.now())).await;
        let (id, now) = (first.occurrence_id, world.now());
        let claims = together(&world, move |_, service| async move {
            let claim = service.db.claim_waiting(id, &anybodys(), now).await;
            matches!(claim.unwrap(), Claim::Job(_))
        });
        assert_eq!(claims.await.iter().filter(|won| **won).count(), 1);
        assert_eq!(only_occurrence(&world).await.state, State::Sending);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_noted_by_whoever_has_the_right() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        let (db, id) = (&world.service.db, job.occurrence_id);
        db.record_run(id, job.fence + 1, "run-2").await.unwrap();
        assert_eq!(only_occurrence(&world).await.run_id, None);
        db.record_run(id, job.fence, "run-1").await.unwrap();
        let noted = only_occurrence(&world).await.run_id;
        assert_eq!(noted.as_deref(), Some("run-1"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_dead_and_stays_in_the_account() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        assert_eq!(settle(&world, &job, &dead()).await, State::Dead);
        let told = only_occurrence(&world).await;
        assert!(told.error.unwrap().contains("refused"));
        assert_eq!(world.account().await, [(State::Dead, 1)]);
        let (db, id) = (&world.service.db, job.occurrence_id);
        let again = db.claim_waiting(id, &anybodys(), world.now()).await;
        assert!(matches!(again.unwrap(), Claim::Gone));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_runs_by_hand_at_once_one_waits_for_all() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1h").await.id;
        let queued = together(&world, move |_, service| async move {
            service.run(id).await.unwrap()
        });
        let queued = queued.await;
        let new = queued.iter().filter(|run| !run.existed).count();
        assert_eq!(new, 1, "{queued:?}");
        let occurrence = only_occurrence(&world).await;
        assert!(queued.iter().all(|run| run.occurrence_id == occurrence.id));
        assert_eq!(occurrence.trigger, Trigger::Manual);
    })
    .await;
}
