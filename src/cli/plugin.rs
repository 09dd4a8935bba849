//! `plugin install`: a working plugin folder for an SMCP server.
//!
//! The folder holds the shim, a link to this program, and a settings file that names the database
//! by its absolute path, so that the plugin and the daemon share it whatever the working directory.

use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::output::Reply;
use crate::config::{PLUGIN_FILE, RemoteSettings, Settings};
use crate::error::{Code, Error, Result};

/// The plugin's name, which is also its folder's.
const NAME: &str = "promptyoself";
/// The files of the plugin, and a line by which a file of ours is known in every version.
const FILES: &[(&str, &str, &str)] = &[
    (
        "__init__.py",
        include_str!("../../plugins/promptyoself/__init__.py"),
        "Promptyoself Development Team",
    ),
    (
        "cli.py",
        include_str!("../../plugins/promptyoself/cli.py"),
        "promptyoself-plugin-shim",
    ),
];

/// What was done to a file.
type Change = &'static str;
const CREATED: Change = "created";
const UPDATED: Change = "updated";
const UNCHANGED: Change = "unchanged";

/// The settings of the plugin that is installed in `plugins` already.
pub(super) fn installed_settings(plugins: &Path) -> Option<PathBuf> {
    let file = folder_in(plugins).join(PLUGIN_FILE);
    file.symlink_metadata().is_ok().then_some(file)
}

/// The plugin's folder in a folder of plugins, which may be that folder itself.
fn folder_in(plugins: &Path) -> PathBuf {
    if plugins.file_name().is_some_and(|name| name == NAME) {
        plugins.to_owned()
    } else {
        plugins.join(NAME)
    }
}

/// Installs the plugin into `plugins`, or into it directly if it is called `promptyoself`.
///
/// # Errors
/// [`Code::FileUnusable`] if a file can't be written or is somebody else's.
pub(super) fn install(settings: &Settings, plugins: &Path) -> Result<Reply> {
    let folder = folder_in(&absolute(plugins)?);
    // Everything is looked at before anything is written.
    for (name, _, mark) in FILES {
        check_ours(&folder.join(name), mark)?;
    }
    make_folder(&folder).map_err(|e| unusable("make the folder", &folder, e))?;
    let settings_file = folder.join(PLUGIN_FILE);
    let wanted = wanted(settings)?;
    let before = read_if_there(&settings_file)?;
    let after = merged(&settings_file, before.as_deref(), &wanted)?;

    let mut changes: Vec<(PathBuf, Change)> = Vec::new();
    for (name, text, _) in FILES {
        let path = folder.join(name);
        let change = write_if_changed(&path, text, 0o644)?;
        changes.push((path, change));
    }
    if let (Some(old), Some(_)) = (&before, &after) {
        // Comments don't survive a rewrite, so the file as it was is kept beside it.
        let kept = folder.join(format!("{PLUGIN_FILE}.old"));
        write_if_changed(&kept, old, 0o600)?;
    }
    let change = match after {
        // The SMCP server's user must read it; only a key is nobody else's business.
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
    changes.push(link(&folder)?);

    if let Some(remote) = &settings.remote {
        return installed_for_server(&folder, remote, &changes);
    }
    let database = wanted["database"].as_str().unwrap_or_default();
    let key = match (&settings.letta_key, settings.letta_key_from_file) {
        (Some(_), true) => "Letta's key was copied from the settings file.".to_owned(),
        _ => format!(
            "If Letta asks for a password, set LETTA_API_KEY in the SMCP server's environment, or \
             write api_key = \"…\" under [letta] in {0} and keep others from reading it: \
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

/// What is said of a plugin whose schedules are a server's.
fn installed_for_server(
    folder: &Path,
    remote: &RemoteSettings,
    changes: &[(PathBuf, Change)],
) -> Result<Reply> {
    let key = match (&remote.key, remote.key_from_file) {
        (Some(_), true) => "The key was copied from the settings file.".to_owned(),
        _ => format!(
            "If the server asks for a key, set PROMPTYOSELF_KEY in the SMCP server's environment, \
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

/// What the plugin's settings file must say. The default agent is left out on purpose: the plugin
/// serves many agents, and the operator's own one is not theirs.
fn wanted(settings: &Settings) -> Result<toml::Table> {
    let database = absolute(&settings.database)?;
    let database = database.to_str().ok_or_else(|| {
        Error::new(
            Code::ConfigInvalid,
            format!(
                "the path of the database, {}, is not UTF-8 text, which a settings file must be",
                database.display()
            ),
        )
        .example("--db ./promptyoself.db")
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

/// The new text of the settings file, or `None` if it says everything already. What else the
/// operator wrote there is kept.
fn merged(path: &Path, before: Option<&str>, wanted: &toml::Table) -> Result<Option<String>> {
    const HEAD: &str = "# Written by `promptyoself plugin install`. What you add is kept.\n\n";
    let Some(before) = before else {
        return Ok(Some(format!("{HEAD}{wanted}")));
    };
    let mut table: toml::Table = before.parse().map_err(|e: toml::de::Error| {
        unusable("understand the settings in", path, e.message().to_owned())
    })?;
    let old = table.clone();
    // Only one of them says where the schedules are.
    for key in ["database", "remote"] {
        if !wanted.contains_key(key) {
            table.remove(key);
        }
    }
    overlay(&mut table, wanted);
    Ok((table != old).then(|| format!("{HEAD}{table}")))
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

/// Refuses a file that is there and is not ours.
fn check_ours(path: &Path, mark: &str) -> Result<()> {
    match read_if_there(path)? {
        Some(text) if !text.contains(mark) && !text.trim().is_empty() => Err(unusable(
            "replace",
            path,
            "it is not part of this plugin; move it away first, or choose another folder",
        )),
        _ => Ok(()),
    }
}

/// Makes a folder that is there for others to read, and for nobody else to write.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.recursive(true).create(path)
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unusable("read", path, e)),
    }
}

/// Writes a file whole or not at all, so that a server starting meanwhile never sees half of it.
fn write_if_changed(path: &Path, text: &str, mode: u32) -> Result<Change> {
    let before = read_if_there(path)?;
    if before.as_deref() == Some(text) {
        return Ok(UNCHANGED);
    }
    let fresh = beside(path);
    let failed = |e: std::io::Error| unusable("write", path, e);
    let _ = std::fs::remove_file(&fresh);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&fresh).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    #[cfg(unix)]
    if let Ok(old) = path.metadata() {
        use std::os::unix::fs::PermissionsExt;
        // The operator may have let a group read it; a secret is still not everybody's.
        let everybody = if mode & 0o077 == 0 { 0o770 } else { 0o777 };
        let kept = std::fs::Permissions::from_mode(old.permissions().mode() & everybody);
        std::fs::set_permissions(&fresh, kept).map_err(failed)?;
    }
    std::fs::rename(&fresh, path).map_err(failed)?;
    Ok(if before.is_some() { UPDATED } else { CREATED })
}

/// Links this program into the folder. A program somebody put there stays.
fn link(folder: &Path) -> Result<(PathBuf, Change)> {
    let program = std::env::current_exe().map_err(|e| {
        Error::new(Code::Internal, "could not find out where this program is").caused_by(e)
    })?;
    let path = folder.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    let change = match path.symlink_metadata() {
        Err(_) => CREATED,
        Ok(there) if there.is_symlink() => {
            if std::fs::read_link(&path).is_ok_and(|target| target == program) {
                return Ok((path, UNCHANGED));
            }
            UPDATED
        }
        Ok(there) if there.is_file() && cfg!(unix) => return Ok((path, UNCHANGED)),
        Ok(there) if there.is_file() => UPDATED,
        Ok(_) => return Err(unusable("replace", &path, "a folder is in the way")),
    };
    let fresh = beside(&path);
    let _ = std::fs::remove_file(&fresh);
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(&program, &fresh);
    #[cfg(not(unix))]
    let made = std::fs::copy(&program, &fresh).map(|_| ());
    made.and_then(|()| std::fs::rename(&fresh, &path))
        .map_err(|e| unusable("link the program to", &path, e))?;
    Ok((path, change))
}

/// A name in the same folder for a file that is not finished yet.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| unusable("find", path, e))
}

fn unusable(
    doing: &str,
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(
        Code::FileUnusable,
        format!("could not {doing} {}", path.display()),
    )
    .caused_by(cause)
    .example("promptyoself plugin install smcp/plugins")
}
