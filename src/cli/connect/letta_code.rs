//! `connect --app-server`: the files of Letta Code on this machine.
//!
//! Letta Code keeps the MCP servers of each agent in `~/.letta/settings.json`, under the storage that
//! has the agent. Its agents call them with `letta mcp call` in their shell, where the variables in
//! the headers are filled in. It reads skills from `~/.letta/skills`.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::key::Key;
use super::link::{Link, SERVER};
use super::skill::{Skill, skill, unusable};
use crate::cli::output::{Reply, Text};
use crate::cli::plugin::files::{read_if_there, write_if_changed};
use crate::error::{Code, Error, Result};
use crate::letta_client::RefusalKind;
use crate::models::AgentId;

/// How the ids of agents begin that Letta Code itself keeps.
const LOCAL: &str = "agent-local-";

/// The address that Letta Code's settings leave out.
const CLOUD: &str = "api.letta.com";

/// The settings file of Letta Code.
struct SettingsFile {
    path: PathBuf,
    text: Option<String>,
    content: Value,
}

impl SettingsFile {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("settings.json");
        // A link stays one: what it points to is replaced.
        let path = path.canonicalize().unwrap_or(path);
        let text = read_if_there(&path).map_err(Error::without_example)?;
        let filled = text.as_deref().filter(|text| !text.trim().is_empty());
        let content = match filled {
            Some(filled) => serde_json::from_str(filled)
                .map_err(|e| unusable("change", &path, format!("it is not JSON: {e}")))?,
            None => json!({}),
        };
        Ok(SettingsFile {
            path,
            text,
            content,
        })
    }

    /// The key that our entry for this agent carries.
    fn key_of(&self, agent: &AgentId) -> Option<SecretString> {
        let agents = self.content["agents"].as_array()?;
        let entry = agents.iter().find(|a| a["agentId"] == agent.as_str())?;
        let servers = entry["mcpServers"].as_array()?;
        let server = servers.iter().find(|s| s["name"] == SERVER)?;
        let header = server["headers"]["Authorization"].as_str()?;
        let key = header.strip_prefix("Bearer ")?.trim();
        Some(SecretString::from(key.to_owned()))
    }
}

impl Link<'_> {
    /// Writes the settings and the skill.
    pub(super) async fn write_letta_code(&self, shown: Option<SecretString>) -> Result<Reply> {
        let warning = self.check_agent().await?;
        let Some(folder) = self.letta_folder() else {
            return Err(Error::new(
                Code::FileUnusable,
                "HOME is not set, so the folder of Letta Code is unknown",
            ));
        };
        // Everything is checked before anything is made.
        let settings = SettingsFile::read(&folder)?;
        let skill = skill(&self.ctx.settings, &folder)?;
        skill.check_ours()?;
        self.merged(&settings, &Key::None)?;
        let key = self
            .choose_key(shown, settings.key_of(&self.agent.id).as_ref())
            .await?;
        match self.write(&settings, &skill, &key) {
            Ok(files) => self.written(&settings, &skill, &key, &files, warning),
            Err(error) => {
                // Nobody will ever see this key, so it is of no use.
                if let Key::Made(id, _) = key {
                    self.service.revoke_key(id).await?;
                }
                Err(error)
            }
        }
    }

    fn write(&self, settings: &SettingsFile, skill: &Skill, key: &Key) -> Result<Vec<Value>> {
        let mut files = Vec::new();
        let mut write = |path: &Path, text: &str, is_secret: bool| {
            let mode = if is_secret { 0o600 } else { 0o644 };
            let change = write_if_changed(path, text, mode).map_err(Error::without_example)?;
            files.push(json!({ "path": path, "change": change }));
            Ok::<_, Error>(())
        };
        std::fs::create_dir_all(&skill.folder)
            .map_err(|e| unusable("create the folder", &skill.folder, e))?;
        if let Some((path, text)) = skill.settings(false)? {
            write(&path, &text, text.contains("api_key"))?;
        }
        write(&skill.file, &skill.text, false)?;
        let text = self.merged(settings, key)?;
        write(&settings.path, &text, key.secret().is_some())?;
        Ok(files)
    }

    fn written(
        &self,
        settings: &SettingsFile,
        skill: &Skill,
        key: &Key,
        files: &[Value],
        warning: Option<String>,
    ) -> Result<Reply> {
        let mut message = format!(
            "Agent {} has the tools of {} ({}), and every agent of Letta Code on this machine has the \
             skill {SERVER} ({}). Restart the App Server before it is used again: it keeps its \
             settings in memory, and would write them over what was added",
            self.shown(),
            self.url,
            settings.path.display(),
            skill.file.display()
        );
        if let Key::Made(id, _) = key {
            message.push_str(&format!(". Key {id} was created for the agent"));
        }
        let mut json = json!({
            "status": "success",
            "connected": true,
            "agent_id": self.agent.id,
            "url": self.url.as_str(),
            "key_id": match key { Key::Made(id, _) => Some(id), _ => None },
            "files": files,
            "message": message,
        });
        let mut text = Text::from(message);
        let warnings: Vec<String> = warning.into_iter().chain(self.unknown_host()).collect();
        if !warnings.is_empty() {
            let warning = warnings.join("; ");
            text = text.line(&format!("warning: {warning}"));
            json["warning"] = warning.into();
        }
        Reply::new(&json, text)
    }

    /// Refuses an agent that no server knows. The App Server may be stopped for the change of its
    /// settings, so a server that doesn't answer is only a warning.
    async fn check_agent(&self) -> Result<Option<String>> {
        let letta = self.service.targets.get(self.agent.target.as_str());
        let letta = letta.unwrap_or(&self.service.letta);
        match letta.get_agent(&self.agent.id).await {
            Ok(_) => Ok(None),
            Err(r) if r.kind == RefusalKind::TargetTrouble => Ok(Some(format!(
                "whether agent {} exists could not be checked: {}",
                self.agent.id, r.text
            ))),
            Err(r) => {
                Err(r.into_error(&format!("find the agent {}", self.agent.id), &letta.name()))
            }
        }
    }

    /// The folder of Letta Code.
    pub(super) fn letta_folder(&self) -> Option<PathBuf> {
        let home = self.ctx.settings.home.as_deref();
        home.map(|home| home.join(".letta"))
    }

    /// The text of the settings file with our server in it.
    fn merged(&self, settings: &SettingsFile, key: &Key) -> Result<String> {
        let server = self.letta_code_server(key);
        let storage = self.storage(&settings.content);
        let content = settings.content.clone();
        let after =
            with_server(content, self.agent.id.as_str(), storage, &server).map_err(|odd| {
                let why = format!("its {odd} has another form than Letta Code's");
                unusable("change", &settings.path, why)
            })?;
        Ok(match &settings.text {
            // Otherwise its order and its spaces would change.
            Some(text) if after == settings.content => text.clone(),
            _ => format!("{after:#}\n"),
        })
    }

    /// The storage that has the agent, as Letta Code's settings name it: a folder of this machine, or
    /// the address of a server. They leave out Letta Cloud.
    pub(super) fn storage(&self, settings: &Value) -> Option<String> {
        if self.agent.id.as_str().starts_with(LOCAL) {
            let folder = self.letta_folder()?.join("lc-local-backend");
            return Some(format!("local:{}", folder.display()));
        }
        let url = settings["env"]["LETTA_BASE_URL"].as_str()?;
        let bare = url
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        let bare = bare.trim_end_matches('/');
        (bare != CLOUD && !bare.is_empty()).then(|| bare.to_owned())
    }

    /// Our entry among the agent's MCP servers.
    pub(super) fn letta_code_server(&self, key: &Key) -> Value {
        let mut headers = Map::new();
        if let Some(secret) = key.secret() {
            let bearer = format!("Bearer {}", secret.expose_secret());
            headers.insert("Authorization".to_owned(), bearer.into());
        }
        headers.insert("X-Agent-Id".to_owned(), self.shown().into());
        headers.insert(
            "X-Conversation-Id".to_owned(),
            "${LETTA_CONVERSATION_ID}".into(),
        );
        json!({
            "name": SERVER,
            "transport": "http",
            "url": self.url.as_str(),
            "headers": headers,
        })
    }
}

/// Letta Code's settings with this server for an agent. Everything else stays.
///
/// # Errors
/// The name of the part that has an unexpected form.
fn with_server(
    mut settings: Value,
    agent: &str,
    storage: Option<String>,
    server: &Value,
) -> std::result::Result<Value, &'static str> {
    let whole = settings.as_object_mut().ok_or("content")?;
    let agents = whole.entry("agents").or_insert_with(|| json!([]));
    let agents = agents.as_array_mut().ok_or("agents")?;
    let is_ours = |entry: &Value| entry["agentId"] == agent;
    if !agents.iter().any(is_ours) {
        let mut entry = json!({ "agentId": agent });
        if let Some(storage) = storage {
            entry["baseUrl"] = storage.into();
        }
        agents.push(entry);
    }
    for entry in agents.iter_mut().filter(|entry| is_ours(entry)) {
        let entry = entry.as_object_mut().ok_or("agents")?;
        let servers = entry.entry("mcpServers").or_insert_with(|| json!([]));
        let servers = servers.as_array_mut().ok_or("mcpServers")?;
        match servers.iter_mut().find(|s| s["name"] == server["name"]) {
            Some(known) => {
                let known = known.as_object_mut().ok_or("mcpServers")?;
                known.extend(server.as_object().cloned().unwrap_or_default());
                // They belong to a server that is started as a program.
                for other in ["command", "args", "env", "cwd"] {
                    known.remove(other);
                }
            }
            None => servers.push(server.clone()),
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "agent-local-1";

    fn server() -> Value {
        json!({ "name": SERVER, "transport": "http", "url": "http://127.0.0.1:8465/mcp", "headers": {} })
    }

    fn add(settings: Value) -> std::result::Result<Value, &'static str> {
        with_server(
            settings,
            AGENT,
            Some("local:/home/ada/.letta/lc-local-backend".to_owned()),
            &server(),
        )
    }

    #[test]
    fn settings_of_others_stay_as_they_are() {
        let others = json!({
            "lastAgent": null,
            "env": { "LETTA_API_KEY": "k" },
            "agents": [
                { "agentId": "agent-local-2", "mcpServers": [{ "name": SERVER, "url": "http://else/mcp" }] },
                { "agentId": AGENT, "baseUrl": "local:/srv", "memfs": true,
                  "mcpServers": [{ "name": "notion", "transport": "http", "url": "http://n/mcp" }] },
            ],
        });
        let mut wanted = others.clone();
        wanted["agents"][1]["mcpServers"] = json!([others["agents"][1]["mcpServers"][0], server()]);
        let once = add(others).unwrap();
        assert_eq!(once, wanted);
        assert_eq!(add(once.clone()).unwrap(), once);
    }

    #[test]
    fn an_agent_that_has_no_settings_yet_gets_some_for_where_it_is_kept() {
        for empty in [json!({}), json!({ "agents": [] })] {
            let made = add(empty).unwrap();
            assert_eq!(
                made["agents"],
                json!([{
                    "agentId": AGENT,
                    "baseUrl": "local:/home/ada/.letta/lc-local-backend",
                    "mcpServers": [server()],
                }])
            );
        }
    }

    #[test]
    fn an_older_entry_of_ours_is_brought_up_to_date() {
        let old = json!({ "agents": [{ "agentId": AGENT, "mcpServers": [
            { "name": SERVER, "transport": "stdio", "command": "promptyoself", "args": ["mcp"], "note": "mine" },
        ] }] });
        let mut wanted = server();
        wanted["note"] = "mine".into();
        assert_eq!(
            add(old).unwrap()["agents"][0]["mcpServers"],
            json!([wanted])
        );
    }

    #[test]
    fn settings_of_another_form_are_left_alone() {
        for (odd, part) in [
            (json!([]), "content"),
            (json!({ "agents": {} }), "agents"),
            (
                json!({ "agents": [{ "agentId": AGENT, "mcpServers": {} }] }),
                "mcpServers",
            ),
        ] {
            assert_eq!(add(odd), Err(part));
        }
    }
}
