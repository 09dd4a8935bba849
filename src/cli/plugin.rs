//! `plugin install`: creates a working plugin folder for an SMCP server.
//!
//! The folder contains the shim, the Python modules, this program or a link to it, and a settings
//! file with the absolute path of the database, so that plugin and daemon share it whatever the
//! working directory.

pub(super) mod files;
mod program;

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::output::Reply;
use crate::config::{PLUGIN_FILE, RemoteSettings, Settings};
use crate::error::{Code, Error, Result, shell};
use files::{
    Change, FILES, NAME, UNCHANGED, UPDATED, check_ours, make_runnable, read_if_there, unusable,
    write_if_changed,
};

/// The settings of the plugin that is already installed in `plugins`.
pub(super) fn installed_settings(plugins: &Path) -> Option<PathBuf> {
    let file = folder_in(plugins).join(PLUGIN_FILE);
    file.symlink_metadata().is_ok().then_some(file)
}

/// The plugin's folder in a plugins folder, which may be that folder itself.
fn folder_in(plugins: &Path) -> PathBuf {
    if plugins.file_name().is_some_and(|name| name == NAME) {
        plugins.to_owned()
    } else {
        plugins.join(NAME)
    }
}

/// Installs the plugin into `plugins`, or into it directly if it is called `promptyoself`. The
/// program is linked, or copied if `copy` is set.
///
/// # Errors
/// [`Code::FileUnusable`] if a file can't be written or isn't ours.
pub(super) fn install(settings: &Settings, plugins: &Path, copy: bool) -> Result<Reply> {
    let folder = folder_in(&absolute(plugins)?);
    check_place(&folder, plugins)?;
    // Everything is checked before anything is written.
    for file in FILES {
        check_ours(&folder.join(file.name), file.mark)?;
    }
    make_folder(&folder).map_err(|e| unusable("create the folder", &folder, e))?;
    let settings_file = folder.join(PLUGIN_FILE);
    let wanted = wanted(settings)?;
    let before = read_if_there(&settings_file)?;
    let after = merged(
        &settings_file,
        before.as_deref(),
        &wanted,
        "promptyoself plugin install",
    )?;

    let mut changes: Vec<(PathBuf, Change)> = Vec::new();
    for file in FILES {
        let path = folder.join(file.name);
        let mut change = write_if_changed(&path, file.text, file.mode)?;
        if file.mode & 0o111 != 0 && make_runnable(&path)? && change == UNCHANGED {
            change = UPDATED;
        }
        changes.push((path, change));
    }
    if let (Some(old), Some(_)) = (&before, &after) {
        // Comments don't survive a rewrite, so the old file is kept beside it.
        let kept = folder.join(format!("{PLUGIN_FILE}.old"));
        write_if_changed(&kept, old, 0o600)?;
    }
    let change = match after {
        // The SMCP server's user must be able to read it; only a key makes it private.
        Some(text) => {
            let mode = if text.contains("api_key") || text.contains("[remote]") {
                0o600
            } else {
                0o644
            };
            write_if_changed(&settings_file, &text, mode)?
        }
        None => UNCHANGED,
    };
    changes.push((settings_file.clone(), change));
    changes.push(match copy {
        true => program::copy(&folder)?,
        false => program::link(&folder)?,
    });

    if let Some(remote) = &settings.remote {
        return installed_for_server(&folder, remote, &changes);
    }
    let database = wanted["database"].as_str().unwrap_or_default();
    let key = match (&settings.letta_key, settings.letta_key_from_file) {
        (Some(_), true) => "Letta's key was copied from the settings file.".to_owned(),
        _ => format!(
            "If Letta needs a password, set LETTA_API_KEY in the SMCP server's environment, or \
             write api_key = \"…\" under [letta] in {0} and protect the file: \
             chmod 600 {0}",
            settings_file.display()
        ),
    };
    let message = format!(
        "The plugin is installed in {}. It uses the database {database} and Letta at {}. {key} \
         Restart the SMCP server so that it finds the plugin, and keep a scheduler running on this \
         database: promptyoself --db {database} serve",
        folder.display(),
        settings.letta_url
    );
    let text = message.clone();
    Reply::new(
        &json!({
            "status": "success",
            "plugin_dir": folder,
            "database": database,
            "letta_url": settings.letta_url,
            "timezone": settings.timezone,
            "files": shown(&changes),
            "message": message,
        }),
        text,
    )
}

/// Refuses something that is not a plugins folder, and suggests the right one.
fn check_place(folder: &Path, given: &Path) -> Result<()> {
    let wrong = |problem: String, corrected: Option<&Path>| {
        let error = Error::new(Code::FileUnusable, problem);
        match corrected {
            Some(corrected) => error.example(shell(format!(
                "promptyoself plugin install {}",
                corrected.display()
            ))),
            None => error.example(shell("promptyoself plugin install smcp/plugins")),
        }
    };
    let plugins = folder.parent().unwrap_or(folder);
    let shown = given.display();
    if !plugins.is_dir() {
        let problem = match plugins.symlink_metadata() {
            Ok(_) => format!(
                "could not install into {shown}: {} is not a folder",
                plugins.display()
            ),
            Err(_) => format!(
                "could not install into {shown}: the folder {} does not exist; give the SMCP \
                 server's existing plugins folder",
                plugins.display()
            ),
        };
        // The last part may have been left out of the path to the right server.
        let near = plugins.parent().filter(|p| p.is_dir());
        let near = near.and_then(plugins_under).filter(|near| near != plugins);
        return Err(wrong(problem, near.as_deref()));
    }
    match plugins_under(plugins) {
        None => Ok(()),
        Some(corrected) => Err(wrong(
            format!(
                "{shown} is the SMCP server's own folder; it looks for plugins in {}: give that",
                corrected.display()
            ),
            Some(&corrected),
        )),
    }
}

/// The plugins folder of the SMCP server in a folder, if there is one.
fn plugins_under(folder: &Path) -> Option<PathBuf> {
    let usual = ["plugins", "smcp/plugins"].map(|below| folder.join(below));
    usual.into_iter().find(|plugins| plugins.is_dir())
}

/// The answer for a plugin whose schedules are kept by a server.
fn installed_for_server(
    folder: &Path,
    remote: &RemoteSettings,
    changes: &[(PathBuf, Change)],
) -> Result<Reply> {
    let key = match (&remote.key, remote.key_from_file) {
        (Some(_), true) => "The key was copied from the settings file.".to_owned(),
        _ => format!(
            "If the server requires a key, set PROMPTYOSELF_KEY in the SMCP server's environment, \
             or write key = \"…\" under [remote] in {}",
            folder.join(PLUGIN_FILE).display()
        ),
    };
    let message = format!(
        "The plugin is installed in {}. The schedules are kept by the server at {}. {key} Restart \
         the SMCP server so that it finds the plugin",
        folder.display(),
        remote.url
    );
    let text = message.clone();
    Reply::new(
        &json!({
            "status": "success",
            "plugin_dir": folder,
            "server_url": remote.url,
            "files": shown(changes),
            "message": message,
        }),
        text,
    )
}

fn shown(changes: &[(PathBuf, Change)]) -> Vec<Value> {
    changes
        .iter()
        .map(|(path, change)| json!({ "path": path, "change": change }))
        .collect()
}

/// What the plugin's settings file must contain. The default agent is left out on purpose: the
/// plugin serves many agents, and must not act for the operator's.
pub(super) fn wanted(settings: &Settings) -> Result<toml::Table> {
    let database = absolute(&settings.database)?;
    let database = database.to_str().ok_or_else(|| {
        Error::new(
            Code::ConfigInvalid,
            format!(
                "the database path {} is not UTF-8, so it can't be written into a settings file",
                database.display()
            ),
        )
        .example(shell("--db ./promptyoself.db"))
    })?;
    let mut letta = toml::Table::new();
    letta.insert("base_url".into(), settings.letta_url.clone().into());
    if let (Some(key), true) = (&settings.letta_key, settings.letta_key_from_file) {
        letta.insert("api_key".into(), key.expose_secret().into());
    }
    let mut table = toml::Table::new();
    match &settings.remote {
        Some(remote) => {
            let mut server = toml::Table::new();
            server.insert("url".into(), remote.url.clone().into());
            if let (Some(key), true) = (&remote.key, remote.key_from_file) {
                server.insert("key".into(), key.expose_secret().into());
            }
            table.insert("remote".into(), server.into());
            return Ok(table);
        }
        None => table.insert("database".into(), database.into()),
    };
    table.insert("timezone".into(), settings.timezone.clone().into());
    table.insert("letta".into(), letta.into());
    let mut delivery = toml::Table::new();
    for (key, value) in settings.delivery.differing() {
        delivery.insert(key.to_owned(), value);
    }
    if !delivery.is_empty() {
        table.insert("delivery".into(), delivery.into());
    }
    Ok(table)
}

/// The new text of the settings file, or `None` if it already says everything. Whatever else the
/// operator wrote there is kept. `by` is the command that writes it.
pub(super) fn merged(
    path: &Path,
    before: Option<&str>,
    wanted: &toml::Table,
    by: &str,
) -> Result<Option<String>> {
    let head = format!("# Written by `{by}`. What you add is kept.\n\n");
    let Some(before) = before else {
        return Ok(Some(format!("{head}{wanted}")));
    };
    let mut table: toml::Table = before.parse().map_err(|e: toml::de::Error| {
        unusable("read the settings in", path, e.message().to_owned())
    })?;
    let old = table.clone();
    // Only one of the two says where the schedules are.
    for key in ["database", "remote"] {
        if !wanted.contains_key(key) {
            table.remove(key);
        }
    }
    // A key belongs to the address next to it.
    for (server, address, key) in [("letta", "base_url", "api_key"), ("remote", "url", "key")] {
        let read = |of: &toml::Table| of.get(server).and_then(|t| t.get(address)).cloned();
        let (before, after) = (read(&table), read(wanted));
        if after.is_some()
            && before != after
            && let Some(below) = table.get_mut(server).and_then(toml::Value::as_table_mut)
        {
            below.remove(key);
        }
    }
    overlay(&mut table, wanted);
    Ok((table != old).then(|| format!("{head}{table}")))
}

fn overlay(table: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(over)) => overlay(below, over),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Creates a folder that others can read and only its owner can write.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.recursive(true).create(path)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| unusable("find", path, e))
}
