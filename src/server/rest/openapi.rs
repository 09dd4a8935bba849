//! The OpenAPI document, generated from the operations.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::api::problem::{MEDIA_TYPE, ProblemBody};
use crate::api::{BASE, KEY_HEADER};
use crate::operations::Offer;
use crate::operations::definition::{Body, Operation};
use crate::operations::field::{Kind, Parameter};

const ABOUT: &str = "\
Schedules prompts for Letta agents, and accounts for every one of them: delivered once, on time, or \
you are told why not.\n\n\
**Who is calling.** While the server has no keys, anyone who can reach it is the operator. Once a key \
exists, every request must send one, as `Authorization: Bearer pys_…` or as `X-Promptyoself-Key`. To \
an agent's key, no other agent exists; the header `X-Agent-Id` narrows an operator's key to one \
agent.\n\n\
**Errors** are problems (RFC 9457): `code` is stable and for programs, `detail` says what was \
understood and what to do, `example` is a corrected form.\n\n\
**Repeating a request.** A `POST` with the header `Idempotency-Key` is carried out once: the same request \
under the same key gets the same answer for a day.\n\n\
**Times** are UTC unless they are called local.";

/// The meaning of the statuses of problems.
const PROBLEMS: &[(u16, &str)] = &[
    (400, "The request is invalid, or can't be carried out"),
    (401, "No key was sent, or an invalid one"),
    (403, "The caller may not do this, or not for this agent"),
    (
        404,
        "There is no such schedule or agent, or none for this caller",
    ),
    (
        409,
        "The schedule's state, or another schedule's name, prevents this",
    ),
    (413, "The body is too large"),
    (415, "The body is not JSON"),
    (422, "The Idempotency-Key was used for a different request"),
    (429, "The agent's budget is exceeded"),
    (500, "An internal error"),
    (502, "Letta does not answer, or answers incorrectly"),
    (503, "The database can't be used at the moment"),
];

/// The statuses that every operation may return.
const EVERYWHERE: &[u16] = &[400, 401, 403, 500, 503];

/// The OpenAPI document of these operations.
pub fn document(offer: Offer) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    add(
        &mut schemas,
        ProblemBody::name().into(),
        to_value(&ProblemBody::schema()),
    );
    for operation in offer {
        let answer = &operation.answer;
        let mut others = Vec::new();
        (answer.others)(&mut others);
        for (name, schema) in others {
            add(&mut schemas, name, to_value(&schema));
        }
        add(
            &mut schemas,
            (answer.name)().into(),
            to_value(&(answer.schema)()),
        );
        if operation.route.body != Body::None {
            add(&mut schemas, request_name(operation), request(operation));
        }
        let path = format!("{BASE}{}", operation.route.path);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[operation.route.method.to_ascii_lowercase()] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "promptyoself",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key created with `promptyoself key create`",
                },
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": KEY_HEADER,
                    "description": "The same key, if Authorization is already used for something else",
                },
            },
        },
        "security": [{ "bearer": [] }, { "key": [] }],
    })
}

fn add(schemas: &mut Map<String, Value>, name: String, schema: Value) {
    schemas.insert(name, schema);
}

fn to_value(schema: &impl serde::Serialize) -> Value {
    // A schema is made of texts and numbers, which can't fail to become JSON.
    serde_json::to_value(schema).unwrap_or_default()
}

/// An operation's entry in the document.
fn described(operation: &Operation) -> Value {
    let route = &operation.route;
    let mut document = json!({
        "tags": [route.tag],
        "summary": operation.title,
        "operationId": route.id,
    });
    let details = operation.details();
    if !details.is_empty() {
        document["description"] = details.into();
    }
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        document["parameters"] = parameters.into();
    }
    if route.body != Body::None {
        let of = json!({ "$ref": format!("#/components/schemas/{}", request_name(operation)) });
        document["requestBody"] = match route.body {
            Body::Required => json!({
                "content": { "application/json": { "schema": of } },
                "required": true,
            }),
            _ => json!({ "content": { "application/json": { "schema": of } } }),
        };
    }
    document["responses"] = responses(operation).into();
    document
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let route = &operation.route;
    let mut responses = Map::new();
    let answer = format!("#/components/schemas/{}", (operation.answer.name)());
    for (status, description) in route.answers {
        responses.insert(
            status.to_string(),
            json!({
                "description": description,
                "content": { "application/json": { "schema": { "$ref": answer } } },
            }),
        );
    }
    let problem = format!("#/components/schemas/{}", ProblemBody::name());
    for (status, description) in PROBLEMS {
        let applies = EVERYWHERE.contains(status)
            || route.problems.contains(status)
            || match status {
                413 => route.body != Body::None || operation.takes_request_key(),
                415 => route.body != Body::None,
                422 => operation.takes_request_key(),
                _ => false,
            };
        if applies {
            responses.insert(
                status.to_string(),
                json!({
                    "description": description,
                    "content": { MEDIA_TYPE: { "schema": { "$ref": problem } } },
                }),
            );
        }
    }
    responses
}

/// The parameters in the path, the query and the headers.
fn parameters(operation: &Operation) -> Vec<Value> {
    let route = &operation.route;
    let mut all = Vec::new();
    if route.has_id() {
        all.push(json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The schedule's id or name; figures are always an id",
            "schema": { "type": "string", "minLength": 1 },
        }));
    }
    if route.method == "GET" {
        all.extend(
            operation
                .parameters()
                .filter(|p| p.is_over_http())
                .map(in_query),
        );
    }
    if operation.takes_request_key() {
        all.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Carries the request out only once, however often it is sent",
            "schema": {
                "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$",
            },
        }));
    }
    all
}

fn in_query(parameter: &Parameter) -> Value {
    let mut schema = schema(parameter);
    if let Kind::Word(words) = parameter.field.kind {
        schema["enum"] = json!(words);
    }
    let mut described = json!({
        "name": parameter.field.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.sentences(),
        "schema": schema,
    });
    if let (Kind::Text, Some(example)) = (parameter.field.kind, parameter.field.examples.first()) {
        described["example"] = (*example).into();
    }
    described
}

/// The schema of a parameter.
fn schema(parameter: &Parameter) -> Value {
    match parameter.field.kind {
        Kind::Text | Kind::Word(_) => json!({ "type": "string" }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Number(least, i64::MAX) => {
            json!({ "type": "integer", "format": "int64", "minimum": least })
        }
        Kind::Number(least, most) => {
            json!({ "type": "integer", "format": "int64", "minimum": least, "maximum": most })
        }
    }
}

/// The name of a body's schema: the operation's name in the style of types.
fn request_name(operation: &Operation) -> String {
    let words = operation.route.id.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.chain(["Request".to_owned()]).collect()
}

/// The schema of a request's body.
fn request(operation: &Operation) -> Value {
    let taken = || operation.parameters().filter(|p| p.is_over_http());
    let properties: Map<String, Value> = taken()
        .map(|p| (p.field.name.to_owned(), in_body(p)))
        .collect();
    let required: Vec<&str> = (taken().filter(|p| p.is_required))
        .map(|p| p.field.name)
        .collect();
    let mut document = json!({
        "type": "object",
        "description": operation.described(),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        document["required"] = json!(required);
    }
    if let Ok(example) = serde_json::from_str::<Value>(operation.example) {
        document["example"] = example;
    }
    document
}

/// The schema of a field in a body: `null` counts as absent if the field is optional, and one that
/// takes several values may be a list of them.
fn in_body(parameter: &Parameter) -> Value {
    let field = parameter.field;
    let mut schema = schema(parameter);
    let mut kinds = vec![schema["type"].take()];
    if field.takes_several() {
        kinds.push("array".into());
        schema["items"] = json!({ "type": "string" });
        schema["minItems"] = 1.into();
    }
    if !parameter.is_required && field.kind != Kind::Switch {
        kinds.push("null".into());
    }
    schema["type"] = match kinds.as_slice() {
        [only] => only.clone(),
        several => json!(several),
    };
    schema["description"] = parameter.sentences().into();
    schema
}
