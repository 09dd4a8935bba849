//! The OpenAPI document matches the router.

use promptyoself::error::Code;
use promptyoself::operations::ALL;
use promptyoself::server::document;
use reqwest::Method;
use serde_json::Value;

use super::api::{Api, send};

/// An operation of the document.
pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    pub json: Value,
}

/// Every operation of the document.
pub fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(document(ALL)).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, json) in item.as_object().unwrap() {
            found.push(Operation {
                id: json["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                json: json.clone(),
            });
        }
    }
    found
}

#[tokio::test]
async fn the_document_is_served_without_a_key_and_is_that_of_the_router() {
    let api = Api::new().await;
    api.key(None).await;
    let served = api.get("/api/openapi.json").await.is(200);
    assert_eq!(served, serde_json::to_value(document(ALL)).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
    let ids: Vec<String> = operations().into_iter().map(|o| o.id).collect();
    insta::assert_json_snapshot!("operations", ids);
}

#[tokio::test]
async fn every_operation_of_the_document_is_a_route_and_no_other_method_is() {
    let api = Api::new().await;
    let all = operations();
    for operation in &all {
        let path = operation.path.replace("{id}", "77");
        let answer = send(api.request(operation.method.clone(), &path)).await;
        let missing = answer.json["code"] == Code::RequestInvalid.as_str()
            && matches!(answer.status, 404 | 405);
        assert!(!missing, "{} {path}: {answer:?}", operation.method);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let documented = all
                .iter()
                .any(|o| o.path == operation.path && o.method == method);
            if !documented {
                let answer = send(api.request(method.parse().unwrap(), &path)).await;
                answer.is_problem(405, Code::RequestInvalid);
            }
        }
    }
    let nowhere = api.get("/api/v1/nothing").await;
    nowhere.is_problem(404, Code::RequestInvalid);
}

#[test]
fn everything_in_the_document_is_described_for_people() {
    let document = serde_json::to_value(document(ALL)).unwrap();
    for operation in operations() {
        let json = &operation.json;
        assert!(json["summary"].is_string(), "{}", operation.id);
        for parameter in json["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{parameter}");
        }
        for status in ["400", "401", "403", "500", "503"] {
            let problem = &json["responses"][status]["content"]["application/problem+json"];
            assert!(problem.is_object(), "{} {status}", operation.id);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            let parts = [&of["allOf"], &of["oneOf"]].into_iter();
            let mut parts = parts.flat_map(|p| p.as_array()).flatten();
            let described = of["description"].is_string()
                || of["$ref"].is_string()
                || parts.any(|part| part["description"].is_string());
            assert!(described, "{name}.{field}: {of}");
        }
    }
}
