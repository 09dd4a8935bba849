//! `connect`: gives a Letta agent the tools of `serve`.
//!
//! Letta identifies a tool by its name alone, so all agents share one MCP server there. They are
//! told apart by the agent's id, which Letta sends with each call and, if keys are required, by the
//! agent's own key: it is stored as a secret of the agent, and the header refers to that secret.

mod configuration;
mod key;
mod letta_code;
mod link;
mod skill;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Context;
use super::args::ConnectArgs;
use super::input::{self, given};
use super::output::{Reply, Text};
use crate::error::{Code, Error, Result, call, field, fields, message, operation, quoted, shell};
use crate::http::is_loopback;
use crate::letta_client::{ErrorClass, Letta, McpServer, Refusal, Target};
use key::{Key, SECRET};
use link::{Link, SERVER};

/// The tools that are of no use to an agent, since they are the operator's.
const OPERATORS_TOOLS: &[&str] = &[
    "promptyoself_agents",
    "promptyoself_execute",
    "promptyoself_set_default_agent",
    "promptyoself_upload",
];

/// The result of registering with Letta.
struct Connected {
    server_id: String,
    /// Ids and names.
    tools: Vec<(String, String)>,
}

/// Why it was not done.
enum Stop {
    /// It can only be done by hand, and why.
    ByHand(String),
    Failed(Error),
}

pub(super) async fn connect(ctx: &Context, args: &ConnectArgs) -> Result<Reply> {
    let default = ctx.settings.default_agent.as_deref();
    let named = input::named_agent(args.agent_id.as_deref().or(default))?.ok_or_else(|| {
        Error::new(
            Code::AgentMissing,
            message![
                "no agent was given: say which one should have the tools; ",
                operation("agents"),
                " lists them"
            ],
        )
        .example(call("agents"))
    })?;
    let url = address(ctx, given(args.url.as_deref()))?;
    let service = ctx.service().await?;
    let agent = service.one_agent(named)?;
    let targets = &ctx.settings.targets;
    let link = Link {
        url,
        service,
        letta: ctx.rest(targets.get(&agent.target).unwrap_or(&targets.default))?,
        ctx,
        agent,
    };
    let shown = given(args.key.as_deref()).map(|key| SecretString::from(key.to_owned()));
    if args.print {
        let key = link.choose_key(shown, None).await?;
        return link.by_hand(&key, None);
    }
    if args.app_server {
        return link.write_letta_code(shown).await;
    }
    match link.letta.get_agent(&link.agent.id).await {
        Ok(_) => link.connect(shown).await,
        Err(r) if r.class == ErrorClass::WrongServer && link.letta.is_app_server().await => {
            let key = link.choose_key(shown, None).await?;
            let reason = format!(
                "{} is a Letta Code App Server, which keeps MCP servers in a file on its machine. If that \
                 is this machine, connect --app-server writes what follows",
                link.letta.address()
            );
            link.by_hand(&key, Some(&reason))
        }
        Err(r) => Err(link.failed(r, &format!("find the agent {}", link.agent.id))),
    }
}

/// The address at which Letta reaches this server.
fn address(ctx: &Context, given: Option<&str>) -> Result<Url> {
    let text = match (given, ctx.settings.server.listen) {
        (Some(url), _) => url.to_owned(),
        (None, Some(listen)) if !listen.ip().is_unspecified() => format!("http://{listen}/mcp"),
        (None, _) => {
            return Err(Error::new(
                Code::Usage,
                "the address at which Letta reaches this machine is unknown: give the address of \
                 serve, ending in /mcp",
            )
            .example(fields([("url", "https://prompts.example.org/mcp")])));
        }
    };
    let url = Url::parse(&text).ok();
    let url = url.filter(|u| matches!(u.scheme(), "http" | "https") && u.host_str().is_some());
    let mut url = url.ok_or_else(|| {
        Error::new(
            Code::Usage,
            message![
                field("url"),
                ": ",
                quoted(&text),
                " is not an address beginning with http:// or https://"
            ],
        )
        .example(fields([("url", "https://prompts.example.org/mcp")]))
    })?;
    if url.path() == "/" {
        url.set_path("/mcp");
    }
    Ok(url)
}

impl Link<'_> {
    async fn connect(&self, shown: Option<SecretString>) -> Result<Reply> {
        let secrets = self.letta.agent_secrets(&self.agent.id).await;
        let secrets = secrets.map_err(|r| self.failed(r, "read the agent's secrets"))?;
        let key = self.choose_key(shown, secrets.get(SECRET)).await?;
        let connected = match self.register(&key).await {
            Ok(connected) => connected,
            Err(Stop::ByHand(reason)) => {
                return Ok(self.by_hand(&key, Some(&reason))?.failing(reason));
            }
            Err(Stop::Failed(error)) => {
                // Nobody will ever see this key, so it is of no use.
                if let Key::Made(id, _) = key {
                    self.service.revoke_key(id).await?;
                }
                return Err(error);
            }
        };
        if let Some(key) = key.secret()
            && secrets.get(SECRET).map(ExposeSecret::expose_secret) != Some(key.expose_secret())
        {
            let mut secrets = secrets;
            secrets.insert(SECRET.to_owned(), key.clone());
            let set = self.letta.set_agent_secrets(&self.agent.id, &secrets).await;
            set.map_err(|r| self.failed(r, "give the agent its key"))?;
        }
        for (id, name) in &connected.tools {
            let attached = self.letta.attach_tool(&self.agent.id, id).await;
            attached.map_err(|r| self.failed(r, &format!("attach the tool {name}")))?;
        }
        self.report(&key, &connected).await
    }

    /// Registers this server with Letta, or updates it there.
    async fn register(&self, key: &Key) -> std::result::Result<Connected, Stop> {
        let stop = |r: Refusal| match r.class {
            ErrorClass::WrongServer => Stop::ByHand(format!(
                "{} has no MCP servers of its own: {}",
                self.letta.address(),
                key::hide(&r.text)
            )),
            _ if is_private(&r) => Stop::ByHand(format!(
                "Letta refuses {}: since 0.16.7 it refuses all MCP servers at loopback or private \
                 addresses. Put serve behind a proxy with a public name and give that as --url, or \
                 use the SMCP plugin, which needs no address",
                self.url
            )),
            _ => Stop::Failed(self.failed(r, &format!("register {} with Letta", self.url))),
        };
        let known = self.letta.find_mcp_server(SERVER).await.map_err(stop)?;
        let sent = known.as_ref().and_then(|s| s.authorization.as_ref());
        let wanted = self.authorization(key, sent).await;
        let wanted = wanted.map_err(Stop::Failed)?;
        let (url, id) = (self.url.as_str(), known.as_ref().map(|s| s.id.as_str()));
        let server = match &known {
            Some(server) if is_same(server, url, wanted.as_ref()) => server.clone(),
            _ => {
                let put = self.letta.put_mcp_server(id, SERVER, url, wanted.as_ref());
                put.await.map_err(stop)?
            }
        };
        let mut tools = match &known {
            None => self.letta.list_mcp_tools(&server.id).await.map_err(stop)?,
            Some(_) => Vec::new(),
        };
        if tools.is_empty() {
            let refreshed = self.letta.refresh_mcp_tools(&server.id).await;
            refreshed.map_err(|r| match is_private(&r) {
                true => stop(r),
                false => Stop::Failed(self.unreachable(&r)),
            })?;
            tools = self.letta.list_mcp_tools(&server.id).await.map_err(stop)?;
        }
        let for_agents = tools.into_iter().filter_map(|tool| {
            let name = tool.name?;
            (!OPERATORS_TOOLS.contains(&name.as_str())).then_some((tool.id, name))
        });
        Ok(Connected {
            server_id: server.id,
            tools: for_agents.collect(),
        })
    }

    /// A refusal as an error, without any key that may be in it.
    fn failed(&self, mut refusal: Refusal, doing: &str) -> Error {
        refusal.text = key::hide(&refusal.text);
        refusal.into_error(doing, &self.letta.name())
    }

    fn unreachable(&self, refusal: &Refusal) -> Error {
        Error::new(
            Code::LettaError,
            message![
                "Letta could not reach ",
                &self.url,
                ": ",
                key::hide(&refusal.text),
                ". Is serve running, can Letta reach it at that address, and does serve accept \
                 that name (PROMPTYOSELF_HOSTS)? Then run connect again; ",
                shell("connect --print"),
                " shows the alternatives"
            ],
        )
        .example(shell(format!(
            "promptyoself connect --agent-id {} --print",
            self.shown()
        )))
    }

    async fn report(&self, key: &Key, connected: &Connected) -> Result<Reply> {
        let tools: Vec<&str> = connected.tools.iter().map(|(_, n)| n.as_str()).collect();
        let mut message = format!(
            "Agent {} now has {} tools from {}",
            self.shown(),
            tools.len(),
            self.url
        );
        if let Key::Made(id, _) = key {
            message.push_str(&format!(
                ". Key {id} was created for it and stored in Letta as its secret {SECRET}"
            ));
        }
        let mut warnings = Vec::from_iter(self.unknown_host());
        warnings.extend(self.service.status().await?.warning());
        let mut json = json!({
            "status": "success",
            "connected": true,
            "agent_id": self.agent.id,
            "url": self.url.as_str(),
            "mcp_server_id": connected.server_id,
            "tools": tools,
            "key_id": match key { Key::Made(id, _) => Some(id), _ => None },
            "message": message,
        });
        let mut text = Text::from(message);
        if !warnings.is_empty() {
            let warning = warnings.join("; ");
            text = text.line(&format!("warning: {warning}"));
            json["warning"] = warning.into();
        }
        Reply::new(&json, text)
    }

    /// A warning if serve, with our settings, would not answer to the name in the address.
    fn unknown_host(&self) -> Option<String> {
        let server = &self.ctx.settings.server;
        let host = self.url.host_str()?;
        let listens = server.listen.is_some_and(|l| l.ip().to_string() == host);
        let known = is_loopback(&self.url) || listens || server.hosts.iter().any(|h| h == host);
        (!known).then(|| {
            format!("serve only answers to names it knows: start it with PROMPTYOSELF_HOSTS={host}")
        })
    }
}

fn is_same(known: &McpServer, url: &str, authorization: Option<&SecretString>) -> bool {
    let text = ExposeSecret::expose_secret;
    known.url.as_deref() == Some(url)
        && known.authorization.as_ref().map(text) == authorization.map(text)
}

/// Whether Letta refuses an address because it isn't public.
fn is_private(refusal: &Refusal) -> bool {
    let text = refusal.text.to_ascii_lowercase();
    text.contains("non-public ip") || text.contains("blocked internal hostname")
}
