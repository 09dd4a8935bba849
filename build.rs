//! Tells the program which commit it is built from, if git knows.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // They are compiled in, which Cargo does not see by itself.
    println!("cargo::rerun-if-changed=migrations");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let commit = commit_of(Path::new(&folder)).unwrap_or_default();
    println!("cargo::rustc-env=PROMPTYOSELF_COMMIT={commit}");
}

/// The commit and its date, as `54494bc 2026-11-25`. `None` without git, and for sources without a
/// repository of their own, such as those from a registry.
fn commit_of(folder: &Path) -> Option<String> {
    let top = git(folder, &["rev-parse", "--show-toplevel"])?;
    // Sources unpacked within another project's repository are not of its commits.
    if Path::new(&top).canonicalize().ok()? != folder.canonicalize().ok()? {
        return None;
    }
    let head = git(folder, &["rev-parse", "--symbolic-full-name", "HEAD"])?;
    // The log of HEAD grows with every move of it; without one its own file and the branch's tell.
    for name in ["HEAD", "logs/HEAD", "packed-refs", &head] {
        let path = folder.join(git(folder, &["rev-parse", "--git-path", name])?);
        if path.is_file() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let day = ["log", "-1", "--format=%h %cd", "--date=short", "--abbrev=7"];
    git(folder, &day)
}

/// Git's answer; `None` if there is none.
fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let asked = Command::new("git")
        .args(args)
        .current_dir(folder)
        // Within a hook of git they name its repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .output()
        .ok()?;
    let text = String::from_utf8(asked.stdout).ok()?;
    let text = text.trim();
    (asked.status.success() && !text.is_empty()).then(|| text.to_owned())
}
