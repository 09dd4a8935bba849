//! How much an agent may schedule.

use promptyoself::error::Code;
use promptyoself::models::{AgentId, AllAgents, Budget, Caller, ScheduleType};
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, Registration, Service, Wish};

use crate::world::{World, known_agent};

/// A world whose service speaks for an agent that nobody names, and the operator's service.
async fn world() -> (World, Service) {
    let mut world = World::new().await;
    world.service.budget = Budget {
        schedules: 2,
        ..Budget::default()
    };
    let operator = world.service.clone();
    world.service = operator.for_caller(Caller::SomeAgent);
    (world, operator)
}

fn hourly(world: &World) -> Registration {
    world.wish("agent-a", "tick", ScheduleType::Interval, "1h")
}

#[tokio::test]
async fn an_agent_may_have_so_many_live_schedules_and_the_operator_any_number() {
    let (world, operator) = world().await;
    let asked = hourly(&world);
    let first = world.service.register(&asked).await.unwrap().id;
    let second = world.service.register(&asked).await.unwrap().id;
    // A paused one may run again at any time.
    world.service.pause(second, None).await.unwrap();
    let refused = world.service.register(&asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    assert!(
        refused.to_string().contains("has 2 active or paused"),
        "{refused}"
    );
    operator.register(&asked).await.unwrap();
    for id in [first, second] {
        world.service.cancel(id).await.unwrap();
    }
    world.service.register(&asked).await.unwrap();
}

#[tokio::test]
async fn asking_again_for_a_named_schedule_costs_no_budget() {
    let (world, _) = world().await;
    let named = Registration {
        name: Some("hourly".into()),
        ..hourly(&world)
    };
    for existed in [false, true, true, true] {
        let made = world.service.register(&named).await.unwrap();
        assert_eq!(made.existed, Some(existed));
    }
}

#[tokio::test]
async fn an_agents_schedule_may_run_so_often_in_a_day_and_the_operators_as_it_likes() {
    for (kind, value, times, allowed) in [
        (ScheduleType::Interval, "1m", None, false),
        (ScheduleType::Interval, "1m", Some(1_000), true),
        (ScheduleType::Interval, "1m", Some(1_001), false),
        (ScheduleType::Interval, "86s", None, false),
        (ScheduleType::Interval, "87s", None, true),
        (ScheduleType::Cron, "* * * * *", None, false),
        (ScheduleType::Cron, "*/2 * * * *", None, true),
        (ScheduleType::Once, "2026-02-02T00:00:00Z", None, true),
    ] {
        let (world, operator) = world().await;
        let mut asked = world.wish("agent-a", "tick", kind, value);
        asked.when.max_repetitions = times;
        let answer = world.service.register(&asked).await;
        assert_eq!(answer.is_ok(), allowed, "{value} {times:?} {answer:?}");
        operator.register(&asked).await.unwrap();
    }
}

#[tokio::test]
async fn what_begins_later_is_counted_from_its_first_run() {
    let (world, _) = world().await;
    let mut later = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    later.when.start_at = Some("2026-03-01T00:00:00Z".into());
    let refused = world.service.register(&later).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
}

#[tokio::test]
async fn an_update_by_an_agent_stays_within_the_budget() {
    let (world, operator) = world().await;
    let id = world.service.register(&hourly(&world)).await.unwrap().id;
    let often = Changes {
        wish: Some(Wish {
            asked: promptyoself::schedule::Asked::As(ScheduleType::Interval),
            value: "1m".into(),
        }),
        ..Changes::default()
    };
    let refused = world.service.update(id, &often).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    for _ in 0..2 {
        world.every("agent-b", "tock", "1h").await;
    }
    let moved = Changes {
        agent_id: Some(AgentId::parse("agent-b").unwrap()),
        ..Changes::default()
    };
    let refused = world.service.update(id, &moved).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    operator.update(id, &moved).await.unwrap();
}

#[tokio::test]
async fn an_agent_is_run_by_hand_no_more_often_in_a_day_than_a_schedule_may_run() {
    let (mut world, operator) = world().await;
    world.service.budget.fires_per_day = 24;
    let id = world.service.register(&hourly(&world)).await.unwrap().id;
    for _ in 0..24 {
        world.service.run(id).await.unwrap();
        world.start_on(&operator, Mode::Once).ended().await;
        world.advance(1);
    }
    let refused = world.service.run(id).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    operator.run(id).await.unwrap();
    world.advance(24 * 3_600);
    world.service.run(id).await.unwrap();
}

#[tokio::test]
async fn an_agent_may_register_so_often_in_a_day_also_what_it_cancels_at_once() {
    let (mut world, operator) = world().await;
    world.service.budget.registrations_per_day = 5;
    let asked = hourly(&world);
    for _ in 0..5 {
        let id = world.service.register(&asked).await.unwrap().id;
        world.service.cancel(id).await.unwrap();
        world.advance(60);
    }
    let refused = world.service.register(&asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    assert!(
        refused.to_string().contains("including cancelled ones"),
        "{refused}"
    );
    operator.register(&asked).await.unwrap();
    // Another agent has a day of its own, and so has this one when the first is a day ago.
    let other = world.wish("agent-b", "tick", ScheduleType::Interval, "1h");
    world.service.register(&other).await.unwrap();
    world.advance(24 * 3_600 - 300 + 1);
    let id = world.service.register(&asked).await.unwrap().id;
    world.service.cancel(id).await.unwrap();
    let refused = world.service.register(&asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
}

#[tokio::test]
async fn a_schedule_that_was_deleted_or_moved_still_counts_for_its_day() {
    let (mut world, operator) = world().await;
    world.service.budget.registrations_per_day = 2;
    for _ in 0..2 {
        let id = world.service.register(&hourly(&world)).await.unwrap().id;
        let moved = Changes {
            agent_id: Some(AgentId::parse("agent-b").unwrap()),
            ..Changes::default()
        };
        operator.update(id, &moved).await.unwrap();
    }
    let refused = world.service.register(&hourly(&world)).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
}

#[tokio::test]
async fn whoever_chooses_the_agent_has_a_total_whatever_name_it_chooses() {
    let (mut world, operator) = world().await;
    world.service.budget.all = AllAgents {
        schedules: 3,
        registrations: 5,
    };
    let wish = |n: usize| world.wish(&format!("agent-{n}"), "tick", ScheduleType::Interval, "1h");
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(world.service.register(&wish(n)).await.unwrap().id);
    }
    let refused = world.service.register(&wish(3)).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    assert!(
        refused.to_string().contains("agents together have 3"),
        "{refused}"
    );
    // What the operator makes, or an agent that is known, counts for nothing here.
    operator.register(&wish(4)).await.unwrap();
    let mut known = operator.for_caller(known_agent("agent-5"));
    known.budget = world.service.budget;
    known.register(&wish(5)).await.unwrap();
    for n in 6..8 {
        world.service.cancel(ids.pop().unwrap()).await.unwrap();
        ids.insert(0, world.service.register(&wish(n)).await.unwrap().id);
    }
    world.service.cancel(ids.pop().unwrap()).await.unwrap();
    let refused = world.service.register(&wish(8)).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    assert!(
        refused
            .to_string()
            .contains("registered 5 schedules in the last"),
        "{refused}"
    );
    // A day later only those count that are still live.
    world.advance(24 * 3_600 + 1);
    world.service.register(&wish(9)).await.unwrap();
    let refused = world.service.register(&wish(10)).await.unwrap_err();
    assert!(
        refused.to_string().contains("agents together have 3"),
        "{refused}"
    );
}
