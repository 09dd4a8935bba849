//! Where the database and Letta are.

use std::path::{Path, PathBuf};

use super::sources::{DATABASE as DATABASE_VARIABLES, LETTA_URL as LETTA_URL_VARIABLES};
use super::value::{filled, invalid};
use super::{Environment, Flags};
use crate::error::Result;

/// Letta's own default address.
const LETTA_URL: &str = "http://localhost:8283";
/// The default database, as in the Python original.
const DATABASE: &str = "./promptyoself.db";

/// The SQLite file.
pub(super) fn database(
    flags: &Flags,
    env: &Environment,
    path: Option<&Path>,
    from_file: Option<String>,
) -> Result<PathBuf> {
    let (source, value, relative_to) = if let Some(value) = filled(flags.database.clone()) {
        ("--db", value, None)
    } else if let Some((name, value)) = env.first(DATABASE_VARIABLES) {
        (name, value.to_owned(), None)
    } else if let Some(value) = filled(from_file) {
        // So that a file means the same in every working directory.
        (
            "database in the settings file",
            value,
            path.and_then(Path::parent),
        )
    } else {
        ("the default", DATABASE.to_owned(), None)
    };
    let example = "--db ./promptyoself.db";
    if value.starts_with("postgres://") || value.starts_with("postgresql://") {
        // The address may hold a password, so it is not repeated.
        return Err(invalid(
            source,
            "this version supports SQLite only, not PostgreSQL; give the path of a file",
            example,
        ));
    }
    if value.contains("://") || value.starts_with("sqlite:") || value == ":memory:" {
        return Err(invalid(
            source,
            "this is a URL, but the database is a SQLite file: give only its path",
            example,
        ));
    }
    Ok(match relative_to {
        Some(folder) => folder.join(value),
        None => PathBuf::from(value),
    })
}

/// The setting that names the database, if one does.
pub(super) fn database_from(
    flags: &Flags,
    env: &Environment,
    from_file: Option<&str>,
) -> Option<&'static str> {
    let is_given = |text: Option<&str>| text.is_some_and(|t| !t.trim().is_empty());
    if is_given(flags.database.as_deref()) {
        return Some("--db");
    }
    let variable = env.first(DATABASE_VARIABLES);
    match variable {
        Some((name, _)) => Some(name),
        None => is_given(from_file).then_some("database in the settings file"),
    }
}

/// Letta's address, without a slash at its end.
pub(super) fn letta_url(env: &Environment, from_file: Option<String>) -> Result<String> {
    let (source, value) = match env.first(LETTA_URL_VARIABLES) {
        Some((name, value)) => (name, value.to_owned()),
        None => match filled(from_file) {
            Some(value) => ("base_url in [letta] of the settings file", value),
            None => return Ok(LETTA_URL.to_owned()),
        },
    };
    let example = "LETTA_BASE_URL=http://localhost:8283";
    address(source, &value, "LETTA_API_KEY", example)
}

/// The address that the settings file implies: its own, otherwise the default.
pub(super) fn letta_url_in_file(from_file: Option<String>) -> String {
    let Some(value) = filled(from_file) else {
        return LETTA_URL.to_owned();
    };
    // An unusable one belongs to no server, and is refused where it would be used.
    letta_url(&Environment::default(), Some(value.clone())).unwrap_or(value)
}

/// The address of a server, without a slash at its end; `key` is the setting for its password.
pub(super) fn address(source: &str, value: &str, key: &str, example: &str) -> Result<String> {
    let url = reqwest::Url::parse(value).map_err(|e| {
        invalid(
            source,
            format_args!(
                "this is not a server address ({e}); it must begin with http:// or https://"
            ),
            example,
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(
            source,
            format_args!(
                "the address begins with {:?}; it must begin with http:// or https://",
                url.scheme()
            ),
            example,
        ));
    }
    // Addresses are shown in messages and logs; secrets are not.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            source,
            format_args!("the address holds a user name or password: put the password into {key}"),
            example,
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(
            source,
            "a server address can't contain '?' or '#'",
            example,
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
