//! An operation and a field are defined in one place, and every face offers them.

use clap::Command;
use promptyoself::cli::definitions::definitions;
use promptyoself::cli::describe::describe;
use promptyoself::clock::Clock;
use promptyoself::config::{Environment, Flags, Settings};
use promptyoself::error::{Code, Result};
use promptyoself::mcp::tools;
use promptyoself::operations::definition::{Body, Effect, Operation, Route, Tool, Who, answers};
use promptyoself::operations::field::{Field, Given, Kind, takes};
use promptyoself::operations::{self, Ask, Offer, Values, fields, reading, to_json};
use promptyoself::remote::Remote;
use promptyoself::server::document;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::rest::api::{Api, send, serve};

/// A field that nothing else knows.
const COLOUR: Field = Field {
    name: "colour",
    argument: None,
    aliases: &["color"],
    kind: Kind::Word(&["red", "blue"]),
    placeholder: "red|blue",
    help: "The colour that it gets",
    details: "It can be seen from afar.",
    examples: &["red"],
    ..fields::NAME
};

/// A schedule that was painted.
#[derive(Serialize, Deserialize, ToSchema)]
struct Painted {
    /// The schedule's id.
    painted_id: i64,
    /// The colour that it has now.
    colour: String,
    /// The colour that it had before.
    before: Option<String>,
}

/// An operation that nothing else knows.
const PAINT: Operation = Operation {
    name: "paint",
    title: "Paint a schedule",
    details: "The paint dries at once.",
    parameters: &[&[
        takes(&fields::ID).required().given(Given::InPath),
        takes(&COLOUR).required(),
    ]],
    example: "{\"colour\": \"red\"}",
    answer: answers::<Painted>(),
    who: Who::Operator("painting"),
    effect: Effect::Sets,
    route: Route {
        method: "POST",
        path: "/schedules/{id}/paint",
        id: "paint_schedule",
        tag: "control",
        body: Body::Required,
        answers: &[(200, "The schedule is painted")],
        problems: &[404],
    },
    tool: Some(Tool {
        name: "promptyoself_paint",
        title: "Paint a schedule",
        advice: "Ask your user for the colour.",
    }),
    check: |values| reading::id(values).map(drop),
    carry_out: |_, values| Box::pin(async move { paint(values) }),
    ..operations::PAUSE
};

const OFFER: Offer = &[&operations::LIST, &PAINT];

fn paint(values: &Values) -> Result<Value> {
    to_json(&Painted {
        painted_id: reading::id(values)?,
        colour: values.text(&COLOUR).unwrap_or_default(),
        before: None,
    })
}

fn red() -> Values {
    Values::default().with(&fields::ID, 5).with(&COLOUR, "red")
}

fn painted() -> Value {
    json!({ "painted_id": 5, "colour": "red", "before": null })
}

#[test]
fn the_command_line_has_a_command_with_its_flag_and_help() {
    let mut program = definitions(OFFER, false);
    let given = ["promptyoself", "paint", "5", "--colour", "red"];
    let parsed = program.clone().try_get_matches_from(given).unwrap();
    let (command, values) = parsed.subcommand().unwrap();
    let colour: Option<&String> = values.get_one("colour");
    assert_eq!((command, colour.unwrap().as_str()), ("paint", "red"));
    let listed = program.render_help().to_string();
    assert!(
        listed.contains("  paint       Paint a schedule"),
        "{listed}"
    );
    let is_ours = |command: &&mut Command| command.get_name() == "paint";
    let mut commands = program.get_subcommands_mut();
    let help = commands
        .find(is_ours)
        .unwrap()
        .render_long_help()
        .to_string();
    for told in [
        "The paint dries at once.",
        "--colour <red|blue>",
        "seen from afar",
    ] {
        assert!(help.contains(told), "{told}: {help}");
    }
    assert!(help.contains("Only for the operator."), "{help}");
}

#[test]
fn the_plugin_describes_it() {
    let described = describe(OFFER);
    let commands = described["commands"].as_array().unwrap();
    let paint = commands.iter().find(|c| c["name"] == "paint").unwrap();
    let parameters = paint["parameters"].as_array().unwrap();
    let told: Vec<_> = parameters
        .iter()
        .map(|p| {
            (
                p["name"].as_str().unwrap(),
                p["type"].as_str().unwrap(),
                &p["required"],
            )
        })
        .collect();
    let required = &json!(true);
    assert_eq!(
        told,
        [("id", "integer", required), ("colour", "string", required)]
    );
}

#[test]
fn models_are_offered_a_tool_with_its_schemas() {
    let tools = tools::of(OFFER);
    let tool = tools
        .iter()
        .find(|t| t.name == "promptyoself_paint")
        .unwrap();
    assert!(tool.is_operators);
    let tool = serde_json::to_value(tool.to_tool()).unwrap();
    assert_eq!(
        tool["description"],
        "Paint a schedule. Only for the operator. The paint dries at once. Ask your user for the \
         colour. Example: {\"colour\":\"red\",\"schedule_id\":5}"
    );
    let takes = &tool["inputSchema"];
    assert_eq!(takes["required"], json!(["schedule_id", "colour"]));
    assert_eq!(
        takes["properties"]["colour"]["enum"],
        json!(["red", "blue"])
    );
    let answers = &tool["outputSchema"];
    assert_eq!(
        answers["properties"]["painted_id"],
        json!({ "type": "integer", "description": "The schedule's id." })
    );
    for key in ["colour", "now", "now_local", "timezone"] {
        assert_eq!(answers["properties"][key]["type"], "string", "{key}");
    }
    let nullable = answers["description"].as_str().unwrap();
    assert!(nullable.contains("before (The colour that it had before)"));
    assert_eq!(tool["annotations"]["readOnlyHint"], false);
    assert_eq!(tool["annotations"]["idempotentHint"], true);
}

#[tokio::test]
async fn http_has_a_route_that_reads_it_strictly() {
    let api = Api::offering(OFFER).await;
    let path = "/api/v1/schedules/5/paint";
    let answer = api.post(path, json!({ "colour": "red" })).await.is(200);
    assert_eq!(answer, painted());
    for wrong in [json!({}), json!({ "color": "red" }), json!({ "colour": 5 })] {
        let answer = api.post(path, wrong).await;
        answer.is_problem(400, Code::RequestInvalid);
    }
    let key = api.key(Some("agent-a")).await;
    let asked = api.request(reqwest::Method::POST, path);
    let asked = asked.bearer_auth(key).json(&json!({ "colour": "red" }));
    let refused = send(asked).await;
    refused.is_problem(403, Code::NotPermitted);
    assert!(refused.detail().starts_with("painting is for the operator"));
}

#[test]
fn the_openapi_document_describes_the_route() {
    let document = document(OFFER);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 2);
    let paint = &paths["/api/v1/schedules/{id}/paint"]["post"];
    assert_eq!(paint["summary"], "Paint a schedule");
    assert_eq!(
        paint["description"],
        "Only for the operator. The paint dries at once."
    );
    let schemas = &document["components"]["schemas"];
    let request = &schemas["PaintScheduleRequest"];
    assert_eq!(request["required"], json!(["colour"]));
    assert_eq!(request["properties"]["colour"]["type"], "string");
    let answer = &schemas["Painted"]["properties"];
    assert_eq!(answer.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_client_asks_a_server_elsewhere_for_it() {
    let api = Api::new().await;
    let url = serve(&api.world.service, OFFER).await;
    let env: Environment = [("PROMPTYOSELF_URL", url.as_str())].into_iter().collect();
    let settings = Settings::load(&Flags::default(), &env).unwrap();
    let clock = Clock::system();
    let remote = Remote::new(
        &settings.remote.unwrap(),
        promptyoself::models::Caller::Operator,
        clock,
    )
    .unwrap();
    assert_eq!(remote.ask(&PAINT, &red()).await.unwrap(), painted());
}

#[tokio::test]
async fn whoever_may_not_ask_for_it_is_refused_before_anything_is_done() {
    let api = Api::new().await;
    let service = &api.world.service;
    assert_eq!(service.ask(&PAINT, &red()).await.unwrap(), painted());
    let agent = crate::world::known_agent("agent-a");
    let refused = service.for_caller(agent).ask(&PAINT, &red()).await;
    assert_eq!(refused.unwrap_err().code(), Code::NotPermitted);
}
