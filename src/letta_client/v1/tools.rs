//! Tools of agents.

use reqwest::Method;
use serde_json::{Value, json};

use super::classify::RequestFailure;
use super::http::Http;
use crate::letta_client::directory::{NewTool, Tool};
use crate::models::{ErrorClass, Refusal, RefusalKind};

impl Http {
    /// Creates a tool on the server, replacing one with the same name.
    pub(super) async fn create_tool(&self, tool: &NewTool) -> Result<Tool, Refusal> {
        let mut body = json!({ "source_code": tool.source, "source_type": "python" });
        if let Some(description) = &tool.description {
            body["description"] = description.as_str().into();
        }
        let made = self.change(Method::POST, "/v1/tools/", Some(&body)).await;
        let made = made.map_err(RequestFailure::into_refusal)?;
        read_tool(&made).ok_or_else(|| {
            let text = format!("{} did not return the tool it created", self.address());
            Refusal::new(RefusalKind::TargetTrouble, ErrorClass::WrongServer, text)
        })
    }
}

/// A tool as Letta describes it.
pub(super) fn read_tool(tool: &Value) -> Option<Tool> {
    let text = |key: &str| tool.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Tool {
        id: text("id")?,
        name: text("name"),
    })
}
