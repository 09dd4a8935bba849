//! Several real processes on one database.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::models::{AgentId, Policy, ScheduleType};
use promptyoself::service::{Registration, Service, When, Wish};

use crate::daemon::Program;
use crate::fake_letta::FakeLetta;
use crate::fake_target::FakeTarget;

const PROMPTS: usize = 2_000;
const AGENTS: usize = 200;

/// Two thousand prompts that are due, ten for each agent.
async fn fill(database: &std::path::Path) {
    let now = Clock::system().now();
    let clock = Clock::manual(now - SignedDuration::from_hours(1));
    let (service, _) = Service::open(database, "UTC", FakeTarget::new(), clock)
        .await
        .unwrap();
    let service = Arc::new(service);
    for n in 0..PROMPTS {
        let at = now - SignedDuration::from_mins(30) + SignedDuration::from_millis(n as i64);
        let asked = Registration {
            agent_id: Some(AgentId::parse(&format!("agent-{}", n % AGENTS)).unwrap()),
            prompt: format!("prompt {n}"),
            payload: None,
            when: When {
                wish: Wish {
                    asked: promptyoself::schedule::Asked::As(ScheduleType::Once),
                    value: at.to_string(),
                },
                timezone: None,
                start_at: None,
                end_at: None,
                except: promptyoself::schedule::LeftOut::default(),
                max_repetitions: None,
            },
            name: None,
            policy: Policy::default(),
            ping_url: None,
            conversation: None,
            target: None,
            skip_validation: true,
        };
        service.register(&asked).await.unwrap();
    }
    service.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_and_an_execute_loop_deliver_two_thousand_prompts_once_past_a_hanging_agent() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    fill(&database).await;
    let letta = FakeLetta::start().await;
    let agents: Vec<AgentId> = (0..AGENTS)
        .map(|n| letta.add_agent_with_id(&format!("agent-{n}")))
        .collect();
    let hanging = &agents[0];
    letta.hold(hanging);

    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemons = [
        program.start(&["serve"], "first"),
        program.start(&["serve"], "second"),
        program.start(&["execute", "--loop", "--interval", "1"], "third"),
    ];
    // Everything but the nine prompts behind the hanging one.
    letta.wait_for(PROMPTS - 9).await;
    let behind = letta
        .received()
        .iter()
        .filter(|r| r.agent == hanging.as_str())
        .count();
    assert_eq!(behind, 1, "one prompt at a time for one agent");
    letta.release(hanging);
    letta.wait_for_ended(PROMPTS).await;
    program
        .until(|h| h.iter().all(|o| o["finished_at"].is_string()))
        .await;

    for daemon in daemons {
        let log = daemon.stop();
        assert!(!log.contains("locked"), "{log}");
        assert!(!log.contains("ERROR"), "{log}");
    }
    let received = letta.received();
    assert_eq!(received.len(), PROMPTS);
    let texts: HashSet<&str> = received
        .iter()
        .filter_map(|r| r.text.lines().last())
        .collect();
    assert_eq!(texts.len(), PROMPTS, "every prompt, none twice");
    assert_eq!(letta.overlaps(), 0);
    let history = program.history();
    assert_eq!(history.len(), PROMPTS);
    assert!(history.iter().all(|o| o["state"] == "delivered"));
    for agent in &agents {
        let order: Vec<usize> = received
            .iter()
            .filter(|r| r.agent == agent.as_str())
            .filter_map(|r| r.text.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(order.is_sorted(), "{agent}: {order:?}");
    }
}
