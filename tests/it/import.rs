//! The schedules that Letta Code's App Server keeps itself are taken over: each then runs in one place.

use promptyoself::models::AgentId;
use serde_json::{Value, json};

use crate::fake_app_server::FakeAppServer;
use crate::program::{Answer, World};

struct Scene {
    world: World,
    server: FakeAppServer,
    agent: AgentId,
}

impl Scene {
    async fn new() -> Scene {
        let server = FakeAppServer::start().await;
        Scene {
            world: World::new().await,
            agent: server.add_agent(),
            server,
        }
    }

    fn run(&self, argv: &[&str]) -> Answer {
        let mut command = self.world.command(argv);
        command
            .env("LETTA_BASE_URL", self.server.ws_url())
            .env_remove("LETTA_API_KEY");
        Answer::read(command.output().unwrap())
    }

    /// A schedule as the server keeps it, with these differences.
    fn add(&self, id: &str, differences: Value) {
        let mut task = json!({
            "id": id, "agent_id": self.agent, "conversation_id": "new", "name": "report",
            "description": "", "cron": "30 9 * * 1-5", "timezone": "Europe/Berlin",
            "recurring": true, "prompt": "Write the report", "status": "active",
            "scheduled_for": null, "jitter_offset_ms": 58707,
        });
        let differences = differences.as_object().unwrap().clone();
        task.as_object_mut().unwrap().extend(differences);
        self.server.add_task(task);
    }

    fn status(&self, id: &str) -> String {
        let tasks = self.server.tasks();
        let task = tasks.iter().find(|task| task["id"] == id).unwrap();
        task["status"].as_str().unwrap().to_owned()
    }

    fn schedules(&self) -> Vec<Value> {
        let listed = self.run(&["list", "--full"]).succeeded();
        listed["schedules"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_schedule_is_registered_here_and_paused_there_once() {
    let scene = Scene::new().await;
    scene.server.add_conversation(&scene.agent, "local-conv-7");
    scene.add("0000aaaa", json!({}));
    scene.add(
        "0000bbbb",
        json!({ "name": "", "conversation_id": "local-conv-7" }),
    );
    scene.add(
        "0000cccc",
        json!({ "recurring": false, "cron": "0 9 31 1 *", "conversation_id": "default",
                "scheduled_for": "2090-01-31T09:00:00.000Z", "timezone": "UTC" }),
    );
    scene.add("0000dddd", json!({ "status": "paused" }));
    scene.add("0000eeee", json!({ "status": "fired" }));
    scene.server.add_task(json!({ "of": "another form" }));

    let import = ["import", "--letta-code-cron"];
    let shown = scene
        .run(&[&import[..], &["--dry-run"]].concat())
        .succeeded();
    assert_eq!(shown["imported"].as_array().unwrap().len(), 3, "{shown}");
    assert!(scene.schedules().is_empty());
    assert_eq!(scene.status("0000aaaa"), "active");

    let taken = scene.run(&import).succeeded();
    let skipped: Vec<&Value> = taken["skipped"].as_array().unwrap().iter().collect();
    let skipped: Vec<&Value> = skipped.iter().map(|task| &task["task_id"]).collect();
    assert_eq!(skipped, ["0000dddd", "0000eeee"]);
    let mut made: Vec<_> = scene
        .schedules()
        .iter()
        .map(|s| {
            let text = |key: &str| s[key].as_str().unwrap_or_default().to_owned();
            [
                text("name"),
                text("conversation"),
                text("schedule_value"),
                text("timezone"),
            ]
        })
        .collect();
    made.sort();
    let own = |parts: [&str; 4]| parts.map(str::to_owned);
    assert_eq!(
        made,
        [
            own([
                "letta-code 0000bbbb",
                "local-conv-7",
                "30 9 * * 1-5",
                "Europe/Berlin"
            ]),
            own([
                "report (letta-code 0000aaaa)",
                "new",
                "30 9 * * 1-5",
                "Europe/Berlin"
            ]),
            own([
                "report (letta-code 0000cccc)",
                "default",
                "2090-01-31T09:00:00+00:00",
                "UTC"
            ]),
        ]
    );
    for id in ["0000aaaa", "0000bbbb", "0000cccc"] {
        assert_eq!(scene.status(id), "paused");
    }
    let again = scene.run(&import).succeeded();
    assert_eq!(again["imported"], json!([]));
    assert_eq!(scene.schedules().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_taken_over_runs_there_as_before() {
    let scene = Scene::new().await;
    let once = |at: &str| json!({ "recurring": false, "scheduled_for": at });
    let cases = [
        ("0000aaaa", once("2020-01-31T09:00:00.000Z"), "2020"),
        (
            "0000bbbb",
            json!({ "agent_id": "agent-local-none" }),
            "not found",
        ),
        ("0000cccc", json!({ "cron": "61 * * * *" }), "61"),
        (
            "0000dddd",
            json!({ "conversation_id": "local-conv-9" }),
            "local-conv-9",
        ),
        (
            "0000eeee",
            json!({ "name": "stubborn" }),
            "cannot be paused",
        ),
        ("0000ffff", json!({ "prompt": " " }), "no prompt"),
    ];
    for (id, differences, _) in &cases {
        scene.add(id, differences.clone());
    }
    let answer = scene.run(&["import", "--letta-code-cron"]);
    assert_eq!(answer.status, 1);
    let failed = answer.json["failed"].as_array().unwrap();
    assert_eq!(failed.len(), cases.len(), "{failed:?}");
    for (task, (id, _, why)) in failed.iter().zip(&cases) {
        assert_eq!(task["task_id"], *id);
        assert!(task["reason"].as_str().unwrap().contains(why), "{task}");
        assert_eq!(scene.status(id), "active");
    }
    assert!(scene.schedules().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_of_schedules_that_the_server_runs_beside_us() {
    let scene = Scene::new().await;
    let codes = || {
        let told = scene.run(&["doctor"]).json;
        let findings = told["findings"].as_array().unwrap().clone();
        let codes = findings
            .iter()
            .map(|f| f["code"].as_str().unwrap().to_owned());
        codes.collect::<Vec<_>>()
    };
    scene.schedules();
    assert!(!codes().contains(&"letta_code_cron".to_owned()));
    scene.add("0000aaaa", json!({}));
    assert!(codes().contains(&"letta_code_cron".to_owned()));
    scene.run(&["import", "--letta-code-cron"]).succeeded();
    assert!(!codes().contains(&"letta_code_cron".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_taken_over_the_error_says_so() {
    let world = World::new().await;
    let refused = world.run(&["import", "--letta-code-cron"]);
    assert_eq!((refused.status, refused.code()), (1, "letta_wrong_server"));
    assert_eq!(world.run(&["import"]).code(), "usage");
    let refused = world.run(&["import", "--letta-code-cron", "--target", "moon"]);
    assert_eq!(refused.code(), "target_unknown");
}
