//! `--describe`: the plugin's description, by SMCP's contract 1.0.
//!
//! It is generated from the definitions of the command line, so the two can't disagree.

use clap::{Arg, Command};
use serde_json::{Value, json};

use super::args::{NUMBER, SWITCH};
use super::definitions::definitions;
use super::{operation_commands, plugin_guard};
use crate::operations::definition::Operation;
use crate::operations::{self, Offer};

/// Whether a command requires this flag; the command line checks that itself, with errors that
/// teach.
pub(super) fn is_required(offer: Offer, command: &str, flag: &str) -> bool {
    let mut taken = operations::of_command(offer, command)
        .into_iter()
        .flat_map(Operation::parameters);
    taken.any(|p| p.is_required && operation_commands::flag(p.field) == flag)
}

/// The plugin's description, for these operations.
pub fn describe(offer: Offer) -> Value {
    let commands: Vec<Value> = definitions(offer, true)
        .get_subcommands()
        .filter(|sub| !plugin_guard::is_command_refused(offer, sub.get_name()))
        .map(|sub| command(offer, sub))
        .collect();
    json!({
        "contract_version": "1.0",
        "plugin": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
        },
        "commands": commands,
    })
}

fn command(offer: Offer, command: &Command) -> Value {
    let name = command.get_name();
    let about = command.get_long_about().or_else(|| command.get_about());
    let parameters: Vec<Value> = command
        .get_arguments()
        .filter_map(|arg| parameter(offer, name, arg))
        .collect();
    json!({
        "name": name,
        "description": about.map(|a| sentence(&a.to_string())).unwrap_or_default(),
        "parameters": parameters,
    })
}

fn parameter(offer: Offer, command: &str, arg: &Arg) -> Option<Value> {
    let long = arg.get_long()?;
    if arg.is_global_set() || plugin_guard::is_refused(offer, command, long) || long == "help" {
        return None;
    }
    let kind = arg.get_value_names().and_then(<[_]>::first);
    let kind = kind.map_or("", |name| name.as_str());
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let default = arg
        .get_default_values()
        .first()
        .and_then(|value| value.to_str());
    let mut entry = json!({
        "name": long.replace('-', "_"),
        "type": match kind { NUMBER => "integer", SWITCH => "boolean", _ => "string" },
        "description": help.map(|h| sentence(&h.to_string())).unwrap_or_default(),
        "required": is_required(offer, command, long),
    });
    // Without a default there is no key, because null would have another type.
    let default = match (kind, default) {
        (SWITCH, _) => Some(json!(false)),
        (NUMBER, Some(text)) => text.parse::<i64>().ok().map(Value::from),
        (_, text) => text.map(Value::from),
    };
    if let Some(default) = default {
        entry["default"] = default;
    }
    if kind == SWITCH {
        entry["action"] = json!("store_true");
    }
    Some(entry)
}

/// Help as one line of whole sentences. clap's first paragraphs have no full stop and get one; an
/// example at the end gets none, or it would look like part of the example.
fn sentence(help: &str) -> String {
    let mut paragraphs: Vec<String> = Vec::new();
    for paragraph in help.split("\n\n").filter(|p| !p.trim().is_empty()) {
        let mut line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.ends_with('.') && !line.contains("Example") {
            line.push('.');
        }
        paragraphs.push(line);
    }
    paragraphs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ALL;

    #[test]
    fn every_command_on_one_schedule_requires_its_id() {
        for command in describe(ALL)["commands"].as_array().unwrap() {
            let parameters = command["parameters"].as_array().unwrap();
            let Some(id) = parameters.iter().find(|p| p["name"] == "id") else {
                continue;
            };
            // A history may be of all schedules, and these may apply to all of an agent's.
            let many = ["history", "cancel", "pause", "resume"].map(Value::from);
            let is_needed = !many.contains(&command["name"]);
            assert_eq!(id["required"], is_needed, "{}", command["name"]);
        }
    }

    #[test]
    fn nothing_that_is_refused_is_described() {
        let described = describe(ALL);
        let text = described.to_string();
        for flag in [
            "prompt_file",
            "ping_url",
            "db",
            "config",
            "loop",
            "interval",
        ] {
            let name = format!("\"name\":\"{flag}\"");
            assert!(!text.contains(&name), "{flag}");
        }
        for command in described["commands"].as_array().unwrap() {
            let parameters = command["parameters"].as_array().unwrap();
            let has_all = parameters.iter().any(|p| p["name"] == "all");
            assert_eq!(has_all, command["name"] == "list", "{command}");
        }
    }

    #[test]
    fn every_word_of_the_description_is_for_a_reader() {
        for command in describe(ALL)["commands"].as_array().unwrap() {
            assert!(command["description"].as_str().unwrap().ends_with('.'));
            for parameter in command["parameters"].as_array().unwrap() {
                assert!(
                    parameter["description"].as_str().unwrap().len() > 10,
                    "{parameter}"
                );
            }
        }
    }
}
