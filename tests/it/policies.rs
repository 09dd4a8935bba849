//! Every part of a policy is stored, shown, compared and recorded, whatever parts there are.

use promptyoself::cli::output::{Screen, schedule_details};
use promptyoself::operations::field::{Field, Kind};
use promptyoself::operations::fields::{CATCH_UP, DELIVERY, REPEATED};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::rest::api::Api;

const SCHEDULES: &str = "/api/v1/schedules";

fn parts() -> impl Iterator<Item = &'static Field> {
    REPEATED.iter().chain(DELIVERY).map(|p| p.field)
}

/// A value that is not the default one, as JSON.
fn example(part: &Field) -> Value {
    let example = part.examples[0];
    match part.kind {
        Kind::Number(..) => example.parse::<i64>().unwrap().into(),
        _ => example.into(),
    }
}

/// What is given of a schedule on which a part has an effect.
fn schedule(name: &str, part: &Field) -> Map<String, Value> {
    let mut body = json!({ "agent_id": "agent-a", "prompt": "p", "every": "1h", "name": name });
    if part.name != CATCH_UP.name {
        body[CATCH_UP.name] = "skip".into();
    }
    body.as_object().unwrap().clone()
}

async fn make(api: &Api, body: Map<String, Value>) -> i64 {
    let made = api.post(SCHEDULES, body.into()).await.is(201);
    made["id"].as_i64().unwrap()
}

async fn show(api: &Api, id: i64) -> Value {
    api.get(&format!("{SCHEDULES}/{id}")).await.is(200)
}

/// The line that tells people of the policy.
fn line(shown: &Value) -> String {
    let text = schedule_details(shown, jiff::Timestamp::UNIX_EPOCH);
    let text = text.render(Screen::default());
    let line = text.lines().find(|line| line.starts_with("policy "));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn every_part_of_a_policy_is_stored_shown_compared_and_recorded() {
    let api = Api::new().await;
    for part in parts() {
        let name = part.name;
        let id = make(&api, schedule(name, part)).await;
        let before = show(&api, id).await;

        let given = json!({ name: example(part) });
        let path = format!("{SCHEDULES}/{id}");
        let save = || api.send(Method::PATCH, &path, given.clone());
        assert_eq!(save().await.is(200)["changed"], true, "{name}");
        let after = show(&api, id).await;
        let (old, new) = (&before["schedule"]["policy"], &after["schedule"]["policy"]);
        let shown = new.as_object().unwrap();
        let is_its = |key: &str| key.strip_suffix("_seconds").unwrap_or(key) == name;
        let differs = shown
            .iter()
            .any(|(key, value)| is_its(key) && old[key] != *value);
        assert!(differs, "{name}: {old} {new}");
        assert_ne!(line(&after), line(&before), "{name}");
        let log = api
            .get(&format!("/api/v1/changes?schedule_id={id}&limit=1"))
            .await;
        assert_eq!(log.is(200)["changes"][0]["what"], name);

        // What it has already is no change, and what is made with it is the same.
        assert_eq!(save().await.is(200)["changed"], false, "{name}");
        let mut body = schedule(&format!("made with {name}"), part);
        body.insert(name.to_owned(), example(part));
        let made = show(&api, make(&api, body).await).await;
        assert_eq!(made["schedule"]["policy"], *new, "{name}");
    }
}
