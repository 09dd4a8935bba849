//! A Letta that never ends its answers, behind our server.

use std::sync::Arc;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::http::limits;
use promptyoself::letta_client::Rest;
use reqwest::StatusCode;
use rstest::rstest;

use super::{Reach, Served, read};
use crate::client::raw::{Act, Raw, head};
use crate::passing_time::let_arrive;
use crate::world::{START, World};

async fn scene(act: Act) -> (Raw, Served, World<Rest>) {
    let clock = Clock::manual(START.parse().unwrap());
    let raw = Raw::start(clock.clone(), move |_| act.clone()).await;
    let rest = Rest::new(crate::client::settings(&raw.url()), clock.clone()).unwrap();
    let world = World::on(Arc::new(rest), clock).await;
    (raw, Served::start(&world, Reach::Local).await, world)
}

/// Waits while time passes, ten minutes at a time, and gives how many hours it took.
async fn hours<T>(clock: &Clock, what: impl Future<Output = T>) -> (T, i64) {
    let mut what = std::pin::pin!(what);
    for steps in 0..1_000 {
        for _ in 0..20 {
            for _ in 0..10 {
                if let std::task::Poll::Ready(done) = futures_util::poll!(&mut what) {
                    return (done, steps / 6);
                }
                tokio::task::yield_now().await;
            }
            let_arrive().await;
        }
        clock.advance(SignedDuration::from_mins(10));
    }
    panic!("it still waits")
}

#[rstest]
#[case::passed_on("/v1/tools/", limits::PASSED_ON)]
#[case::asked_for_the_agent("/v1/agents/agent-a/schedule", limits::QUESTION)]
#[tokio::test]
async fn a_request_that_letta_never_answers_is_answered_by_us(
    #[case] path: &str,
    #[case] limit: std::time::Duration,
) {
    let (raw, served, world) = scene(Act::Stall(Vec::new())).await;
    let asking = tokio::spawn(read(served.request("GET", path)));
    while raw.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let limit = SignedDuration::try_from(limit).unwrap();
    world.clock.advance(limit - SignedDuration::from_secs(1));
    tokio::task::yield_now().await;
    assert!(!asking.is_finished());
    world.clock.advance(SignedDuration::from_secs(1));
    let answer = asking.await.unwrap();
    let text = answer.refused(StatusCode::BAD_GATEWAY, "letta_error");
    assert!(
        text.contains("did not complete its answer within"),
        "{text}"
    );
}

#[tokio::test]
async fn a_letta_that_is_asked_whether_it_checks_credentials_and_never_says_is_given_up() {
    let (raw, served, world) = scene(Act::Stall(Vec::new())).await;
    world.service.create_key("test", None).await.unwrap();
    let asking = tokio::spawn(read(served.request("GET", "/v1/tools/")));
    while raw.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    world
        .clock
        .advance(SignedDuration::try_from(limits::QUESTION).unwrap());
    asking
        .await
        .unwrap()
        .refused(StatusCode::BAD_GATEWAY, "letta_error");
}

#[rstest]
#[case::silent(Act::Stall(b"data: x\n\n".to_vec()), 1)]
#[case::dripping(
    Act::Drip(b"data: x\n\n".to_vec(), b":\n".to_vec(), SignedDuration::from_mins(30)),
    24
)]
#[tokio::test]
async fn an_answer_that_is_passed_on_and_never_ends_is_cut_off(
    #[case] act: Act,
    #[case] after: i64,
) {
    let head = head(200, "text/event-stream", "");
    let act = match act {
        Act::Stall(said) => Act::Stall([head, said].concat()),
        Act::Drip(said, drop, every) => Act::Drip([head, said].concat(), drop, every),
        other => other,
    };
    let (_raw, served, world) = scene(act).await;
    let mut response = served.request("GET", "/v1/stream").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let reading = async { while let Ok(Some(_)) = response.chunk().await {} };
    let (_, hours) = hours(&world.clock, reading).await;
    assert!((after..after + 3).contains(&hours), "{hours}");
}

#[tokio::test]
async fn an_agent_of_any_size_is_not_held() {
    let said = [&head(200, "application/json", "")[..], b"{\"id\":\""].concat();
    let (_raw, served, _world) = scene(Act::Flood(said, vec![b'x'; 1 << 20], 700)).await;
    let answer = read(served.request("GET", "/v1/agents/agent-a/schedule")).await;
    let text = answer.refused(StatusCode::BAD_GATEWAY, "letta_error");
    assert!(text.contains("its answer is too large"), "{text}");
}
