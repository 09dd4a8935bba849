//! Databases from before revisions said up to when they hold.

use std::path::Path;

use promptyoself::scheduler::Mode;
use promptyoself::service::Service;

use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// Takes the database back to where it was before the account was kept.
const UNDO: &str = "
    DROP INDEX ix_occurrences_not_sent;
    DROP INDEX ix_occurrences_intended_at;
    DROP INDEX ix_occurrences_of_agent;
    DROP INDEX ix_occurrences_of_schedule;
    DROP INDEX ix_incidents_unknown_agents;
    DROP TRIGGER schedules_uncounted;
    DROP TRIGGER schedules_recounted;
    DROP TRIGGER schedules_counted;
    DROP TABLE schedule_counts;
    DROP TABLE changes;
    ALTER TABLE held_targets DROP COLUMN by_lanes;
    ALTER TABLE occurrences DROP COLUMN doubted_at;
    DROP TABLE registrations;
    DROP INDEX ix_schedule_revisions_from_at;
    DROP TABLE clock_readings;
    DROP INDEX ix_schedules_ended_before;
    DROP INDEX ix_schedules_ended_at;
    ALTER TABLE schedules DROP COLUMN ended_at;
    ALTER TABLE attempts DROP COLUMN counted;
    ALTER TABLE attempts DROP COLUMN repeats;
    DROP INDEX ix_occurrences_open_agent;
    DROP INDEX ix_schedules_agent_lifecycle;
    ALTER TABLE schedules DROP COLUMN paused_by_failures;
    DROP INDEX ix_incidents_agent;
    DROP INDEX ix_incidents_untold;
    DROP INDEX ix_incidents_closed_at;
    DROP INDEX ix_incidents_open;
    ALTER TABLE incidents DROP COLUMN uid;
    ALTER TABLE incidents DROP COLUMN agent_id;
    DROP TRIGGER outbox_given_up;
    DROP TRIGGER outbox_removed;
    DROP TRIGGER outbox_added;
    DROP INDEX ix_outbox_failed;
    DROP INDEX ix_outbox_given_up;
    DROP INDEX ix_outbox_expires_at;
    DROP INDEX ix_outbox_leased;
    DROP INDEX ix_outbox_server;
    DROP INDEX ix_outbox_due;
    DROP INDEX ix_outbox_lane;
    ALTER TABLE outbox DROP COLUMN head;
    ALTER TABLE outbox DROP COLUMN server;
    CREATE INDEX ix_outbox_lane ON outbox (channel, lane, id);
    CREATE INDEX ix_outbox_expires_at ON outbox (expires_at);
    DROP TRIGGER schedules_prompt_replaced;
    DROP TRIGGER schedules_payload_left;
    DROP TRIGGER schedules_payload_deleted;
    DROP INDEX ix_schedules_payload;
    ALTER TABLE schedules DROP COLUMN payload;
    DROP TABLE requests;
    DROP TABLE keys;
    DROP TABLE former_installs;
    DROP INDEX ix_occurrences_open_uid;
    DROP INDEX ix_occurrences_payload;
    DROP INDEX ix_occurrences_finished_at;
    DROP TRIGGER schedules_deleted;
    DROP TABLE deleted_schedules;
    DROP TABLE pruned_sums;
    ALTER TABLE install DROP COLUMN early_occurrences;
    ALTER TABLE schedule_revisions DROP COLUMN repetitions;
    ALTER TABLE schedule_revisions DROP COLUMN ends_before;
    DELETE FROM _sqlx_migrations WHERE version >= 5;
";

async fn undo(path: &Path) {
    Foreign::connect(path).await.run(UNDO).await;
}

async fn reopen(world: &World) -> Service {
    world.another().await
}

#[tokio::test]
async fn an_older_database_is_not_called_wrong_and_is_proved_from_then_on() {
    let mut world = World::new().await;
    let [live, paused, over] = [
        world.every("agent-a", "tick", "10s").await.id,
        world.every("agent-b", "tick", "10s").await.id,
        world.every("agent-c", "tick", "10s").await.id,
    ];
    for _ in 0..3 {
        world.advance(20);
        world.start_on(&world.service, Mode::Once).ended().await;
    }
    world.service.pause(paused, None).await.unwrap();
    world.service.cancel(over).await.unwrap();
    world.advance(15);
    undo(&world.path()).await;
    world.service = reopen(&world).await;
    world.assert_balanced().await;
    let early: Vec<_> = (world.service.db.accounts().await.unwrap().iter())
        .map(|a| a.expected)
        .collect();
    assert_eq!(early, [Some(6), Some(6), Some(6)]);

    world.service.resume(paused, false).await.unwrap();
    world.advance(20);
    world.start_on(&world.service, Mode::Once).ended().await;
    world.assert_balanced().await;
    // Set back onto what was settled before: it counts once, and nothing of it is sent again.
    let sent = world.target.sent().len();
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET next_run = '2026-02-01 12:00:20' WHERE id = {live}"
        ))
        .await;
    world.start_on(&world.service, Mode::Once).ended().await;
    assert_eq!(world.target.sent().len(), sent);
    world.assert_balanced().await;

    // What is lost from then on is found.
    foreign
        .run(
            "DELETE FROM attempts; \
             DELETE FROM occurrences WHERE id = (SELECT max(id) FROM occurrences)",
        )
        .await;
    let accounts = world.service.db.accounts().await.unwrap();
    assert_eq!(accounts.iter().filter(|a| !a.balanced).count(), 1);
}
