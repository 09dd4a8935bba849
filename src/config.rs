//! Settings: flags over environment over a TOML file over defaults.
//!
//! Nothing here reads the process environment by itself: callers hand over an [`Environment`], so
//! tests need none. `docs/settings.md` is the list for people.

mod agent_shell;
mod budget;
mod delivery;
mod environment;
mod file;
mod flags;
mod mcp;
mod notify;
mod places;
mod prompt;
mod remote;
mod retention;
mod secret;
mod server;
mod sources;
mod targets;
mod value;

use std::path::PathBuf;

use jiff::SignedDuration;
use secrecy::SecretString;

use crate::error::Result;
use crate::models::{Budget, LETTA, TargetName};
use crate::schedule::Zone;

pub use agent_shell::{AGENT_VARIABLES, AgentShell};
pub use delivery::Delivery;
pub use environment::Environment;
pub(crate) use file::PLUGIN_FILE;
pub use flags::Flags;
pub use mcp::McpSettings;
pub use notify::{Notify, NotifyCommand};
pub use remote::RemoteSettings;
pub use server::ServerSettings;
pub use sources::{SETTINGS, Setting, secret_variables};
pub use targets::{TargetSettings, TargetsSettings};
pub(crate) use targets::{key_setting, url_setting};

use file::File;
use secret::Key;
use sources::{KeySources, LETTA_KEY, LETTA_URL, choose_key};
use value::{filled, invalid};

/// Every setting, checked as far as that is possible without contacting anything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file.
    pub database: PathBuf,
    /// Letta's address, without a slash at its end.
    pub letta_url: String,
    /// Letta's credential: a server's password or a Cloud key.
    pub letta_key: Option<SecretString>,
    /// Whether that key came from the file, so that `plugin install` may write it to another.
    pub letta_key_from_file: bool,
    /// Why the key in the file is not sent to that address, if it is not.
    pub letta_key_withheld: Option<String>,
    /// The servers that prompts are delivered to.
    pub targets: TargetsSettings,
    /// The time zone of schedules that name none, as given.
    pub timezone: String,
    /// The agent when none is given, as given.
    pub default_agent: Option<String>,
    /// The agent in whose shell this process runs, if it does.
    pub agent_shell: Option<AgentShell>,
    /// How prompts are delivered.
    pub delivery: Delivery,
    /// How the operator is notified.
    pub notify: Notify,
    /// How much an agent may schedule.
    pub budget: Budget,
    /// The largest prompt, in bytes.
    pub largest_prompt: usize,
    /// How long settled history is kept; `None` keeps it forever.
    pub retention: Option<SignedDuration>,
    /// Where the HTTP server listens, and whose requests it answers.
    pub server: ServerSettings,
    /// The server that keeps the schedules, if they are not in a database here.
    pub remote: Option<RemoteSettings>,
    /// Settings for callers over MCP.
    pub mcp: McpSettings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// The plugin's folder, when an SMCP server called us through it.
    pub plugin: Option<PathBuf>,
    /// The home folder of the user, if it is known.
    pub home: Option<PathBuf>,
}

impl Settings {
    /// Finds and reads the settings file and combines all sources.
    ///
    /// # Errors
    /// [`FileUnusable`](crate::error::Code::FileUnusable) if the file can't be read,
    /// [`ConfigInvalid`](crate::error::Code::ConfigInvalid) if a setting can't be used; the error
    /// names where it came from.
    pub fn load(flags: &Flags, env: &Environment) -> Result<Settings> {
        let path = file::find(flags.config.as_deref(), env);
        let file = match &path {
            Some(path) => file::read(path)?,
            None => File::default(),
        };
        Self::combine(flags, env, path, file)
    }

    fn combine(
        flags: &Flags,
        env: &Environment,
        path: Option<PathBuf>,
        file: File,
    ) -> Result<Settings> {
        // In the plugin, SMCP and agents choose what the environment holds.
        let without = match env.plugin() {
            Some(_) => env.without(&file.overruled),
            None => env.clone(),
        };
        let agent_shell = AgentShell::of(&without);
        let letta = file.letta.unwrap_or_default();
        // Letta Code fills in the address and the key of a server of its own.
        let names_server = letta.base_url.is_some() || !file.targets.is_empty();
        let without = match agent_shell.is_some() && names_server {
            true => without.without(&[LETTA_URL, LETTA_KEY].concat()),
            false => without,
        };
        let env = &without;
        let letta_is_named = env.first(LETTA_URL).is_some() || letta.base_url.is_some();
        let letta_url = places::letta_url(env, letta.base_url.clone())?;
        let letta_key = choose_key(
            env,
            KeySources {
                variables: LETTA_KEY,
                in_file: letta.api_key.and_then(Key::filled),
                address_in_file: Some(places::letta_url_in_file(letta.base_url)),
                address: &letta_url,
                address_from: env.first(LETTA_URL).map(|(name, _)| name),
            },
        );
        let of_letta = TargetSettings {
            name: TargetName::new(LETTA),
            url: letta_url.clone(),
            key: letta_key.key.clone(),
            key_withheld: letta_key.withheld.clone(),
        };
        let named = letta_is_named.then(|| of_letta.clone());
        let targets = targets::combine(named, of_letta, file.targets, file.default_target)?;
        let default_agent = agent_shell::default_agents(env).into_iter().next();
        let default_agent = default_agent.map(|(_, id)| id);
        let database_from = places::database_from(flags, env, file.database.as_deref());
        let remote = remote::combine(env, file.remote.unwrap_or_default(), database_from)?;
        Ok(Settings {
            remote,
            database: places::database(flags, env, path.as_deref(), file.database)?,
            targets,
            letta_url,
            letta_key: letta_key.key,
            letta_key_from_file: letta_key.from_file,
            letta_key_withheld: letta_key.withheld,
            timezone: timezone(env, file.timezone)?,
            default_agent: default_agent.or_else(|| filled(file.default_agent)),
            agent_shell,
            delivery: Delivery::combine(flags, env, file.delivery.unwrap_or_default())?,
            notify: Notify::combine(env, file.notify.unwrap_or_default())?,
            largest_prompt: prompt::largest(env, file.largest_prompt)?,
            budget: budget::combine(env, &file.budget.unwrap_or_default())?,
            retention: retention::combine(env, file.keeping.unwrap_or_default())?,
            server: server::combine(flags, env, file.server.unwrap_or_default())?,
            mcp: mcp::combine(env, &file.mcp.unwrap_or_default())?,
            file: path,
            plugin: env.plugin(),
            home: env.get("HOME").map(PathBuf::from),
        })
    }
}

impl Settings {
    /// The keys of the settings file that are not sent because another setting names another
    /// address.
    pub fn withheld_keys(&self) -> impl Iterator<Item = &str> {
        let of_remote = self.remote.as_ref().map(|r| &r.key_withheld);
        let withheld = of_remote.unwrap_or(&self.letta_key_withheld);
        withheld.iter().map(String::as_str)
    }
}

/// The time zone. A wrong name is refused here, while it is still known where it came from.
fn timezone(env: &Environment, from_file: Option<String>) -> Result<String> {
    let (source, name) = match env.first(&["PROMPTYOSELF_TIMEZONE"]) {
        Some((name, value)) => (name, value.to_owned()),
        None => match filled(from_file) {
            Some(value) => ("timezone in the settings file", value),
            None => return Ok("UTC".to_owned()),
        },
    };
    match Zone::parse(&name) {
        Ok(_) => Ok(name),
        Err(e) => {
            let near = e.corrected_field("timezone").and_then(|zone| zone.as_str());
            let example = format!("PROMPTYOSELF_TIMEZONE={}", near.unwrap_or("UTC"));
            Err(invalid(source, e, &example))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use secrecy::ExposeSecret;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().copied().collect()
    }

    fn settings(pairs: &[(&str, &str)], file: &str) -> Result<Settings> {
        let path = PathBuf::from("/etc/promptyoself/promptyoself.toml");
        let file = file::parse(&path, file)?;
        Settings::combine(&Flags::default(), &env(pairs), Some(path), file)
    }

    #[test]
    fn without_any_setting_the_defaults_of_the_documentation_hold() {
        let s = Settings::combine(&Flags::default(), &env(&[]), None, File::default()).unwrap();
        assert_eq!(s.database, PathBuf::from("./promptyoself.db"));
        assert_eq!(s.letta_url, "http://localhost:8283");
        assert_eq!(s.timezone, "UTC");
        assert!(s.letta_key.is_none() && s.default_agent.is_none() && s.plugin.is_none());
        assert_eq!(s.delivery, Delivery::default());
        assert_eq!(s.delivery.concurrency, 64);
        assert_eq!(
            s.delivery.once_max_lateness,
            SignedDuration::from_hours(7 * 24)
        );
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = "database = 'c.db'\n[delivery]\nconcurrency = 3\ndrain = '3s'\n";
        let vars = [
            ("PROMPTYOSELF_DB", "b.db"),
            ("PROMPTYOSELF_CONCURRENCY", "2"),
        ];
        let s = settings(&[], file).unwrap();
        assert_eq!(s.database, PathBuf::from("/etc/promptyoself/c.db"));
        assert_eq!(s.delivery.concurrency, 3);
        let s = settings(&vars, file).unwrap();
        assert_eq!(s.database, PathBuf::from("b.db"));
        assert_eq!(s.delivery.concurrency, 2);
        assert_eq!(s.delivery.drain, SignedDuration::from_secs(3));
        let flags = Flags {
            database: Some("a.db".to_owned()),
            concurrency: Some("1".to_owned()),
            ..Flags::default()
        };
        let s = Settings::combine(&flags, &env(&vars), None, File::default()).unwrap();
        assert_eq!(s.database, PathBuf::from("a.db"));
        assert_eq!(s.delivery.concurrency, 1);
    }

    #[test]
    fn an_empty_environment_value_counts_as_not_set() {
        let vars = [
            ("PROMPTYOSELF_DB_PATH", " "),
            ("LETTA_BASE_URL", ""),
            ("LETTA_API_KEY", ""),
        ];
        let file = "[letta]\nbase_url = 'https://letta.example/'\napi_key = 'k'\n";
        let s = settings(&vars, file).unwrap();
        assert_eq!(s.database, PathBuf::from("./promptyoself.db"));
        assert_eq!(s.letta_url, "https://letta.example");
        assert_eq!(s.letta_key.as_ref().unwrap().expose_secret(), "k");
        assert!(s.letta_key_from_file);
    }

    #[test]
    fn the_names_of_smcp_and_of_the_python_original_are_both_understood() {
        let s = settings(
            &[
                ("LETTA_SERVER_URL", "http://b:8284"),
                ("LETTA_SERVER_PASSWORD", "pw"),
                ("LETTA_DEFAULT_AGENT_ID", "agent-3"),
                ("LETTA_AGENT_ID", "agent-2"),
            ],
            "",
        )
        .unwrap();
        assert_eq!(s.letta_url, "http://b:8284");
        assert_eq!(s.letta_key.unwrap().expose_secret(), "pw");
        assert_eq!(s.default_agent.as_deref(), Some("agent-2"));
        assert!(!s.letta_key_from_file);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let s = settings(&[("LETTA_API_KEY", "hunter2")], "").unwrap();
        assert!(!format!("{s:?}").contains("hunter2"));
        for file in [
            "[letta]\napi_key = hunter2\n",
            "[letta]\napi_key = 42424242\n",
            "[letta]\napi_key = 'hunter2\n",
        ] {
            let text = settings(&[], file).unwrap_err().chain();
            assert!(
                !text.contains("hunter2") && !text.contains("4242"),
                "{text}"
            );
        }
        let text = settings(&[("LETTA_BASE_URL", "http://me:hunter2@x")], "").unwrap_err();
        assert!(!text.chain().contains("hunter2"));
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_refused_and_named() {
        type Variables<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Variables, &str, &str)] = &[
            (
                &[("PROMPTYOSELF_DB", "postgres://u:hunter2@h/db")],
                "",
                "PROMPTYOSELF_DB",
            ),
            (&[], "database = 'sqlite:///x.db'", "database"),
            (
                &[("LETTA_BASE_URL", "localhost:8283")],
                "",
                "LETTA_BASE_URL",
            ),
            (&[("LETTA_SERVER_URL", "ftp://x")], "", "LETTA_SERVER_URL"),
            (
                &[("PROMPTYOSELF_CONCURRENCY", "0")],
                "",
                "PROMPTYOSELF_CONCURRENCY",
            ),
            (
                &[("PROMPTYOSELF_CONCURRENCY", "many")],
                "",
                "PROMPTYOSELF_CONCURRENCY",
            ),
            (&[("PROMPTYOSELF_DRAIN", "-3s")], "", "PROMPTYOSELF_DRAIN"),
            (&[("PROMPTYOSELF_DRAIN", "soon")], "", "PROMPTYOSELF_DRAIN"),
            (&[], "[delivery]\nmax_age = 0", "max_age"),
            (&[], "[delivery]\nmax_age = 'x'", "max_age"),
            (&[], "[delivery]\nmaxage = '1h'", "maxage"),
            (&[], "databse = 'x'", "databse"),
            (&[], "[letta]\nurl = 'x'", "url"),
            (&[("PROMPTYOSELF_RETRY_FIRST", "1h")], "", "retry_longest"),
        ];
        for (vars, file, named) in cases {
            let error = settings(vars, file).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{vars:?} {file}");
            assert!(error.chain().contains(named), "{}", error.chain());
            assert!(error.corrected().is_some());
            assert!(!error.chain().contains("hunter2"));
        }
    }

    #[test]
    fn a_duration_is_text_with_units_or_a_number_of_seconds() {
        let vars = [
            ("PROMPTYOSELF_MAX_AGE", "2d"),
            ("PROMPTYOSELF_IDLE_TIMEOUT", "90"),
            ("PROMPTYOSELF_RETRY_LONGEST", "1h 30m"),
        ];
        let s = settings(&vars, "[delivery]\ndrain = 2\nretry_first = 0.5\n").unwrap();
        assert_eq!(s.delivery.max_age, SignedDuration::from_hours(48));
        assert_eq!(s.delivery.idle_timeout, SignedDuration::from_secs(90));
        assert_eq!(s.delivery.retry_longest, SignedDuration::from_mins(90));
        assert_eq!(s.delivery.drain, SignedDuration::from_secs(2));
        assert_eq!(s.delivery.retry_first, SignedDuration::from_millis(500));
    }

    #[test]
    fn the_file_is_looked_for_by_flag_then_plugin_then_environment_then_home() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("xdg/promptyoself");
        let plugin = dir.path().join("plugin");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(&plugin).unwrap();
        std::fs::write(home.join("config.toml"), "timezone = 'Europe/Rome'").unwrap();
        let xdg = dir.path().join("xdg").display().to_string();
        let plugin_dir = plugin.display().to_string();
        let vars = [
            ("XDG_CONFIG_HOME", xdg.as_str()),
            ("PROMPTYOSELF_PLUGIN", plugin_dir.as_str()),
        ];
        let load = |flag: Option<&str>, vars: &[(&str, &str)]| {
            let flags = Flags {
                config: flag.map(PathBuf::from),
                ..Flags::default()
            };
            Settings::load(&flags, &env(vars)).map(|s| s.timezone)
        };
        assert_eq!(load(None, &vars).unwrap(), "Europe/Rome");
        std::fs::write(plugin.join("promptyoself.toml"), "timezone = 'Asia/Tokyo'").unwrap();
        assert_eq!(load(None, &vars).unwrap(), "Asia/Tokyo");
        let named = dir.path().join("named.toml");
        std::fs::write(&named, "timezone = 'Asia/Kabul'").unwrap();
        let named = named.display().to_string();
        let with_env = [vars[0], vars[1], ("PROMPTYOSELF_CONFIG", named.as_str())];
        assert_eq!(load(None, &with_env).unwrap(), "Asia/Tokyo");
        std::fs::remove_file(plugin.join("promptyoself.toml")).unwrap();
        assert_eq!(load(None, &with_env).unwrap(), "Asia/Kabul");
        let error = load(Some("/nowhere/at/all.toml"), &with_env).unwrap_err();
        assert_eq!(error.code(), Code::FileUnusable);
    }
}
