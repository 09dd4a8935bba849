//! The rules of adoption, with a clock that stands still.

use jiff::SignedDuration;
use promptyoself::db::AT_ONCE;
use promptyoself::error::Code;
use promptyoself::models::{
    Adoption, Claim, ClaimTerms, Lifecycle, PromptSchedule, ScheduleUpdate, State,
};
use promptyoself::scheduler::Mode;
use uuid::Uuid;

use super::raw::Foreign;
use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

pub(super) async fn world() -> (World, Foreign) {
    let world = World::new().await;
    let foreign = Foreign::connect(&world.path()).await;
    (world, foreign)
}

pub(super) async fn adopt(world: &World, foreign: &mut Foreign) -> Vec<Adoption> {
    let (db, zone) = (&world.service.db, &world.service.zone);
    let mut all = Vec::new();
    loop {
        let some = db.adopt_touched(zone, world.now()).await.unwrap();
        let more = some.len() as u64 == AT_ONCE;
        all.extend(some);
        if !more {
            break;
        }
    }
    foreign.check().await;
    world.assert_balanced().await;
    all
}

pub(super) async fn schedule(world: &World, id: i64) -> PromptSchedule {
    world.service.db.get_schedule(id).await.unwrap().unwrap()
}

/// Its next run and where it stands.
pub(super) async fn stands(world: &World, id: i64) -> (String, Lifecycle) {
    let schedule = schedule(world, id).await;
    (schedule.next_run.unwrap().to_string(), schedule.lifecycle)
}

/// Delivers what is due, and gives everything that was sent so far.
pub(super) async fn execute(world: &World) -> Vec<String> {
    world.start_on(&world.service, Mode::Once).ended().await;
    world.assert_balanced().await;
    world.target.sent().into_iter().map(|s| s.text).collect()
}

pub(super) fn at(time: &str) -> String {
    format!("2026-02-01T{time}Z")
}

#[tokio::test]
async fn the_stored_next_run_of_a_new_row_is_its_first_instant_whatever_its_value() {
    let (world, mut foreign) = world().await;
    let id = foreign
        .insert("interval", "1h", "2026-02-01 11:40:00.000000")
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        stands(&world, id).await,
        (at("11:40:00"), Lifecycle::Active)
    );
    assert_eq!(
        foreign.column(id, "anchor").await,
        "2026-02-01 11:40:00.000000"
    );
    assert_eq!(execute(&world).await.len(), 1);
    assert_eq!(stands(&world, id).await.0, at("12:40:00"));
}

#[tokio::test]
async fn a_time_in_any_form_is_written_in_ours_and_then_compares_as_a_time() {
    let (world, mut foreign) = world().await;
    for form in [
        "2026-02-01T12:30:00",
        "2026-02-01 12:30",
        "2026-02-01T13:30:00+01:00",
        "2026-02-01 12:30:00Z",
        "2026-02-01 12:30:00.0",
    ] {
        let id = foreign.insert("once", "x", form).await;
        let dates = format!("created_at = '{form}', last_run = '{form}'");
        foreign
            .run(&format!("UPDATE schedules SET {dates} WHERE id = {id}"))
            .await;
        adopt(&world, &mut foreign).await;
        for column in ["next_run", "created_at", "last_run"] {
            let written = foreign.column(id, column).await;
            assert_eq!(written, "2026-02-01 12:30:00.000000", "{column} of {form}");
        }
        // Once ours, the same instant in another form is no change but is written again.
        foreign
            .run(&format!(
                "UPDATE schedules SET next_run = '{form}' WHERE id = {id}"
            ))
            .await;
        adopt(&world, &mut foreign).await;
        foreign
            .run(&format!("UPDATE schedules SET active = 0 WHERE id = {id}"))
            .await;
        foreign
            .run(&format!(
                "UPDATE schedules SET next_run = '{form}' WHERE id = {id}"
            ))
            .await;
        adopt(&world, &mut foreign).await;
        assert_eq!(
            foreign.column(id, "next_run").await,
            "2026-02-01 12:30:00.000000"
        );
        foreign
            .run(&format!("UPDATE schedules SET active = 1 WHERE id = {id}"))
            .await;
    }
    assert!(execute(&world).await.is_empty());
    world.advance(1_800);
    assert_eq!(execute(&world).await.len(), 5);
}

#[tokio::test]
async fn what_cannot_be_read_is_broken_with_a_reason_and_stops_nothing_else() {
    let (world, mut foreign) = world().await;
    let due = "2026-02-01 11:59:00.000000";
    let mut broken = Vec::new();
    for (kind, value, next_run, reason) in [
        ("cron", "0 0 31 2 *", due, "never"),
        ("cron", "61 * * * *", due, "minute"),
        ("interval", "soon", due, "interval"),
        ("daily", "1", due, "schedule_type"),
        ("once", "x", "tomorrow", "next_run"),
        ("once", "x", "2026-02-30 00:00:00", "next_run"),
        // Columns of dates take numbers: these are stored as such.
        ("once", "x", "20260201", "next_run"),
        ("once", "x", "1769947200.5", "next_run"),
    ] {
        let id = foreign.insert(kind, value, next_run).await;
        broken.push((id, reason));
    }
    for (column, value, reason) in [
        ("agent_id", "'agent/../x'", "agent"),
        ("agent_id", "''", "agent"),
        ("prompt_text", "'  '", "prompt"),
        ("prompt_text", "CAST(x'C328' AS TEXT)", "UTF-8"),
        ("prompt_text", "x'FF00'", "UTF-8"),
    ] {
        let id = foreign.insert("once", "x", due).await;
        foreign
            .run(&format!(
                "UPDATE schedules SET {column} = {value} WHERE id = {id}"
            ))
            .await;
        broken.push((id, reason));
    }
    let good = foreign.insert("cron", "0 * * * *", due).await;
    adopt(&world, &mut foreign).await;
    for (id, reason) in broken {
        let schedule = schedule(&world, id).await;
        assert_eq!(schedule.lifecycle, Lifecycle::Broken, "{schedule:?}");
        let told = schedule.broken_reason.unwrap();
        assert!(told.contains(reason), "{told}");
    }
    assert_eq!(execute(&world).await.len(), 1);
    assert_eq!(stands(&world, good).await.0, at("13:00:00"));
}

#[tokio::test]
async fn a_broken_row_that_is_mended_runs() {
    let (world, mut foreign) = world().await;
    let [cron, text, date] = [
        foreign
            .insert("cron", "0 0 31 2 *", "2026-02-01 12:10:00")
            .await,
        foreign.insert("once", "x", "2026-02-01 12:10:00").await,
        foreign.insert("once", "x", "never").await,
    ];
    foreign
        .run(&format!(
            "UPDATE schedules SET prompt_text = '' WHERE id = {text}"
        ))
        .await;
    adopt(&world, &mut foreign).await;
    for (id, mend) in [
        (cron, "schedule_value = '0 9 * * *'"),
        (text, "prompt_text = 'mended'"),
        (date, "next_run = '2026-02-01 12:10:00'"),
    ] {
        foreign
            .run(&format!("UPDATE schedules SET {mend} WHERE id = {id}"))
            .await;
    }
    adopt(&world, &mut foreign).await;
    for id in [cron, text, date] {
        assert_eq!(
            stands(&world, id).await,
            (at("12:10:00"), Lifecycle::Active)
        );
        assert!(schedule(&world, id).await.broken_reason.is_none());
    }
    world.advance(600);
    assert_eq!(execute(&world).await.len(), 3);
}

#[tokio::test]
async fn a_changed_value_plans_anew_from_now_unless_next_run_was_changed_too() {
    let (world, mut foreign) = world().await;
    for (kind, old, new, planned) in [
        ("interval", "1h", "10m", "12:10:00"),
        ("cron", "0 * * * *", "15 * * * *", "12:15:00"),
        (
            "once",
            "2026-02-01T13:00:00Z",
            "2026-02-01 12:20:00",
            "12:20:00",
        ),
    ] {
        let id = foreign.insert(kind, old, "2026-02-01 13:00:00").await;
        adopt(&world, &mut foreign).await;
        let set = format!("UPDATE schedules SET schedule_value = '{new}'");
        foreign.run(&format!("{set} WHERE id = {id}")).await;
        adopt(&world, &mut foreign).await;
        assert_eq!(stands(&world, id).await, (at(planned), Lifecycle::Active));

        let both = format!("schedule_value = '{old}', next_run = '2026-02-01 12:47:00'");
        foreign
            .run(&format!("UPDATE schedules SET {both} WHERE id = {id}"))
            .await;
        adopt(&world, &mut foreign).await;
        assert_eq!(stands(&world, id).await.0, at("12:47:00"));

        foreign
            .run(&format!(
                "UPDATE schedules SET next_run = '2026-02-01 12:48:00' WHERE id = {id}"
            ))
            .await;
        adopt(&world, &mut foreign).await;
        assert_eq!(stands(&world, id).await.0, at("12:48:00"));
    }
    let id = foreign
        .insert("interval", "1h", "2026-02-01 13:00:00")
        .await;
    adopt(&world, &mut foreign).await;
    let set = "schedule_type = 'cron', schedule_value = '30 18 * * *'";
    foreign
        .run(&format!("UPDATE schedules SET {set} WHERE id = {id}"))
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, id).await.0, at("18:30:00"));
}

#[tokio::test]
async fn nothing_is_claimed_of_a_row_before_its_change_is_adopted() {
    let (world, mut foreign) = world().await;
    let retried = world.once("agent-a", "retried", 1).await.id;
    let due = world.once("agent-b", "due", 2).await.id;
    world.advance(1);
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    execute(&world).await;
    world.advance(3_600);
    let waiting = world.occurrences().await[0].clone();
    let db = &world.service.db;
    let seen = db.get_due_schedules(world.now()).await.unwrap();
    assert_eq!(seen.len(), 1);
    let terms = ClaimTerms {
        owner: Uuid::new_v4(),
        max_age: SignedDuration::from_hours(24),
        once_max_lateness: SignedDuration::from_hours(24),
    };
    let lane = promptyoself::models::Lane::new("letta/agent-b");
    for id in [retried, due] {
        foreign
            .run(&format!(
                "UPDATE schedules SET prompt_text = 'new' WHERE id = {id}"
            ))
            .await;
    }
    let claim = db
        .claim_due(&seen[0], &lane, &terms, world.now())
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Gone));
    let claim = db
        .claim_waiting(waiting.id, &terms, world.now())
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Gone));
    assert!(db.get_due_schedules(world.now()).await.unwrap().is_empty());
    adopt(&world, &mut foreign).await;
    // What was claimed before stays as it was; what was not is sent as it is now.
    let sent = execute(&world).await;
    assert!(sent[1..].iter().any(|s| s.ends_with("retried")), "{sent:?}");
    assert!(sent[1..].iter().any(|s| s.ends_with("new")), "{sent:?}");

    foreign.run("DELETE FROM schedules").await;
    let claim = db
        .claim_waiting(waiting.id, &terms, world.now())
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Gone));
}

#[tokio::test]
async fn our_own_change_does_not_hide_another_programs() {
    let (world, mut foreign) = world().await;
    let new = foreign
        .insert("interval", "1h", "2026-02-01 12:30:00")
        .await;
    world.service.cancel(new).await.unwrap();
    foreign.check().await;

    let moved = world.every("agent-a", "tick", "1h").await.id;
    foreign
        .run(&format!(
            "UPDATE schedules SET next_run = '2026-02-01 12:10:00' WHERE id = {moved}"
        ))
        .await;
    world.service.cancel(moved).await.unwrap();
    world.advance(1_200);
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 1 WHERE id = {moved}"
        ))
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, moved).await.0, at("13:10:00"));

    let ended = world.every("agent-a", "tick", "1h").await.id;
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 0 WHERE id = {ended}"
        ))
        .await;
    let error = world.service.cancel(ended).await.unwrap_err();
    assert_eq!(error.code(), Code::ScheduleNotActive);
    let update = ScheduleUpdate {
        prompt_text: Some("other".into()),
        ..ScheduleUpdate::default()
    };
    let db = &world.service.db;
    assert!(
        db.update_schedule(ended, &update, world.now())
            .await
            .unwrap()
    );
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, ended).await.1, Lifecycle::Cancelled);
}

#[tokio::test]
async fn a_replacement_character_may_stand_in_a_prompt_by_right() {
    let (world, mut foreign) = world().await;
    foreign.insert("once", "x", "2026-02-01 12:00:00").await;
    foreign
        .run("UPDATE schedules SET prompt_text = char(65533) || '👋' || char(10) || '''--'")
        .await;
    assert_eq!(execute(&world).await, ["\u{fffd}👋\n'--"]);
}

#[tokio::test]
async fn a_schedule_moved_to_an_agent_that_knows_its_name_gives_the_name_up() {
    let (world, mut foreign) = world().await;
    let mut ids = Vec::new();
    for agent in ["agent-a", "agent-b"] {
        let wish = promptyoself::service::Registration {
            name: Some("daily".into()),
            ..world.wish(
                agent,
                "x",
                promptyoself::models::ScheduleType::Interval,
                "1h",
            )
        };
        ids.push(world.service.register(&wish).await.unwrap().id);
    }
    foreign
        .run("UPDATE schedules SET agent_id = 'agent-a'")
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        foreign
            .text("SELECT count(*) FROM schedules WHERE name = 'daily'")
            .await,
        "1"
    );
    assert_eq!(stands(&world, ids[1]).await.1, Lifecycle::Active);
}

#[tokio::test]
async fn any_number_of_rows_is_adopted() {
    let (world, mut foreign) = world().await;
    foreign
        .run(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) \
             INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, active) SELECT 'agent-' || i, 'x', 'interval', '1h', \
             '2026-02-01 13:00:00', 1 FROM n",
        )
        .await;
    assert_eq!(adopt(&world, &mut foreign).await.len(), 250);
    assert!(adopt(&world, &mut foreign).await.is_empty());
    assert_eq!(world.active().await, 250);
}

#[tokio::test]
async fn a_next_run_in_the_far_past_is_sent_once_and_holds_nobody_up() {
    let (world, mut foreign) = world().await;
    for (kind, value) in [
        ("cron", "* * * * *"),
        ("interval", "1s"),
        ("interval", "1d"),
    ] {
        foreign.insert(kind, value, "0001-01-01 00:00:00").await;
    }
    assert_eq!(execute(&world).await.len(), 3);
}

#[tokio::test]
async fn an_agent_in_any_form_is_written_in_ours_and_then_spoken_to() {
    let (world, mut foreign) = world().await;
    for form in [
        "' agent-a'",
        "'agent-a' || char(10)",
        "CAST('agent-a' AS BLOB)",
    ] {
        let id = foreign.insert("once", "x", "2026-02-01 12:00:00").await;
        foreign
            .run(&format!(
                "UPDATE schedules SET agent_id = {form} WHERE id = {id}"
            ))
            .await;
        adopt(&world, &mut foreign).await;
        let written = format!("SELECT typeof(agent_id) || agent_id FROM schedules WHERE id = {id}");
        assert_eq!(foreign.text(&written).await, "textagent-a", "{form}");
        let before = world.target.sent().len();
        assert_eq!(execute(&world).await.len(), before + 1, "{form}");
        assert_eq!(stands(&world, id).await.1, Lifecycle::Finished);
    }
    // Nor is a change of ours left with it.
    let ours = world.every("agent-b", "tick", "1h").await.id;
    foreign
        .run(&format!(
            "UPDATE schedules SET agent_id = ' agent-c ' WHERE id = {ours}"
        ))
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(foreign.column(ours, "agent_id").await, "agent-c");
    assert!(adopt(&world, &mut foreign).await.is_empty());
    world.advance(3_600);
    execute(&world).await;
    assert_eq!(world.target.sent().last().unwrap().agent, "agent-c");
}

#[tokio::test]
async fn a_next_run_set_into_the_past_is_sent_and_only_what_was_before_it_is_skipped() {
    for (next_run, account, sent_for) in [
        // On an instant of the old plan, the newest of its backlog.
        (
            "12:30:00",
            vec![(State::Skipped, 2), (State::Delivered, 1)],
            "12:30:00",
        ),
        // On an older one.
        (
            "12:20:00",
            vec![
                (State::Skipped, 1),
                (State::Coalesced, 1),
                (State::Delivered, 1),
            ],
            "12:30:00",
        ),
        // Off the old plan.
        (
            "12:15:00",
            vec![
                (State::Skipped, 1),
                (State::Coalesced, 2),
                (State::Delivered, 1),
            ],
            "12:35:00",
        ),
        // Before all of it.
        (
            "12:05:00",
            vec![(State::Coalesced, 3), (State::Delivered, 1)],
            "12:35:00",
        ),
        (
            "12:35:00",
            vec![(State::Skipped, 3), (State::Delivered, 1)],
            "12:35:00",
        ),
    ] {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        world.advance(35 * 60);
        let set = format!("UPDATE schedules SET next_run = '2026-02-01 {next_run}'");
        foreign.run(&set).await;
        adopt(&world, &mut foreign).await;
        assert_eq!(stands(&world, id).await.0, at(next_run));
        assert_eq!(execute(&world).await.len(), 1, "{next_run}");
        assert_eq!(world.account().await, account, "{next_run}");
        let passed: i64 = account.iter().map(|(_, count)| count).sum();
        assert_eq!(schedule(&world, id).await.repetitions, passed);
        let delivered = world.occurrences().await.pop().unwrap();
        assert_eq!(delivered.intended_at.to_string(), at(sent_for));

        // What was delivered stays delivered once.
        let again = format!("UPDATE schedules SET next_run = '2026-02-01 {sent_for}'");
        foreign.run(&again).await;
        assert_eq!(execute(&world).await.len(), 1, "{next_run}");
        assert_eq!(world.account().await, account, "{next_run}");
    }
}

#[tokio::test]
async fn a_next_run_set_ahead_skips_the_whole_backlog() {
    let (world, mut foreign) = world().await;
    world.every("agent-a", "tick", "10m").await;
    world.advance(35 * 60);
    foreign
        .run("UPDATE schedules SET next_run = '2026-02-01 13:00:00'")
        .await;
    assert!(execute(&world).await.is_empty());
    assert_eq!(world.account().await, [(State::Skipped, 3)]);
}
