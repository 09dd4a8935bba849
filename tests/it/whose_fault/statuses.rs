//! The table of docs/delivery.md: every status, in Letta's words and in others', on every route
//! that deliveries use.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use promptyoself::letta_client::{Answer, Evidence, Lookup, RefusalKind as K, Target};
use promptyoself::models::AgentId;
use serde_json::{Value, json};

use super::{PAGE, answer};
use crate::client::{client, lookup, prompt, send};
use crate::fake_letta::FakeLetta;

const DOCUMENT: &str = include_str!("../../../docs/delivery.md");

/// What follows from an answer to a prompt: one of the table's words, and the class.
type Consequence = (String, String);

/// The table: by status, what follows in Letta's words and in others'.
fn documented() -> BTreeMap<u16, [Consequence; 2]> {
    let rows = DOCUMENT
        .lines()
        .skip_while(|line| !line.starts_with("| status | in Letta's own words"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let consequences = [cells[2], cells[3]].map(|cell| {
            let (word, class) = cell.split(';').next().unwrap().split_once(' ').unwrap();
            (word.to_owned(), class.trim_matches('`').to_owned())
        });
        for statuses in cells[1].split(", ") {
            let (first, last) = statuses.split_once('–').unwrap_or((statuses, statuses));
            let (first, last): (u16, u16) = (first.parse().unwrap(), last.parse().unwrap());
            for status in first..=last {
                // A status of its own comes before the range that it is in.
                table.entry(status).or_insert_with(|| consequences.clone());
            }
        }
    }
    table
}

/// What an answer to a prompt came to, in the table's words.
fn consequence(answer: &Answer) -> Consequence {
    match answer {
        Answer::Refused(refusal) => {
            let word = match refusal.kind {
                K::TargetTrouble => "target",
                K::Permanent => "dead",
                K::NeedsHuman => "person",
                K::Busy => "busy",
                K::Later => "later",
            };
            (word.to_owned(), refusal.class.to_string())
        }
        Answer::Unknown(doubt) => ("unknown".to_owned(), doubt.class.to_string()),
        Answer::Delivered(_) => ("delivered".to_owned(), String::new()),
    }
}

/// The same answer in Letta's words, and in somebody else's.
fn bodies() -> [Value; 2] {
    [json!({"detail": "said by the test"}), json!(PAGE)]
}

#[test]
fn the_table_has_every_status() {
    let table = documented();
    let all: Vec<u16> = (300..600).collect();
    assert_eq!(table.keys().copied().collect::<Vec<_>>(), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_status_of_every_way_to_send_means_what_the_table_says() {
    let table = documented();
    for way in ["background", "stream", "async"] {
        let fake = FakeLetta::start().await;
        let agent = fake.add_agent();
        if way != "background" {
            fake.lacks("/v1/conversations/");
        }
        if way == "async" {
            fake.lacks_streams();
        }
        let letta = client(&fake.url());
        for (status, expected) in &table {
            for (body, expected) in bodies().into_iter().zip(expected) {
                fake.script_for_all(Some(answer(*status, body.clone())));
                let (said, _) = send(&letta, &prompt(&agent, 1, "hi")).await;
                assert_eq!(
                    consequence(&said),
                    *expected,
                    "{way} {status} {body}: {said:?}"
                );
            }
        }
        assert!(fake.received().is_empty());
    }
}

/// The questions of a delivery, by their paths.
fn questions(agent: &AgentId) -> [String; 3] {
    [
        "/v1/runs/".to_owned(),
        "/v1/runs/run-1".to_owned(),
        format!("/v1/agents/{agent}/messages"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_status_of_a_question_proves_that_a_prompt_is_absent_or_its_agent_gone() {
    let fake = FakeLetta::start().await;
    let agent = fake.add_agent();
    let letta = client(&fake.url());
    let sent_at: Timestamp = jiff::Timestamp::UNIX_EPOCH;
    let lost = Lookup {
        run_id: Some("run-1".into()),
        ..lookup(&agent, 1, sent_at, SignedDuration::from_hours(1))
    };
    for status in 300..600 {
        for body in bodies() {
            for path in questions(&agent) {
                fake.script_path(&path, answer(status, body.clone()));
                let found = letta.find(&lost).await;
                let proves = match &found {
                    Evidence::Refused(refusal) => refusal.kind == K::Permanent,
                    Evidence::Unclear { .. } => false,
                    // A run that can't be asked after is none: the list tells, and it is empty.
                    Evidence::Absent { failed: None } => path != "/v1/runs/run-1",
                    _ => true,
                };
                assert!(!proves, "{path} {status} {body}: {found:?}");
                fake.unscript_path(&path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_before_a_prompt_that_is_refused_in_any_way_is_not_the_prompts_fault() {
    let fake = FakeLetta::start().await;
    let agent = fake.add_agent();
    let letta = client(&fake.url());
    for status in 300..600 {
        for body in bodies() {
            fake.script_path("/v1/runs/", answer(status, body.clone()));
            let (said, _) = send(&letta, &prompt(&agent, u128::from(status), "hi")).await;
            let is_no_ones = match consequence(&said).0.as_str() {
                "target" => true,
                // A server without that list.
                "delivered" => [3, 4].contains(&(status / 100)),
                // In words that are only said of an agent's own turn or model.
                "later" | "person" => body.is_object() && [404, 409].contains(&status),
                _ => false,
            };
            assert!(is_no_ones, "{status} {body}: {said:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_status_in_place_of_the_agents_passes_for_a_server_that_is_well() {
    let fake = FakeLetta::start().await;
    let letta = client(&fake.url());
    for status in 300..600 {
        for body in bodies() {
            fake.script_path("/v1/agents/", answer(status, body.clone()));
            let said = letta.check().await.unwrap_err();
            assert_eq!(said.kind, K::TargetTrouble, "{status} {body}");
        }
    }
    fake.unscript_path("/v1/agents/");
    for status in 500..600 {
        for body in bodies() {
            fake.script_path("/v1/health/", answer(status, body.clone()));
            let said = letta.check().await.unwrap_err();
            assert_eq!(said.kind, K::TargetTrouble, "{status} {body}");
        }
    }
}
