//! Why a text was not understood.

use std::fmt;

use jiff::Timestamp;

use super::said::Said;

/// A text that was not understood, and what it may have meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct NotUnderstood {
    /// What is wrong with it.
    pub why: Why,
    /// What it may have meant: phrases that are understood as they stand. None where that can't be
    /// known.
    pub readings: Vec<String>,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than any phrase.
    #[error("it is longer than 200 characters")]
    TooLong,
    /// A word has no place in it.
    #[error("{0:?} is not understood")]
    Unknown(String),
    /// Something should follow.
    #[error("it ends with {0:?}, and something is missing after that")]
    Unfinished(String),
    /// Two of what there can be one of.
    #[error("it has two of what can be said once: {0}")]
    Twice(&'static str),
    /// Two parts that can't stand together.
    #[error("{0} can't stand beside {1}")]
    Unfit(&'static str, &'static str),
    /// It names no certain time.
    #[error("it names no certain time")]
    Vague,
    /// It may mean several things.
    #[error("it leaves open {0}")]
    Ambiguous(&'static str),
    /// It names a day without a time of day.
    #[error("it does not say at what time of day")]
    NoTime,
    /// It names a time of day, or nothing, but no day.
    #[error("it does not say on which day")]
    NoDay,
    /// The time has passed.
    #[error("{0} has passed")]
    Past(Timestamp),
    /// It speaks of the past.
    #[error("it speaks of the past")]
    Ago,
    /// No calendar has the date.
    #[error("no calendar has the date {0}")]
    NoSuchDate(String),
    /// No month has such a day.
    #[error("there is no such day: {0}")]
    NoSuchDay(&'static str),
    /// The date is another day of the week.
    #[error("{date} is a {is}, not a {said}")]
    WrongWeekday {
        /// The date.
        date: String,
        /// Its day of the week.
        is: &'static str,
        /// The day of the week that was said.
        said: &'static str,
    },
    /// No clock shows the time of day.
    #[error("no clock shows {0}")]
    NoSuchTime(String),
    /// A year of two figures.
    #[error("the year has two figures: write all four of it")]
    ShortYear,
    /// A repetition in one year.
    #[error("what repeats is not of one year, but it can have a start and an end")]
    OneYear,
    /// Part of a second, a day or a month.
    #[error("only hours and minutes can be divided, and not finer than a second")]
    Uneven,
    /// A repetition in months.
    #[error("months differ in length: say on which day of which months")]
    Months,
    /// Days and hours in one interval.
    #[error(
        "days follow the calendar and hours are elapsed time, so an interval has one or the other"
    )]
    Mixed,
    /// Several times or days where an interval has one.
    #[error("an interval has one {0}: make a schedule for each")]
    OneEach(&'static str),
    /// A time of day with seconds where only minutes count.
    #[error("a time of day that repeats has no seconds")]
    Seconds,
    /// More patterns than a schedule has.
    #[error("it has more times of day than one schedule can have")]
    TooMany,
    /// Beyond the calendar, or an interval that is too short or too long.
    #[error(
        "it is out of range: points in time end with the year 9999, and an interval is from one second to ten years"
    )]
    TooFar,
    /// It is a length of time, and a point in time is asked for.
    #[error("it is a length of time, and a point in time is asked for")]
    IsLength,
    /// It repeats, and a single point in time is asked for.
    #[error("it repeats, and a single time is asked for: {0}")]
    Repeats(String),
    /// It is a single point in time, and a repetition is asked for.
    #[error("it is a single time, and a repetition is asked for: {0}")]
    IsOnce(String),
}

/// A doubt that an answer could end: what was said may mean each of several things.
#[derive(Debug)]
pub(super) struct Doubt {
    pub why: Why,
    pub readings: Vec<Said>,
}

impl Doubt {
    pub(super) fn new(why: Why, readings: Vec<Said>) -> Doubt {
        Doubt { why, readings }
    }
}

impl From<Why> for Doubt {
    fn from(why: Why) -> Self {
        Doubt::new(why, Vec::new())
    }
}
