//! What a known agent may do: no other agent exists for it.

use promptyoself::error::{Code, Result};
use promptyoself::models::{
    AgentAt, AgentId, Budget, Caller, ChangeQuery, NamedAgent, RowColumns, ScheduleType, State,
    TargetName,
};
use promptyoself::operations::definition::{Operation, Who};
use promptyoself::operations::{self, Ask, Values};
use promptyoself::scheduler::Mode;
use promptyoself::service::{
    AccountQuery, Changes, HistoryQuery, ListQuery, Registration, Service, Which,
};

use crate::fake_target::FakeTarget;
use crate::world::{World, known_agent};

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).unwrap()
}

/// Who is a stranger to agent-a: another agent, and the one of the same id at another target.
const STRANGERS: [&str; 2] = ["agent-b", "work/agent-a"];

/// A world with one schedule of each of two agents, and the service as the first one sees it.
async fn world() -> (World, Service, i64, i64) {
    world_with("agent-b").await
}

/// The same with this one as the second agent.
async fn world_with(stranger: &str) -> (World, Service, i64, i64) {
    let world = World::new().await.beside(FakeTarget::named("work"));
    let own = world.every("agent-a", "mine", "1h").await.id;
    let other = world.service.register(&wish_of(&world, stranger)).await;
    let service = world.service.for_caller(known_agent("agent-a"));
    (world, service, own, other.unwrap().id)
}

/// What a stranger wants.
fn wish_of(world: &World, stranger: &str) -> Registration {
    let stranger = NamedAgent::parse(stranger).unwrap();
    let every = ScheduleType::Interval;
    Registration {
        target: stranger.target,
        ..world.wish(stranger.id.as_str(), "theirs", every, "1h")
    }
}

fn code<T>(answer: Result<T>) -> Option<Code> {
    answer.err().map(|e| e.code())
}

#[tokio::test]
async fn another_agents_schedule_does_not_exist_for_an_agent() {
    for stranger in STRANGERS {
        assert_is_absent(stranger).await;
    }
}

async fn assert_is_absent(stranger: &str) {
    let (world, service, own, other) = world_with(stranger).await;
    let uid = |id: i64| world.service.db.get_schedule(id);
    let uid = uid(other).await.unwrap().unwrap().uid.unwrap().to_string();
    let (me, page) = (&agent("agent-a"), 10);
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
    let account = AccountQuery {
        id: Some(other),
        limit: 10,
        offset: 0,
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
        code(service.accounts(&account).await),
        code(service.scheduled_message(me, &uid).await),
        code(service.cancel_message(me, &uid).await),
        code(service.sent_of_message(me, &uid, page, 0).await),
    ];
    assert_eq!(answers, [Some(Code::ScheduleNotFound); 12]);
    let by_uid = service.scheduled_messages(me, Some(&uid), page).await;
    assert_eq!(code(by_uid), Some(Code::IdInvalid));
    let (messages, _) = service.scheduled_messages(me, None, page).await.unwrap();
    let ids: Vec<i64> = messages.iter().map(|m| m.schedule.id).collect();
    assert_eq!(ids, [own]);
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
    for stranger in STRANGERS {
        assert_is_unlisted(stranger).await;
    }
}

async fn assert_is_unlisted(stranger: &str) {
    let (world, service, own, _) = world_with(stranger).await;
    let named = Some(NamedAgent::parse(stranger).unwrap());
    let all = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let listing = service.list(&all).await.unwrap();
    let ids: Vec<i64> = listing.schedules.iter().map(|s| s.id).collect();
    assert_eq!((ids, listing.total), (vec![own], 1));
    let foreign = ListQuery {
        agent: named.clone(),
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
    assert_eq!(seen[0].schedule_id, Some(own));
    let accounts = service.accounts(&AccountQuery {
        id: None,
        limit: 10,
        offset: 0,
    });
    let accounts = accounts.await.unwrap();
    assert_eq!(
        (accounts.total, accounts.accounts[0].schedule_id),
        (1, Some(own))
    );
    let changes = ChangeQuery {
        limit: 10,
        ..ChangeQuery::default()
    };
    let changes = service.changes(&changes).await.unwrap().changes;
    let of_schedules: Vec<Option<i64>> = changes.iter().map(|c| c.schedule_id).collect();
    assert_eq!(of_schedules, [Some(own)]);
    let foreign = HistoryQuery {
        agent: named.clone(),
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

    let after = world.service.for_caller(known_agent("agent-b"));
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

/// The operator's filters: an id alone means that agent of every target.
#[tokio::test]
async fn a_filter_selects_an_agent_of_one_target_or_of_all() {
    let (world, _, own, other) = world_with("work/agent-a").await;
    for (named, wanted) in [
        ("agent-a", vec![own, other]),
        ("letta/agent-a", vec![own]),
        ("work/agent-a", vec![other]),
        ("moon/agent-a", vec![]),
    ] {
        let agent = Some(NamedAgent::parse(named).unwrap());
        let query = ListQuery {
            agent: agent.clone(),
            limit: 10,
            ..ListQuery::default()
        };
        let listed = world.service.list(&query).await.unwrap().schedules;
        let ids: Vec<i64> = listed.iter().map(|s| s.id).collect();
        assert_eq!(ids, wanted, "{named}");
        let query = ChangeQuery {
            agent,
            limit: 10,
            ..ChangeQuery::default()
        };
        let changes = world.service.changes(&query).await.unwrap().changes;
        let mut of: Vec<i64> = changes.iter().filter_map(|c| c.schedule_id).collect();
        of.sort_unstable();
        assert_eq!(of, wanted, "{named}");
    }
}

#[tokio::test]
async fn names_are_an_agents_own_at_each_target() {
    let (world, mine, ..) = world().await;
    let named = |stranger: &str, prompt: &str| Registration {
        name: Some("tea".into()),
        prompt: prompt.into(),
        ..wish_of(&world, stranger)
    };
    let at_home = world
        .service
        .register(&named("agent-a", "one"))
        .await
        .unwrap();
    let at_work = world
        .service
        .register(&named("work/agent-a", "two"))
        .await
        .unwrap();
    assert_ne!(at_home.id, at_work.id);
    let taken = world
        .service
        .register(&named("work/agent-a", "three"))
        .await;
    assert_eq!(code(taken), Some(Code::NameTaken));
    let which = Which::Name("tea".into());
    assert_eq!(mine.id_of(&which).await.unwrap(), at_home.id);
    let unclear = world.service.id_of(&which).await.unwrap_err();
    assert_eq!(unclear.code(), Code::NameAmbiguous);
    let text = unclear.to_string();
    for reading in [
        format!("{} of letta/agent-a", at_home.id),
        format!("{} of work/agent-a", at_work.id),
    ] {
        assert!(text.contains(&reading), "{text}");
    }
    // It has the name there already.
    let moved = Changes {
        target: Some(TargetName::new("work")),
        skip_validation: true,
        ..Changes::default()
    };
    let moved = world.service.update(at_home.id, &moved).await;
    assert_eq!(code(moved), Some(Code::NameTaken));
}

#[tokio::test]
async fn a_budget_is_an_agents_own_at_each_target() {
    let world = World::new().await.beside(FakeTarget::named("work"));
    let budget = Budget {
        schedules: 2,
        fires_per_day: 1_000,
        registrations_per_day: 2,
        ..Budget::default()
    };
    let service = Service {
        budget,
        ..world.service.clone()
    };
    let work = AgentAt::new(TargetName::new("work"), agent("agent-a"));
    for caller in [known_agent("agent-a"), Caller::Agent(work)] {
        let own = service.for_caller(caller);
        let wish = |n: i32| Registration {
            agent_id: None,
            prompt: format!("p{n}"),
            ..wish_of(&world, "agent-a")
        };
        let first = own.register(&wish(1)).await.unwrap().id;
        own.register(&wish(2)).await.unwrap();
        let refused = own.register(&wish(3)).await;
        assert_eq!(code(refused), Some(Code::BudgetExceeded));
        // Registrations count for a day.
        own.cancel(first).await.unwrap();
        let refused = own.register(&wish(4)).await;
        assert_eq!(code(refused), Some(Code::BudgetExceeded));
    }
}

/// Another program's row belongs to the default target.
#[tokio::test]
async fn a_row_without_a_target_is_an_agents_of_the_default_one() {
    let (world, mine, own, _) = world_with("work/agent-a").await;
    let row = RowColumns {
        agent_id: Some("agent-a".into()),
        prompt_text: Some("foreign".into()),
        schedule_type: Some("interval".into()),
        schedule_value: Some("1h".into()),
        next_run: Some(world.now()),
        active: Some(true),
        ..RowColumns::default()
    };
    let foreign = world
        .service
        .db
        .insert_row(&row, world.now())
        .await
        .unwrap();
    let work = AgentAt::new(TargetName::new("work"), agent("agent-a"));
    let theirs = world.service.for_caller(Caller::Agent(work));
    mine.show(foreign).await.unwrap();
    assert_eq!(
        code(theirs.show(foreign).await),
        Some(Code::ScheduleNotFound)
    );
    let query = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let listed = mine.list(&query).await.unwrap().schedules;
    let mut ids: Vec<i64> = listed.iter().map(|s| s.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [own, foreign]);
    assert_eq!(theirs.list(&query).await.unwrap().schedules.len(), 1);
}
