//! The environment as a map, so that nothing else reads it from the process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Code, Error, Result, shell};

/// The variables this process was started with, or those of a test.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own environment.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] if a variable that could be ours is not UTF-8: guessing at a path
    /// would open another database.
    pub fn of_process() -> Result<Self> {
        let mut map = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    map.insert(name, value);
                }
                Err(_) if name.starts_with("PROMPTYOSELF_") || name.starts_with("LETTA_") => {
                    return Err(Error::new(
                        Code::ConfigInvalid,
                        format!("{name}: the value is not UTF-8 text"),
                    )
                    .example(shell(format!("unset {name}"))));
                }
                Err(_) => {}
            }
        }
        Ok(Environment(map))
    }

    /// A variable without surrounding white space; blank counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// The first of several names that is set, and its value.
    pub(super) fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &str)> {
        names
            .iter()
            .find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// A copy without some of the variables.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = self
            .0
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        Environment(
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// The plugin's folder, when an SMCP server called us through it.
    pub fn plugin(&self) -> Option<PathBuf> {
        self.get("PROMPTYOSELF_PLUGIN").map(PathBuf::from)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Environment(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
