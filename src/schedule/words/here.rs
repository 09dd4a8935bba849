//! Where a wall clock hangs, and the text of what it shows.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::refusal::Doubt;
use super::{Why, phrase};
use crate::schedule::{Zone, cut};

/// Where a wall clock hangs.
#[derive(Clone, Debug)]
pub(super) enum Here {
    /// In a zone.
    Zone(Zone),
    /// At an offset.
    Offset(Offset),
}

impl Here {
    /// What the clock shows.
    pub(super) fn wall(&self, at: Timestamp) -> DateTime {
        match self {
            Here::Zone(zone) => zone.wall(at),
            Here::Offset(offset) => offset.to_datetime(at),
        }
    }

    /// When the clock shows `wall`, by the one rule for skipped and repeated times.
    pub(super) fn instant_of(&self, wall: DateTime) -> Result<Timestamp, Doubt> {
        let at = match self {
            Here::Zone(zone) => zone.instant_of(wall),
            Here::Offset(offset) => offset.to_timestamp(wall).ok(),
        };
        at.map(cut).ok_or_else(|| Why::TooFar.into())
    }
}

/// The text of an instant where the clock hangs: exact, and understood again.
pub(super) fn shown(at: Timestamp, here: &Here) -> String {
    let wall = here.wall(at);
    match here {
        Here::Zone(zone) if zone.instant_of(wall) == Some(at) => {
            format!("{} {}", phrase::wall(wall), phrase::zone(zone))
        }
        Here::Zone(zone) => match zone.tz().to_offset(at) {
            offset if offset.seconds() % 60 == 0 => shown(at, &Here::Offset(offset)),
            _ => shown(at, &Here::Zone(Zone::utc())),
        },
        Here::Offset(offset) => {
            let (sign, seconds) = match offset.seconds() {
                seconds if seconds < 0 => ('-', -seconds),
                seconds => ('+', seconds),
            };
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            format!("{} {sign}{hours:02}:{minutes:02}", phrase::wall(wall))
        }
    }
}
