//! The files of the plugin, and how they are written into its folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result, shell};

/// The plugin's name, which is also its folder's.
pub(super) const NAME: &str = "promptyoself";

/// A file of the plugin.
pub(super) struct PluginFile {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// A text that identifies a file as ours, in every version.
    pub(super) mark: &'static str,
    pub(super) mode: u32,
}

/// The file with this name, and the text that identifies it.
macro_rules! file {
    ($name:literal, $mark:literal, $mode:literal) => {
        PluginFile {
            name: $name,
            text: include_str!(concat!("../../../plugins/promptyoself/", $name)),
            mark: $mark,
            mode: $mode,
        }
    };
}

/// Every file of the plugin except its settings and the program.
pub(super) const FILES: &[PluginFile] = &[
    file!("__init__.py", "Promptyoself Development Team", 0o644),
    file!("cli.py", "promptyoself-plugin-shim", 0o755),
    file!("program.py", "promptyoself-plugin-module", 0o644),
    file!("models.py", "promptyoself-plugin-module", 0o644),
    file!("db.py", "promptyoself-plugin-module", 0o644),
    file!("scheduler.py", "promptyoself-plugin-module", 0o644),
    file!("letta_client.py", "promptyoself-plugin-module", 0o644),
    file!("README.md", "promptyoself-plugin-readme", 0o644),
];

/// What was done to a file.
pub(in crate::cli) type Change = &'static str;
pub(super) const CREATED: Change = "created";
pub(super) const UPDATED: Change = "updated";
pub(super) const UNCHANGED: Change = "unchanged";

/// Refuses a file that exists and isn't ours.
pub(super) fn check_ours(path: &Path, mark: &str) -> Result<()> {
    match read_if_there(path)? {
        Some(text) if !text.contains(mark) && !text.trim().is_empty() => Err(unusable(
            "replace",
            path,
            "it is not part of this plugin; move it away first, or choose another folder",
        )),
        _ => Ok(()),
    }
}

pub(in crate::cli) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unusable("read", path, e)),
    }
}

/// Writes a file atomically, so that a server starting meanwhile never sees half of it.
pub(in crate::cli) fn write_if_changed(path: &Path, text: &str, mode: u32) -> Result<Change> {
    let before = read_if_there(path)?;
    if before.as_deref() == Some(text) {
        return Ok(UNCHANGED);
    }
    replace(path, text, mode).map_err(|e| unusable("write", path, e))?;
    Ok(if before.is_some() { UPDATED } else { CREATED })
}

fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let fresh = beside(path);
    let _ = std::fs::remove_file(&fresh);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    #[cfg(unix)]
    if let Ok(old) = path.metadata() {
        use std::os::unix::fs::PermissionsExt;
        // The operator may have let a group read it, but a secret must not be readable by
        // everybody.
        let everybody = if mode & 0o077 == 0 { 0o770 } else { 0o777 };
        let kept = std::fs::Permissions::from_mode(old.permissions().mode() & everybody);
        std::fs::set_permissions(&fresh, kept)?;
    }
    std::fs::rename(&fresh, path)
}

/// Lets everybody who can read a file run it. Returns whether that changed anything.
pub(super) fn make_runnable(path: &Path) -> Result<bool> {
    let_others_run(path).map_err(|e| unusable("let others run", path, e))
}

/// The same, with the system's error.
#[cfg(unix)]
pub(super) fn let_others_run(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata()?.permissions().mode();
    let wanted = mode | ((mode & 0o444) >> 2);
    if wanted == mode {
        return Ok(false);
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted))?;
    Ok(true)
}

/// Does nothing where there are no such permissions.
#[cfg(not(unix))]
pub(super) fn let_others_run(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// A name in the same folder for a file that is not complete yet.
pub(super) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

/// The error of a file that can't be used.
pub(super) fn unusable(
    doing: &str,
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(
        Code::FileUnusable,
        format!("could not {doing} {}", path.display()),
    )
    .caused_by(cause)
    .example(shell("promptyoself plugin install smcp/plugins"))
}
