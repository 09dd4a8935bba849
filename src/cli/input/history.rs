//! Reading which deliveries are to be shown.

use jiff::Timestamp;

use super::{agent_filter, id_filter, page};
use crate::cli::args::HistoryArgs;
use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::models::{ChangeQuery, State};
use crate::schedule::meant_word;
use crate::service::HistoryQuery;
use crate::service::asked::{given, point};

/// Which deliveries are asked for; a time without an offset is meant in `zone`.
///
/// # Errors
/// Those of each part.
pub fn history(args: &HistoryArgs, zone: &str, now: Timestamp) -> Result<HistoryQuery> {
    let page = page(args.limit.as_deref(), args.offset.as_deref())?;
    Ok(HistoryQuery {
        id: id_filter(args.id.as_deref())?,
        agent_id: agent_filter(args.agent_id.as_deref())?,
        state: given(args.state.as_deref()).map(state).transpose()?,
        since: given(args.since.as_deref())
            .map(|text| point(text, "since", zone, now))
            .transpose()?,
        limit: page.limit,
        offset: page.offset,
    })
}

/// Which changes are asked for, with the flags of the same command.
///
/// # Errors
/// [`Code::Usage`] for a state, which no change has, and those of each part.
pub fn change_log(args: &HistoryArgs, zone: &str, now: Timestamp) -> Result<ChangeQuery> {
    let asked = history(args, zone, now)?;
    if asked.state.is_some() {
        return Err(Error::new(
            Code::Usage,
            message![
                field("state"),
                " is about deliveries, and ",
                field("changes"),
                " shows who changed what: leave one of them out"
            ],
        ));
    }
    Ok(ChangeQuery {
        schedule_id: asked.id,
        agent_id: asked.agent_id,
        since: asked.since,
        limit: asked.limit,
        offset: asked.offset,
    })
}

fn state(text: &str) -> Result<State> {
    State::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
        Error::new(
            Code::Usage,
            message![
                field("state"),
                " ",
                quoted(text),
                " is no state: give one of ",
                words.join(", ")
            ],
        )
        .example_if(meant(text).map(|word| fields([("state", word)])))
    })
}

/// The state that another word stands for.
fn meant(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 9] = [
        "waiting",
        "sending",
        "unknown",
        "delivered",
        "dead",
        "coalesced",
        "skipped",
        "missed",
        "cancelled",
    ];
    match text.to_ascii_lowercase().as_str() {
        "failed" | "error" => Some("dead"),
        "success" | "sent" | "done" | "ok" => Some("delivered"),
        "pending" | "queued" => Some("waiting"),
        "canceled" => Some("cancelled"),
        other => meant_word(other, &WORDS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_way_back_from_now() {
        let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
        let berlin = "Europe/Berlin";
        for (text, expected) in [
            ("24h", "2026-01-31T12:00:00Z"),
            ("7d", "2026-01-25T12:00:00Z"),
            ("2026-01-01 09:00", "2026-01-01T08:00:00Z"),
            ("2026-01-01T09:00:00Z", "2026-01-01T09:00:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(
                point(text, "since", berlin, now).unwrap(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            point("lately", "since", berlin, now).unwrap_err().code(),
            Code::TimeInvalid
        );
    }

    #[test]
    fn a_state_that_does_not_exist_is_refused_with_those_that_do() {
        assert_eq!(state("dead").unwrap(), State::Dead);
        let error = state("failed").unwrap_err();
        assert!(error.to_string().contains("\"failed\""), "{error}");
        assert!(error.to_string().contains("coalesced"), "{error}");
    }
}
