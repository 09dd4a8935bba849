//! Logs: to stderr, because stdout carries the answer. Each event is one printable line, whatever
//! text from others it contains.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::Environment;
use crate::error::{Code, Error, Result, shell};
use crate::limits;
use crate::printable::printable;

/// The MCP library logs everything that clients say; unless its logs are asked for by name, only
/// its warnings are useful.
const TALKATIVE: &str = "rmcp";

/// Starts logging at the level of `PROMPTYOSELF_LOG`, or at `usual`.
///
/// # Errors
/// [`Code::ConfigInvalid`] if the level can't be read.
pub(crate) fn start(env: &Environment, usual: &str) -> Result<()> {
    let levels = env.get("PROMPTYOSELF_LOG").unwrap_or(usual);
    let filter = filter(levels)?;
    // A second start, as in tests, keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .event_format(OneLine(Format::default().with_ansi(false)))
        .try_init();
    Ok(())
}

fn filter(levels: &str) -> Result<EnvFilter> {
    let wrong = |e| {
        Error::new(
            Code::ConfigInvalid,
            format!("PROMPTYOSELF_LOG: {levels:?} is not a log level"),
        )
        .caused_by(e)
        .example(shell("PROMPTYOSELF_LOG=info"))
    };
    let filter = EnvFilter::try_new(levels).map_err(wrong)?;
    let says_more = filter.max_level_hint() > Some(LevelFilter::WARN);
    match says_more && !levels.contains(TALKATIVE) {
        true => EnvFilter::try_new(format!("{levels},{TALKATIVE}=warn")).map_err(wrong),
        false => Ok(filter),
    }
}

/// Writes an event as one line without colors: escape sequences must not reach a terminal.
struct OneLine(Format);

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{}", one_line(&line))
    }
}

/// An event as one printable line, cut if it is too long.
fn one_line(event: &str) -> String {
    let event = event.trim_end_matches('\n');
    match event.char_indices().nth(limits::LOG_LINE) {
        Some((end, _)) => printable(&event[..end]) + "…",
        None => printable(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_bounded_length() {
        assert_eq!(
            one_line("INFO a\nERROR forged\u{1b}[1m\n"),
            "INFO a\\nERROR forged\\u{1b}[1m"
        );
        let long = one_line(&"x".repeat(limits::LOG_LINE * 2));
        assert_eq!(long.chars().count(), limits::LOG_LINE + 1);
    }

    #[test]
    fn the_library_that_speaks_mcp_says_little_unless_it_is_asked_for() {
        let shown = |levels| filter(levels).unwrap().to_string();
        assert!(shown("info").contains("rmcp=warn"));
        assert!(shown("promptyoself=debug").contains("rmcp=warn"));
        for levels in ["error", "off", "info,rmcp=debug"] {
            assert!(!shown(levels).contains("rmcp=warn"), "{levels}");
        }
    }
}
