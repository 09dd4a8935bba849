//! How much an agent may schedule for itself.

use promptyoself::error::Code;
use promptyoself::models::{AgentId, Budget, Caller, ScheduleType};
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, Registration, Service, Wish};

use crate::world::World;

/// A world whose service speaks for an agent that nobody names, and the operator's service.
async fn world() -> (World, Service) {
    let mut world = World::new().await;
    world.service.budget = Budget {
        schedules: 2,
        fires_per_day: 1_000,
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
    assert!(refused.to_string().contains("has 2 schedules"), "{refused}");
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
        assert_eq!(made.existed, existed);
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
            kind: ScheduleType::Interval,
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
