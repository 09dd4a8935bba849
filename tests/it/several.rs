//! Fields that take several values: on every face a list of texts means what the same texts mean
//! in one, and as repeated flags.

use promptyoself::mcp::tools;
use promptyoself::operations::definition::Operation;
use promptyoself::operations::field::{Field, Given};
use promptyoself::operations::{self, fields};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::mcp::Raw;
use crate::program::{Answer, World};
use crate::rest::{api, client};

type Fields = Map<String, Value>;

/// Every operation with every field of it that takes several values.
fn all() -> Vec<(&'static Operation, &'static Field)> {
    let several = |o: &'static Operation| {
        let taken = o.parameters().map(|p| p.field);
        taken.filter(|f| f.takes_several()).map(move |f| (o, f))
    };
    let all: Vec<_> = operations::ALL.iter().flat_map(|o| several(o)).collect();
    assert!(all.len() >= 6, "{all:?}");
    all
}

/// Two values of a field.
fn two_of(field: &Field) -> [&'static str; 2] {
    match field.name {
        "cron" => ["0 9 * * 1-5", "30 17 * * 1-5"],
        "except" => ["2030-12-24..2031-01-02", "2031-05-01"],
        other => panic!("say two values of {other}"),
    }
}

/// What else a request needs.
fn beside(operation: &Operation, field: &Field, agent: &str) -> Fields {
    let mut needed = match operation.name {
        "register" => json!({ "prompt": "p", "agent_id": agent }),
        "update" | "preview" => json!({}),
        other => panic!("say what {other} needs"),
    };
    if field.name != fields::CRON.name && operation.name != "update" {
        needed["cron"] = "0 8 * * *".into();
    }
    needed.as_object().unwrap().clone()
}

/// What else a call needs.
fn beside_in_tool(tool: &str, field: &Field, agent: &str) -> Fields {
    let mut needed = match tool {
        "promptyoself_update" => json!({ "schedule_id": 1 }),
        "promptyoself_preview" => json!({}),
        _ => json!({ "prompt": "p", "agent_id": agent }),
    };
    if field.name != fields::CRON.name {
        match tool {
            "promptyoself_schedule" => needed["when"] = "every day at 8:00".into(),
            "promptyoself_schedule_every" => needed["every"] = "1h".into(),
            "promptyoself_schedule_cron" | "promptyoself_preview" => {
                needed["cron"] = "0 8 * * *".into();
            }
            "promptyoself_update" => {}
            other => panic!("say what {other} needs"),
        }
    }
    needed.as_object().unwrap().clone()
}

/// Checks that a list says what its texts say in one, and returns that.
fn check(at: &str, field: &Field, mut ask: impl FnMut(&Value) -> Value) -> Value {
    let mut told = |value: Value| {
        let answer = ask(&value);
        let described = answer.get("describes").cloned();
        described.unwrap_or_else(|| panic!("{at} {value}: {answer}"))
    };
    let [one, other] = two_of(field);
    let both = told(json!(format!("{one}{}{other}", field.joined_by.unwrap())));
    let first = told(json!(one));
    assert_ne!(first, both, "{at}");
    assert_eq!(told(json!([one, other])), both, "{at}");
    assert_eq!(told(json!([one])), first, "{at}");
    both
}

fn flags(operation: &Operation, fields: &Fields) -> Vec<String> {
    let mut argv = vec![operation.name.to_owned()];
    if operation.route.has_id() {
        argv.push("1".to_owned());
    }
    for (name, value) in fields {
        let one = std::slice::from_ref(value);
        for text in value.as_array().map_or(one, Vec::as_slice) {
            argv.push(format!("--{}", name.replace('_', "-")));
            argv.push(text.as_str().unwrap().to_owned());
        }
    }
    argv
}

/// A database with a schedule, and a server for it.
struct Scene {
    world: World,
    url: String,
    key: String,
}

impl Scene {
    async fn new() -> Scene {
        let world = World::new().await;
        world.register("p", &["--cron", "0 8 * * *"]);
        let (url, key) = world.serve_with_key(None);
        Scene { world, url, key }
    }

    fn agent(&self) -> &str {
        self.world.agent.as_str()
    }

    /// With flags: beside the database, from elsewhere, and as the plugin.
    fn on_command_lines(&self, operation: &Operation, fields: &Fields) -> [Value; 3] {
        let flags = flags(operation, fields);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut elsewhere = self.world.command(&flags);
        elsewhere
            .env("PROMPTYOSELF_URL", &self.url)
            .env("PROMPTYOSELF_KEY", &self.key);
        let commands = [
            self.world.command(&flags),
            elsewhere,
            self.world.plugin(&flags),
        ];
        commands.map(|mut command| Answer::read(command.output().unwrap()).json)
    }

    fn over_http(&self, operation: &Operation, fields: &Fields) -> api::Answer {
        let path = operation.route.path.replace("{id}", "1");
        let method: Method = operation.route.method.parse().unwrap();
        let request = client()
            .request(method, format!("{}/api/v1{path}", self.url))
            .bearer_auth(&self.key)
            .json(fields);
        block_in_place(|| Handle::current().block_on(api::send(request)))
    }
}

fn call(mcp: &mut Raw, tool: &str, arguments: &Fields) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    mcp.ask("tools/call", params)["result"]["structuredContent"].take()
}

/// Every tool with every field of it that takes several values.
fn all_of_tools() -> impl Iterator<Item = (&'static str, &'static Field)> {
    tools::all().iter().flat_map(|tool| {
        let taken = tool.parameters.iter().map(|p| p.field);
        let several = taken.filter(|f| f.takes_several());
        several.map(|f| (tool.name, f))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_what_its_texts_say_in_one_on_command_lines_and_over_http() {
    let scene = Scene::new().await;
    for (operation, field) in all() {
        let at = format!("{} {}", operation.name, field.name);
        let with = |value: &Value| {
            let mut fields = beside(operation, field, scene.agent());
            fields.insert(field.name.to_owned(), value.clone());
            fields
        };
        let over_http = check(&at, field, |value| {
            scene.over_http(operation, &with(value)).json
        });
        for way in 0..3 {
            let told = check(&at, field, |value| {
                scene.on_command_lines(operation, &with(value))[way].clone()
            });
            assert_eq!(told, over_http, "{at} {way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_what_its_texts_say_in_one_in_every_tool() {
    let scene = Scene::new().await;
    let mut mcp = Raw::start(&scene.world);
    let mut tools = 0;
    for (tool, field) in all_of_tools() {
        check(&format!("{tool} {}", field.name), field, |value| {
            let mut fields = beside_in_tool(tool, field, scene.agent());
            fields.insert(field.name.to_owned(), value.clone());
            call(&mut mcp, tool, &fields)
        });
        tools += 1;
    }
    assert!(tools >= all().len(), "{tools}");
}

/// What is no list of texts.
fn wrong(field: &Field) -> Vec<Value> {
    let [one, _] = two_of(field);
    vec![
        json!([]),
        json!([5]),
        json!([one, 5]),
        json!([one, null]),
        json!([one, [one]]),
        json!([[]]),
        json!([{ "text": one }]),
        json!({ "texts": [one] }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_of_texts_is_refused_by_the_name_of_its_field_and_changes_nothing() {
    let scene = Scene::new().await;
    let mut mcp = Raw::start(&scene.world);
    let before = scene.world.dump().await;
    for (operation, field) in all() {
        for value in wrong(field) {
            let mut fields = beside(operation, field, scene.agent());
            fields.insert(field.name.to_owned(), value.clone());
            let answer = scene.over_http(operation, &fields);
            assert_eq!(answer.status, 400, "{value}: {answer:?}");
            assert_eq!(answer.json["code"], "request_invalid", "{value}");
            let told = answer.detail();
            let names = format!("{}: ", field.name);
            assert!(told.contains(&names), "{value}: {told}");
            assert!(told.contains("string"), "{value}: {told}");
            let clears = field.clears_by_none && value == json!([]);
            assert_eq!(told.contains("\"none\""), clears, "{value}: {told}");
        }
    }
    for (tool, field) in all_of_tools() {
        for value in wrong(field) {
            let mut fields = beside_in_tool(tool, field, scene.agent());
            fields.insert(field.name.to_owned(), value.clone());
            let answer = call(&mut mcp, tool, &fields);
            assert_eq!(answer["code"], "usage", "{tool} {value}: {answer}");
            let told = answer["error"].as_str().unwrap();
            assert!(told.starts_with(&format!("{} is ", field.name)), "{told}");
            assert!(told.contains("a list of at least one text"), "{told}");
            assert_eq!(told.contains("\"none\""), field.clears_by_none, "{told}");
        }
    }
    assert_eq!(scene.world.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_for_a_field_that_takes_one_value_is_refused() {
    let scene = Scene::new().await;
    for operation in operations::ALL.iter().filter(|o| o.route.method != "GET") {
        let single = operation
            .parameters()
            .filter(|p| matches!(p.given, Given::Everywhere | Given::NotInTools))
            .map(|p| p.field)
            .filter(|f| !f.takes_several());
        for field in single {
            let fields = Fields::from_iter([(field.name.to_owned(), json!(["a", "b"]))]);
            let answer = scene.over_http(operation, &fields);
            assert_eq!(answer.status, 400, "{}: {answer:?}", operation.name);
            let told = format!("{}: invalid type: sequence", field.name);
            assert!(answer.detail().contains(&told), "{answer:?}");
        }
    }
}
