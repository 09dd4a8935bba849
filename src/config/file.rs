//! The settings file: where it is and what it may hold.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::secret::Key;
use super::sources::overruled;
use super::value::invalid;
use super::{Environment, budget, delivery, mcp, notify, remote, retention, server};
use crate::error::{Code, Error, Result, call, message, shell};
use crate::limits;

/// The file beside the plugin's shim.
pub(crate) const PLUGIN_FILE: &str = "promptyoself.toml";

/// The settings file as written. A key that is not here is a mistake and is refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub database: Option<String>,
    pub timezone: Option<String>,
    pub default_agent: Option<String>,
    pub largest_prompt: Option<u64>,
    pub letta: Option<Letta>,
    pub delivery: Option<delivery::FileTable>,
    pub notify: Option<notify::FileTable>,
    pub budget: Option<budget::FileTable>,
    pub keeping: Option<retention::FileTable>,
    pub server: Option<server::FileTable>,
    pub remote: Option<remote::FileTable>,
    pub mcp: Option<mcp::FileTable>,
    /// The variables that this file overrules in the plugin.
    #[serde(skip)]
    pub overruled: Vec<&'static str>,
}

/// The `[letta]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Letta {
    pub base_url: Option<String>,
    pub api_key: Option<Key>,
}

/// The file to read: the one that was named, otherwise the first default one that exists.
pub(super) fn find(flag: Option<&Path>, env: &Environment) -> Option<PathBuf> {
    if let Some(path) = flag {
        return Some(path.to_owned());
    }
    // A file that exists but can't be read must be reported, so only a missing one is passed over.
    let exists = |path: &PathBuf| path.symlink_metadata().is_ok();
    // If there is one next to the plugin, no variable may point elsewhere.
    let beside_plugin = env.plugin().map(|dir| dir.join(PLUGIN_FILE));
    if let Some(path) = beside_plugin.filter(exists) {
        return Some(path);
    }
    if let Some(path) = env.get("PROMPTYOSELF_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let config_home = env
        .get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| env.get("HOME").map(|home| Path::new(home).join(".config")));
    let at_home = config_home.map(|dir| dir.join("promptyoself/config.toml"));
    at_home.filter(exists)
}

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<File> {
    let text = read_text(path).map_err(|e| {
        Error::new(
            Code::FileUnusable,
            message![
                "could not read the settings file ",
                path.display(),
                ": leave out ",
                shell("--config and PROMPTYOSELF_CONFIG"),
                ", or name a file that exists"
            ],
        )
        .example(call("list"))
        .caused_by(e)
    })?;
    parse(path, &text)
}

/// The text of a file. A folder, a pipe or a device is refused: it may have no end.
fn read_text(path: &Path) -> std::io::Result<String> {
    let not = |what: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
    // Checked before opening it, because opening a pipe waits for a writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(not("it is not a regular file".to_owned()));
    }
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(not("it is not a regular file".to_owned()));
    }
    let mut text = String::new();
    file.take(limits::SETTINGS_FILE as u64 + 1)
        .read_to_string(&mut text)?;
    match text.len() > limits::SETTINGS_FILE {
        true => {
            let most = limits::Amount::Bytes(limits::SETTINGS_FILE);
            Err(not(format!("it is larger than {most}")))
        }
        false => Ok(text),
    }
}

/// Parses the text of the file at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<File> {
    let file: File = toml::from_str(text).map_err(|e| {
        // toml's own Display quotes the line, which may hold the key.
        let line = e.span().map_or(0, |span| {
            text.get(..span.start)
                .map_or(0, |before| before.matches('\n').count() + 1)
        });
        let mut message = e.message().to_owned();
        if message.contains("invalid type") && message.contains("string \"") {
            message = "the value is of the wrong kind".to_owned();
        }
        invalid(
            &format!("{}, line {line}", path.display()),
            message,
            "timezone = \"Europe/Berlin\"",
        )
    })?;
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    Ok(File {
        overruled: overruled(&table),
        ..file
    })
}
