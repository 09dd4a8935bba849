//! The account says what is wrong.

use promptyoself::models::Account;
use promptyoself::scheduler::Mode;

use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// A schedule with four instants, one delivered after the other.
async fn delivered_four() -> (World, Foreign) {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    for _ in 0..4 {
        world.advance(10);
        world.start_on(&world.service, Mode::Once).ended().await;
    }
    world.assert_balanced().await;
    let foreign = Foreign::connect(&world.path()).await;
    (world, foreign)
}

async fn the_account(world: &World) -> Account {
    world.service.db.accounts().await.unwrap().remove(0)
}

#[tokio::test]
async fn damage_is_found_and_named() {
    for (damage, said) in [
        (
            "DELETE FROM attempts; DELETE FROM occurrences WHERE id = 2",
            "4 instants were planned and 3 are recorded: 1 are missing (2026-02-01T12:00:20Z)",
        ),
        (
            "UPDATE occurrences SET count = 3 WHERE id = 2",
            "4 instants were planned and 6 are recorded: 2 too many",
        ),
        (
            "UPDATE occurrences SET intended_at = '2026-02-01 12:00:21.000000' WHERE id = 2",
            "1 recorded instants were never planned (2026-02-01T12:00:21Z)",
        ),
        (
            "UPDATE occurrences SET state = 'lost' WHERE id = 2",
            "\"lost\" is not a known state",
        ),
        (
            "UPDATE schedules SET next_run = '2026-02-01 12:01:10.000000', \
             planned_next_run = '2026-02-01 12:01:10.000000', row_version = row_version + 1",
            "6 instants were planned and 4 are recorded: 2 are missing (2026-02-01T12:00:50Z, \
             2026-02-01T12:01:00Z)",
        ),
        (
            "INSERT INTO pruned_sums SELECT uid, 'schedule', 'delivered', 1, first_at, \
             intended_at FROM occurrences WHERE id = 1",
            "4 instants were planned and 5 are recorded: 1 too many",
        ),
    ] {
        let (world, mut foreign) = delivered_four().await;
        foreign.run(damage).await;
        let account = the_account(&world).await;
        assert!(!account.balanced, "{damage}");
        assert_eq!(account.difference.as_deref(), Some(said), "{damage}");
    }
}

#[tokio::test]
async fn what_cannot_be_calculated_is_not_called_wrong() {
    for (damage, said) in [
        (
            "UPDATE schedule_revisions SET schedule_value = 'soon'",
            "not proved: a revision can't be read",
        ),
        (
            "INSERT OR REPLACE INTO schedules (id, agent_id, prompt_text, schedule_type, \
             schedule_value, next_run) VALUES (1, 'agent-b', 'x', 'once', 'x', '2027-01-01')",
            "not proved: its row was replaced",
        ),
    ] {
        let (world, mut foreign) = delivered_four().await;
        foreign.run(damage).await;
        let account = the_account(&world).await;
        assert!(account.balanced);
        assert_eq!(account.expected, None);
        assert!(account.difference.unwrap().contains(said));
    }
}
