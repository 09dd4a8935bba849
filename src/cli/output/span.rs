//! Text that may be shown, with how it stands out.

use super::screen::Tone;
use crate::printable::{printable, printable_lines};

/// Printable text in one tone.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Span {
    /// Text of others, whose lines stay.
    pub(super) fn of_lines(text: &str, tone: Tone) -> Span {
        Span {
            text: printable_lines(text),
            tone,
        }
    }

    /// Text of others on one line.
    pub(super) fn of_line(text: &str, tone: Tone) -> Span {
        Span {
            text: printable(text),
            tone,
        }
    }
}
