//! How many statements the sources register.

use std::path::Path;

/// What registers a statement.
const MARK: &str = "statement!(";

/// How many statements the sources of the database register. One in a macro is there for each use
/// of that.
pub fn in_sources() -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = vec![std::fs::read_to_string(root.join("db.rs")).unwrap()];
    let mut folders = vec![root.join("db")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => sources.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    sources.iter().map(|source| registered(source)).sum()
}

/// How many statements a source registers.
fn registered(source: &str) -> usize {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let (macros, rest) = without_macros(&code);
    let times = |text: &str, mark: &str| text.matches(mark).count();
    let made: usize = macros
        .iter()
        .map(|(name, body)| times(body, MARK) * times(&rest, &format!("{name}!")))
        .sum();
    made + times(&rest, MARK)
}

/// The macros of a source by their names, and all else.
fn without_macros<'s>(code: &[&'s str]) -> (Vec<(&'s str, String)>, String) {
    let mut macros: Vec<(&str, String)> = Vec::new();
    let mut rest = String::new();
    let mut end = None;
    for line in code {
        if let Some((indent, definition)) = line.split_once("macro_rules! ") {
            macros.push((definition.trim_end_matches(" {"), String::new()));
            end = Some(format!("{indent}}}"));
            continue;
        }
        if end.as_deref() == Some(line) {
            end = None;
            continue;
        }
        let text = match (&end, macros.last_mut()) {
            (Some(_), Some((_, body))) => body,
            _ => &mut rest,
        };
        text.push_str(line);
        text.push('\n');
    }
    (macros, rest)
}

#[test]
fn a_statement_in_a_macro_is_there_for_each_use() {
    let source = "
// statement!(\"of a comment\")
macro_rules! of {
    ($which:literal) => {
        statement!(\"SELECT \", $which)
    };
}
fn one() {
    statement!(\"SELECT 1\");
    of!(\"2\");
    of!(\"3\");
}
";
    assert_eq!(registered(source), 3);
}
