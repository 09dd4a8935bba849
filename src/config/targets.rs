//! The servers that prompts are delivered to, by name.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use super::places;
use super::secret::Key;
use super::value::{filled, invalid};
use crate::error::Result;
use crate::models::{LETTA, TargetName};

/// The setting that holds the address of a server.
pub(crate) fn url_setting(target: &TargetName) -> String {
    match target.as_str() {
        LETTA => "LETTA_BASE_URL".to_owned(),
        name => format!("targets.{name}.url"),
    }
}

/// The settings that hold the password or token of a server, in words.
pub(crate) fn key_setting(target: &TargetName) -> String {
    match target.as_str() {
        LETTA => "LETTA_API_KEY (or LETTA_SERVER_PASSWORD)".to_owned(),
        name => format!("targets.{name}.token"),
    }
}

/// A server that prompts are delivered to.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// The name under which schedules know it.
    pub name: TargetName,
    /// Its address, without a trailing slash.
    pub url: String,
    /// Its password, Cloud key or token.
    pub key: Option<SecretString>,
    /// Why the key of the settings file is not sent to that address, if it is not.
    pub key_withheld: Option<String>,
}

/// A `[targets.NAME]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    url: Option<String>,
    token: Option<Key>,
}

/// All servers that prompts are delivered to.
#[derive(Clone, Debug)]
pub struct TargetsSettings {
    /// The server of schedules that name none.
    pub default: TargetSettings,
    /// The others.
    pub others: Vec<TargetSettings>,
}

impl TargetsSettings {
    /// The server of this name, if there is one.
    pub fn get(&self, name: &TargetName) -> Option<&TargetSettings> {
        let mut all = std::iter::once(&self.default).chain(&self.others);
        all.find(|target| target.name == *name)
    }
}

/// Combines the servers of all sources. `letta` is the one from `LETTA_BASE_URL` and `[letta]`, if
/// either is set; `usual` is the name of the default target.
pub(super) fn combine(
    letta: Option<TargetSettings>,
    usual: TargetSettings,
    tables: BTreeMap<String, FileTable>,
    default: Option<String>,
) -> Result<TargetsSettings> {
    let mut targets: Vec<TargetSettings> = letta.iter().cloned().collect();
    for (name, table) in tables {
        let source = format!("[targets.{name}] of the settings file");
        if targets.iter().any(|other| other.name.as_str() == name) {
            return Err(invalid(
                &source,
                "the server of LETTA_BASE_URL or [letta] has this name as well",
                &format!("[targets.{name}-2]"),
            ));
        }
        targets.push(read(&source, &name, table)?);
    }
    let names: Vec<String> = targets.iter().map(|t| t.name.to_string()).collect();
    let names = names.join(", ");
    let wanted = filled(default);
    let at = match &wanted {
        Some(name) => targets.iter().position(|t| t.name.as_str() == name),
        // Schedules that name no target use the server of LETTA_BASE_URL.
        None if letta.is_some() || targets.len() == 1 => Some(0),
        None => None,
    };
    match at {
        Some(at) => {
            let default = targets.remove(at);
            let others = targets;
            Ok(TargetsSettings { default, others })
        }
        None if targets.is_empty() && wanted.is_none() => Ok(TargetsSettings {
            default: usual,
            others: Vec::new(),
        }),
        None => {
            let problem = match wanted {
                Some(name) => format!("there is no target {name:?}; there are: {names}"),
                None => {
                    format!("there are several targets ({names}), and none of them is the default")
                }
            };
            let first = names.split(", ").next().unwrap_or_default();
            Err(invalid(
                "default_target in the settings file",
                problem,
                &format!("default_target = \"{first}\""),
            ))
        }
    }
}

fn read(source: &str, name: &str, table: FileTable) -> Result<TargetSettings> {
    if !TargetName::is_valid(name) {
        return Err(invalid(
            source,
            "the name of a target may only contain letters, digits, '-' and '_', and at most 64 \
             characters",
            "[targets.home]",
        ));
    }
    let example = "url = \"http://localhost:8283\"";
    let Some(url) = filled(table.url) else {
        return Err(invalid(source, "url is missing", example));
    };
    let schemes = ["http", "https", "ws", "wss"];
    Ok(TargetSettings {
        name: TargetName::new(name),
        url: places::address_of(&schemes, source, &url, "token", example)?,
        key: table.token.and_then(Key::filled),
        key_withheld: None,
    })
}
