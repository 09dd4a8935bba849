//! What operations and fields are called on the faces that call them otherwise than the command line.

/// An operation by the request that does the same; `{id}` is its schedule.
const ROUTES: &[(&str, &str, &str)] = &[
    ("list", "GET", "/api/v1/schedules"),
    ("show", "GET", "/api/v1/schedules/{id}"),
    ("register", "POST", "/api/v1/schedules"),
    ("update", "PATCH", "/api/v1/schedules/{id}"),
    ("cancel", "DELETE", "/api/v1/schedules/{id}"),
    ("pause", "POST", "/api/v1/schedules/{id}/pause"),
    ("resume", "POST", "/api/v1/schedules/{id}/resume"),
    ("run", "POST", "/api/v1/schedules/{id}/run"),
    ("preview", "POST", "/api/v1/preview"),
    ("history", "GET", "/api/v1/occurrences"),
    ("agents", "GET", "/api/v1/agents"),
    ("test", "GET", "/api/v1/test"),
];

/// An operation by the tool that does the same.
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

/// Fields whose name as an argument of tools is another one.
const ARGUMENTS: &[(&str, &str)] = &[("id", "schedule_id"), ("all", "include_cancelled")];

/// The fields and parameters of requests over HTTP.
const IN_REQUESTS: &[&str] = &[
    "agent_id",
    "all",
    "catch_up",
    "count",
    "cron",
    "end_at",
    "envelope",
    "every",
    "full",
    "grace",
    "id",
    "limit",
    "max_age",
    "max_repetitions",
    "name",
    "note",
    "off",
    "offset",
    "pause_on_failure",
    "ping_url",
    "prompt",
    "replay",
    "since",
    "skip_validation",
    "start_at",
    "state",
    "time",
    "timezone",
];

/// The method and path of the request that does what an operation does; `{id}` in the path is its
/// schedule.
pub fn route(operation: &str) -> Option<(&'static str, &'static str)> {
    let route = ROUTES.iter().find(|(name, ..)| *name == operation);
    route.map(|(_, method, path)| (*method, *path))
}

/// The tool that does what an operation does.
pub fn tool(operation: &str) -> Option<&'static str> {
    let tool = TOOLS.iter().find(|(name, _)| *name == operation);
    tool.map(|(_, tool)| *tool)
}

/// Whether requests over HTTP have a field.
pub fn is_in_requests(field: &str) -> bool {
    IN_REQUESTS.contains(&field)
}

/// What a field is called among the arguments of tools, if any has it.
pub fn argument(field: &str) -> &str {
    let renamed = ARGUMENTS.iter().find(|(name, _)| *name == field);
    renamed.map_or(field, |(_, argument)| argument)
}
