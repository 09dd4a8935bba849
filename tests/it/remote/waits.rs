//! A server elsewhere that never ends its answers, or gives too much.

use std::pin::Pin;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::config::{Environment, Flags, Settings};
use promptyoself::error::{Code, Result};
use promptyoself::http::limits;
use promptyoself::models::{Caller, ScheduleType};
use promptyoself::remote::Remote;
use promptyoself::service::{Changes, HistoryQuery, ListQuery, Operations, When, Wish};
use serde_json::json;

use crate::client::raw::{Act, Asked, Raw, answer, head};
use crate::client::waits::{endless, timing};

type Asking<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Everything that is asked, but for registering, which is sent as the others are.
const ASKED: &[fn(&Remote) -> Asking<'_>] = &[
    |r| Box::pin(async { r.list(&list(100)).await.map(drop) }),
    |r| Box::pin(async { r.history(&history()).await.map(drop) }),
    |r| Box::pin(async { r.show(1).await.map(drop) }),
    |r| Box::pin(async { r.cancel(1).await.map(drop) }),
    |r| Box::pin(async { r.pause(1, None).await.map(drop) }),
    |r| Box::pin(async { r.resume(1, false).await.map(drop) }),
    |r| Box::pin(async { r.run(1).await.map(drop) }),
    |r| Box::pin(async { r.update(1, &Changes::default()).await.map(drop) }),
    |r| Box::pin(async { r.preview(&when(), 3).await.map(drop) }),
    |r| Box::pin(async { r.agents().await.map(drop) }),
    |r| Box::pin(async { r.test().await.map(drop) }),
    |r| Box::pin(async { r.halt(None).await.map(drop) }),
    |r| Box::pin(async { r.lift_halt().await.map(drop) }),
];

fn list(limit: u32) -> ListQuery {
    ListQuery {
        agent_id: None,
        all: true,
        full: true,
        limit,
        offset: 0,
    }
}

fn history() -> HistoryQuery {
    HistoryQuery {
        id: None,
        agent_id: None,
        state: None,
        since: None,
        limit: 100,
        offset: 0,
    }
}

fn when() -> When {
    When {
        wish: Wish {
            kind: ScheduleType::Interval,
            value: "1h".into(),
        },
        timezone: None,
        start_at: None,
        end_at: None,
        max_repetitions: None,
    }
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
    for asked in ASKED {
        for (fault, act) in endless(&whole) {
            let (_raw, remote, clock) = scene(move |_| act.clone()).await;
            let step = SignedDuration::from_secs(2);
            let (answered, _) = timing(&clock, step, limit, asked(&remote)).await;
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
    let error = remote.list(&list(100)).await.unwrap_err();
    assert_eq!(error.code(), Code::ServerWrong);
    assert!(
        error.chain().contains("larger than any"),
        "{}",
        error.chain()
    );
    let asked = raw.asked();
    let limits: Vec<_> = asked.iter().filter_map(|a| a.query("limit")).collect();
    assert_eq!(limits, ["100", "10", "1"]);
}
