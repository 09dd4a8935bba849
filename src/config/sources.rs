//! Every setting with its key in the file and its variables, and which of the two wins.
//!
//! Usually the environment beats the file. In the plugin it is the other way round: an SMCP server
//! puts variables of its own and the secrets of agents into the plugin's environment, while the
//! file is the operator's alone.

use secrecy::SecretString;

use super::Environment;

/// One setting by its names.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The table in the file; empty for a key at the top level.
    pub table: &'static str,
    /// The key in that table.
    pub key: &'static str,
    /// The variables; the first that is set counts.
    pub variables: &'static [&'static str],
    /// Whether its value is a secret.
    pub is_secret: bool,
}

const fn setting(
    table: &'static str,
    key: &'static str,
    variables: &'static [&'static str],
) -> Setting {
    Setting {
        table,
        key,
        variables,
        is_secret: false,
    }
}

const fn secret(
    table: &'static str,
    key: &'static str,
    variables: &'static [&'static str],
) -> Setting {
    Setting {
        is_secret: true,
        ..setting(table, key, variables)
    }
}

/// The variables that name the database.
pub(super) const DATABASE: &[&str] = &["PROMPTYOSELF_DB_PATH", "PROMPTYOSELF_DB"];
/// The variables that name Letta's address.
pub(super) const LETTA_URL: &[&str] = &["LETTA_BASE_URL", "LETTA_SERVER_URL"];
/// The variables that hold Letta's key.
pub(super) const LETTA_KEY: &[&str] = &["LETTA_API_KEY", "LETTA_SERVER_PASSWORD"];
/// The variable that names the server with the schedules.
pub(super) const REMOTE_URL: &str = "PROMPTYOSELF_URL";
/// The variable that holds our key for it.
pub(super) const REMOTE_KEY: &str = "PROMPTYOSELF_KEY";

/// Every setting of the file.
pub const SETTINGS: &[Setting] = &[
    setting("", "database", DATABASE),
    setting("", "timezone", &["PROMPTYOSELF_TIMEZONE"]),
    setting("", "default_agent", super::AGENT_VARIABLES),
    setting("", "largest_prompt", &["PROMPTYOSELF_LARGEST_PROMPT"]),
    setting("letta", "base_url", LETTA_URL),
    secret("letta", "api_key", LETTA_KEY),
    setting("remote", "url", &[REMOTE_URL]),
    secret("remote", "key", &[REMOTE_KEY]),
    setting("delivery", "concurrency", &["PROMPTYOSELF_CONCURRENCY"]),
    setting("delivery", "retry_first", &["PROMPTYOSELF_RETRY_FIRST"]),
    setting("delivery", "retry_longest", &["PROMPTYOSELF_RETRY_LONGEST"]),
    setting("delivery", "max_age", &["PROMPTYOSELF_MAX_AGE"]),
    setting(
        "delivery",
        "once_max_lateness",
        &["PROMPTYOSELF_ONCE_MAX_LATENESS"],
    ),
    setting(
        "delivery",
        "orphaned_run_age",
        &["PROMPTYOSELF_ORPHANED_RUN_AGE"],
    ),
    setting(
        "delivery",
        "reconcile_deadline",
        &["PROMPTYOSELF_RECONCILE_DEADLINE"],
    ),
    setting("delivery", "drain", &["PROMPTYOSELF_DRAIN"]),
    setting("delivery", "idle_timeout", &["PROMPTYOSELF_IDLE_TIMEOUT"]),
    setting("delivery", "approval_poll", &["PROMPTYOSELF_APPROVAL_POLL"]),
    setting("budget", "schedules", &["PROMPTYOSELF_BUDGET_SCHEDULES"]),
    setting(
        "budget",
        "fires_per_day",
        &["PROMPTYOSELF_BUDGET_FIRES_PER_DAY"],
    ),
    setting(
        "budget",
        "registrations_per_day",
        &["PROMPTYOSELF_BUDGET_REGISTRATIONS_PER_DAY"],
    ),
    setting(
        "budget",
        "all_schedules",
        &["PROMPTYOSELF_BUDGET_ALL_SCHEDULES"],
    ),
    setting(
        "budget",
        "all_registrations_per_day",
        &["PROMPTYOSELF_BUDGET_ALL_REGISTRATIONS_PER_DAY"],
    ),
    secret("notify", "command", &["PROMPTYOSELF_NOTIFY_COMMAND"]),
    secret("notify", "url", &["PROMPTYOSELF_NOTIFY_URL"]),
    setting("keeping", "retention", &["PROMPTYOSELF_RETENTION"]),
    setting(
        "mcp",
        "single_agent",
        &["PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK"],
    ),
    setting("mcp", "delivers", &["PROMPTYOSELF_EXECUTOR_AUTOSTART"]),
    setting("server", "listen", &["PROMPTYOSELF_LISTEN"]),
    setting("server", "hosts", &["PROMPTYOSELF_HOSTS"]),
    setting("server", "origins", &["PROMPTYOSELF_ORIGINS"]),
    setting("server", "proxies", &["PROMPTYOSELF_PROXIES"]),
    setting("server", "allow_upload", &["PROMPTYOSELF_ALLOW_UPLOAD"]),
];

/// The variables that hold a secret.
pub fn secret_variables() -> impl Iterator<Item = &'static str> {
    let secrets = SETTINGS.iter().filter(|s| s.is_secret);
    secrets.flat_map(|s| s.variables.iter().copied())
}

/// The variables that this file overrules in the plugin. Keys are not among them: which key is used
/// depends on the address.
pub(super) fn overruled(file: &toml::Table) -> Vec<&'static str> {
    let stands = |setting: &&Setting| {
        let table = match setting.table {
            "" => Some(file),
            name => file.get(name).and_then(toml::Value::as_table),
        };
        match table.and_then(|t| t.get(setting.key)) {
            None => false,
            // As everywhere in the file, blank counts as not given.
            Some(toml::Value::String(text)) => !text.trim().is_empty(),
            Some(_) => true,
        }
    };
    let is_key = |s: &Setting| matches!((s.table, s.key), ("letta", "api_key") | ("remote", "key"));
    // Where the schedules are is one question with two possible answers.
    let is_place = |s: &Setting| matches!((s.table, s.key), ("", "database") | ("remote", "url"));
    let mut overruled = Vec::new();
    for setting in SETTINGS.iter().filter(stands).filter(|s| !is_key(s)) {
        overruled.extend(setting.variables);
        if is_place(setting) {
            overruled.extend(DATABASE);
            overruled.push(REMOTE_URL);
        }
    }
    overruled
}

/// A key for a server, and where it came from.
#[derive(Default)]
pub(super) struct ChosenKey {
    pub(super) key: Option<SecretString>,
    pub(super) from_file: bool,
    /// Why the key in the file is not used, if it is not and there is no other.
    pub(super) withheld: Option<String>,
}

/// The keys to choose from.
pub(super) struct KeySources<'a> {
    /// The variables that may hold a key.
    pub(super) variables: &'a [&'a str],
    /// The key in the file.
    pub(super) in_file: Option<SecretString>,
    /// The address that the file implies, if any.
    pub(super) address_in_file: Option<String>,
    /// The address that is contacted.
    pub(super) address: &'a str,
    /// The variable that named it, if any.
    pub(super) address_from: Option<&'a str>,
}

/// The key for an address. A key from the file is only sent to the address in the file: somebody
/// who can set a variable must not learn what the operator wrote there.
pub(super) fn choose_key(env: &Environment, sources: KeySources<'_>) -> ChosenKey {
    let in_env = env.first(sources.variables);
    let in_env = in_env.map(|(_, key)| SecretString::from(key.to_owned()));
    let belongs = sources
        .address_in_file
        .as_deref()
        .is_some_and(|own| is_same_server(own, sources.address));
    let (in_file, kept_back) = match belongs {
        true => (sources.in_file, None),
        false => (None, sources.in_file),
    };
    let (first, second) = match env.plugin() {
        Some(_) => ((in_file, true), (in_env, false)),
        None => ((in_env, false), (in_file, true)),
    };
    let (key, from_file) = match first {
        (None, _) => second,
        first => first,
    };
    let withheld = kept_back.filter(|_| key.is_none()).map(|_| {
        let own = match &sources.address_in_file {
            Some(own) => format!("is for {own}"),
            None => "has no address beside it".to_owned(),
        };
        let named = sources.address_from.unwrap_or("the default");
        format!(
            "the key in the settings file {own}, so it is not sent to {} (from {named}): put that \
             address next to the key in the file, or set {}",
            sources.address,
            sources.variables.first().copied().unwrap_or_default()
        )
    });
    ChosenKey {
        from_file: from_file && key.is_some(),
        key,
        withheld,
    }
}

/// Whether two addresses are the same server; a `/v1` at the end of Letta's makes no difference.
fn is_same_server(one: &str, other: &str) -> bool {
    let bare = |address: &str| {
        let address = address.trim_end_matches('/');
        let address = address.strip_suffix("/v1").unwrap_or(address);
        address.trim_end_matches('/').to_owned()
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests;
