//! One fault after another: each hits one agent while two others keep working. Nothing is lost or
//! doubled, every state is in docs/delivery.md, and no other lane notices.

mod app_server;
mod scene;
mod together;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use promptyoself::models::AgentId;
use rstest::rstest;
use serde_json::{Value, json};

use crate::fake_letta::{FakeLetta, Script, ShownRuns, Spell};
use scene::Scene;

/// What is done to a server for one of its agents.
type Deed = fn(&FakeLetta, &AgentId);

/// What a fault does, and what is to come of the prompt that it hits.
pub struct Fault {
    /// What happens to the first sending of the prompt.
    pub script: Script,
    /// What else is wrong from the beginning.
    pub before: Deed,
    /// What is put right, and after how many seconds.
    pub relief: Option<(i64, Deed)>,
    /// Whether the prompt is on its way until then.
    pub silent: bool,
    /// What is decided about the prompt, one decision after another: the state, and the code of the
    /// error. What is only decided again is not repeated.
    pub decisions: &'static [&'static str],
    /// How often its turn begins on the server; all but one of them leave nothing behind.
    pub turns: usize,
    /// Whether the server tells so little of its runs that a turn which a crash cuts off can't be
    /// proved to be lost.
    pub hides_runs: bool,
}

const DELIVERED: &str = "delivered";

/// A fault that is only in the answer.
fn fault(script: Script, decisions: &'static [&'static str], turns: usize) -> Fault {
    Fault {
        script,
        before: |_, _| (),
        relief: None,
        silent: false,
        decisions,
        turns,
        hides_runs: false,
    }
}

fn answer(status: u16, body: Value) -> Script {
    Script::Answer {
        status,
        body,
        headers: BTreeMap::new(),
    }
}

const BAD_GATEWAY: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";
const BLOCKED: &str = "<html>this is not for you</html>";
const GATEWAY_TIMEOUT: &str = "<html><body><h1>504 Gateway Time-out</h1></body></html>";

/// What comes of a prompt of which the server shows no trace: it is sent again when none can turn
/// up any more.
const NEVER_ARRIVED: &[&str] = &[
    "unknown gateway",
    "unknown unclear",
    "waiting not_received",
    DELIVERED,
];

/// Every fault by its name.
pub fn every_fault() -> Vec<(&'static str, Fault)> {
    let after = |status, body: &str| Script::AnswerAfter {
        status,
        body: body.into(),
    };
    vec![
        (
            "a turn that takes its time",
            Fault {
                before: |letta, agent| letta.hold(agent),
                relief: Some((40, |letta, agent| letta.release(agent))),
                silent: true,
                ..fault(Script::Turn, &[DELIVERED], 1)
            },
        ),
        (
            "a connection cut before anything is done",
            fault(
                Script::CutBefore,
                &[
                    "unknown cut",
                    "unknown unclear",
                    "waiting not_received",
                    DELIVERED,
                ],
                1,
            ),
        ),
        (
            "a connection cut when all is done",
            fault(Script::CutAfter, &["unknown cut", DELIVERED], 1),
        ),
        (
            "a connection cut in the middle of the turn",
            fault(Script::CutMidStream, &["unknown cut", DELIVERED], 1),
        ),
        (
            "an agent in somebody else's turn",
            Fault {
                before: |letta, agent| drop(letta.foreign_run(agent, SignedDuration::ZERO)),
                relief: Some((12, |letta, agent| letta.end_foreign_runs(agent))),
                ..fault(Script::Turn, &["waiting busy", DELIVERED], 1)
            },
        ),
        (
            "a 409 with a run",
            fault(
                answer(
                    409,
                    json!({"detail": "CONFLICT: Cannot send a new message", "run_id": "run-1"}),
                ),
                &["waiting busy", DELIVERED],
                1,
            ),
        ),
        (
            "an agent that waits for an approval",
            fault(
                answer(
                    409,
                    json!({"detail": {"code": "PENDING_APPROVAL", "message": "Please approve"}}),
                ),
                &["waiting pending_approval", DELIVERED],
                1,
            ),
        ),
        (
            "a 429 with a time to come back",
            fault(
                Script::Answer {
                    status: 429,
                    body: json!({"detail": "Too many requests"}),
                    headers: [("retry-after".to_owned(), "20".to_owned())].into(),
                },
                &["waiting rate_limited", DELIVERED],
                1,
            ),
        ),
        (
            "a 500 in Letta's words",
            fault(
                answer(500, json!({"detail": "An unknown error occurred"})),
                &["waiting server_error", DELIVERED],
                1,
            ),
        ),
        (
            "a 500 in nobody's words before anything is done",
            fault(answer(500, json!("")), NEVER_ARRIVED, 1),
        ),
        (
            "a 500 in nobody's words when all is done",
            fault(after(500, ""), &["unknown gateway", DELIVERED], 1),
        ),
        (
            "a proxy's 502 before anything is done",
            fault(answer(502, json!(BAD_GATEWAY)), NEVER_ARRIVED, 1),
        ),
        (
            "a proxy's 502 when all is done",
            fault(after(502, BAD_GATEWAY), &["unknown gateway", DELIVERED], 1),
        ),
        (
            "a proxy's 504 when all is done",
            fault(
                after(504, GATEWAY_TIMEOUT),
                &["unknown gateway", DELIVERED],
                1,
            ),
        ),
        (
            "a stream without end of a run that is dead",
            Fault {
                relief: Some((25, |_, _| ())),
                silent: true,
                ..fault(
                    Script::Endless,
                    &[
                        "unknown timeout",
                        "unknown running",
                        "waiting interrupted",
                        DELIVERED,
                    ],
                    2,
                )
            },
        ),
        (
            "a server that dies under the turn",
            fault(
                Script::Orphan,
                &[
                    "unknown cut",
                    "unknown running",
                    "waiting interrupted",
                    DELIVERED,
                ],
                2,
            ),
        ),
        (
            "an answer of which nothing comes but the headers",
            Fault {
                relief: Some((65, |_, _| ())),
                silent: true,
                ..fault(Script::Stall, &["unknown timeout", DELIVERED], 1)
            },
        ),
        (
            "a 200 that is no JSON",
            fault(Script::GarbledAnswer, &["unknown garbled", DELIVERED], 1),
        ),
        (
            "a stream that is no JSON",
            fault(Script::Garbage, &["unknown cut", DELIVERED], 1),
        ),
        (
            "a 200 after which nothing ran",
            fault(Script::NothingRan, &["waiting nothing_ran", DELIVERED], 2),
        ),
        hidden_run(
            "a cut stream, while a proxy hides all runs",
            |letta, agent| {
                let page = Some((404, json!("<html>no such page</html>")));
                odd(
                    letta,
                    agent,
                    ShownRuns {
                        run: page.clone(),
                        list: page,
                        ..ShownRuns::default()
                    },
                );
            },
            "unknown unclear",
        ),
        hidden_run(
            "a cut stream, while its run is said not to exist",
            |letta, agent| {
                let words = json!({"detail": "Run not found with id='it'"});
                odd(
                    letta,
                    agent,
                    ShownRuns {
                        run: Some((404, words)),
                        ..ShownRuns::default()
                    },
                );
            },
            "unknown running",
        ),
        hidden_run(
            "a cut stream, while its run is in a state nobody knows",
            |letta, agent| odd(letta, agent, shown(json!("queued"), None)),
            "unknown running",
        ),
        hidden_run(
            "a cut stream, while its run has no state",
            |letta, agent| odd(letta, agent, shown(Value::Null, None)),
            "unknown running",
        ),
        hidden_run(
            "a cut stream, while its run says nothing of its state",
            |letta, agent| odd(letta, agent, shown(json!([]), None)),
            "unknown running",
        ),
        hidden_run(
            "a cut stream, while its run doesn't say since when it goes on",
            |letta, agent| odd(letta, agent, shown(json!("running"), Some(json!([])))),
            "unknown unclear",
        ),
        blocked(
            "a page in place of the agent",
            refuse::<404>,
            "wrong_server",
        ),
        blocked(
            "a method that is not allowed for the agent",
            refuse::<405>,
            "wrong_server",
        ),
        blocked("a block page for the agent", refuse::<403>, "blocked"),
        blocked("a rule against the agent", refuse::<451>, "blocked"),
        blocked(
            "a proxy that wants a password for the agent",
            refuse::<407>,
            "blocked",
        ),
        blocked(
            "another password for the agent",
            refuse::<401>,
            "unauthorized",
        ),
        blocked("a bill for the agent", refuse::<402>, "payment_required"),
        blocked(
            "too many requests for the agent",
            refuse::<429>,
            "rate_limited",
        ),
        blocked("another address for the agent", refuse::<307>, "redirected"),
        (
            "a model that fails in the first step",
            fault(
                Script::Ends {
                    stop_reason: "llm_api_error".into(),
                    kept: false,
                    error_type: Some("llm_error".into()),
                    detail: "INTERNAL_SERVER_ERROR: OpenAI API error".into(),
                },
                &["waiting llm_error", DELIVERED],
                2,
            ),
        ),
    ]
}

/// A turn of 15 seconds of which nothing more is heard after the run is told, and what is decided
/// while it goes on.
fn hidden_run(name: &'static str, before: Deed, meanwhile: &'static str) -> (&'static str, Fault) {
    let decisions = match meanwhile {
        "unknown running" => &["unknown cut", "unknown running", DELIVERED],
        _ => &["unknown cut", "unknown unclear", DELIVERED],
    };
    let fault = Fault {
        before,
        hides_runs: true,
        relief: Some((15, |letta, agent| letta.release(agent))),
        ..fault(Script::CutMidStream, decisions, 1)
    };
    (name, fault)
}

/// Shows the agent's runs oddly, and lets its turns take their time.
fn odd(letta: &FakeLetta, agent: &AgentId, shown: ShownRuns) {
    letta.show_runs(agent, shown);
    letta.hold(agent);
}

fn shown(status: Value, created_at: Option<Value>) -> ShownRuns {
    ShownRuns {
        status: Some(status),
        created_at,
        ..ShownRuns::default()
    }
}

/// Something between us and the server that refuses one agent's prompts for a while.
fn blocked(name: &'static str, before: Deed, class: &'static str) -> (&'static str, Fault) {
    let decisions: &'static [&'static str] = match class {
        "blocked" => &["waiting blocked", DELIVERED],
        "unauthorized" => &["waiting unauthorized", DELIVERED],
        "payment_required" => &["waiting payment_required", DELIVERED],
        "rate_limited" => &["waiting rate_limited", DELIVERED],
        "redirected" => &["waiting redirected", DELIVERED],
        _ => &["waiting wrong_server", DELIVERED],
    };
    let fault = Fault {
        before,
        relief: Some((40, |letta, agent| letta.set_rule(agent, None))),
        ..fault(Script::Turn, decisions, 1)
    };
    (name, fault)
}

/// Refuses every prompt of an agent with a page of somebody else's.
fn refuse<const STATUS: u16>(letta: &FakeLetta, agent: &AgentId) {
    let page = Script::Answer {
        status: STATUS,
        body: json!(BLOCKED),
        headers: [("location".to_owned(), "http://127.0.0.1:9/login".to_owned())].into(),
    };
    letta.set_rule(agent, Some(page));
}

/// With and without the memory of otids and the lock.
#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn a_fault_of_one_agent_loses_nothing_doubles_nothing_and_touches_no_other(
    #[case] redis: bool,
) {
    for (name, fault) in every_fault() {
        eprintln!("{name}, redis {redis}");
        let mut scene = Scene::new(redis).await;
        scene.play(&fault).await;
        scene.is_told_as_documented(&fault).await;
        scene.holds_each_prompt_once(&fault).await;
    }
}

/// What hits the server as a whole, and ends.
pub struct Outage {
    begin: fn(&mut FakeLetta),
    /// What is decided about each prompt that meets it.
    decision: &'static str,
    /// How many prompts meet it before it is known: those that are sent while the first of them
    /// and then the server itself is asked, each for half a minute at most.
    meet_it: usize,
}

/// Every outage by its name.
fn every_outage() -> Vec<(&'static str, Outage)> {
    let at_once = |begin, decision| Outage {
        begin,
        decision,
        meet_it: 1,
    };
    let silent = |begin| Outage {
        begin,
        decision: "waiting timeout",
        meet_it: 3,
    };
    vec![
        ("absent", at_once(FakeLetta::stop, "waiting unreachable")),
        ("frozen", silent(|l| l.set_spell(Some(Spell::Frozen)))),
        (
            "frozen for ever to whoever asks",
            silent(|l| l.script_path("/v1/*", Script::Silence)),
        ),
        (
            "frozen after the headers",
            silent(|l| l.script_path("/v1/*", Script::Stall)),
        ),
        (
            "unwell",
            at_once(|l| l.set_spell(Some(Spell::Unwell)), "waiting server_error"),
        ),
        (
            "one that refuses our key",
            at_once(
                |l| l.set_spell(Some(Spell::KeyRefused)),
                "waiting unauthorized",
            ),
        ),
        (
            "behind a broken proxy",
            at_once(
                |l| l.script_path("/v1/*", answer(502, json!(BAD_GATEWAY))),
                "waiting gateway",
            ),
        ),
        (
            "behind a page for everybody",
            at_once(
                |l| l.script_path("/v1/*", answer(403, json!(BLOCKED))),
                "waiting blocked",
            ),
        ),
    ]
}

#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn while_the_server_is_out_nothing_is_anybodys_fault_and_afterwards_all_goes_on(
    #[case] redis: bool,
) {
    for (name, outage) in every_outage() {
        eprintln!("a server that is {name}, redis {redis}");
        let mut scene = Scene::new(redis).await;
        scene.play_outage(&outage).await;
    }
}
