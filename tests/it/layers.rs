//! What may stand where in the sources.

use std::path::{Path, PathBuf};

/// Every file of the program's sources, by its path in `src`, with its text without unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let (program, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
                let name = path.strip_prefix(&root).unwrap().to_owned();
                found.push((name, program.to_owned()));
            }
        }
    }
    found
}

/// The lines of a text that hold SQL, but for comments.
fn lines_of_sql(text: &str) -> Vec<&str> {
    const BEGINNINGS: [&str; 8] = [
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE FROM ",
        "\"WITH ",
        "\"PRAGMA ",
        "\"CREATE ",
        "\"DROP ",
    ];
    (text.lines().map(str::trim_start))
        .filter(|line| !line.starts_with("//"))
        .filter(|line| BEGINNINGS.iter().any(|word| line.contains(word)))
        .collect()
}

#[test]
fn sql_stands_only_in_statements_and_in_what_only_sqlite_has() {
    let sources = sources();
    let rooms = ["db/statements", "db/sqlite"];
    let (inside, outside): (Vec<_>, Vec<_>) = sources
        .iter()
        .map(|(name, text)| (name, lines_of_sql(text)))
        .filter(|(_, lines)| !lines.is_empty())
        .partition(|(name, _)| rooms.iter().any(|room| name.starts_with(room)));
    assert!(outside.is_empty(), "{outside:#?}");
    assert!(inside.len() > 30, "it is looked for in vain: {inside:#?}");
}
