//! What a known agent may do: no other agent exists for it.

use promptyoself::error::{Code, Result};
use promptyoself::models::ChangeQuery;
use promptyoself::models::{AgentId, Caller, ScheduleType, State};
use promptyoself::operations::definition::{Operation, Who};
use promptyoself::operations::{self, Ask, Values};
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, HistoryQuery, ListQuery, Service};

use crate::world::World;

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).unwrap()
}

/// A world with one schedule of each of two agents, and the service as the first one sees it.
async fn world() -> (World, Service, i64, i64) {
    let world = World::new().await;
    let own = world.every("agent-a", "mine", "1h").await.id;
    let other = world.every("agent-b", "theirs", "1h").await.id;
    let service = world.service.for_caller(Caller::Agent(agent("agent-a")));
    (world, service, own, other)
}

fn code<T>(answer: Result<T>) -> Option<Code> {
    answer.err().map(|e| e.code())
}

#[tokio::test]
async fn another_agents_schedule_does_not_exist_for_an_agent() {
    let (world, service, own, other) = world().await;
    let prompt = Changes {
        prompt: Some("changed".into()),
        ..Changes::default()
    };
    let history = HistoryQuery {
        id: Some(other),
        limit: 10,
        ..HistoryQuery::default()
    };
    let changes = ChangeQuery {
        schedule_id: Some(other),
        limit: 10,
        ..ChangeQuery::default()
    };
    let answers = [
        code(service.show(other).await),
        code(service.update(other, &prompt).await),
        code(service.pause(other, None).await),
        code(service.resume(other, true).await),
        code(service.run(other).await),
        code(service.cancel(other).await),
        code(service.history(&history).await),
        code(service.changes(&changes).await),
    ];
    assert_eq!(answers, [Some(Code::ScheduleNotFound); 8]);
    let kept = world.service.db.get_schedule(other).await.unwrap().unwrap();
    assert!(kept.active && kept.prompt_text == "theirs");

    service.show(own).await.unwrap();
    service.update(own, &prompt).await.unwrap();
    service.pause(own, None).await.unwrap();
    service.resume(own, true).await.unwrap();
    service.run(own).await.unwrap();
    service.cancel(own).await.unwrap();
}

#[tokio::test]
async fn an_agent_lists_only_what_is_its_own() {
    let (world, service, own, _) = world().await;
    let all = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let listing = service.list(&all).await.unwrap();
    let ids: Vec<i64> = listing.schedules.iter().map(|s| s.id).collect();
    assert_eq!((ids, listing.total), (vec![own], 1));
    let foreign = ListQuery {
        agent_id: Some(agent("agent-b")),
        ..all
    };
    let refused = service.list(&foreign).await;
    assert_eq!(code(refused), Some(Code::NotPermitted));

    world.advance(3_600);
    let mut running = world.start();
    for _ in 0..2 {
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let all = HistoryQuery {
        limit: 10,
        ..HistoryQuery::default()
    };
    let seen = service.history(&all).await.unwrap().occurrences;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].agent_id, "agent-a");
    let foreign = HistoryQuery {
        agent_id: Some(agent("agent-b")),
        ..all
    };
    assert_eq!(
        code(service.history(&foreign).await),
        Some(Code::NotPermitted)
    );
}

#[tokio::test]
async fn an_agent_schedules_for_itself_alone_and_gives_nothing_away() {
    let (world, service, own, _) = world().await;
    let wish = world.wish("agent-b", "for you", ScheduleType::Interval, "1h");
    assert_eq!(
        code(service.register(&wish).await),
        Some(Code::NotPermitted)
    );
    let away = Changes {
        agent_id: Some(agent("agent-b")),
        ..Changes::default()
    };
    assert_eq!(
        code(service.update(own, &away).await),
        Some(Code::NotPermitted)
    );
    let wish = world.wish("agent-a", "for me", ScheduleType::Interval, "1h");
    service.register(&wish).await.unwrap();
}

#[tokio::test]
async fn what_concerns_every_agent_is_the_operators() {
    let (world, service, ..) = world().await;
    let operators = operations::ALL.iter().filter(|o| o.who != Who::Anyone);
    let operators: Vec<&'static Operation> = operators.copied().collect();
    let names: Vec<&str> = operators.iter().map(|o| o.name).collect();
    assert_eq!(names, ["agents", "halt", "lift_halt"]);
    for operation in operators {
        let refused = service.ask(operation, &Values::default()).await;
        assert_eq!(code(refused), Some(Code::NotPermitted), "{operation:?}");
        let asked = world.service.ask(operation, &Values::default()).await;
        asked.unwrap();
    }
}

#[tokio::test]
async fn what_was_sent_to_the_agent_before_is_not_shown_to_the_one_after() {
    let (world, _, own, _) = world().await;
    world.service.run(own).await.unwrap();
    world.start_on(&world.service, Mode::Once).ended().await;
    let moved = Changes {
        agent_id: Some(agent("agent-b")),
        ..Changes::default()
    };
    world.service.update(own, &moved).await.unwrap();

    let after = world.service.for_caller(Caller::Agent(agent("agent-b")));
    assert!(after.show(own).await.unwrap().last_runs.is_empty());
    let uid = world.service.db.get_schedule(own).await.unwrap().unwrap();
    let uid = uid.uid.unwrap().to_string();
    let (sent, _) = after
        .sent_of_message(&agent("agent-b"), &uid, 10, 0)
        .await
        .unwrap();
    assert!(sent.is_empty(), "{sent:?}");
    let all = world.service.show(own).await.unwrap();
    assert_eq!(all.last_runs[0].agent_id, "agent-a");
}

#[tokio::test]
async fn an_agent_is_not_told_where_the_database_is_nor_what_the_operator_noted() {
    let (world, service, _, _) = world().await;
    let path = world.path().display().to_string();
    let alone = service.status().await.unwrap().warning().unwrap();
    world.service.halt(Some("moving house")).await.unwrap();
    let halted = service.status().await.unwrap().warning().unwrap();
    assert!(alone.contains("no scheduler") && halted.contains("halted"));
    for told in [alone, halted] {
        assert!(
            !told.contains(&path) && !told.contains("moving house"),
            "{told}"
        );
    }
    assert_eq!(service.overview().await.unwrap().halt_note, None);
}
