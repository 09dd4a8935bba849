//! What the documents say is what there is.

use promptyoself::error::Code;

const ERRORS: &str = include_str!("../../docs/errors.md");
const README: &str = include_str!("../../README.md");

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
fn every_command_is_in_the_readme_and_none_that_does_not_exist() {
    let definitions = promptyoself::cli::definitions::definitions(false);
    let (_, table) = README.split_once("| command |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    for command in definitions.get_subcommands() {
        assert!(
            table.contains(&format!("`{}", command.get_name())),
            "{} is not in the README",
            command.get_name()
        );
    }
    for line in README
        .lines()
        .filter_map(|line| line.strip_prefix("promptyoself "))
    {
        let line = line.split(" #").next().unwrap_or(line);
        let line = line.trim_end_matches([' ', '\\', '&']);
        let words = words(line);
        let parsed = promptyoself::cli::definitions::definitions(false).try_get_matches_from(
            std::iter::once("promptyoself").chain(words.iter().map(|w| &**w)),
        );
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

/// A line of the README as a shell splits it.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
