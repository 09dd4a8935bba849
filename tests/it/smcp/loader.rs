//! An SMCP server's loader, as far as a plugin can tell: how it discovers commands, turns a call's
//! arguments into a command line, and reads the result, in each generation.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// Which server is calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 3.x with the parameters declared by `--describe`.
    Described,
    /// 3.x or June 2025: commands found by scraping help, parameters not declared.
    Scraped,
    /// June 2025, and forks of 3.x: arguments are not checked, and null is passed on as `None`.
    Nulls,
    /// July and August 2025: everything in one `--kwargs` in Python's notation.
    Kwargs,
    /// The same servers with an agent that writes JSON into that text.
    KwargsJson,
    /// The same with an agent that writes flags.
    KwargsFlags,
    /// The same with an agent that writes pairs.
    KwargsPairs,
}

impl Generation {
    pub const ALL: [Generation; 7] = [
        Generation::Described,
        Generation::Scraped,
        Generation::Nulls,
        Generation::Kwargs,
        Generation::KwargsJson,
        Generation::KwargsFlags,
        Generation::KwargsPairs,
    ];

    /// Whether errors are read from standard error, as servers of mid-2025 do.
    fn reads_stderr(self) -> bool {
        !matches!(self, Generation::Described | Generation::Scraped)
    }
}

/// A plugin folder, and the surroundings in which a server calls it.
pub struct Plugin {
    folder: PathBuf,
    cwd: tempfile::TempDir,
    env: Vec<(String, String)>,
    commands: OnceLock<Result<Vec<Value>, String>>,
}

impl Plugin {
    /// The plugin in `folder`, called from an empty working directory with an almost empty
    /// environment, in which no Letta can be reached.
    pub fn new(folder: impl Into<PathBuf>) -> Plugin {
        let cwd = tempfile::tempdir().unwrap();
        let mut plugin = Plugin {
            folder: folder.into(),
            env: Vec::new(),
            commands: OnceLock::new(),
            cwd,
        };
        for name in ["PATH", "LANG"] {
            if let Ok(value) = std::env::var(name) {
                plugin = plugin.env(name, value);
            }
        }
        let home = plugin.cwd.path().join("home").display().to_string();
        plugin
            .env("HOME", home)
            .env("LETTA_BASE_URL", "http://127.0.0.1:9")
    }

    /// The plugin of this repository, with the program that was just built.
    pub fn of_this_repository() -> Plugin {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Plugin::new(root.join("plugins/promptyoself"))
            .env("PROMPTYOSELF_BIN", env!("CARGO_BIN_EXE_promptyoself"))
    }

    /// The same with what a server sets by itself from its own settings, and what it makes of the
    /// secrets of an agent.
    pub fn with_variables_of_smcp(self, secrets: &[(&str, &str)]) -> Plugin {
        let server = self.env("LETTA_SERVER_URL", "http://127.0.0.1:8284");
        let set = |plugin: Plugin, (name, value): &(&str, &str)| plugin.env(name, *value);
        secrets.iter().fold(server, set)
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Plugin {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The server's working directory.
    pub fn cwd(&self) -> &Path {
        self.cwd.path()
    }

    /// Runs `cli.py` with a command line, as every generation does in the end.
    pub fn run(&self, argv: &[String]) -> Output {
        Command::new("python3")
            .arg(self.folder.join("cli.py"))
            .args(argv)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.cwd.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Discovery as 3.x does it first; a violation of the contract skips the plugin.
    pub fn describe(&self) -> Result<Vec<Value>, String> {
        let output = self.run(&["--describe".to_owned()]);
        if !output.status.success() {
            return Err(format!("--describe failed: {output:?}"));
        }
        let described: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("stdout is not one JSON value: {e}"))?;
        check_contract(&described)?;
        Ok(described["commands"].as_array().unwrap().clone())
    }

    /// Discovery as servers of 2025 do it, and 3.x where `--describe` fails.
    pub fn scrape(&self) -> Vec<String> {
        let output = self.run(&["--help".to_owned()]);
        let help = String::from_utf8(output.stdout).unwrap();
        let mut names = Vec::new();
        let mut listing = false;
        for line in help.lines() {
            if line.trim() == "Available commands:" {
                listing = true;
            } else if listing && line.trim().is_empty() {
                break;
            } else if listing && line.starts_with("  ") {
                names.extend(line.split_whitespace().next().map(str::to_owned));
            }
        }
        names
    }

    /// Calls a command and reads the result as the server does: the text for the agent, or the
    /// error.
    pub fn call(
        &self,
        generation: Generation,
        command: &str,
        arguments: &Value,
    ) -> Result<String, String> {
        let output = self.run(&self.argv(generation, command, arguments)?);
        read_result(generation, &output)
    }

    fn argv(
        &self,
        generation: Generation,
        command: &str,
        arguments: &Value,
    ) -> Result<Vec<String>, String> {
        let arguments = arguments.as_object().unwrap();
        let mut argv = vec![command.to_owned()];
        match generation {
            Generation::Kwargs => {
                argv.push("--kwargs".to_owned());
                argv.push(python(&Value::Object(arguments.clone())));
            }
            Generation::KwargsJson => {
                argv.push("--kwargs".to_owned());
                argv.push(Value::Object(arguments.clone()).to_string());
            }
            Generation::KwargsFlags | Generation::KwargsPairs => {
                let written = arguments.iter().map(|(key, value)| match generation {
                    Generation::KwargsFlags => format!("--{key} {}", in_shell(value)),
                    _ => format!("{key}={}", in_shell(value)),
                });
                argv.push("--kwargs".to_owned());
                argv.push(written.collect::<Vec<_>>().join(" "));
            }
            Generation::Scraped => {
                for (key, value) in arguments {
                    push(&mut argv, key, value, false)?;
                }
            }
            Generation::Nulls => {
                for (key, value) in arguments {
                    match value {
                        Value::Null => push(&mut argv, key, &"None".into(), false)?,
                        value => push(&mut argv, key, value, false)?,
                    }
                }
            }
            Generation::Described => {
                // Asked once, at start-up.
                let commands = self.commands.get_or_init(|| self.describe()).clone()?;
                let parameters = parameters(&commands, command)?;
                for (key, value) in arguments {
                    let declared = parameters
                        .iter()
                        .find(|p| p["name"] == key.as_str())
                        .ok_or_else(|| format!("additional property {key}"))?;
                    push(&mut argv, key, value, declared["action"] == "store_true")?;
                }
            }
        }
        Ok(argv)
    }
}

fn parameters(commands: &[Value], command: &str) -> Result<Vec<Value>, String> {
    commands
        .iter()
        .find(|c| c["name"] == command)
        .map(|c| c["parameters"].as_array().unwrap().clone())
        .ok_or_else(|| format!("unknown tool promptyoself__{command}"))
}

/// One argument on the command line, by the table of 3.x.
fn push(argv: &mut Vec<String>, key: &str, value: &Value, store_true: bool) -> Result<(), String> {
    let flag = format!("--{}", key.replace('_', "-"));
    match value {
        Value::Null => return Err(format!("null for {key}")),
        Value::Bool(on) if store_true => argv.extend(on.then_some(flag)),
        Value::Array(items) => {
            for item in items {
                push(argv, key, item, store_true)?;
            }
        }
        Value::String(text) => argv.extend([flag, text.clone()]),
        other => argv.extend([flag, other.to_string()]),
    }
    Ok(())
}

/// What the server makes of a finished process.
pub fn read_result(generation: Generation, output: &Output) -> Result<String, String> {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stdout = stdout.trim().to_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    if generation.reads_stderr() {
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        return Err(stderr.trim().to_owned());
    }
    let answer: Value = serde_json::from_str(&stdout)
        .unwrap_or_else(|e| panic!("stdout is not one JSON value: {e}: {stdout:?}"));
    Err(answer["error"]
        .as_str()
        .expect("error is a string")
        .to_owned())
}

/// A value as an agent writes it that knows a shell.
fn in_shell(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', r"'\''")),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

/// A value as Python's `repr` writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => python_text(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", python_text(key), python(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut written = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\\' => written.push_str("\\\\"),
            c if c == quote => written.extend(['\\', c]),
            c if c.is_control() => written.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push(quote);
    written
}

/// The rules of contract 1.0.
pub fn check_contract(described: &Value) -> Result<(), String> {
    let object = |value: &Value, what: &str| -> Result<Map<String, Value>, String> {
        value
            .as_object()
            .cloned()
            .ok_or_else(|| format!("{what} is not an object"))
    };
    let text = |value: &Value, key: &str, what: &str| -> Result<String, String> {
        match value[key].as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("{what} has no {key}")),
        }
    };
    let root = object(described, "the description")?;
    let mut keys: Vec<&str> = root.keys().map(String::as_str).collect();
    keys.sort_unstable();
    if keys != ["commands", "contract_version", "plugin"] {
        return Err(format!("wrong keys {keys:?}"));
    }
    if root["contract_version"] != "1.0" {
        return Err("wrong contract_version".to_owned());
    }
    for key in ["name", "version", "description"] {
        text(&root["plugin"], key, "plugin")?;
    }
    let commands = root["commands"]
        .as_array()
        .ok_or("commands is not an array")?;
    for command in commands {
        let name = text(command, "name", "a command")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !name.chars().all(fits) {
            return Err(format!("bad command name {name}"));
        }
        if ["connect", "disconnect"].contains(&name.as_str()) {
            return Err(format!("{name} would be skipped"));
        }
        if ["status", "deploy", "rollback", "send-message"].contains(&name.as_str()) {
            return Err(format!("{name} has a fixed schema in old servers"));
        }
        text(command, "description", &name)?;
        let parameters = command["parameters"]
            .as_array()
            .ok_or_else(|| format!("{name} has no parameters"))?;
        for parameter in parameters {
            object(parameter, "a parameter")?;
            let parameter_name = text(parameter, "name", &name)?;
            text(parameter, "description", &parameter_name)?;
            let kind = text(parameter, "type", &parameter_name)?;
            let kinds = ["string", "number", "integer", "boolean", "array", "object"];
            if !kinds.contains(&kind.as_str()) {
                return Err(format!("{parameter_name} has type {kind}"));
            }
            if !parameter["required"].is_boolean() {
                return Err(format!(
                    "{parameter_name} does not say whether it is required"
                ));
            }
            let fits = match (kind.as_str(), parameter.get("default")) {
                (_, None) => true,
                ("string", Some(value)) => value.is_string(),
                ("integer", Some(value)) => value.is_i64(),
                ("boolean", Some(value)) => value.is_boolean(),
                _ => false,
            };
            if !fits {
                return Err(format!("{parameter_name} has a default of another type"));
            }
            if kind == "boolean" && parameter["action"] != "store_true" {
                return Err(format!("{parameter_name} is a boolean without action"));
            }
        }
    }
    Ok(())
}
