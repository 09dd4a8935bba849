//! The program in the plugin's folder.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{CREATED, Change, NAME, UNCHANGED, UPDATED, beside, let_others_run, unusable};
use crate::error::{Code, Error, Result};

/// Links this program into the folder. A program that somebody put there stays.
pub(super) fn link(folder: &Path) -> Result<(PathBuf, Change)> {
    let (program, path) = places(folder)?;
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
        Ok(_) => return Err(in_the_way(&path)),
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

/// Copies this program into the folder, replacing whatever is there.
pub(super) fn copy(folder: &Path) -> Result<(PathBuf, Change)> {
    let (program, path) = places(folder)?;
    if path.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        return Err(in_the_way(&path));
    }
    match replace(&program, &path) {
        Ok(change) => Ok((path, change)),
        Err(e) => Err(unusable("copy the program to", &path, e)),
    }
}

fn replace(program: &Path, path: &Path) -> io::Result<Change> {
    let change = match path.symlink_metadata() {
        Err(_) => CREATED,
        Ok(there) if there.is_file() && is_same(program, path)? => return Ok(UNCHANGED),
        Ok(_) => UPDATED,
    };
    let fresh = beside(path);
    let _ = std::fs::remove_file(&fresh);
    std::fs::copy(program, &fresh)?;
    let_others_run(&fresh)?;
    std::fs::rename(&fresh, path)?;
    Ok(change)
}

/// The path of this program, and its path in the folder.
fn places(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let program = std::env::current_exe().map_err(|e| {
        Error::new(Code::Internal, "could not find out where this program is").caused_by(e)
    })?;
    let path = folder.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    Ok((program, path))
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let size = |path: &Path| path.metadata().map(|m| m.len());
    Ok(size(one)? == size(other)? && std::fs::read(one)? == std::fs::read(other)?)
}

fn in_the_way(path: &Path) -> Error {
    unusable("replace", path, "a folder is in the way")
}
