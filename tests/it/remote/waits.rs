//! A server elsewhere whose answers never end or are too large.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::config::{Environment, Flags, Settings};
use promptyoself::error::Code;
use promptyoself::http::limits;
use promptyoself::models::Caller;
use promptyoself::operations::{self, Ask, LIST, Values, fields};
use promptyoself::remote::Remote;
use serde_json::json;

use crate::client::raw::{Act, Asked, Raw, answer, head};
use crate::client::waits::{endless, timing};

/// What each operation needs to be asked for.
fn values() -> Values {
    Values::default()
        .with(&fields::ID, 1)
        .with(&fields::AGENT, "agent-a")
        .with(&fields::PROMPT, "p")
        .with(&fields::EVERY, "1h")
        .with(&fields::LIMIT, 100)
}

async fn scene(server: impl Fn(&Asked) -> Act + Send + 'static) -> (Raw, Remote, Clock) {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let raw = Raw::start(clock.clone(), server).await;
    let url = raw.url();
    let env = [("PROMPTYOSELF_URL", url.as_str())]
        .into_iter()
        .collect::<Environment>();
    let settings = Settings::load(&Flags::default(), &env)
        .unwrap()
        .remote
        .unwrap();
    let remote = Remote::new(&settings, Caller::Operator, clock.clone()).unwrap();
    (raw, remote, clock)
}

#[tokio::test]
async fn whatever_is_asked_elsewhere_has_an_end_however_it_is_not_answered() {
    let whole = answer(200, &json!({"schedules": []}));
    // What may be sent twice is.
    let limit = SignedDuration::try_from(limits::ELSEWHERE * 2).unwrap();
    for operation in operations::ALL {
        for (fault, act) in endless(&whole) {
            let (_raw, remote, clock) = scene(move |_| act.clone()).await;
            let step = SignedDuration::from_secs(2);
            let (answered, _) = timing(&clock, step, limit, remote.ask(operation, &values())).await;
            let error = answered.unwrap_err();
            assert_eq!(error.code(), Code::ServerUnreachable, "{fault}: {error}");
        }
    }
}

#[tokio::test]
async fn a_list_that_is_too_large_is_asked_for_again_with_less_in_it() {
    let (raw, remote, _) = scene(|asked| match asked.query("limit") {
        Some("100" | "10") => {
            let length = format!("Content-Length: {}\r\n", limits::ELSEWHERE_ANSWER.read + 1);
            Act::Stall(head(200, "application/json", &length))
        }
        _ => Act::Flood(head(200, "application/json", ""), vec![b'['; 1 << 20], 100),
    })
    .await;
    let error = remote
        .ask(&LIST, &Values::default().with(&fields::LIMIT, 100))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ServerWrong);
    assert!(
        error.chain().contains("its answer is too large"),
        "{}",
        error.chain()
    );
    let asked = raw.asked();
    let limits: Vec<_> = asked.iter().filter_map(|a| a.query("limit")).collect();
    assert_eq!(limits, ["100", "10", "1"]);
}
