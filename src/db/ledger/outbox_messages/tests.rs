//! Each statement on the outbox does little work, however full it is and of what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::models::NextMessage;
use crate::schedule::Zone;

/// Many more than are examined at once.
const MANY: i64 = 20_000;

/// Far fewer SQLite steps than reading that many messages would take.
const FEW_STEPS: u64 = 20_000;

/// Messages that are due, and valid for long.
const VALID: &str = "'2026-02-01 11:59:00.000000', '2026-02-01 13:00:00.000000'";

fn now() -> Timestamp {
    "2026-02-01T12:00:00Z".parse().unwrap()
}

struct Outbox {
    db: Db,
    steps: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Outbox {
    /// An outbox with many pings in half as many lanes, with a part that is different.
    async fn of(columns: &str, values: &str) -> Outbox {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let (db, _) = Db::open(&path, &Zone::utc(), now()).await.unwrap();
        let outbox = Outbox {
            // So that all jobs go through one connection.
            db: db.for_scheduler(),
            steps: Arc::default(),
            _folder: folder,
        };
        outbox
            .run(&format!(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY}) \
                 INSERT INTO outbox (channel, lane, kind, event, body, created_at, {columns}) \
                 SELECT 'ping', 'schedule:' || (n % {MANY} / 2), 'ping', 'start', '', \
                     '2026-02-01 11:59:00.000000', {values} FROM n"
            ))
            .await;
        let counted = outbox.steps.clone();
        let count = move |tx: &Tx<'_>| {
            let counted = counted.clone();
            let count_one = move || {
                counted.fetch_add(1, Ordering::Relaxed);
                false
            };
            let set = tx.connection().progress_handler(1, Some(count_one));
            Ok(set.map_err(sql::Error::from)?)
        };
        outbox.db.write("count the steps", count).await.unwrap();
        outbox
    }

    async fn run(&self, sql: &str) {
        let sql = sql.to_owned();
        let ran = self.db.write("test", move |tx| Ok(tx.run_script(&sql)?));
        ran.await.unwrap();
    }

    /// Leases a message, in few steps.
    async fn take(&self, full: &[&str], now: Timestamp) -> NextMessage {
        let full: Vec<String> = full.iter().map(|s| (*s).to_owned()).collect();
        self.steps.store(0, Ordering::Relaxed);
        let taken = self.db.lease_message(Channel::Ping, &full, now).await;
        self.assert_few_steps("take");
        taken.unwrap()
    }

    fn assert_few_steps(&self, what: &str) {
        let steps = self.steps.load(Ordering::Relaxed);
        assert!(steps < FEW_STEPS, "{what}: {steps}");
    }
}

#[tokio::test]
async fn a_message_is_found_among_any_others_in_few_steps() {
    let columns = "not_before, expires_at, lease_until, given_up_at, error, server";
    for (others, values) in [
        (
            "waiting",
            "'2026-02-01 12:10:00.000000', '2026-02-01 13:00:00.000000', NULL, NULL, 'no', 's'",
        ),
        (
            "leased",
            "'2026-02-01 11:50:00.000000', '2026-02-01 13:00:00.000000', \
                    '2026-02-01 12:00:59.000000', NULL, NULL, 's'",
        ),
        (
            "given up",
            "'2026-02-01 11:50:00.000000', '2026-02-01 11:59:00.000000', NULL, \
                      '2026-02-01 11:59:30.000000', 'no', 's'",
        ),
        (
            "to a full server",
            "'2026-02-01 11:50:00.000000', '2026-02-01 13:00:00.000000', NULL, \
                              NULL, NULL, 'full' || (n % 3)",
        ),
    ] {
        let outbox = Outbox::of(columns, values).await;
        let full = ["full0", "full1", "full2"];
        assert!(
            matches!(outbox.take(&full, now()).await, NextMessage::Nothing),
            "{others}"
        );
        outbox
            .run(
                "INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, \
                 expires_at, server) VALUES ('ping', 'schedule:new', 'ping', 'start', 'new', \
                 '2026-02-01 12:00:00.000000', '2026-02-01 12:00:00.000000', \
                 '2026-02-01 13:00:00.000000', 'other')",
            )
            .await;
        let NextMessage::Due(message) = outbox.take(&full, now()).await else {
            panic!("{others}")
        };
        assert_eq!(message.body, "new", "{others}");
        outbox.steps.store(0, Ordering::Relaxed);
        let later = now() + SignedDuration::from_secs(5);
        outbox
            .db
            .return_message(&message, Some("no"), later)
            .await
            .unwrap();
        outbox.db.delete_delivered_message(&message).await.unwrap();
        outbox.assert_few_steps(others);
    }
}

#[tokio::test]
async fn messages_of_one_lane_are_taken_in_order_in_few_steps() {
    let outbox = Outbox::of("not_before, expires_at", VALID).await;
    outbox
        .run("UPDATE outbox SET lane = 'one', head = (id = 1)")
        .await;
    for id in 1..=20 {
        let NextMessage::Due(message) = outbox.take(&[], now()).await else {
            panic!("{id}")
        };
        assert_eq!(message.id, id);
        // Nobody gets it, or a later one, in the meantime.
        assert!(matches!(
            outbox.take(&[], now()).await,
            NextMessage::Nothing
        ));
        outbox.steps.store(0, Ordering::Relaxed);
        outbox.db.delete_delivered_message(&message).await.unwrap();
        outbox.assert_few_steps("delivered");
    }
}

#[tokio::test]
async fn what_is_too_old_is_given_up_a_hundred_at_a_time_and_delays_nothing_else() {
    let values = "'2026-02-01 11:00:00.000000', '2026-02-01 11:59:00.000000'";
    let outbox = Outbox::of("not_before, expires_at", values).await;
    let NextMessage::TooOld(first) = outbox.take(&[], now()).await else {
        panic!("it took one")
    };
    assert_eq!(first.len(), 100);
    let mut given_up = first.len();
    loop {
        outbox.steps.store(0, Ordering::Relaxed);
        let tidied = outbox.db.tidy_outbox(now()).await.unwrap();
        outbox.assert_few_steps("tidy");
        assert!(tidied.given_up.len() <= 100);
        given_up += tidied.given_up.len();
        if !tidied.more {
            break;
        }
    }
    assert_eq!(i64::try_from(given_up), Ok(MANY));
    assert!(matches!(
        outbox.take(&[], now()).await,
        NextMessage::Nothing
    ));
}

#[tokio::test]
async fn times_and_leases_of_a_clock_that_was_set_back_hold_nothing_up() {
    let values = "'2026-02-01 12:31:00.000000', '2026-02-01 15:00:00.000000'";
    let outbox = Outbox::of("not_before, expires_at", values).await;
    let NextMessage::Due(message) = outbox.take(&[], now()).await else {
        panic!("it waits for the later now")
    };
    let back = now() - SignedDuration::from_secs(1);
    outbox
        .run(&format!("DELETE FROM outbox WHERE id <> {}", message.id))
        .await;
    assert!(matches!(outbox.take(&[], back).await, NextMessage::Due(_)));
    assert!(matches!(outbox.take(&[], back).await, NextMessage::Nothing));
    let after = back + LEASE;
    assert!(matches!(outbox.take(&[], after).await, NextMessage::Due(_)));
}
