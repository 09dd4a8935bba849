//! How much an agent may schedule for itself.

use promptyoself::error::Code;
use promptyoself::models::{Budget, Caller, ScheduleType};
use promptyoself::service::{Changes, Registration, Wish};

use crate::world::World;

async fn world() -> World {
    let mut world = World::new().await;
    world.service.budget = Budget {
        schedules: 2,
        fires_per_day: 1_000,
    };
    world
}

fn asked(world: &World, caller: Caller, kind: ScheduleType, value: &str) -> Registration {
    Registration {
        caller,
        ..world.wish("agent-a", "tick", kind, value)
    }
}

#[tokio::test]
async fn an_agent_may_have_so_many_live_schedules_and_the_operator_any_number() {
    let world = world().await;
    let by = |caller| asked(&world, caller, ScheduleType::Interval, "1h");
    let first = world.service.register(&by(Caller::Agent)).await.unwrap().id;
    let second = world.service.register(&by(Caller::Agent)).await.unwrap().id;
    // A paused one may run again at any time.
    world.service.pause(second, None).await.unwrap();
    let refused = world
        .service
        .register(&by(Caller::Agent))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    assert!(refused.to_string().contains("has 2 schedules"), "{refused}");
    world.service.register(&by(Caller::Operator)).await.unwrap();
    for id in [first, second] {
        world.service.cancel(id).await.unwrap();
    }
    world.service.register(&by(Caller::Agent)).await.unwrap();
}

#[tokio::test]
async fn asking_again_for_a_named_schedule_costs_no_budget() {
    let world = world().await;
    let named = Registration {
        name: Some("hourly".into()),
        ..asked(&world, Caller::Agent, ScheduleType::Interval, "1h")
    };
    for existed in [false, true, true, true] {
        assert_eq!(
            world.service.register(&named).await.unwrap().existed,
            existed
        );
    }
}

#[tokio::test]
async fn an_agents_schedule_may_run_so_often_in_a_day_and_the_operators_as_it_likes() {
    let world = world().await;
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
        let world = self::world().await;
        let mut agent = asked(&world, Caller::Agent, kind, value);
        agent.when.max_repetitions = times;
        let answer = world.service.register(&agent).await;
        assert_eq!(answer.is_ok(), allowed, "{value} {times:?} {answer:?}");
        let operator = Registration {
            caller: Caller::Operator,
            ..agent
        };
        world.service.register(&operator).await.unwrap();
    }
    // What begins later is counted from its first run.
    let mut later = asked(&world, Caller::Agent, ScheduleType::Interval, "1m");
    later.when.start_at = Some("2026-03-01T00:00:00Z".into());
    let refused = world.service.register(&later).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
}

#[tokio::test]
async fn an_update_by_an_agent_stays_within_the_budget() {
    let world = world().await;
    let made = asked(&world, Caller::Agent, ScheduleType::Interval, "1h");
    let id = world.service.register(&made).await.unwrap().id;
    let often = Changes {
        wish: Some(Wish {
            kind: ScheduleType::Interval,
            value: "1m".into(),
        }),
        caller: Caller::Agent,
        ..Changes::default()
    };
    let refused = world.service.update(id, &often).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    for _ in 0..2 {
        world.every("agent-b", "tock", "1h").await;
    }
    let moved = Changes {
        agent_id: Some(promptyoself::models::AgentId::parse("agent-b").unwrap()),
        caller: Caller::Agent,
        ..Changes::default()
    };
    let refused = world.service.update(id, &moved).await.unwrap_err();
    assert_eq!(refused.code(), Code::BudgetExceeded);
    let by_operator = Changes {
        caller: Caller::Operator,
        ..moved
    };
    world.service.update(id, &by_operator).await.unwrap();
}
