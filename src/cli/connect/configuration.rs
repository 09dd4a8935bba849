//! The settings to write by hand for MCP clients.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::key::Key;
use super::link::{Link, SERVER};
use super::skill::skill;
use crate::cli::output::{Reply, Text};
use crate::error::{Code, Error, Result};
use crate::printable::printable;

impl Link<'_> {
    /// The settings to write, and why this was not done automatically.
    pub(super) fn by_hand(&self, key: &Key, reason: Option<&str>) -> Result<Reply> {
        let letta_code = self.letta_code(key);
        let over_http = json!({ "mcpServers": { SERVER: self.over_http(key) } });
        let over_stdio = json!({ "mcpServers": { SERVER: self.over_stdio()? } });
        let mut text = String::new();
        if let Some(reason) = reason {
            text.push_str(&format!("Not connected: {}.\n\n", printable(reason)));
        }
        if let Key::Made(id, _) = key {
            text.push_str(&format!(
                "Key {id} was created for this. It is shown only once.\n\n"
            ));
        }
        let folder = self.letta_folder().unwrap_or_else(|| "~/.letta".into());
        let skill = skill(&self.ctx.settings, &folder)?;
        let mut files = vec![(skill.file.clone(), skill.text.clone())];
        files.extend(skill.settings(true)?);
        for (file, content) in &files {
            text.push_str(&format!("{}:\n{content}\n\n", file.display()));
        }
        for (title, content) in [
            (
                "~/.letta/settings.json of Letta Code and its App Server",
                &letta_code,
            ),
            ("Other MCP clients, over HTTP", &over_http),
            ("Other MCP clients on this machine, over stdio", &over_stdio),
        ] {
            text.push_str(&format!("{title}:\n{content:#}\n\n"));
        }
        let message = "If Letta needs a password, add LETTA_API_KEY to env in the last one, or set \
            PROMPTYOSELF_CONFIG there to a settings file that contains it";
        text.push_str(message);
        let mut json = json!({
            "status": "by_hand",
            "connected": false,
            "agent_id": self.agent.id,
            "url": self.url.as_str(),
            "key_id": match key { Key::Made(id, _) => Some(id), _ => None },
            "letta_code": { "file": "~/.letta/settings.json", "content": letta_code },
            "skill": files.iter().map(|(file, content)| json!({ "file": file, "content": content })).collect::<Vec<_>>(),
            "mcp_over_http": over_http,
            "mcp_over_stdio": over_stdio,
            "message": message,
        });
        if let Some(reason) = reason {
            json["reason"] = reason.into();
        }
        if let Some(warning) = self.unknown_host() {
            text.push_str(&format!("\nwarning: {warning}"));
            json["warning"] = warning.into();
        }
        Reply::new(&json, Text::of_lines(&text))
    }

    fn letta_code(&self, key: &Key) -> Value {
        let mut server = self.letta_code_server(key);
        if let Some(shown) = headers(key).remove("Authorization") {
            server["headers"]["Authorization"] = shown;
        }
        let mut entry = json!({ "agentId": self.agent.id, "mcpServers": [server] });
        if let Some(storage) = self.storage(&Value::Null) {
            entry["baseUrl"] = storage.into();
        }
        json!({ "agents": [entry] })
    }

    fn over_http(&self, key: &Key) -> Value {
        let mut headers = headers(key);
        headers.insert("X-Agent-Id".to_owned(), self.shown().into());
        json!({ "type": "http", "url": self.url.as_str(), "headers": headers })
    }

    fn over_stdio(&self) -> Result<Value> {
        let settings = &self.ctx.settings;
        let absolute = |path: &std::path::Path| {
            std::path::absolute(path).map_err(|e| {
                let text = format!("could not find the absolute path of {}", path.display());
                Error::new(Code::FileUnusable, text).caused_by(e)
            })
        };
        let program = std::env::current_exe().map_err(|e| {
            Error::new(Code::Internal, "could not find this program's own file").caused_by(e)
        })?;
        let mut env = json!({
            "PROMPTYOSELF_DB_PATH": absolute(&settings.database)?,
            "PROMPTYOSELF_DEFAULT_AGENT_ID": self.shown(),
            "LETTA_BASE_URL": settings.letta_url,
        });
        if let Some(file) = &settings.file {
            env["PROMPTYOSELF_CONFIG"] = json!(absolute(file)?);
        }
        Ok(json!({ "command": program, "args": ["mcp"], "env": env }))
    }
}

/// The headers that carry the key, which is only shown if it was just created.
fn headers(key: &Key) -> Map<String, Value> {
    let bearer = match key {
        Key::None => return Map::new(),
        Key::Known(_) => "Bearer pys_…".to_owned(),
        Key::Made(_, key) => format!("Bearer {}", key.expose_secret()),
    };
    Map::from_iter([("Authorization".to_owned(), bearer.into())])
}
