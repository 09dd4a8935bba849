//! The server that keeps the schedules, if they are not in a database on this machine.

use secrecy::SecretString;
use serde::Deserialize;

use super::Environment;
use super::places::address;
use super::secret::Key;
use super::sources::{ChosenKey, KeySources, REMOTE_KEY, REMOTE_URL as VARIABLE, choose_key};
use super::value::{filled, invalid};
use crate::error::{Code, Error, Result, call, shell};

/// The server that keeps the schedules, and our key for it.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Its address, without a slash at its end.
    pub url: String,
    /// The key to send.
    pub key: Option<SecretString>,
    /// Whether that key came from the file, so that `plugin install` may write it to another.
    pub key_from_file: bool,
    /// Why the key in the file is not sent to that address, if it is not.
    pub key_withheld: Option<String>,
    /// The setting that named the address.
    source: &'static str,
}

/// The `[remote]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    url: Option<String>,
    key: Option<Key>,
}

impl RemoteSettings {
    /// The error of a command that needs the database itself.
    pub fn refuse(&self, command: &str) -> Error {
        let RemoteSettings { url, source, .. } = self;
        let what = match command {
            "connect" | "upload" => "Letta itself, with the settings and keys of the server",
            _ => "the database and the scheduler themselves",
        };
        let error = Error::new(
            Code::LocalOnly,
            format!(
                "{command} works on {what}, but the schedules are on the server at {url} \
                 ({source}): run it on that machine, without that setting"
            ),
        );
        match *source {
            VARIABLE => error.example(shell("PROMPTYOSELF_URL=")),
            _ => error.example(call("test")),
        }
    }
}

/// Combines environment and file. `database_from` is the setting that names a database: only one of
/// the two can hold the schedules.
pub(super) fn combine(
    env: &Environment,
    file: FileTable,
    database_from: Option<&'static str>,
) -> Result<Option<RemoteSettings>> {
    let in_file = filled(file.url);
    let (source, url) = match (env.get(VARIABLE), in_file.clone()) {
        (Some(url), _) => (VARIABLE, url.to_owned()),
        (None, Some(url)) => ("url in [remote] of the settings file", url),
        (None, None) => return Ok(None),
    };
    let url = address(
        source,
        &url,
        "PROMPTYOSELF_KEY",
        "PROMPTYOSELF_URL=http://127.0.0.1:8465",
    )?;
    if let Some(database) = database_from {
        return Err(invalid(
            source,
            format_args!(
                "both a server ({url}) and a database ({database}) are set: remove one of them"
            ),
            match source {
                VARIABLE => "PROMPTYOSELF_URL=",
                _ => "[remote]",
            },
        ));
    }
    let address_in_file = in_file.map(|own| address(VARIABLE, &own, REMOTE_KEY, "").unwrap_or(own));
    let ChosenKey {
        key,
        from_file: key_from_file,
        withheld: key_withheld,
    } = choose_key(
        env,
        KeySources {
            variables: &[REMOTE_KEY],
            in_file: file.key.and_then(Key::filled),
            address_in_file,
            address: &url,
            address_from: Some(source),
        },
    );
    Ok(Some(RemoteSettings {
        url,
        key,
        key_from_file,
        key_withheld,
        source,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(env: &[(&str, &str)], file: FileTable) -> Result<Option<RemoteSettings>> {
        combine(&env.iter().copied().collect(), file, None)
    }

    #[test]
    fn the_schedules_are_a_servers_only_where_one_is_named() {
        let key = ("PROMPTYOSELF_KEY", "pys_hunter2");
        assert!(combined(&[key], FileTable::default()).unwrap().is_none());
        let url = ("PROMPTYOSELF_URL", "https://prompts.example.org/x/");
        let remote = combined(&[url, key], FileTable::default())
            .unwrap()
            .unwrap();
        assert_eq!(remote.url, "https://prompts.example.org/x");
        assert!(remote.key.is_some() && !remote.key_from_file);
        assert!(!format!("{remote:?}").contains("hunter2"));
        let file = || FileTable {
            url: Some("http://localhost:1".into()),
            key: Some(Key("pys_hunter3".to_owned().into())),
        };
        let remote = combined(&[], file()).unwrap().unwrap();
        assert_eq!(remote.url, "http://localhost:1");
        assert!(remote.key_from_file);
        assert_eq!(
            combined(&[url], file()).unwrap().unwrap().url,
            "https://prompts.example.org/x"
        );
    }

    #[test]
    fn a_database_and_a_server_are_never_chosen_between_silently() {
        let env = [("PROMPTYOSELF_URL", "http://localhost:8465")];
        let env = env.into_iter().collect();
        for from in ["--db", "PROMPTYOSELF_DB"] {
            let error = combine(&env, FileTable::default(), Some(from)).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid);
            let text = error.to_string();
            assert!(
                text.contains(from) && text.contains("PROMPTYOSELF_URL"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_its_password() {
        for url in [
            "localhost:8465",
            "ftp://x",
            "http://me:hunter2@x",
            "http://x/?key=hunter2",
        ] {
            let error = combined(&[("PROMPTYOSELF_URL", url)], FileTable::default()).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{url}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
    }
}
