//! The native MCP server: every use case as a tool, over stdio and streamable HTTP.
//!
//! Each tool is defined in [`tools`], reads its arguments leniently (`arguments`), calls the same
//! operations as every other face, and answers with JSON. Errors are answers of the tool
//! (`errors`), so that the calling model reads them and tries again.

mod answers;
mod arguments;
mod call;
mod caller;
mod corrected_call;
mod definition;
mod errors;
pub mod http;
mod message;
mod session;
pub mod stdio;
pub mod tools;
mod words;

use std::sync::Arc;

use jiff::Timestamp;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use crate::error::{self, Code, Error, Result, message, operation};
use crate::models::Caller;
use crate::schedule::Zone;
use crate::service::show_local;

pub use call::{Backend, Call, Executor, Shared};
use definition::{Definition, Work};
use session::Session;
pub use session::Transport;

/// What a model is told about the server as a whole.
const INSTRUCTIONS: &str = "\
Schedule prompts for Letta agents, including yourself. At the time you choose, the prompt is \
delivered to the agent as a user message and wakes it up. Use promptyoself_schedule with a time in plain \
English (\"tomorrow at 9am\", \"every weekday at 18:30\") or a cron pattern, \
promptyoself_list to see what is scheduled and promptyoself_cancel to end it. Write each prompt so \
that it makes sense later, without the current conversation. Every answer includes the current time; \
an error says what to write instead.";

/// One session of a client.
#[derive(Clone)]
pub struct Handler {
    shared: Arc<Shared>,
    session: Arc<Session>,
}

impl Handler {
    /// A session that has only begun.
    pub fn new(shared: Arc<Shared>, transport: Transport) -> Self {
        Handler {
            shared,
            session: Arc::new(Session::new(transport)),
        }
    }

    async fn answer(&self, tool: &'static Definition, request: Request) -> Result<Value> {
        let caller = request.caller;
        if tool.is_operators && caller.scope().is_some() {
            return Err(not_for_agents(tool));
        }
        let call = Call {
            tool: tool.takes(),
            arguments: corrected_call::read(tool, &request.arguments)?,
            operations: self.shared.operations(&caller, request.key),
            caller,
            conversation: request.conversation,
            metadata: request.metadata,
            protocol: request.protocol,
            session: self.session.clone(),
            shared: self.shared.clone(),
        };
        let asked = call.arguments.text("timezone");
        let answer = match tool.work {
            Work::Operation(operation) => call.ask(operation).await?,
            Work::Own(work) => work(&call).await?,
        };
        self.with_the_time(answer, asked.as_deref())
    }

    /// Adds the current time to every answer, in UTC and in the zone that the answer is about, or
    /// otherwise in the `asked` one.
    fn with_the_time(&self, mut answer: Value, asked: Option<&str>) -> Result<Value> {
        let Some(object) = answer.as_object_mut() else {
            return Ok(answer);
        };
        let of_schedule = || object.get("schedule")?.get("timezone");
        let its_own = object.get("timezone").or_else(of_schedule);
        let its_own = its_own.and_then(Value::as_str);
        let zone = match (its_own.and_then(|name| Zone::parse(name).ok()), asked) {
            (Some(zone), _) => zone,
            (None, Some(name)) => Zone::parse(name)?,
            (None, None) => self.shared.zone.clone(),
        };
        let now = object.get("now").and_then(Value::as_str);
        let now: Timestamp = now
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| self.shared.clock.now());
        object.insert("now".into(), json!(now));
        object.insert("now_local".into(), json!(show_local(now, &zone)));
        object.insert("timezone".into(), json!(zone.name()));
        Ok(answer)
    }
}

/// What is known of a request before its tool is called.
struct Request {
    arguments: rmcp::model::JsonObject,
    caller: Caller,
    key: Option<String>,
    conversation: Option<String>,
    metadata: serde_json::Map<String, Value>,
    protocol: Option<String>,
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("promptyoself", env!("CARGO_PKG_VERSION"))
            .with_title("promptyoself")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::described().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let mut described = tools::described().iter();
        described.find(|t| t.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::find(&request.name) else {
            return Err(unknown_tool(&request.name));
        };
        self.session.see(&context);
        let given = request.arguments.unwrap_or_default();
        let request = Request {
            caller: caller::caller_of(&context)?,
            key: caller::key_of(&context),
            conversation: caller::conversation_of(&context),
            protocol: context.protocol_version().map(|v| v.to_string()),
            metadata: context.meta.0.0.clone(),
            arguments: given.clone(),
        };
        let answered = self.shared.calls.track_future(self.answer(tool, request));
        let result = match answered.await {
            Ok(answer) => CallToolResult::structured(answer),
            Err(error) => errors::to_result(tool, &given, &error),
        };
        Ok(result.into())
    }
}

fn not_for_agents(tool: &Definition) -> Error {
    Error::new(
        Code::NotPermitted,
        message![
            tool.name,
            " is for the operator only, and this call comes from an agent: ",
            operation("list"),
            " shows your own schedules"
        ],
    )
    .example(error::call("list"))
}

fn unknown_tool(name: &str) -> ErrorData {
    let suggestion =
        tools::similar(name).map_or(String::new(), |tool| format!(" Did you mean {tool}?"));
    let name = arguments::shorten(name);
    ErrorData::invalid_params(format!("there is no tool {name:?}.{suggestion}"), None)
}
