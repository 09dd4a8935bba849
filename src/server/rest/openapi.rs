//! What all operations have in common in the OpenAPI document.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required,
    ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::api::KEY_HEADER;
use crate::api::problem::{MEDIA_TYPE, ProblemBody};

/// What the document says of the whole.
const ABOUT: &str = "\
Schedules prompts for Letta agents, and accounts for every one of them: delivered once, on time, or \
you are told why not.\n\n\
**Who is calling.** As long as the server has no key, whoever can reach it is the operator. From the \
first key on every request shows one, as `Authorization: Bearer pys_…` or as `X-Promptyoself-Key`. \
For an agent's key nothing of any other agent exists; the header `X-Agent-Id` narrows an operator's \
key to one agent.\n\n\
**Errors** are problems (RFC 9457): `code` is stable and for programs, `detail` says what was \
understood and what to do, `example` is a corrected form.\n\n\
**Asking again.** A `POST` with the header `Idempotency-Key` is carried out once: the same request \
under the same key gets the same answer for a day.\n\n\
**Times** are UTC unless they are called local.";

/// Puts in what every operation has.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("promptyoself")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let mut components = match document.components.take() {
        Some(components) => ComponentsBuilder::from(components),
        None => ComponentsBuilder::new(),
    };
    components = components
        .schema(ProblemBody::name(), ProblemBody::schema())
        .security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("A key that `promptyoself key create` made"))
                    .build(),
            ),
        )
        .security_scheme(
            "key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "X-Promptyoself-Key",
                "The same key, where Authorization is somebody else's",
            ))),
        );
    debug_assert!("X-Promptyoself-Key".eq_ignore_ascii_case(KEY_HEADER));
    document.components = Some(components.build());
    document.security = Some(vec![
        SecurityRequirement::new("bearer", Vec::<String>::new()),
        SecurityRequirement::new("key", Vec::<String>::new()),
    ]);
    for (path, item) in &mut document.paths.paths {
        let has_id = path.contains("{id}");
        for (is_post, operation) in operations(item) {
            // A preview makes nothing that a second request could make again.
            let makes = is_post && operation.operation_id.as_deref() != Some("preview");
            if makes {
                let parameters = operation.parameters.get_or_insert_default();
                parameters.push(RefOr::T(
                    ParameterBuilder::new()
                        .name("Idempotency-Key")
                        .parameter_in(ParameterIn::Header)
                        .required(Required::False)
                        .description(Some("Carries the request out once, however often it comes"))
                        .schema(Some(key_schema()))
                        .build(),
                ));
            }
            describe_problems(operation, makes, has_id);
        }
    }
    document
}

fn key_schema() -> Schema {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    Schema::Object(schema.build())
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    [
        (false, &mut item.get),
        (true, &mut item.post),
        (false, &mut item.put),
        (false, &mut item.patch),
        (false, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(is_post, operation)| Some((is_post, operation.as_mut()?)))
}

/// Every status of a problem that an operation can answer.
fn describe_problems(operation: &mut Operation, is_post: bool, has_id: bool) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let writes = operation.request_body.is_some();
    let asks_letta = matches!(
        id.as_str(),
        "create_schedule" | "update_schedule" | "list_agents" | "test"
    );
    let finds = has_id
        || matches!(
            id.as_str(),
            "create_schedule" | "list_occurrences" | "list_changes" | "show_account"
        );
    let may_conflict = (has_id && id != "show_schedule") || id == "create_schedule";
    let is_budgeted = matches!(
        id.as_str(),
        "create_schedule" | "update_schedule" | "run_schedule"
    );
    let statuses = [
        (
            true,
            400,
            "Something of the request can't be understood, or can't be done",
        ),
        (true, 401, "No key was shown, or one that opens nothing"),
        (
            true,
            403,
            "The caller may not do this, or not for this agent",
        ),
        (
            finds,
            404,
            "There is no such schedule or agent, or none for this caller",
        ),
        (
            may_conflict,
            409,
            "The schedule's state or another one's name stands in the way",
        ),
        (writes || is_post, 413, "The body is too large"),
        (writes, 415, "The body is not JSON"),
        (
            is_post,
            422,
            "The Idempotency-Key came with another request before",
        ),
        (is_budgeted, 429, "It is more than an agent may schedule"),
        (true, 500, "A fault of the server"),
        (
            asks_letta,
            502,
            "Letta does not answer, or not as it should",
        ),
        (true, 503, "The database can't be used at the moment"),
    ];
    for (_, status, description) in statuses.into_iter().filter(|(applies, ..)| *applies) {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(ProblemBody::name())))
            .build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(MEDIA_TYPE, content)
            .build();
        operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert_with(|| response.into());
    }
}
