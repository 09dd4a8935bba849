//! How the operator is notified.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::Environment;
use super::value::{filled, invalid};
use crate::error::Result;

/// Ways to notify the operator; none if both are empty.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    /// A program that is given each notice.
    pub command: Option<NotifyCommand>,
    /// Where each notice is posted. Any part of it may be a secret.
    pub url: Option<SecretString>,
}

/// A program that is given each notice on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyCommand {
    /// A line for the shell.
    Line(String),
    /// A program and its arguments, run without a shell.
    Words(Vec<String>),
}

/// The `[notify]` table of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    #[serde(default, deserialize_with = "command")]
    command: Option<NotifyCommand>,
    #[serde(default, deserialize_with = "secret")]
    url: Option<SecretString>,
}

impl Notify {
    pub(super) fn combine(env: &Environment, file: FileTable) -> Result<Self> {
        if env.plugin().is_some() {
            // There the environment may come from an agent's secrets, and a command in them would
            // run as the server. The daemon sends the notices of such calls.
            return Ok(Notify::default());
        }
        let command = match env.get("PROMPTYOSELF_NOTIFY_COMMAND") {
            Some(line) => Some(NotifyCommand::Line(line.to_owned())),
            None => file.command,
        };
        let command = match command {
            Some(NotifyCommand::Line(line)) => filled(Some(line)).map(NotifyCommand::Line),
            Some(NotifyCommand::Words(words)) if words.first().is_none_or(|w| w.is_empty()) => {
                return Err(invalid(
                    "command in [notify] of the settings file",
                    "the list must begin with a program",
                    "PROMPTYOSELF_NOTIFY_COMMAND=/usr/local/bin/tell-me",
                ));
            }
            words => words,
        };
        let (source, url) = match env.get("PROMPTYOSELF_NOTIFY_URL") {
            Some(url) => ("PROMPTYOSELF_NOTIFY_URL", Some(url.to_owned())),
            None => (
                "url in [notify] of the settings file",
                filled(file.url.map(|u| u.expose_secret().to_owned())),
            ),
        };
        if let Some(url) = &url {
            check(source, url)?;
        }
        Ok(Notify {
            command,
            url: url.map(SecretString::from),
        })
    }
}

/// Refuses anything but a web address, without repeating it: it may hold a secret.
fn check(source: &str, url: &str) -> Result<()> {
    let example = "PROMPTYOSELF_NOTIFY_URL=https://ntfy.sh/my-topic";
    let problem = match Url::parse(url) {
        Err(e) => format!("this is not a web address ({e})"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("the address begins with {:?}", url.scheme())
        }
        Ok(_) => return Ok(()),
    };
    let problem = format!("{problem}; notices are posted to http:// or https://");
    Err(invalid(source, problem, example))
}

fn command<'de, D: Deserializer<'de>>(
    d: D,
) -> std::result::Result<Option<NotifyCommand>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Line(String),
        Words(Vec<String>),
    }
    match Written::deserialize(d) {
        Ok(Written::Line(line)) => Ok(Some(NotifyCommand::Line(line))),
        Ok(Written::Words(words)) => Ok(Some(NotifyCommand::Words(words))),
        Err(_) => Err(serde::de::Error::custom(
            "command is text for the shell, or a list of a program and its arguments in quotes",
        )),
    }
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<SecretString>, D::Error> {
    // serde's own message would repeat the value.
    String::deserialize(d)
        .map(|url| Some(SecretString::from(url)))
        .map_err(|_| serde::de::Error::custom("url must be text in quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn read(vars: &[(&str, &str)], file: &str) -> Result<Notify> {
        let env: Environment = vars.iter().copied().collect();
        Notify::combine(&env, toml::from_str(file).unwrap())
    }

    fn url(notify: &Notify) -> Option<&str> {
        notify.url.as_ref().map(|u| u.expose_secret())
    }

    #[test]
    fn a_command_is_a_line_for_the_shell_or_words_as_they_stand() {
        let words = ["mail", "-s", "a b"].map(str::to_owned).to_vec();
        let notify = read(&[], "command = ['mail', '-s', 'a b']").unwrap();
        assert_eq!(notify.command, Some(NotifyCommand::Words(words)));
        let notify = read(&[], "command = 'mail me'").unwrap();
        let line = |text: &str| Some(NotifyCommand::Line(text.into()));
        assert_eq!(notify.command, line("mail me"));
        let vars = [("PROMPTYOSELF_NOTIFY_COMMAND", "from env")];
        let notify = read(&vars, "command = 'mail me'").unwrap();
        assert_eq!(notify.command, line("from env"));
        assert_eq!(read(&[], "command = ' '").unwrap().command, None);
        for wrong in ["command = []", "command = ['']"] {
            let error = read(&[], wrong).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid);
        }
    }

    #[test]
    fn the_address_for_notices_may_hold_secrets_which_are_never_shown() {
        let vars = [(
            "PROMPTYOSELF_NOTIFY_URL",
            "https://me:hunter2@h/p?k=hunter2",
        )];
        let notify = read(&vars, "url = 'http://other'").unwrap();
        assert_eq!(url(&notify), Some(vars[0].1));
        assert!(!format!("{notify:?}").contains("hunter2"));
        assert_eq!(url(&read(&[], "url = ''").unwrap()), None);
        for wrong in ["hunter2", "ftp://hunter2", "http://"] {
            let error = read(&[("PROMPTYOSELF_NOTIFY_URL", wrong)], "").unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{wrong}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
            assert!(error.corrected().is_some());
        }
        let error = toml::from_str::<FileTable>("url = 42").unwrap_err();
        assert!(!error.message().contains("42"), "{error}");
    }

    #[test]
    fn a_call_through_the_plugin_notifies_nobody_whatever_its_environment_says() {
        let vars = [
            ("PROMPTYOSELF_PLUGIN", "/plugins/promptyoself"),
            ("PROMPTYOSELF_NOTIFY_COMMAND", "rm -rf /"),
            ("PROMPTYOSELF_NOTIFY_URL", "http://169.254.169.254/"),
        ];
        let notify = read(&vars, "command = 'x'").unwrap();
        assert!(notify.command.is_none() && notify.url.is_none());
    }
}
