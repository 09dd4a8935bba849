//! What a path means. A path that two readers could read differently is refused.

use axum::http::{Uri, Version};
use percent_encoding::percent_decode_str;

use crate::error::{Code, Error, Result, shell};
use crate::models::AgentId;

/// What a request under `/v1` is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An agent's schedules.
    Schedules(AgentId),
    /// One of them.
    Schedule(AgentId, String),
    /// The delivery history of one of them.
    History(AgentId, String),
    /// Anything else, which is passed on to Letta.
    Elsewhere,
}

/// How many layers of encoding a path may have before it is refused as a trick.
const MOST_LAYERS: usize = 4;

/// Reads what a request is for.
///
/// # Errors
/// [`Code::RequestInvalid`] for a path that could be read in two ways, [`Code::AgentInvalid`].
pub(super) fn read(version: Version, uri: &Uri) -> Result<Place> {
    // HTTP/2 requests always name their host like this, and it was checked.
    if version < Version::HTTP_2 && (uri.scheme().is_some() || uri.authority().is_some()) {
        return Err(refused("the request has a full URL instead of a path"));
    }
    let path = uri.path();
    let mut segments = Vec::new();
    let raw: Vec<&str> = path.split('/').skip(1).collect();
    for (n, segment) in raw.iter().enumerate() {
        let last = n + 1 == raw.len();
        if segment.is_empty() && !last {
            return Err(refused("the path contains //"));
        }
        segments.push(decoded(segment)?);
    }
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Ok(match segments.as_slice() {
        ["v1", "agents", agent, "schedule"] => Place::Schedules(AgentId::parse(agent)?),
        ["v1", "agents", agent, "schedule", id] => {
            Place::Schedule(AgentId::parse(agent)?, (*id).to_owned())
        }
        ["v1", "agents", agent, "schedule", id, "history"] => {
            Place::History(AgentId::parse(agent)?, (*id).to_owned())
        }
        ["v1", "agents", _, "schedule", ..] => {
            return Err(refused("no route has this path under schedule"));
        }
        _ => Place::Elsewhere,
    })
}

/// A segment after all layers of encoding are removed.
fn decoded(segment: &str) -> Result<String> {
    let lower = segment.to_ascii_lowercase();
    if lower.contains("%2e") {
        return Err(refused("the path contains an encoded dot"));
    }
    let mut text = segment.to_owned();
    for _ in 0..MOST_LAYERS {
        if text.contains(['/', '\\']) {
            return Err(refused("the path contains an encoded slash or a backslash"));
        }
        if text.chars().any(char::is_control) {
            return Err(refused("the path contains a control character"));
        }
        // Some servers cut off everything after a semicolon.
        let name = text.split(';').next().unwrap_or_default();
        if matches!(name, "." | "..") {
            return Err(refused("the path contains . or .. as a name"));
        }
        if !is_well_encoded(&text) {
            // One layer down, a percent sign that encodes nothing.
            return match text == segment {
                true => Err(refused("the path contains a % that encodes nothing")),
                false => once(segment),
            };
        }
        let next = once(&text)?;
        if next == text {
            return once(segment);
        }
        text = next;
    }
    Err(refused("the path is encoded too many times"))
}

fn once(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| refused("the path contains bytes that are not UTF-8"))
}

fn is_well_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(n, byte)| {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        *byte != b'%' || (digit(n + 1) && digit(n + 2))
    })
}

fn refused(what: &str) -> Error {
    Error::new(
        Code::RequestInvalid,
        format!("{what}: only plain paths of Letta's API are passed on"),
    )
    .example(shell("GET /v1/agents/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Result<Place> {
        read(Version::HTTP_11, &path.parse().unwrap())
    }

    #[test]
    fn schedules_are_answered_here_and_all_else_by_letta() {
        let agent = || AgentId::parse("agent-1").unwrap();
        for (path, place) in [
            ("/v1/agents/agent-1/schedule", Place::Schedules(agent())),
            (
                "/v1/agents/agent-1/schedule/?limit=1",
                Place::Schedules(agent()),
            ),
            ("/v1/agents/agent-1/%73chedule", Place::Schedules(agent())),
            (
                "/v1/agents/agent-1/schedule/x",
                Place::Schedule(agent(), "x".into()),
            ),
            (
                "/v1/agents/agent-1/schedule/x/history",
                Place::History(agent(), "x".into()),
            ),
            ("/v1", Place::Elsewhere),
            ("/v1/", Place::Elsewhere),
            ("/v1/agents/", Place::Elsewhere),
            ("/v1/agents/agent-1/messages/stream", Place::Elsewhere),
            (
                "/v1/agents/agent-1/core-memory/blocks/a%20label%3B%25",
                Place::Elsewhere,
            ),
            ("/v1/tools/..x/...", Place::Elsewhere),
        ] {
            assert_eq!(at(path).unwrap(), place, "{path}");
        }
    }

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_refused() {
        for path in [
            "/v1/../admin",
            "/v1/agents/..",
            "/v1/agents/./x",
            "/v1//agents/",
            "/v1/agents//x",
            "/v1/agents/%2e%2e/x",
            "/v1/agents/%2E./x",
            "/v1/agents/a%2Fb",
            "/v1/agents/a%2fb",
            "/v1/agents/a%5cb",
            "/v1/agents/a%252fb",
            "/v1/agents/%252e%252e/x",
            "/v1/agents/a%25252fb",
            "/v1/agents/..;x/y",
            "/v1/agents/%2e%2e%3bx/y",
            "/v1/agents/a%00",
            "/v1/agents/a%0d%0ax",
            "/v1/agents/a%zz",
            "/v1/agents/a%ff",
            "/v1/agents/agent-1/schedule/x/more",
            "http://letta.example/v1/agents/",
            "http://localhost/v1/agents/",
        ] {
            let error = at(path).unwrap_err();
            assert_eq!(error.code(), Code::RequestInvalid, "{path}");
        }
        assert!(
            read(
                Version::HTTP_2,
                &"http://localhost/v1/agents/".parse().unwrap()
            )
            .is_ok()
        );
        let odd = at("/v1/agents/a%20b/schedule").unwrap_err();
        assert_eq!(odd.code(), Code::AgentInvalid);
    }
}
