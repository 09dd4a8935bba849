//! What fired at a time other than the requested one. The tests set the clock.

use std::sync::Arc;

use jiff::Timestamp;
use promptyoself::clock::Clock;
use promptyoself::letta_client::Targets;
use promptyoself::models::{AgentId, Policy, ScheduleType};
use promptyoself::schedule::{Asked, LeftOut};
use promptyoself::scheduler::{Mode, Scheduler, Settings};
use promptyoself::service::{HistoryQuery, Registration, Service, When, Wish};
use tokio_util::sync::CancellationToken;

use crate::fake_target::FakeTarget;

const NOW: &str = "2026-06-01T12:00:00Z";

/// A service whose clock is ours.
struct Rig {
    _dir: tempfile::TempDir,
    service: Service,
    target: Arc<FakeTarget>,
    clock: Clock,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Rig {
    async fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let (target, clock) = (FakeTarget::new(), Clock::manual(at(NOW)));
        let path = dir.path().join("p.db");
        let opened = Service::open(&path, "UTC", target.clone(), clock.clone()).await;
        Rig {
            service: opened.unwrap().0,
            _dir: dir,
            target,
            clock,
        }
    }

    async fn register(
        &self,
        agent: &str,
        prompt: &str,
        kind: ScheduleType,
        value: &str,
        zone: Option<&str>,
    ) {
        let asked = Registration {
            agent_id: Some(AgentId::parse(agent).unwrap()),
            prompt: prompt.into(),
            payload: None,
            when: When {
                wish: Wish {
                    asked: Asked::As(kind),
                    value: value.into(),
                },
                timezone: zone.map(str::to_owned),
                start_at: None,
                end_at: None,
                except: LeftOut::default(),
                max_repetitions: None,
            },
            name: None,
            policy: Policy::default(),
            ping_url: None,
            conversation: None,
            target: None,
            skip_validation: false,
        };
        self.service.register(&asked).await.unwrap();
    }

    /// Delivers what is due at a time, and gives every prompt that was sent so far.
    async fn execute_at(&self, time: &str) -> Vec<String> {
        self.clock.set(at(time));
        let scheduler = Scheduler {
            db: self.service.db.clone(),
            targets: Targets::only(self.target.clone()),
            clock: self.clock.clone(),
            settings: Settings {
                concurrency: 1,
                ..Settings::default()
            },
            zone: self.service.zone.clone(),
            reports: None,
        };
        scheduler
            .run(Mode::Once, CancellationToken::new())
            .await
            .unwrap();
        self.target.sent().into_iter().map(|s| s.text).collect()
    }
}

#[tokio::test]
async fn an_offset_is_kept() {
    let rig = Rig::new().await;
    rig.register(
        "agent-1",
        "p",
        ScheduleType::Once,
        "2026-06-02T09:00:00-05:00",
        None,
    )
    .await;
    assert!(
        rig.execute_at("2026-06-02T13:59:59.999999Z")
            .await
            .is_empty()
    );
    assert_eq!(rig.execute_at("2026-06-02T14:00:00Z").await, ["p"]);
}

#[tokio::test]
async fn a_time_without_an_offset_is_read_in_its_zone() {
    let rig = Rig::new().await;
    rig.register(
        "agent-1",
        "tokyo",
        ScheduleType::Once,
        "2026-06-02 09:00",
        Some("Asia/Tokyo"),
    )
    .await;
    rig.register(
        "agent-2",
        "utc",
        ScheduleType::Once,
        "2026-06-02 09:00",
        None,
    )
    .await;
    assert!(rig.execute_at("2026-06-01T23:59:59Z").await.is_empty());
    assert_eq!(rig.execute_at("2026-06-02T00:00:00Z").await, ["tokyo"]);
    assert_eq!(rig.execute_at("2026-06-02T08:59:59Z").await, ["tokyo"]);
    assert_eq!(
        rig.execute_at("2026-06-02T09:00:00Z").await,
        ["tokyo", "utc"]
    );
}

#[tokio::test]
async fn what_is_due_is_sent_in_the_order_of_time() {
    let rig = Rig::new().await;
    for (agent, second) in [
        ("agent-1", 30),
        ("agent-2", 10),
        ("agent-1", 20),
        ("agent-2", 40),
    ] {
        let time = format!("2026-06-01T13:00:{second}Z");
        rig.register(agent, &second.to_string(), ScheduleType::Once, &time, None)
            .await;
    }
    assert_eq!(
        rig.execute_at("2026-06-01T13:00:50Z").await,
        ["10", "20", "30", "40"]
    );
}

#[tokio::test]
async fn an_interval_does_not_drift_however_late_it_is_looked_at() {
    let rig = Rig::new().await;
    rig.register("agent-1", "p", ScheduleType::Interval, "5s", None)
        .await;
    for (n, late) in [
        (1, "05.9"),
        (2, "13"),
        (3, "15.000001"),
        (4, "24.999999"),
        (5, "25"),
    ] {
        let sent = rig.execute_at(&format!("2026-06-01T12:00:{late}Z")).await;
        assert_eq!(sent.len(), n, "at {late}");
    }
    let history = rig
        .service
        .history(&HistoryQuery {
            limit: 10,
            ..HistoryQuery::default()
        })
        .await
        .unwrap();
    let intended: Vec<String> = history
        .occurrences
        .iter()
        .rev()
        .map(|o| o.intended_at.to_string())
        .collect();
    let wanted = ["05", "10", "15", "20", "25"].map(|s| format!("2026-06-01T12:00:{s}Z"));
    assert_eq!(intended, wanted);
}
