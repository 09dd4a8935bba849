//! The MCP servers registered with a Letta server, their tools, and what an agent needs to call
//! them.

use std::collections::BTreeMap;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::classify::RequestFailure;
use super::http::segment;
use super::rest::Rest;
use super::tools::read_tool;
use crate::letta_client::directory::Tool;
use crate::models::{AgentId, ErrorClass, Refusal, RefusalKind};

/// An MCP server reached over HTTP, as registered with Letta.
#[derive(Clone, Debug)]
pub struct McpServer {
    /// Its id in Letta.
    pub id: String,
    /// Its address.
    pub url: Option<String>,
    /// The value of `Authorization` sent to it.
    pub authorization: Option<SecretString>,
}

const SERVERS: &str = "/v1/mcp-servers/";

impl Rest {
    /// The MCP server with a name.
    ///
    /// # Errors
    /// Letta's refusal; [`ErrorClass::WrongServer`] if it has no MCP servers.
    pub async fn find_mcp_server(&self, name: &str) -> Result<Option<McpServer>, Refusal> {
        let reply = self.http.get(SERVERS, &[]).await;
        let reply = reply.map_err(RequestFailure::into_refusal)?;
        let servers = reply.body.as_array().into_iter().flatten();
        let mut named = servers.filter(|s| s["server_name"] == name);
        Ok(named.next().and_then(read_server))
    }

    /// Registers an MCP server, or updates the one with this id.
    ///
    /// # Errors
    /// Letta's refusal.
    pub async fn put_mcp_server(
        &self,
        id: Option<&str>,
        name: &str,
        url: &str,
        authorization: Option<&SecretString>,
    ) -> Result<McpServer, Refusal> {
        let headers = authorization.map(|a| json!({ "Authorization": a.expose_secret() }));
        let body = json!({
            "server_name": name,
            "config": {
                "mcp_server_type": "streamable_http",
                "server_url": url,
                "custom_headers": headers,
            },
        });
        let put = match id {
            None => self.http.change(Method::POST, SERVERS, Some(&body)).await,
            Some(id) => {
                let path = format!("{SERVERS}{}", segment(id));
                self.http.change(Method::PATCH, &path, Some(&body)).await
            }
        };
        let server = put.map_err(RequestFailure::into_refusal)?;
        read_server(&server).ok_or_else(|| {
            let text = format!(
                "{} did not return the MCP server it created",
                self.http.address()
            );
            Refusal::new(RefusalKind::TargetTrouble, ErrorClass::WrongServer, text)
        })
    }

    /// Makes Letta ask an MCP server again for its tools.
    ///
    /// # Errors
    /// Letta's refusal, for example if it can't reach that server.
    pub async fn refresh_mcp_tools(&self, id: &str) -> Result<(), Refusal> {
        let path = format!("{SERVERS}{}/refresh", segment(id));
        let refreshed = self.http.change(Method::PATCH, &path, None).await;
        refreshed.map(|_| ()).map_err(RequestFailure::into_refusal)
    }

    /// The tools of an MCP server, as Letta knows them.
    ///
    /// # Errors
    /// Letta's refusal.
    pub async fn list_mcp_tools(&self, id: &str) -> Result<Vec<Tool>, Refusal> {
        let path = format!("{SERVERS}{}/tools", segment(id));
        let reply = self.http.get(&path, &[]).await;
        let reply = reply.map_err(RequestFailure::into_refusal)?;
        let tools = reply.body.as_array().into_iter().flatten();
        Ok(tools.filter_map(read_tool).collect())
    }

    /// Attaches a tool to an agent; it may already be attached.
    ///
    /// # Errors
    /// Letta's refusal.
    pub async fn attach_tool(&self, agent: &AgentId, tool: &str) -> Result<(), Refusal> {
        let (agent, tool) = (segment(agent.as_str()), segment(tool));
        let path = format!("/v1/agents/{agent}/tools/attach/{tool}");
        let attached = self.http.change(Method::PATCH, &path, None).await;
        attached.map(|_| ()).map_err(RequestFailure::into_refusal)
    }

    /// An agent's secrets, which its tools find in their environment and which headers to MCP
    /// servers can refer to.
    ///
    /// # Errors
    /// Letta's refusal.
    pub async fn agent_secrets(
        &self,
        agent: &AgentId,
    ) -> Result<BTreeMap<String, SecretString>, Refusal> {
        let path = format!("/v1/agents/{}", segment(agent.as_str()));
        let reply = self.http.get(&path, &[("include", "agent.secrets")]).await;
        let reply = reply.map_err(RequestFailure::into_refusal)?;
        let secrets = reply.body["secrets"].as_array().into_iter().flatten();
        let pair = |secret: &Value| {
            let (key, value) = (secret["key"].as_str()?, secret["value"].as_str()?);
            Some((key.to_owned(), SecretString::from(value.to_owned())))
        };
        Ok(secrets.filter_map(pair).collect())
    }

    /// Replaces all of an agent's secrets.
    ///
    /// # Errors
    /// Letta's refusal.
    pub async fn set_agent_secrets(
        &self,
        agent: &AgentId,
        secrets: &BTreeMap<String, SecretString>,
    ) -> Result<(), Refusal> {
        let secrets: BTreeMap<&str, &str> = secrets
            .iter()
            .map(|(key, value)| (key.as_str(), value.expose_secret()))
            .collect();
        let path = format!("/v1/agents/{}", segment(agent.as_str()));
        let body = json!({ "secrets": secrets });
        let set = self.http.change(Method::PATCH, &path, Some(&body)).await;
        set.map(|_| ()).map_err(RequestFailure::into_refusal)
    }
}

fn read_server(server: &Value) -> Option<McpServer> {
    let authorization = &server["custom_headers"]["Authorization"];
    let authorization = authorization.as_str();
    Some(McpServer {
        id: server["id"].as_str()?.to_owned(),
        url: server["server_url"].as_str().map(str::to_owned),
        authorization: authorization.map(|a| SecretString::from(a.to_owned())),
    })
}
