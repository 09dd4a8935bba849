//! How prompts are delivered: limits, waits and ages.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use super::value::invalid;
use super::{Environment, Flags};
use crate::error::Result;
use crate::schedule::{read_duration, seconds};

/// More lanes than this at once would only use up sockets.
const MOST_LANES: usize = 10_000;

/// Lists each duration once: the field, its default in seconds and its variable.
macro_rules! durations {
    ($($(#[$doc:meta])* $field:ident = $default:expr, $env:literal;)+) => {
        /// How prompts are delivered.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Delivery {
            /// How many lanes are served at the same time.
            pub concurrency: usize,
            $($(#[$doc])* pub $field: SignedDuration,)+
        }

        impl Default for Delivery {
            fn default() -> Self {
                Delivery {
                    concurrency: 64,
                    $($field: SignedDuration::from_secs($default),)+
                }
            }
        }

        /// The `[delivery]` table of the settings file.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct FileTable {
            concurrency: Option<i64>,
            $(#[serde(default, deserialize_with = "written")] $field: Option<Written>,)+
        }

        impl Delivery {
            fn set_durations(&mut self, env: &Environment, file: &FileTable) -> Result<()> {
                $(
                    if let Some(text) = env.get($env) {
                        self.$field = read_duration(text).map_err(|e| wrong($env, stringify!($field), e))?;
                    } else if let Some(written) = &file.$field {
                        self.$field = written.read()
                            .map_err(|e| wrong(in_file(stringify!($field)), stringify!($field), e))?;
                    }
                )+
                Ok(())
            }

            /// The entries of `[delivery]` that differ from the defaults, for writing a file.
            pub(crate) fn differing(&self) -> Vec<(&'static str, toml::Value)> {
                let usual = Delivery::default();
                let mut entries = Vec::new();
                if self.concurrency != usual.concurrency {
                    let n = i64::try_from(self.concurrency).unwrap_or(i64::MAX);
                    entries.push(("concurrency", toml::Value::Integer(n)));
                }
                $(
                    if self.$field != usual.$field {
                        entries.push((
                            stringify!($field),
                            toml::Value::String(format!("{:#}", self.$field)),
                        ));
                    }
                )+
                entries
            }
        }

        #[cfg(test)]
        impl Delivery {
            fn shown(&self) -> Vec<(&'static str, SignedDuration)> {
                vec![$((stringify!($field), self.$field),)+]
            }
        }

        #[cfg(test)]
        const VARIABLES: &[(&str, &str)] = &[$((stringify!($field), $env),)+];
    };
}

durations! {
    /// The wait before the second attempt; it doubles from there.
    retry_first = 5, "PROMPTYOSELF_RETRY_FIRST";
    /// The longest wait between two attempts.
    retry_longest = 10 * 60, "PROMPTYOSELF_RETRY_LONGEST";
    /// The age at which an occurrence is no longer retried.
    max_age = 24 * 3600, "PROMPTYOSELF_MAX_AGE";
    /// How late a one-shot may still be sent.
    once_max_lateness = 7 * 24 * 3600, "PROMPTYOSELF_ONCE_MAX_LATENESS";
    /// The age at which a run that never ends counts as orphaned by a crash of the server.
    orphaned_run_age = 3600, "PROMPTYOSELF_ORPHANED_RUN_AGE";
    /// How long to look for a prompt of unknown outcome before giving it up as `delivery_unknown`.
    reconcile_deadline = 30 * 60, "PROMPTYOSELF_RECONCILE_DEADLINE";
    /// How long stopping waits for turns that are still running.
    drain = 8, "PROMPTYOSELF_DRAIN";
    /// How long an agent's turn may be silent before its outcome counts as unknown.
    idle_timeout = 5 * 60, "PROMPTYOSELF_IDLE_TIMEOUT";
    /// How often to check an agent that waits for a person's approval.
    approval_poll = 60, "PROMPTYOSELF_APPROVAL_POLL";
}

impl Delivery {
    /// Combines flags, environment and file.
    pub(super) fn combine(flags: &Flags, env: &Environment, file: FileTable) -> Result<Self> {
        let mut delivery = Delivery::default();
        if let Some(text) = flags.concurrency.as_deref() {
            delivery.concurrency = lanes("--concurrency", text)?;
        } else if let Some(text) = env.get("PROMPTYOSELF_CONCURRENCY") {
            delivery.concurrency = lanes("PROMPTYOSELF_CONCURRENCY", text)?;
        } else if let Some(n) = file.concurrency {
            delivery.concurrency = lanes(&in_file("concurrency"), &n.to_string())?;
        }
        delivery.set_durations(env, &file)?;
        if delivery.retry_first > delivery.retry_longest {
            return Err(invalid(
                "retry_first and retry_longest",
                format_args!(
                    "the first wait between attempts ({:#}) is longer than the longest ({:#})",
                    delivery.retry_first, delivery.retry_longest
                ),
                "PROMPTYOSELF_RETRY_FIRST=5s PROMPTYOSELF_RETRY_LONGEST=10m",
            ));
        }
        Ok(delivery)
    }
}

/// A duration as written in the file.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Seconds(f64),
    Text(String),
}

impl Written {
    fn read(&self) -> std::result::Result<SignedDuration, String> {
        match self {
            Written::Seconds(n) => seconds(*n),
            Written::Text(text) => read_duration(text),
        }
    }
}

fn written<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<Written>, D::Error> {
    Written::deserialize(d).map(Some).map_err(|_| {
        serde::de::Error::custom("a duration is text such as \"30m\" or a number of seconds")
    })
}

fn lanes(source: &str, text: &str) -> Result<usize> {
    text.trim()
        .parse()
        .ok()
        .filter(|n| (1..=MOST_LANES).contains(n))
        .ok_or_else(|| {
            invalid(
                source,
                format_args!("{text:?} is not a whole number from 1 to {MOST_LANES}"),
                match source.starts_with("--") {
                    true => "--concurrency 64",
                    false => "PROMPTYOSELF_CONCURRENCY=64",
                },
            )
        })
}

fn in_file(key: &str) -> String {
    format!("{key} in [delivery] of the settings file")
}

fn wrong(source: impl AsRef<str>, key: &str, problem: String) -> crate::error::Error {
    let variable = format!("PROMPTYOSELF_{}=8s", key.to_uppercase());
    invalid(source.as_ref(), problem, &variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_variable_named_after_it() {
        for (field, variable) in VARIABLES {
            assert_eq!(*variable, format!("PROMPTYOSELF_{}", field.to_uppercase()));
        }
    }

    #[test]
    fn every_duration_and_its_default_is_documented() {
        let documents = include_str!("../../docs/settings.md");
        let usual = Delivery::default();
        let shown: std::collections::BTreeMap<_, _> = usual.shown().into_iter().collect();
        for (field, variable) in VARIABLES {
            let row = format!("| `{field}` | `{variable}` | ");
            let (_, after) = documents.split_once(&row).expect(field);
            let default = read_duration(after.split(' ').next().unwrap()).unwrap();
            assert_eq!(default, shown[field], "{field}");
        }
    }

    #[test]
    fn what_differs_from_the_defaults_is_read_back_as_it_was() {
        assert!(Delivery::default().differing().is_empty());
        let ours = Delivery {
            concurrency: 5,
            max_age: SignedDuration::from_hours(50),
            retry_first: SignedDuration::from_millis(1_500),
            ..Delivery::default()
        };
        let table: toml::Table = ours
            .differing()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        let file: FileTable = toml::from_str(&table.to_string()).unwrap();
        let read = Delivery::combine(&Flags::default(), &Environment::default(), file).unwrap();
        assert_eq!(read, ours);
    }
}
