//! The skill that teaches an agent of Letta Code the command line.

use std::path::{Path, PathBuf};

use super::link::SERVER;
use crate::cli::plugin::files::read_if_there;
use crate::cli::plugin::{merged, wanted};
use crate::config::{Environment, Flags, Settings};
use crate::error::{Code, Error, Result};

/// The skill as files.
pub(super) struct Skill {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The file that the agent reads.
    pub(super) file: PathBuf,
    /// The text of that file.
    pub(super) text: String,
    /// What its own settings file must contain, if it needs one.
    wanted: Option<toml::Table>,
}

impl Skill {
    /// Refuses to replace a file that somebody else has written.
    pub(super) fn check_ours(&self) -> Result<()> {
        let text = read_if_there(&self.file).map_err(Error::without_example)?;
        match text {
            Some(text) if !text.contains(MARK) && !text.trim().is_empty() => {
                let why = "it is not promptyoself's; move it away, or rename its folder";
                Err(unusable("replace", &self.file, why))
            }
            _ => Ok(()),
        }
    }

    /// Its settings file with its text, if it needs one. For a terminal, without the key.
    pub(super) fn settings(&self, is_shown: bool) -> Result<Option<(PathBuf, String)>> {
        let Some(wanted) = &self.wanted else {
            return Ok(None);
        };
        let path = self.folder.join(SETTINGS);
        let before = read_if_there(&path)?;
        let text = match is_shown {
            true => {
                let mut shown = wanted.clone();
                if let Some(letta) = shown.get_mut("letta").and_then(toml::Value::as_table_mut) {
                    letta.remove("api_key");
                }
                Some(shown.to_string())
            }
            false => merged(
                &path,
                before.as_deref(),
                wanted,
                "promptyoself connect --app-server",
            )?,
        };
        Ok(Some((path, text.or(before).unwrap_or_default())))
    }
}

/// A text that identifies the file as ours, in every version.
const MARK: &str = "promptyoself-skill";

/// The skill's own settings file.
const SETTINGS: &str = "promptyoself.toml";

/// The skill for agents on this machine, in Letta Code's folder. Its commands use the database and the
/// server that these settings name, whatever the agent's environment and folder.
pub(super) fn skill(settings: &Settings, letta: &Path) -> Result<Skill> {
    let folder = letta.join("skills").join(SERVER);
    let program = std::env::current_exe().map_err(|e| {
        Error::new(Code::Internal, "could not find this program's own file").caused_by(e)
    })?;
    let (file, wanted) = match file_that_says_all(settings) {
        Some(file) => (file, None),
        None => (folder.join(SETTINGS), Some(wanted(settings)?)),
    };
    let command = format!("{} --config {}", word(&program), word(&file));
    Ok(Skill {
        file: folder.join("SKILL.md"),
        text: TEXT.replace("COMMAND", &command),
        folder,
        wanted,
    })
}

/// The settings file in use, if it alone names the same database and server as all settings together.
fn file_that_says_all(settings: &Settings) -> Option<PathBuf> {
    let file = std::path::absolute(settings.file.as_ref()?).ok()?;
    let flags = Flags {
        config: Some(file.clone()),
        ..Flags::default()
    };
    let alone = Settings::load(&flags, &Environment::default()).ok()?;
    let place = |of: &Settings| {
        let default = &of.targets.default;
        let database = std::path::absolute(&of.database).ok();
        (database, default.name.clone(), default.url.clone())
    };
    (place(&alone) == place(settings)).then_some(file)
}

/// The error of a file of Letta Code that can't be used.
pub(super) fn unusable(
    doing: &str,
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let text = format!("could not {doing} {}", path.display());
    Error::new(Code::FileUnusable, text).caused_by(cause)
}

/// A path as a shell needs it.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

const TEXT: &str = r#"---
name: promptyoself
description: Schedule prompts for yourself, once at a time, on a cron pattern or at an interval. Use it when something has to happen later or again and again, such as a reminder, a check or a report, and to list or cancel what is scheduled.
---

<!-- promptyoself-skill: written by "promptyoself connect --app-server", which replaces this file -->

# Scheduling prompts

A scheduled prompt comes back to you in this conversation as a user message, and wakes you up. Run these commands
in your shell:

```sh
COMMAND register --prompt "Check whether the backup finished, and tell Ada" --time "2030-01-31 09:00" --timezone Europe/Berlin
COMMAND register --prompt "Write the daily report" --cron "0 9 * * mon-fri" --timezone Europe/Berlin
COMMAND register --prompt "See whether the build is done; cancel this schedule if it is" --every 10m --max-repetitions 12
COMMAND list --agent-id "$AGENT_ID"
COMMAND history --agent-id "$AGENT_ID"
COMMAND cancel --id 5
```

- Write each prompt so that it makes sense later, without this conversation.
- Your id and this conversation are known; don't give them. `--conversation new` starts a new conversation for each run.
- The answer is JSON and contains the schedule's id and its next run. An error says what to write instead.
- Cancel what is no longer needed, and only what is your own.
- `COMMAND register --help` explains everything else.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_skill_is_one_of_ours() {
        let commands = crate::cli::definitions::definitions(crate::operations::ALL, false);
        let mut seen = 0;
        for line in TEXT
            .lines()
            .filter_map(|line| line.strip_prefix("COMMAND "))
        {
            let line = line.replace("$AGENT_ID", "agent-1");
            let mut words = vec!["promptyoself".to_owned()];
            for (n, part) in line.split('"').enumerate() {
                match n % 2 {
                    0 => words.extend(part.split_whitespace().map(str::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            commands.clone().try_get_matches_from(words).unwrap();
            seen += 1;
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(word(Path::new("/usr/bin/x")), "/usr/bin/x");
        assert_eq!(word(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
