//! What monitoring sees, and may alert on.

use std::collections::BTreeMap;

use crate::program::World;

/// What the server tells, by name and labels.
async fn scrape(url: &str) -> BTreeMap<String, f64> {
    let client = crate::rest::api::client();
    let answer = client.get(format!("{url}/metrics")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.strip_prefix("promptyoself_").unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Scrapes until it is as wanted: the scheduler is another process.
async fn scrape_until(
    url: &str,
    wanted: impl Fn(&BTreeMap<String, f64>) -> bool,
) -> BTreeMap<String, f64> {
    let mut last = BTreeMap::new();
    for _ in 0..1_000 {
        last = scrape(url).await;
        if wanted(&last) {
            return last;
        }
        crate::daemon::pause().await;
    }
    panic!("it never told what was wanted: {last:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_counted_by_where_they_stand_whoever_moves_them() {
    let world = World::new().await;
    world.run(&["list"]).succeeded();
    let row = "(agent_id, prompt_text, schedule_type, schedule_value, next_run, active) VALUES \
               ('agent-a', 'p', 'interval', '1h', '2099-01-01 00:00:00', 1)";
    world.sql(&format!("INSERT INTO schedules {row}")).await;
    for every in ["1h", "2h", "3h", "4h"] {
        world.register("p", &["--every", every]);
    }
    world.run(&["pause", "2"]).succeeded();
    world.run(&["cancel", "3"]).succeeded();
    world.run(&["run", "4"]).succeeded();
    world.sql("DELETE FROM schedules WHERE id = 5").await;
    // It replaces one past every trigger.
    world
        .sql(
            "INSERT OR REPLACE INTO schedules (id, agent_id, prompt_text, schedule_type, \
               schedule_value, next_run, active) VALUES (4, 'agent-a', 'p', 'interval', '1h', \
               '2099-01-01 00:00:00', 1)",
        )
        .await;
    let url = world.serve();
    let of = |lifecycle: &str| format!("schedules{{lifecycle=\"{lifecycle}\"}}");
    let told = scrape_until(&url, |told| told[&of("new")] == 0.0).await;
    let counts = ["active", "paused", "cancelled", "finished", "broken"].map(|l| told[&of(l)]);
    assert_eq!(counts, [2.0, 1.0, 1.0, 0.0, 0.0]);
    let counted: f64 = counts.iter().sum();
    let listed = world.run(&["list", "--all"]).succeeded();
    assert_eq!(listed["total"].as_f64(), Some(counted));
    world.stop_servers();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_and_not_on_its_way_tells_since_when() {
    let world = World::new().await;
    world.run(&["halt"]).succeeded();
    let url = world.serve();
    assert_eq!(scrape(&url).await["oldest_due_seconds"], 0.0);
    let id = world.register_due(&world.agent, "late", 300).await;
    let other = world.register("paused", &["--every", "1h"]);
    world.run(&["pause", &other.to_string()]).succeeded();
    let told = scrape_until(&url, |told| told["oldest_due_seconds"] > 0.0).await;
    let oldest = told["oldest_due_seconds"];
    assert!((300.0..900.0).contains(&oldest), "{oldest}");
    world.run(&["halt", "--off"]).succeeded();
    scrape_until(&url, |told| told["oldest_due_seconds"] == 0.0).await;
    let told = scrape_until(&url, |told| {
        told.get("lateness_seconds_count{target=\"letta\"}") == Some(&1.0)
    })
    .await;
    assert_eq!(
        told["lateness_seconds_bucket{le=\"60.0\",target=\"letta\"}"],
        0.0
    );
    assert_eq!(told["settle_failures_total"], 0.0);
    assert_eq!(world.last_delivery(id)["state"], "delivered");
    world.stop_servers();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_held_tells_for_how_long_until_it_answers() {
    let mut world = World::new().await;
    let held = "target_held_seconds{target=\"letta\"}";
    let url = world.serve();
    assert_eq!(scrape(&url).await[held], 0.0);
    world.letta.stop();
    let id = world.register("late", &["--every", "1h", "--skip-validation"]);
    world.make_due(id, 2).await;
    scrape_until(&url, |told| told[held] > 0.0).await;
    world.letta.start_again().await;
    scrape_until(&url, |told| told[held] == 0.0).await;
    world.stop_servers();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_is_that_of_the_file_and_of_its_log() {
    let world = World::new().await;
    world.register(&"x".repeat(100_000), &["--every", "1h"]);
    let url = world.serve();
    let size = |end: &str| {
        let path = format!("{}{end}", world.database().display());
        std::fs::metadata(path).map_or(0, |file| file.len()) as f64
    };
    // A scheduler's heartbeat may come between.
    let told = scrape_until(&url, |told| {
        told["database_size_bytes"] == size("") + size("-wal")
    })
    .await;
    assert!(told["database_size_bytes"] > 100_000.0);
    assert!(told["database_wal_size_bytes"] <= told["database_size_bytes"]);
    assert!(told.contains_key("outbox{channel=\"ping\"}"));
    world.stop_servers();
}

#[test]
fn every_metric_is_in_the_documents() {
    let documents = include_str!("../../docs/server.md");
    let mut reading = promptyoself::server::metrics::Reading::default();
    reading.targets.push("some".to_owned());
    let gauges = &mut reading.gauges;
    for sums in [
        &mut gauges.schedules,
        &mut gauges.incidents,
        &mut gauges.outbox,
    ] {
        sums.insert("some".to_owned(), 1);
    }
    let text = promptyoself::server::Metrics::default().encode(&reading);
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut count = 0;
    for name in names.map(|line| line.split(' ').next().unwrap()) {
        // As the samples are called: counters end with _total.
        assert!(documents.contains(&format!("| `{name}")), "{name}");
        count += 1;
    }
    assert!(count > 10);
}
