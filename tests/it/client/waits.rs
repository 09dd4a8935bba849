//! Every wait ends within its limit, by the manual clock.

use std::pin::pin;
use std::task::Poll;

use futures_util::poll;
use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::http::limits;
use promptyoself::letta_client::{
    Answer, ErrorClass, Evidence, Lookup, Rest, RestSettings, Target,
};
use rstest::rstest;
use serde_json::json;

use super::raw::{Act, Asked, Raw, answer, head, well};
use super::talks::{Came, TALKS, Talk, agent};
use super::{lookup, prompt, refused, send, settings, unknown};
use crate::passing_time::let_arrive;

/// How long a turn may be silent here.
const IDLE: SignedDuration = SignedDuration::from_mins(1);

fn clock() -> Clock {
    Clock::manual("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap())
}

/// A server and a client of it, on a clock that stands.
pub async fn scene(server: impl Fn(&Asked) -> Act + Send + 'static) -> (Raw, Rest) {
    let (raw, letta, _) = timed(server).await;
    (raw, letta)
}

async fn timed(server: impl Fn(&Asked) -> Act + Send + 'static) -> (Raw, Rest, Clock) {
    let clock = clock();
    let raw = Raw::start(clock.clone(), server).await;
    let settings = RestSettings {
        idle_timeout: IDLE.unsigned_abs(),
        ..settings(&raw.url())
    };
    let letta = Rest::new(settings, clock.clone()).unwrap();
    (raw, letta, clock)
}

/// Waits for a talk while time passes in steps, and gives how much it took.
pub async fn timing<T>(
    clock: &Clock,
    step: SignedDuration,
    limit: SignedDuration,
    talk: impl Future<Output = T>,
) -> (T, SignedDuration) {
    let mut talk = pin!(talk);
    let began = clock.moment().uptime;
    loop {
        let passed = clock.moment().uptime - began;
        // Whatever is to be said and read without time is said and read.
        for _ in 0..10 {
            for _ in 0..5 {
                if let Poll::Ready(done) = poll!(&mut talk) {
                    return (done, passed);
                }
                tokio::task::yield_now().await;
            }
            let_arrive().await;
        }
        assert!(passed <= limit, "it still waits after {passed:#}");
        clock.advance(step);
    }
}

/// The ways in which an answer may not end, each after a server said so much of it well.
pub fn endless(whole: &Act) -> Vec<(&'static str, Act)> {
    let Act::Say(bytes) = whole else { panic!() };
    let body = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = bytes.split_at(body);
    let half = [head, &body[..body.len() / 2]].concat();
    let seconds = SignedDuration::from_secs;
    vec![
        ("no answer", Act::Stall(Vec::new())),
        ("half a head", Act::Stall(head[..head.len() / 2].to_vec())),
        ("headers alone", Act::Stall(head.to_vec())),
        ("half a body", Act::Stall(half.clone())),
        (
            "a head byte by byte",
            Act::Drip(
                b"HTTP/1.1 200 OK\r\nX-A: ".to_vec(),
                b"x".to_vec(),
                seconds(3),
            ),
        ),
        (
            "spaces for ever",
            Act::Drip(head.to_vec(), b" ".to_vec(), seconds(5)),
        ),
        (
            "half a body and more",
            Act::Drip(half, b"x".to_vec(), seconds(5)),
        ),
    ]
}

/// The limit of one request.
fn limit(asked: &Asked) -> SignedDuration {
    let is_prompt = asked.path().contains("/messages") && asked.method == "POST";
    match asked.method.as_str() {
        "POST" if is_prompt => IDLE,
        "GET" => SignedDuration::try_from(limits::QUESTION).unwrap(),
        _ => SignedDuration::try_from(limits::CHANGE).unwrap(),
    }
}

#[tokio::test]
async fn whatever_is_asked_has_an_end_however_it_is_not_answered() {
    let mut tried = 0;
    for Talk { name, talk, server } in TALKS {
        let (raw, letta) = scene(*server).await;
        talk(&letta).await;
        let requests = raw.asked();
        for (nth, asked) in requests.iter().enumerate() {
            let faults = endless(&server(asked)).len();
            for fault in 0..faults {
                let server = *server;
                let (_raw, letta, clock) = timed(move |asked| match asked.n == nth {
                    true => endless(&server(asked)).swap_remove(fault).1,
                    false => server(asked),
                })
                .await;
                // A question about a run is asked again a few seconds later.
                let limit = limit(asked) + SignedDuration::from_secs(5);
                let ended = timing(&clock, SignedDuration::from_secs(1), limit, talk(&letta));
                let (came, _) = ended.await;
                tried += 1;
                // What was answered well otherwise may come to its end all the same.
                let of_turn = asked.method == "POST" && matches!(came, Came::Answer(_));
                assert!(
                    !of_turn || matches!(came, Came::Answer(Answer::Unknown(_))),
                    "{name}, request {nth}, fault {fault}: {came:?}"
                );
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

#[rstest]
#[case::nothing_at_all(false)]
#[case::all_but_what_is_asked_of_runs(true)]
#[tokio::test]
async fn a_search_ends_with_its_first_question_if_the_server_answers_nothing_else_either(
    #[case] lives: bool,
) {
    let (raw, letta, clock) = timed(move |asked| match lives && !asked.path().contains("runs") {
        true => well(asked),
        false => Act::Stall(Vec::new()),
    })
    .await;
    let lookup = Lookup {
        run_id: Some("run-1".into()),
        ..lookup(&agent(), 1, clock.now(), SignedDuration::from_hours(1))
    };
    let (step, most) = (SignedDuration::from_secs(1), SignedDuration::from_secs(100));
    let (found, passed) = timing(&clock, step, most, letta.find(&lookup)).await;
    let asked = raw.asked();
    let messages = asked.iter().any(|a| a.path().ends_with("/messages"));
    assert_eq!(messages, lives, "{found:?}");
    assert!(matches!(found, Evidence::Refused(_)), "{found:?}");
    assert!(
        lives || passed <= SignedDuration::from_secs(45),
        "{passed:#}"
    );
}

const PING: &str = "data: {\"message_type\":\"ping\"}\n\n";
const PING_OF_RUN: &str = "data: {\"message_type\":\"ping\",\"run_id\":\"run-1\"}\n\n";
const NEWS: &str = "data: {\"message_type\":\"reasoning_message\"}\n\n";
/// A run that says it goes on, and not since when.
const GOES_ON: &str = r#"{"id":"run-1","status":"running","agent_id":"agent-a"}"#;

/// A server whose stream says the same for ever, every 20 seconds, while this run is active.
async fn droning(drone: &'static str, active: Option<&'static str>) -> (Raw, Rest, Clock) {
    timed(move |asked| {
        let run = active.map(|run| serde_json::from_str(run).unwrap());
        match (asked.method.as_str(), asked.path()) {
            ("POST", _) => Act::Drip(
                head(200, "text/event-stream", ""),
                drone.into(),
                SignedDuration::from_secs(20),
            ),
            // Before the prompt is sent nothing is active.
            ("GET", "/v1/runs/") if asked.n > 0 => answer(
                200,
                &run.map_or(json!([]), |run: serde_json::Value| json!([run])),
            ),
            ("GET", "/v1/runs/run-1") => answer(200, &run.unwrap_or_default()),
            _ => well(asked),
        }
    })
    .await
}

#[rstest]
#[case::pings_of_no_turn(PING, None, 5, 6)]
#[case::comments_of_no_turn(": alive\n", None, 5, 6)]
#[case::empty_lines_of_no_turn("\n", None, 5, 6)]
#[case::words_of_no_kind_and_no_turn("data: what?\n\n", None, 5, 6)]
#[case::pings_of_a_turn(PING, Some(GOES_ON), 59, 61)]
#[case::pings_of_a_run(PING_OF_RUN, Some(GOES_ON), 59, 61)]
#[case::comments_of_a_turn(": alive\r\n", Some(GOES_ON), 59, 61)]
#[case::half_a_line("x", None, 1, 2)]
#[case::lines_of_one_event("data: x\n", None, 1, 2)]
#[case::news(NEWS, Some(GOES_ON), 24 * 60 - 1, 24 * 60 + 1)]
#[tokio::test]
async fn a_stream_that_never_ends_is_listened_to_as_long_as_it_may_say_something(
    #[case] drone: &'static str,
    #[case] active: Option<&'static str>,
    #[case] least: i64,
    #[case] most: i64,
) {
    let (_raw, letta, clock) = droning(drone, active).await;
    let prompt = prompt(&agent(), 1, "hi");
    let (step, most) = (
        SignedDuration::from_secs(5),
        SignedDuration::from_mins(most),
    );
    let ((answer, _), passed) = timing(&clock, step, most, send(&letta, &prompt)).await;
    let doubt = unknown(answer);
    assert_eq!(doubt.class, ErrorClass::Timeout, "{}", doubt.text);
    assert!(passed >= SignedDuration::from_mins(least), "{passed:#}");
}

#[rstest]
#[case::on_a_clock_that_stands(
    r#"{"id":"run-1","status":"running","created_at":"2026-03-01T12:00:00Z"}"#
)]
#[case::of_no_age(GOES_ON)]
#[tokio::test]
async fn a_run_without_a_stream_is_asked_after_for_as_long_as_any_may_go_on(
    #[case] run: &'static str,
) {
    let (_raw, letta, clock) = timed(move |asked| match (asked.method.as_str(), asked.path()) {
        ("POST", path) if path.ends_with("/async") => well(asked),
        // A server without streams.
        ("POST", _) => answer(404, &json!({"detail": "Not Found"})),
        ("GET", "/v1/runs/run-1") => {
            let date = "Date: Sun, 01 Mar 2026 12:00:00 GMT\r\n";
            Act::Say([&head(200, "application/json", date)[..], run.as_bytes()].concat())
        }
        _ => well(asked),
    })
    .await;
    let prompt = prompt(&agent(), 1, "hi");
    let (step, most) = (SignedDuration::from_secs(5), SignedDuration::from_mins(61));
    let ((answer, _), passed) = timing(&clock, step, most, send(&letta, &prompt)).await;
    let doubt = unknown(answer);
    assert!(
        doubt.text.contains("too old to be still running"),
        "{}",
        doubt.text
    );
    assert_eq!(doubt.run_id.as_deref(), Some("run-1"));
    assert!(passed >= SignedDuration::from_mins(59), "{passed:#}");
}

#[tokio::test]
async fn comments_keep_a_turn_alive_for_as_long_as_letta_says_that_it_goes_on() {
    let (raw, letta, clock) = droning(": alive\n", Some(GOES_ON)).await;
    let prompt = prompt(&agent(), 1, "hi");
    let mut sending = pin!(send(&letta, &prompt));
    for _ in 0..600 {
        clock.advance(SignedDuration::from_secs(5));
        for _ in 0..10 {
            for _ in 0..5 {
                assert!(poll!(&mut sending).is_pending());
                tokio::task::yield_now().await;
            }
            let_arrive().await;
        }
    }
    let asked = raw.asked().into_iter().filter(|a| a.path() == "/v1/runs/");
    assert!(asked.count() > 5);
}

#[tokio::test]
async fn a_run_that_says_for_ever_that_it_goes_on_is_not_believed_for_ever() {
    let (_raw, letta, clock) = timed(|asked| match (asked.method.as_str(), asked.path()) {
        ("POST", path) if !path.ends_with("/async") => answer(404, &json!({"detail": "Not Found"})),
        ("GET", "/v1/runs/run-1") => answer(200, &serde_json::from_str(GOES_ON).unwrap()),
        _ => well(asked),
    })
    .await;
    let prompt = prompt(&agent(), 1, "hi");
    let (step, limit) = (SignedDuration::from_secs(10), SignedDuration::from_mins(70));
    let ((answer, _), _) = timing(&clock, step, limit, send(&letta, &prompt)).await;
    let doubt = unknown(answer);
    assert_eq!(doubt.class, ErrorClass::Timeout);
    assert_eq!(doubt.run_id.as_deref(), Some("run-1"));
}

#[tokio::test]
async fn a_list_or_a_search_whose_every_page_is_slow_has_an_end() {
    // Each page brings one thing more and takes 29 seconds.
    let slow = |asked: &Asked| {
        let id = format!("x-{}", asked.n);
        let body = json!([{"id": id, "date": "2099-01-01T00:00:00Z"}]).to_string();
        let head = format!("Content-Length: {}\r\n", body.len() + 1);
        let head = super::raw::head(200, "application/json", &head);
        let all = [&head[..], body.as_bytes()].concat();
        Act::Drip(all, b" ".to_vec(), SignedDuration::from_secs(29))
    };
    for (talk, limit) in [
        ("list agents", limits::LISTING),
        ("find without run", limits::SEARCH),
    ] {
        let (raw, letta, clock) = timed(move |asked| match asked.path() {
            "/v1/agents/" | "/v1/agents/agent-a/messages" => slow(asked),
            _ => well(asked),
        })
        .await;
        let talk = TALKS.iter().find(|t| t.name == talk).unwrap();
        let limit = SignedDuration::try_from(limit).unwrap();
        let step = SignedDuration::from_secs(1);
        let (came, passed) = timing(&clock, step, limit, (talk.talk)(&letta)).await;
        assert!(!came.is_well(), "{came:?}");
        assert_eq!(passed, limit);
        assert!(raw.asked().len() > 9, "{}", raw.asked().len());
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_prompt_that_was_not_sent() {
    let (raw, _, clock) = timed(well).await;
    let letta = Rest::new(
        settings(&raw.url().replace("http:", "https:")),
        clock.clone(),
    )
    .unwrap();
    let prompt = prompt(&agent(), 1, "hi");
    let (step, limit) = (
        SignedDuration::from_secs(1),
        SignedDuration::try_from(limits::CONNECT).unwrap(),
    );
    let ((answer, _), passed) = timing(&clock, step, limit, send(&letta, &prompt)).await;
    assert_eq!(refused(answer).class, ErrorClass::Unreachable);
    assert_eq!(passed, limit);
}
