//! Whether the wall clock can be right, judging by what is known from earlier: a machine without a
//! clock battery starts at any time at all.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::Moment;
use crate::error::{Code, Error, Example};

/// How far apart two clocks may be and still count as showing the same time.
pub const SAME: SignedDuration = SignedDuration::from_mins(5);

/// How long a clock must be steady to be trusted although it looks wrong.
pub const STEADY: SignedDuration = SignedDuration::from_mins(1);

/// How long a machine may plausibly have been off.
const LONGEST_OFF: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The beginning of 2025, before this program was written. Machines without a clock battery start
/// in 1970, 2000 or the year of their system.
const EARLIEST: Timestamp = Timestamp::constant(1_735_689_600, 0);

/// Whether a clock that shows this time can be right at all.
pub fn is_possible(now: Timestamp) -> bool {
    now >= EARLIEST
}

/// Both clocks at one moment, with the boot that the uptime belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The clocks.
    pub moment: Moment,
    /// The id of the boot, if the system has one.
    pub boot: Option<String>,
}

impl Reading {
    /// Whether the wall clock has moved with the boot clock since `earlier`, so that it is as right
    /// as it was then.
    pub fn continues(&self, earlier: &Reading) -> bool {
        let passed = self.moment.uptime.saturating_sub(earlier.moment.uptime);
        let shown = self.moment.now.duration_since(earlier.moment.now);
        self.boot == earlier.boot
            && passed >= SignedDuration::ZERO
            && shown.saturating_sub(passed).abs() <= SAME
    }

    /// Whether the clock was in doubt then and has been steady long enough since.
    fn settles(&self, doubted: &Reading) -> bool {
        self.moment.uptime.saturating_sub(doubted.moment.uptime) >= STEADY
            && self.continues(doubted)
    }
}

/// What a database knows about the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTimes {
    /// The newest reading at which the clock was trusted.
    pub trusted: Option<Reading>,
    /// A reading at which it was in doubt, if it has not been trusted since.
    pub doubted: Option<Reading>,
    /// The newest time recorded as past, by whatever clock.
    pub newest: Option<Timestamp>,
}

impl KnownTimes {
    /// The newest time that has certainly passed.
    pub fn passed(&self) -> Option<Timestamp> {
        let trusted = self.trusted.as_ref().map(|reading| reading.moment.now);
        trusted.or(self.newest)
    }

    fn latest(&self) -> Option<Timestamp> {
        self.newest.max(self.passed())
    }
}

/// What other clocks say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReferenceClocks {
    /// Whether the kernel considers its clock synchronised, if it was asked.
    pub synchronised: Option<bool>,
    /// The time by the target's clock, if the target was asked.
    pub target: Option<TargetTime>,
}

/// The time by the clock of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetTime {
    /// The time it shows.
    pub at: Timestamp,
    /// Whether it may be the same clock, because the target runs on this machine.
    pub is_ours: bool,
}

/// Why a clock may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is very far ahead of the newest known time.
    FarAhead {
        /// The newest known time.
        known: Timestamp,
    },
    /// It is ahead, and the kernel doesn't consider it synchronised.
    Unsynchronised {
        /// The newest known time.
        known: Timestamp,
    },
    /// It is ahead, and the target's clock shows another time.
    TargetDiffers {
        /// The time by the target's clock.
        target: Timestamp,
        /// The newest known time.
        known: Timestamp,
    },
    /// It is behind a time recorded as past.
    Behind {
        /// The newest recorded time.
        newest: Timestamp,
    },
}

/// A clock that may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDoubt {
    /// The time it shows.
    pub shows: Timestamp,
    /// Why that may be wrong.
    pub why: Why,
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shows = self.shows;
        write!(f, "this machine's clock shows {shows} and may be wrong: ")?;
        match self.why {
            Why::FarAhead { known } => write!(
                f,
                "the newest time in the database is {known}, over 30 days earlier"
            ),
            Why::Unsynchronised { known } => write!(
                f,
                "the newest time in the database is {known}, and the system says that its clock is \
                 not synchronised"
            ),
            Why::TargetDiffers { target, known } => write!(
                f,
                "Letta's clock shows {target}, and the newest time in the database is {known}"
            ),
            Why::Behind { newest } => {
                write!(f, "the database has something recorded at {newest}")
            }
        }
    }
}

impl ClockDoubt {
    /// Refuses to do something that depends on the clock. `so` says what follows, and `again` is
    /// what to do once the clock has been steady for a minute.
    pub fn refuse(&self, so: &str, again: impl Into<Example>) -> Error {
        Error::new(
            Code::ClockInDoubt,
            format!(
                "{self}; so {so}. If the clock is right, try again in a minute: it is trusted once \
                 it has been steady that long. If it is wrong, correct it first"
            ),
        )
        .example(again)
    }
}

/// Whether asking for the target's time can make a difference at startup.
pub fn needs_reference_clock(now: &Reading, known: &KnownTimes) -> bool {
    let far = |time: Timestamp| now.moment.now.duration_since(time).abs() > SAME;
    let is_settled = |earlier: &Option<Reading>, fits: fn(&Reading, &Reading) -> bool| {
        earlier.as_ref().is_some_and(|earlier| fits(now, earlier))
    };
    let is_steady = is_settled(&known.trusted, Reading::continues)
        || is_settled(&known.doubted, Reading::settles);
    !is_steady && (known.passed().is_some_and(far) || known.latest().is_some_and(far))
}

/// Whether the clock may be wrong at startup. Whatever else is known, it is trusted if it has moved
/// with the boot clock since it was last trusted, or for a minute since it was last in doubt.
pub fn assess_clock(
    now: &Reading,
    known: &KnownTimes,
    references: &ReferenceClocks,
) -> Option<ClockDoubt> {
    if !needs_reference_clock(now, known) {
        return None;
    }
    let shows = now.moment.now;
    let doubt = |why| Some(ClockDoubt { shows, why });
    let target = references.target;
    let agrees = target.is_some_and(|t| t.at.duration_since(shows).abs() <= SAME);
    let unsynchronised = references.synchronised == Some(false);
    if let Some(newest) = known.latest()
        && newest.duration_since(shows) > SAME
    {
        let vouched = references.synchronised == Some(true) || agrees;
        let is_right = vouched && is_possible(shows);
        return if is_right {
            None
        } else {
            doubt(Why::Behind { newest })
        };
    }
    let known = known.passed()?;
    let ahead = shows.duration_since(known);
    if ahead > LONGEST_OFF {
        // A target on this machine shows the same wrong time. It proves nothing if the kernel, too,
        // says that nobody has set the clock.
        let is_proof = agrees && !(unsynchronised && target.is_some_and(|t| t.is_ours));
        return if is_proof {
            None
        } else {
            doubt(Why::FarAhead { known })
        };
    }
    match target {
        Some(_) if agrees => None,
        Some(target) if ahead > SAME => doubt(Why::TargetDiffers {
            target: target.at,
            known,
        }),
        _ if ahead > SAME && unsynchronised => doubt(Why::Unsynchronised { known }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
