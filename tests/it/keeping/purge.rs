//! Purged text is gone from the file.

use jiff::SignedDuration;
use promptyoself::error::Code;
use promptyoself::models::{NamedAgent, PurgeScope};
use promptyoself::scheduler::Mode;

use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// Text that nothing else contains.
const SECRET: &str = "the-combination-is-31415926";

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

/// Whether the files of the database hold a text.
fn holds(world: &World, text: &str) -> bool {
    let path = world.path();
    let folder = path.parent().unwrap();
    std::fs::read_dir(folder).unwrap().any(|file| {
        let file = file.unwrap().path();
        file.is_file()
            && std::fs::read(&file)
                .unwrap()
                .windows(text.len())
                .any(|part| part == text.as_bytes())
    })
}

fn agent(name: &str) -> PurgeScope {
    PurgeScope::Agent(NamedAgent::parse(name).unwrap())
}

#[tokio::test]
async fn purged_text_is_gone_from_the_files_and_rows_stay() {
    let world = World::new().await;
    let id = world.once("agent-a", SECRET, 10).await.id;
    world.every("agent-b", "something else", "1h").await;
    world.advance(10);
    deliver(&world).await;
    assert!(holds(&world, SECRET));
    let whose = world.service.purge_of(id).await.unwrap();
    let purged = world
        .service
        .db
        .purge(&whose, None, world.now())
        .await
        .unwrap();
    assert_eq!(
        (purged.schedules, purged.occurrences, purged.payloads),
        (1, 1, 1)
    );
    assert!(!purged.log_in_use);
    assert!(!holds(&world, SECRET));
    assert!(holds(&world, "something else"));
    let occurrence = &world.occurrences().await[0];
    assert_eq!((occurrence.reply.as_ref(), occurrence.count), (None, 1));
    world.assert_balanced().await;
    // There is nothing left to purge.
    let again = world
        .service
        .db
        .purge(&whose, None, world.now())
        .await
        .unwrap();
    assert_eq!(again.schedules, 0);
}

#[tokio::test]
async fn error_texts_are_purged_and_their_codes_kept() {
    let world = World::new().await;
    world.once("agent-a", "hello", 10).await;
    world
        .target
        .script("agent-a", crate::fake_target::Act::Answer(dead()));
    world.advance(10);
    deliver(&world).await;
    assert!(holds(&world, SECRET));
    world
        .service
        .db
        .purge(&agent("agent-a"), None, world.now())
        .await
        .unwrap();
    assert!(!holds(&world, SECRET));
    let occurrence = &world.occurrences().await[0];
    assert_eq!(occurrence.error.as_deref(), Some("invalid_request"));
    let attempts = world.service.db.list_attempts(occurrence.id).await.unwrap();
    assert_eq!(attempts[0].error_code.as_deref(), Some("invalid_request"));
}

fn dead() -> promptyoself::letta_client::Answer {
    use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
    Answer::Refused(Refusal::new(
        RefusalKind::Permanent,
        ErrorClass::InvalidRequest,
        format!("no good: {SECRET}"),
    ))
}

#[tokio::test]
async fn a_live_schedule_keeps_its_prompt_until_it_is_cancelled() {
    let world = World::new().await;
    let id = world.every("agent-a", SECRET, "10s").await.id;
    world.advance(10);
    deliver(&world).await;
    let error = world.service.purge_of(id).await.unwrap_err();
    assert_eq!(error.code(), Code::ScheduleLive);
    assert_eq!(
        error.corrected().as_deref(),
        Some(format!("promptyoself cancel --id {id}").as_str())
    );
    let purged = world
        .service
        .db
        .purge(&agent("agent-a"), None, world.now())
        .await
        .unwrap();
    assert_eq!(
        (purged.live, purged.schedules, purged.occurrences),
        (1, 0, 1)
    );
    assert!(holds(&world, SECRET));
    world.advance(10);
    deliver(&world).await;
    assert_eq!(world.target.sent()[1].text, SECRET);

    world.service.cancel(id).await.unwrap();
    world
        .service
        .db
        .purge(&agent("agent-a"), None, world.now())
        .await
        .unwrap();
    assert!(!holds(&world, SECRET));
}

#[tokio::test]
async fn only_what_was_settled_before_a_time_is_purged_and_others_keep_theirs() {
    let world = World::new().await;
    for (agent, seconds) in [("agent-a", 10), ("agent-a", 20), ("agent-b", 10)] {
        world
            .once(agent, &format!("{agent} at {seconds}"), seconds)
            .await;
    }
    world.advance(10);
    deliver(&world).await;
    let before = world.now() + SignedDuration::from_secs(5);
    world.advance(10);
    deliver(&world).await;
    let purged = world
        .service
        .db
        .purge(&agent("agent-a"), Some(before), world.now())
        .await
        .unwrap();
    assert_eq!((purged.schedules, purged.occurrences), (1, 1));
    for (text, there) in [
        ("agent-a at 10", false),
        ("agent-a at 20", true),
        ("agent-b at 10", true),
    ] {
        assert_eq!(holds(&world, text), there, "{text}");
    }
}

#[tokio::test]
async fn what_many_incidents_told_is_purged_and_that_of_others_stays() {
    let world = World::new().await;
    let id = world.once("agent-a", "hello", 3_600).await.id;
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) \
             INSERT INTO incidents (kind, subject, reason, opened_at, closed_at) \
             SELECT 'dead', iif(i % 5, (SELECT uid FROM schedules WHERE id = {id}), 'another'), \
             '{SECRET}', '2026-01-01', '2026-01-02' FROM n; \
             INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, \
             expires_at, given_up_at) SELECT 'url', 'incident:' || id, 'dead', 'opened', reason, \
             opened_at, opened_at, opened_at, opened_at FROM incidents"
        ))
        .await;
    let whose = PurgeScope::Agent(NamedAgent::parse("agent-a").unwrap());
    let purged = world.service.db.purge(&whose, None, world.now()).await;
    assert_eq!(purged.unwrap().live, 1);
    for (left, sql) in [
        ("50", "SELECT count(*) FROM incidents WHERE reason <> ''"),
        (
            "50",
            "SELECT count(*) FROM incidents WHERE subject = 'another' AND reason <> ''",
        ),
        ("50", "SELECT count(*) FROM outbox"),
    ] {
        assert_eq!(foreign.text(sql).await, left, "{sql}");
    }
}
