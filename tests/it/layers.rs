//! What may be in which source files.

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

/// What makes the text of an error.
const MAKERS: [&str; 7] = [
    "Error::new",
    "message!",
    ".hint",
    "invalid",
    "wrong",
    "refuse",
    "prompt_missing",
];

/// The text literals in the brackets that open at `start`, with the names of all that they are
/// arguments of.
fn literals(text: &str, start: usize) -> Vec<(Vec<&str>, &str)> {
    let mut open: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        match c {
            '"' => {
                let mut end = next;
                let rest = text.as_bytes();
                while rest[end] != b'"' {
                    end += if rest[end] == b'\\' { 2 } else { 1 };
                }
                found.push((open.clone(), &text[next..end]));
                at = end + 1;
                continue;
            }
            '(' | '[' | '{' => {
                let is_name = |c: char| c.is_alphanumeric() || "_:!.".contains(c);
                let name = text[..at]
                    .rsplit(|c| !is_name(c))
                    .next()
                    .unwrap_or_default();
                open.push(name);
            }
            ')' | ']' | '}' => {
                open.pop();
                if open.is_empty() {
                    return found;
                }
            }
            _ => {}
        }
        at = next;
    }
    found
}

/// Whether a text names a flag, a command or a route, which is another one on every face.
fn names_a_face(text: &str) -> bool {
    let is_flag = |(at, _): (usize, &str)| {
        let after = text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
        after && !text[..at].ends_with(|c: char| c.is_alphanumeric())
    };
    let operations = [
        "register", "list", "show", "update", "pause", "resume", "run", "preview", "cancel",
        "execute", "test", "agents", "history", "doctor", "serve", "halt", "key",
    ];
    let is_command = |(at, word): (usize, &str)| {
        let after = &text[at + word.len()..];
        let next = after.split(|c: char| !c.is_ascii_lowercase()).next();
        next.is_some_and(|next| operations.contains(&next))
    };
    let phrases = [
        "list shows",
        "show says",
        "test says",
        "agents lists",
        "history shows",
    ];
    let is_operation = |(at, _): (usize, &str)| {
        let before = &text[..at];
        // A list as such, a list of keys, and a tool by its name are something else.
        !before.ends_with("a ") && !before.ends_with("key ") && !before.ends_with('_')
    };
    text.match_indices("--").any(is_flag)
        || text.match_indices("promptyoself ").any(is_command)
        || (phrases.iter()).any(|phrase| text.match_indices(phrase).any(is_operation))
        || text.contains("/api/v1/")
}

#[test]
fn no_text_of_an_error_names_a_flag_or_a_command_but_as_a_part_of_its_own() {
    let mut looked_at = 0;
    let mut wrong: Vec<String> = Vec::new();
    for (name, text) in sources() {
        for maker in MAKERS {
            // Settings name themselves in the words of the shell, and so do their examples.
            if name.starts_with("config") && maker == "invalid" {
                continue;
            }
            for (at, _) in text.match_indices(maker) {
                let start = at + maker.len();
                let is_whole = maker.starts_with('.')
                    || !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if !is_whole || !text[start..].starts_with(['(', '[']) {
                    continue;
                }
                for (within, literal) in literals(&text, start) {
                    looked_at += 1;
                    let is_part = within.contains(&"shell");
                    if !is_part && names_a_face(literal) {
                        wrong.push(format!("{}: {literal}", name.display()));
                    }
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(looked_at > 500, "it is looked for in vain: {looked_at}");
}
