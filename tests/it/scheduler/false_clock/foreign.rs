//! What another program changes while the clock is wrong.

use super::*;

#[tokio::test]
async fn the_account_of_a_schedule_that_can_no_longer_be_read_is_even_once_the_clock_is_right() {
    for column in ["schedule_value", "schedule_type", "timezone", "next_run"] {
        for cancelled in [false, true] {
            let world = known_world().await;
            let id = world.every("agent-a", "tick", "10m").await.id;
            let mut running = world.start();
            for seconds in [600, 600, 3_600] {
                world.advance(seconds);
                running.until(State::Delivered).await;
            }
            running.stop().await;
            if cancelled {
                world.service.cancel(id).await.unwrap();
            }
            let mut foreign = Foreign::connect(&world.path()).await;
            let broken = format!("UPDATE schedules SET {column} = 'nonsense'");
            foreign.run(&broken).await;
            let running = world.start();
            let touched = "SELECT sum(touched) FROM schedules";
            until!(foreign.one::<i64>(touched).await == 0);
            // Now even the first instant lies ahead.
            set(&world, -10 * 3_600);
            planned_anew(&world).await;
            running.stop().await;
            let account = &world.service.db.accounts().await.unwrap()[0];
            assert!(account.balanced, "{column}, {cancelled}: {account:?}");
            assert_eq!(account.expected, Some(3), "{column}, {cancelled}");
        }
    }
}

#[tokio::test]
async fn an_instant_that_another_program_set_before_the_false_time_is_not_counted_from_that() {
    for (ahead, kind, value) in [
        (40 * 24, ScheduleType::Cron, "15 0 * * *"),
        (40 * 24, ScheduleType::Interval, "5h"),
        (40 * 24, ScheduleType::Once, "2026-02-01T20:00:00Z"),
        (6, ScheduleType::Cron, "15 0 * * *"),
        (6, ScheduleType::Interval, "5h"),
        (6, ScheduleType::Once, "2026-02-01T20:00:00Z"),
    ] {
        let world = known_world().await;
        let mut wish = world.wish("agent-a", "set", kind, value);
        wish.when.max_repetitions = (kind != ScheduleType::Once).then_some(6);
        let id = world.service.register(&wish).await.unwrap().id;
        let due = after(&world, 1_800);
        let mut foreign = Foreign::connect(&world.path()).await;
        let sets = format!(
            "UPDATE schedules SET next_run = '{}'",
            due.strftime("%Y-%m-%d %H:%M:%S%.6f")
        );
        foreign.run(&sets).await;
        let running = believe(&world, ahead * 3_600).await;
        until!(get(&world, id).await.next_run > Some(due) || world.active().await == 0);
        at_rest(&world).await;
        running.kill().await;
        set(&world, -ahead * 3_600);
        let mut running = world.start();
        planned_anew(&world).await;
        world.assert_balanced().await;
        let sent: Vec<Timestamp> = (world.occurrences().await.iter())
            .filter(|o| o.state == State::Delivered)
            .map(|o| o.intended_at)
            .collect();
        if !sent.contains(&due) {
            let schedule = get(&world, id).await;
            assert_eq!(
                (schedule.next_run, schedule.lifecycle),
                (Some(due), Lifecycle::Active),
                "{ahead}, {kind:?}"
            );
            world.advance(1_800);
            assert_eq!(running.until(State::Delivered).await.intended_at, due);
        }
        running.stop().await;
        world.assert_balanced().await;
    }
}

#[tokio::test]
async fn the_account_is_even_of_an_instant_that_another_program_set_after_the_false_time() {
    for ahead in [6 * 3_600, 40 * 24 * 3_600] {
        for (kind, value) in [
            (ScheduleType::Cron, "15 0 1 * *"),
            (ScheduleType::Interval, "5h"),
        ] {
            let world = known_world().await;
            world.register("agent-a", "set", kind, value).await;
            let due = after(&world, ahead + 7_200);
            let mut foreign = Foreign::connect(&world.path()).await;
            let sets = format!(
                "UPDATE schedules SET next_run = '{}'",
                due.strftime("%Y-%m-%d %H:%M:%S%.6f")
            );
            foreign.run(&sets).await;
            let running = believe(&world, ahead).await;
            at_rest(&world).await;
            running.kill().await;
            set(&world, -ahead);
            let running = world.start();
            planned_anew(&world).await;
            running.stop().await;
            world.assert_balanced().await;
        }
    }
}
