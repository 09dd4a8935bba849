//! The documentation matches the program.

use std::collections::BTreeMap;
use std::path::Path;

use promptyoself::error::Code;
use promptyoself::operations;

const ERRORS: &str = include_str!("../../docs/errors.md");
const COMMANDS: &str = include_str!("../../docs/commands.md");

/// Every page for users, by its path from the root of the repository.
fn pages() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|name| name.ends_with(".md"))
        .chain(["README.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned))
        .map(|name| {
            (
                name.clone(),
                std::fs::read_to_string(root.join(name)).unwrap(),
            )
        })
        .collect()
}

/// The text under a heading of `docs/errors.md`.
fn section(code: Code) -> Option<&'static str> {
    let (_, after) = ERRORS.split_once(&format!("\n### `{code}`\n"))?;
    Some(after.split("\n#").next().unwrap_or(after))
}

#[test]
fn every_error_code_is_explained_with_an_example() {
    for code in Code::ALL {
        let text = section(*code).unwrap_or_else(|| panic!("{code} is not in docs/errors.md"));
        assert!(text.contains("Example: `"), "{code}");
    }
    assert_eq!(ERRORS.matches("\n### `").count(), Code::ALL.len());
}

#[test]
fn every_command_has_its_row() {
    let (_, table) = COMMANDS.split_once("| command |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    let definitions = promptyoself::cli::definitions::definitions(operations::ALL, false);
    for command in definitions.get_subcommands() {
        let name = command.get_name();
        assert!(table.contains(&format!("`{name}")), "{name} has no row");
    }
}

#[test]
fn every_command_line_that_is_shown_is_understood() {
    let mut count = 0;
    for (page, text) in pages() {
        for line in commands(&text) {
            count += 1;
            let parsed = promptyoself::cli::definitions::definitions(operations::ALL, false)
                .try_get_matches_from(
                    std::iter::once("promptyoself".to_owned()).chain(words(&line)),
                );
            assert!(parsed.is_ok(), "{page}: {line}: {}", parsed.unwrap_err());
        }
    }
    assert!(count > 30, "{count}");
}

/// The command lines in a page's blocks of code, without the program's name.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    let shell = blocks.filter(|block| block.starts_with("sh\n") || block.starts_with("console\n"));
    shell
        .flat_map(|block| {
            let joined = block.replace("\\\n", " ");
            let lines = joined.lines().map(|line| line.trim_start_matches("$ "));
            let ours = lines.filter_map(|line| line.strip_prefix("promptyoself "));
            ours.map(|line| {
                line.split(" #")
                    .next()
                    .unwrap()
                    .trim_end_matches([' ', '&'])
                    .to_owned()
            })
            .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let pages = pages();
    for (page, text) in &pages {
        let links = text.split("](").skip(1);
        for link in links.map(|after| after.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (link, None),
            };
            let target = match path {
                "" => page.clone(),
                path => resolve(page, path),
            };
            let linked = pages.get(&target);
            let linked = linked.unwrap_or_else(|| panic!("{page} links to {target}"));
            if let Some(anchor) = anchor {
                let there = headings(linked).any(|heading| heading == anchor);
                assert!(there, "{page} links to {target}#{anchor}");
            }
        }
    }
}

#[test]
fn the_index_lists_every_page() {
    let pages = pages();
    let index = &pages["docs/README.md"];
    for name in pages.keys().filter_map(|page| page.strip_prefix("docs/")) {
        let listed = name == "README.md" || index.contains(&format!("]({name}"));
        assert!(listed, "{name} is not in docs/README.md");
    }
}

/// A path that is relative to a page, from the root of the repository.
fn resolve(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What a page's headings are called in links to them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            kept.chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
}

/// A line as a shell splits it.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
