//! A delivery on one line, as it is settled.

use serde_json::Value;

use super::screen::{Screen, Tone};
use super::table::{one_line, plain};
use super::tables::{end, to_the_second};
use super::width::{cut, padded};
use crate::printable::printable;

/// The width from which the agent is shown too.
const WIDE: usize = 100;

/// When, what became of it, of which schedule, and what there is to say. The row has the keys of an
/// occurrence in JSON.
pub(super) fn settled_line(row: &Value, screen: Screen) -> String {
    let part = |key: &str| printable(&one_line(&plain(&row[key])));
    let state = part("state");
    let mut fixed = vec![
        (to_the_second(&part("finished_at")), Tone::Plain),
        (padded(&state, 9), Tone::of_word(&state)),
        (
            padded(&format!("schedule {}", part("schedule_id")), 12),
            Tone::Plain,
        ),
    ];
    if screen.width.is_none_or(|width| width >= WIDE) {
        let agent = end(&plain(&row["agent_id"]), 8);
        fixed.push((padded(&printable(&agent), 9), Tone::Quiet));
    }
    let count = match row["count"].as_i64() {
        Some(count) if count > 1 => format!("{count} runs"),
        _ => String::new(),
    };
    let said = [count, part("error"), part("reason"), part("reply")];
    let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
    let taken: usize = fixed.iter().map(|(text, _)| text.len() + 2).sum();
    let said = match screen.width {
        Some(width) => cut(&said.join("; "), width.saturating_sub(taken)),
        None => said.join("; "),
    };
    let shown = fixed.iter().map(|(text, tone)| screen.tinted(text, *tone));
    let line = shown.collect::<Vec<_>>().join("  ") + "  " + &said;
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_settled_delivery_is_one_line_that_fits() {
        let row = json!({
            "finished_at": "2026-02-01T12:00:12.345Z", "state": "delivered", "schedule_id": 7,
            "agent_id": "agent-00000000-0000-4000-8000-00004182b013", "count": 1,
            "reply": "Good\u{1b}[31m morning,\nand a good day to you all", "error": null,
        });
        let line = |width| {
            let has_colours = false;
            settled_line(
                &row,
                Screen {
                    width,
                    has_colours,
                    ..Screen::default()
                },
            )
        };
        assert_eq!(
            line(None),
            "2026-02-01T12:00:12Z  delivered  schedule 7    …4182b013  \
             Good\\u{1b}[31m morning, and a good day to you all"
        );
        assert_eq!(
            line(Some(60)),
            "2026-02-01T12:00:12Z  delivered  schedule 7    Good\\u{1b}…"
        );
        let row = json!({
            "finished_at": "2026-02-01T12:00:12.345Z", "state": "coalesced", "schedule_id": 7,
            "count": 3, "reason": "late",
        });
        let line = settled_line(&row, Screen::default());
        assert!(line.ends_with("3 runs; late"), "{line}");
    }
}
