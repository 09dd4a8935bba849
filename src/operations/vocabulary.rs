//! What operations and fields are called on the faces that call them otherwise than the command line.

use super::definition::Operation;
use super::field::Given;
use super::{ALL, of_command};

/// An operation by the tool that does the same. Registering is done by three of them.
const TOOLS: &[(&str, &str)] = &[
    ("list", "promptyoself_list"),
    ("show", "promptyoself_get"),
    ("update", "promptyoself_update"),
    ("pause", "promptyoself_pause"),
    ("resume", "promptyoself_resume"),
    ("run", "promptyoself_run_now"),
    ("preview", "promptyoself_preview"),
    ("cancel", "promptyoself_cancel"),
    ("history", "promptyoself_history"),
    ("execute", "promptyoself_execute"),
    ("test", "promptyoself_test"),
    ("agents", "promptyoself_agents"),
];

/// The method and path, without its beginning, of the request that does what a command does.
pub fn route(command: &str) -> Option<(&'static str, &'static str)> {
    let route = &of_command(command)?.route;
    Some((route.method, route.path))
}

/// The tool that does what a command does.
pub fn tool(command: &str) -> Option<&'static str> {
    let tool = TOOLS.iter().find(|(name, _)| *name == command);
    tool.map(|(_, tool)| *tool)
}

/// Whether requests over HTTP have a field.
pub fn is_in_requests(field: &str) -> bool {
    let mut taken = ALL.iter().copied().flat_map(Operation::parameters);
    taken.any(|p| p.field.name == field && (p.is_over_http() || p.given == Given::InPath))
}
