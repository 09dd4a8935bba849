//! Invalid requests get a problem that says what is wrong, and create nothing.

use promptyoself::error::Code;
use promptyoself::operations;
use promptyoself::operations::field::Kind;
use promptyoself::operations::fields::SCHEDULE_FILTER;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::api::{Api, send};

const SCHEDULES: &str = "/api/v1/schedules";

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_with_the_place_that_is_wrong() {
    let api = Api::new().await;
    for (body, part) in [
        ("", "EOF"),
        ("{", "line 1"),
        ("[]", "invalid"),
        ("{\"prompt\":\"p\",\"every\":\"1h\"} x", "trailing"),
        ("{\"every\":\"1h\"}", "missing field `prompt`"),
        ("{\"prompt\":5,\"every\":\"1h\"}", "prompt: invalid type"),
        ("{\"prompt\":\"p\",\"evry\":\"1h\"}", "unknown field `evry`"),
        ("{\"prompt\":\"p\",\"prompt\":\"q\"}", "duplicate field"),
        (
            "{\"prompt\":\"p\",\"max_repetitions\":1.5}",
            "max_repetitions: ",
        ),
        ("{\"prompt\":\"a\\u0000b\",\"every\":\"1h\"}", "NUL"),
    ] {
        let request = api.request(Method::POST, SCHEDULES).body(body);
        let answer = send(request.header(CONTENT_TYPE, "application/json")).await;
        answer.is_problem(400, Code::RequestInvalid);
        assert!(answer.detail().contains(part), "{body}: {answer:?}");
    }
    let bytes = api
        .request(Method::POST, SCHEDULES)
        .body(vec![b'"', 0xff, b'"']);
    let answer = send(bytes.header(CONTENT_TYPE, "application/json; charset=utf-8")).await;
    answer.is_problem(400, Code::RequestInvalid);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        let request = api.request(Method::POST, SCHEDULES).body("{}");
        let answer = send(request.header(CONTENT_TYPE, kind)).await;
        answer.is_problem(415, Code::RequestInvalid);
    }
    let answer = send(api.request(Method::POST, SCHEDULES).body("{}")).await;
    answer.is_problem(415, Code::RequestInvalid);
    let large = vec![b' '; 33 * 1024 * 1024];
    let request = api.request(Method::POST, SCHEDULES).body(large);
    let answer = send(request.header(CONTENT_TYPE, "application/json")).await;
    answer.is_problem(413, Code::RequestInvalid);
    assert_eq!(
        api.get("/api/v1/schedules?all=true").await.is(200)["total"],
        0
    );
}

#[tokio::test]
async fn a_query_or_a_path_that_is_wrong_is_refused() {
    let api = Api::new().await;
    for (query, part) in [
        ("limit=0", "limit must be from 1 to 1000, not 0"),
        ("limit=1001", "not 1001"),
        ("limit=x", "limit: "),
        ("limit=-1", "limit: "),
        ("offset=4294967296", "offset: "),
        ("all=maybe", "all: "),
        ("al=true", "unknown field `al`"),
        ("all=true&all=true", "duplicate field"),
    ] {
        let answer = api.get(&format!("{SCHEDULES}?{query}")).await;
        answer.is_problem(400, Code::RequestInvalid);
        assert!(answer.detail().contains(part), "{query}: {answer:?}");
    }
    for id in ["0", "-1", "+1", "1.0", "9223372036854775808", "%00", "%ff"] {
        let answer = api.get(&format!("{SCHEDULES}/{id}")).await;
        answer.is_problem(400, Code::IdInvalid);
    }
    let answer = api.get(&format!("{SCHEDULES}/x")).await;
    answer.is_problem(404, Code::ScheduleNotFound);
    let answer = api.get("/api/v1/occurrences?since=lately").await;
    answer.is_problem(400, Code::TimeInvalid);
    let answer = api.get("/api/v1/occurrences?state=failed").await;
    answer.is_problem(400, Code::RequestInvalid);
    assert!(answer.detail().contains("coalesced"), "{answer:?}");
    let answer = api.get("/api/v1/status?x=1").await;
    answer.is_problem(400, Code::RequestInvalid);
}

#[tokio::test]
async fn a_filter_is_named_as_the_query_has_it_and_not_as_its_flag_is_called() {
    let api = Api::new().await;
    let mut seen = 0;
    for operation in operations::ALL.iter().filter(|o| o.route.method == "GET") {
        let renamed =
            |p: &&operations::field::Parameter| p.is_over_http() && p.field.flag.is_some();
        for field in operation.parameters().filter(renamed).map(|p| p.field) {
            let impossible = match field.kind {
                Kind::Number(least, _) => (least - 1).to_string(),
                // Figures are always an id.
                _ if field.name == SCHEDULE_FILTER.name => "0".to_owned(),
                _ => "?".to_owned(),
            };
            let path = format!("/api/v1{}", operation.route.path);
            let answer = api
                .get(&format!("{path}?{}={impossible}", field.name))
                .await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let detail = answer.detail();
            let words: Vec<&str> = detail.split(' ').collect();
            assert!(words.contains(&field.name), "{path}: {detail}");
            let after_give = words.iter().skip_while(|word| **word != "give").nth(1);
            assert_eq!(after_give, Some(&field.name), "{path}: {detail}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}

#[tokio::test]
async fn an_error_speaks_of_fields_and_requests_and_its_example_is_accepted() {
    let api = Api::new().await;
    let wrong = json!({ "agent_id": "agent-a", "prompt": "p", "cron": "0 30 6 ? * MON-FRI" });
    let answer = api.post(SCHEDULES, wrong.clone()).await;
    answer.is_problem(400, Code::CronInvalid);
    assert!(!answer.json.to_string().contains("--"), "{answer:?}");
    let example = answer.json["example"].as_str().unwrap();
    let example: serde_json::Value = serde_json::from_str(example).unwrap();
    let mut corrected = wrong.clone();
    corrected.as_object_mut().unwrap().remove("cron");
    for (field, value) in example.as_object().unwrap() {
        corrected[field] = value.clone();
    }
    api.post(SCHEDULES, corrected).await.is(201);

    let missing = api.get("/api/v1/schedules/99").await;
    missing.is_problem(404, Code::ScheduleNotFound);
    let example = missing.json["example"].as_str().unwrap();
    assert_eq!(example, "GET /api/v1/schedules?all=true");
    api.get(example.strip_prefix("GET ").unwrap()).await.is(200);

    let request = api.request(Method::POST, SCHEDULES).json(&wrong);
    let answer = send(request.header("x-promptyoself-wording", "flags")).await;
    let example = answer.json["example"].as_str().unwrap();
    assert!(example.starts_with("--"), "{answer:?}");
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let api = Api::new().await;
    let with = |field: &str, value: serde_json::Value| {
        let mut body = json!({ "agent_id": "agent-a", "prompt": "p", "every": "1h" });
        body[field] = value;
        body
    };
    for (body, status, code) in [
        (with("every", json!("soon")), 400, Code::IntervalInvalid),
        (with("time", json!("2030-01-01")), 400, Code::SpecConflict),
        (with("every", json!(null)), 400, Code::SpecMissing),
        (
            with("timezone", json!("Mars/Base")),
            400,
            Code::TimezoneUnknown,
        ),
        (with("agent_id", json!("../x")), 400, Code::AgentInvalid),
        (with("agent_id", json!(null)), 400, Code::AgentMissing),
        (
            with("max_repetitions", json!(0)),
            400,
            Code::RepetitionsInvalid,
        ),
        (with("envelope", json!("thick")), 400, Code::PolicyInvalid),
    ] {
        let answer = api.post(SCHEDULES, body).await;
        answer.is_problem(status, code);
    }
    api.post(SCHEDULES, with("name", json!("n"))).await.is(201);
    let mut taken = with("name", json!("n"));
    taken["every"] = json!("2h");
    api.post(SCHEDULES, taken)
        .await
        .is_problem(409, Code::NameTaken);
    let agents = api
        .request(Method::POST, SCHEDULES)
        .header("x-agent-id", "agent-a");
    let answer = send(agents.json(&with("every", json!("1m")))).await;
    answer.is_problem(429, Code::BudgetExceeded);
    let agents = api
        .request(Method::POST, SCHEDULES)
        .header("x-agent-id", "agent-a");
    let answer = send(agents.json(&with("ping_url", json!("https://h/x")))).await;
    answer.is_problem(403, Code::NotPermitted);
    let someone = api
        .request(Method::POST, SCHEDULES)
        .header("x-promptyoself-on-behalf", "agent");
    let answer = send(someone.json(&with("ping_url", json!("https://h/x")))).await;
    answer.is_problem(403, Code::NotPermitted);
}
