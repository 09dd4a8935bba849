use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::config::{Environment, Flags};
use crate::letta_client::{
    Agent, Answer, Evidence, Letta, Lookup, NewTool, OnRun, Outgoing, ServerInfo, Target, Tool,
};
use crate::mcp::tools::LONGEST_WAIT;
use crate::models::{AgentId, Lane, Policy, Recipient, TargetName};
use crate::service::{Registration, When, Wish};

/// A server whose agents think forever.
#[derive(Default)]
struct Thinking {
    began: Notify,
}

#[async_trait]
impl Target for Thinking {
    fn name(&self) -> TargetName {
        TargetName::new("letta")
    }

    fn address(&self) -> String {
        "http://letta".to_owned()
    }

    fn lane(&self, recipient: &Recipient, _: Uuid) -> Lane {
        Lane::of(&self.name(), &recipient.agent)
    }

    async fn create_conversation(&self, _: &AgentId) -> std::result::Result<String, Refusal> {
        unreachable!()
    }

    async fn check_conversation(&self, _: &AgentId, _: &str) -> std::result::Result<(), Refusal> {
        unreachable!()
    }

    async fn check(&self) -> std::result::Result<ServerInfo, Refusal> {
        Ok(ServerInfo {
            version: None,
            date: None,
        })
    }

    async fn send(&self, _: &Outgoing, _: OnRun<'_>) -> Answer {
        self.began.notify_one();
        std::future::pending().await
    }

    async fn find(&self, _: &Lookup) -> Evidence {
        unreachable!()
    }
}

#[async_trait]
impl Letta for Thinking {
    async fn list_agents(&self) -> std::result::Result<Vec<Agent>, Refusal> {
        Ok(Vec::new())
    }

    async fn get_agent(&self, _: &AgentId) -> std::result::Result<Agent, Refusal> {
        unreachable!()
    }

    async fn create_tool(&self, _: &NewTool) -> std::result::Result<Tool, Refusal> {
        unreachable!()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_delivers_answers_within_its_time_however_long_a_turn_is() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("p.db");
    let letta = Arc::new(Thinking::default());
    let clock = Clock::manual("2026-02-01T12:00:00Z".parse::<Timestamp>().unwrap());
    let opened = Service::open(&database, "UTC", letta.clone(), clock.clone()).await;
    let service = opened.unwrap().0;
    let asked = Registration {
        payload: None,
        agent_id: Some(AgentId::parse("agent-a").unwrap()),
        prompt: "p".to_owned(),
        when: When {
            wish: Wish {
                asked: crate::schedule::Asked::Exactly(crate::models::ScheduleType::Interval),
                value: "1m".to_owned(),
            },
            timezone: None,
            start_at: None,
            end_at: None,
            except: Default::default(),
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
    clock.advance(SignedDuration::from_secs(60));
    let settings = Settings::load(&Flags::default(), &Environment::default()).unwrap();
    let stop = CancellationToken::new();
    let call = execute_within(LONGEST_WAIT, &service, &settings, stop);
    let passes = async {
        letta.began.notified().await;
        for _ in 0..100_000 {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            clock.advance(SignedDuration::from_secs(5));
        }
    };
    let answer = tokio::select! {
        answer = call => answer.unwrap(),
        () = passes => panic!("it never answered"),
    };
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("history shows"), "{answer}");
    let open = service.db.list_open_occurrences().await.unwrap();
    assert_eq!(open[0].state, crate::models::State::Unknown);
}
