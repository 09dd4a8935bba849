//! What a key gives access to, on every route of the document: new routes must be added here.

use promptyoself::error::Code;
use promptyoself::models::{NamedAgent, ScheduleType, State};
use promptyoself::operations::definition::Who;
use promptyoself::service::Registration;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::api::{Answer, Api, send};
use super::document::{Operation, operations};
use crate::fake_target::FakeTarget;
use crate::world::World;

/// What another agent's schedule is like for an agent that asks.
enum Law {
    /// It does not exist.
    Absent,
    /// It is not in what is listed, and asking for that agent is refused.
    Unlisted { by_agent: bool, by_schedule: bool },
    /// Nothing of any agent is in it.
    Harmless,
    /// The whole of it is the operator's.
    OperatorsOnly,
}

/// The law of an operation, and a body that is right.
fn law(id: &str) -> (Law, Option<Value>) {
    let every = json!({ "prompt": "p", "every": "1h" });
    match id {
        "show_schedule" | "cancel_schedule" | "run_schedule" => (Law::Absent, None),
        "update_schedule" => (Law::Absent, Some(json!({ "prompt": "stolen" }))),
        "pause_schedule" => (Law::Absent, Some(json!({ "note": "n" }))),
        "resume_schedule" => (Law::Absent, Some(json!({ "replay": true }))),
        "list_schedules" => (
            Law::Unlisted {
                by_agent: true,
                by_schedule: false,
            },
            None,
        ),
        "list_occurrences" | "list_changes" => (
            Law::Unlisted {
                by_agent: true,
                by_schedule: true,
            },
            None,
        ),
        "show_account" => (
            Law::Unlisted {
                by_agent: false,
                by_schedule: true,
            },
            None,
        ),
        "create_schedule" => (Law::Harmless, Some(every)),
        "preview" => (Law::Harmless, Some(json!({ "every": "1h" }))),
        "show_status" | "test" => (Law::Harmless, None),
        "list_agents" | "lift_halt" => (Law::OperatorsOnly, None),
        "halt" => (Law::OperatorsOnly, Some(json!({}))),
        id => panic!("{id} is not in the table: say what an agent may do with it"),
    }
}

/// Who may ask for it by its definition.
fn who(id: &str) -> Who {
    let mut all = promptyoself::operations::ALL.iter();
    all.find(|o| o.route.id == id).unwrap().who
}

struct Scene {
    api: Api,
    /// agent-a's schedule and that of a stranger, each delivered once.
    own: i64,
    other: i64,
    key: String,
    /// The stranger.
    stranger: NamedAgent,
}

/// Who is a stranger to agent-a: another agent, and the one of the same id at another target.
const STRANGERS: [&str; 2] = ["agent-b", "work/agent-a"];

async fn scene() -> Scene {
    scene_with("agent-b").await
}

async fn scene_with(stranger: &str) -> Scene {
    let world = World::new().await.beside(FakeTarget::named("work"));
    let api = Api::on(world, promptyoself::operations::ALL).await;
    let stranger = NamedAgent::parse(stranger).unwrap();
    let own = api.world.every("agent-a", "mine", "1h").await.id;
    let id = stranger.id.as_str();
    let wish = Registration {
        target: stranger.target.clone(),
        ..(api.world).wish(id, "SECRET-B", ScheduleType::Interval, "1h")
    };
    let other = api.world.service.register(&wish).await.unwrap().id;
    let mut running = api.world.start();
    api.world.advance(3_600);
    for _ in 0..2 {
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let key = api.key(Some("agent-a")).await;
    Scene {
        api,
        own,
        other,
        key,
        stranger,
    }
}

impl Scene {
    fn request(&self, operation: &Operation, schedule: i64, query: &str) -> RequestBuilder {
        let path = operation.path.replace("{id}", &schedule.to_string());
        let request = self
            .api
            .request(operation.method.clone(), &format!("{path}{query}"));
        match law(&operation.id).1 {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    async fn as_agent(&self, operation: &Operation, schedule: i64, query: &str) -> Answer {
        send(
            self.request(operation, schedule, query)
                .bearer_auth(&self.key),
        )
        .await
    }
}

#[tokio::test]
async fn for_an_agents_key_nothing_of_another_agent_exists_on_any_route() {
    for stranger in STRANGERS {
        assert_nothing_of(stranger).await;
    }
}

async fn assert_nothing_of(stranger: &str) {
    let scene = scene_with(stranger).await;
    let is_told = |text: &str| text.contains("SECRET-B") || text.contains(stranger);
    let before = scene
        .api
        .world
        .service
        .db
        .get_schedule(scene.other)
        .await
        .unwrap();
    for operation in operations() {
        let id = &operation.id;
        let is_operators = matches!(law(id).0, Law::OperatorsOnly);
        assert_eq!(is_operators, who(id) != Who::Anyone, "{id}");
        let answer = scene.as_agent(&operation, scene.other, "").await;
        let text = answer.json.to_string();
        assert!(!is_told(&text), "{id}: {text}");
        match law(id).0 {
            Law::Absent => answer.is_problem(404, Code::ScheduleNotFound),
            Law::Harmless => assert!(answer.status < 300, "{id}: {answer:?}"),
            Law::OperatorsOnly => answer.is_problem(403, Code::NotPermitted),
            Law::Unlisted {
                by_agent,
                by_schedule,
            } => {
                answer.is(200);
                if by_agent {
                    let query = format!("?agent_id={}", scene.stranger);
                    let asked = scene.as_agent(&operation, 0, &query).await;
                    asked.is_problem(403, Code::NotPermitted);
                }
                if by_schedule {
                    let query = format!("?schedule_id={}", scene.other);
                    let asked = scene.as_agent(&operation, 0, &query).await;
                    asked.is_problem(404, Code::ScheduleNotFound);
                }
            }
        }
    }
    let after = scene
        .api
        .world
        .service
        .db
        .get_schedule(scene.other)
        .await
        .unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

#[tokio::test]
async fn an_agents_key_does_everything_with_its_own_schedules() {
    let scene = scene().await;
    let all = operations();
    let find = |id: &str| all.iter().find(|o| o.id == id).unwrap();
    for id in [
        "show_schedule",
        "list_schedules",
        "list_occurrences",
        "show_account",
        "update_schedule",
        "pause_schedule",
        "resume_schedule",
        "run_schedule",
    ] {
        let answer = scene.as_agent(find(id), scene.own, "").await;
        assert!(answer.status < 300, "{id}: {answer:?}");
        if id.starts_with("list") || id == "show_account" {
            assert_eq!(answer.json["count"], 1, "{id}: {answer:?}");
        }
    }
    let foreign = [
        json!({ "agent_id": "agent-b" }),
        json!({ "agent_id": "work/agent-a" }),
        json!({ "target": "work" }),
    ];
    for foreign in foreign {
        for (operation, schedule) in [("create_schedule", 0), ("update_schedule", scene.own)] {
            let mut body = foreign.clone();
            if schedule == 0 {
                body["prompt"] = "p".into();
                body["every"] = "1h".into();
            }
            let request = scene.request(find(operation), schedule, "").json(&body);
            send(request.bearer_auth(&scene.key))
                .await
                .is_problem(403, Code::NotPermitted);
        }
    }
    let ended = scene.as_agent(find("cancel_schedule"), scene.own, "").await;
    ended.is(200);
}

#[tokio::test]
async fn without_a_valid_key_no_route_tells_or_does_anything() {
    let scene = scene().await;
    let revoked = scene.api.key(None).await;
    let keys = scene.api.world.service.list_keys().await.unwrap();
    let id = keys.last().unwrap().id;
    scene.api.world.service.revoke_key(id).await.unwrap();
    let before = scene
        .api
        .world
        .service
        .db
        .get_schedule(scene.own)
        .await
        .unwrap();
    for operation in operations() {
        let request = || scene.request(&operation, scene.own, "");
        let wrong = format!("pys_{}", "0".repeat(64));
        for (request, status, code) in [
            (request(), 401, Code::KeyInvalid),
            (request().bearer_auth(&wrong), 401, Code::KeyInvalid),
            (request().bearer_auth(&revoked), 401, Code::KeyInvalid),
            (
                request().bearer_auth(&scene.key[..40]),
                401,
                Code::KeyInvalid,
            ),
            (
                request()
                    .header("x-promptyoself-key", &wrong)
                    .bearer_auth(&scene.key),
                401,
                Code::KeyInvalid,
            ),
            (
                request()
                    .bearer_auth(&scene.key)
                    .header("x-agent-id", "agent-b"),
                403,
                Code::NotPermitted,
            ),
            (
                request().header("host", "evil.example"),
                403,
                Code::NotPermitted,
            ),
            (
                request().header("origin", "http://evil.example"),
                403,
                Code::NotPermitted,
            ),
        ] {
            let answer = send(request.header("idempotency-key", "k")).await;
            answer.is_problem(status, code);
            let text = answer.json.to_string();
            for secret in [
                "SECRET",
                "mine",
                "pys_0",
                &scene.key[4..20],
                &revoked[4..20],
            ] {
                assert!(!text.contains(secret), "{}: {text}", operation.id);
            }
        }
    }
    let after = scene
        .api
        .world
        .service
        .db
        .get_schedule(scene.own)
        .await
        .unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}
