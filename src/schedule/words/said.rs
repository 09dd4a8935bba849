//! What a text says, taken apart but not yet understood.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::Offset;

use crate::schedule::Zone;

/// The parts of a phrase, each said once at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Again and again, and how.
    pub repeat: Option<Repeat>,
    /// Which day or days.
    pub day: Option<Day>,
    /// In which months of each year.
    pub months: Vec<i8>,
    /// The months were named after the time of day.
    pub has_months_last: bool,
    /// A day of the week beside a date, which must agree with it.
    pub weekday: Option<Weekday>,
    /// Times of day.
    pub clocks: Vec<Clock>,
    /// A part of the day.
    pub part: Option<Part>,
    /// Where it is meant.
    pub place: Option<Place>,
    /// So long from now.
    pub after: Option<Length>,
    /// A length of time with nothing that says whether it is waited once or again and again.
    pub lone: Option<Length>,
    /// When an interval begins.
    pub from: Option<Box<Said>>,
    /// At a distance within each of the days that are named besides.
    pub within: Option<Length>,
    /// From one time of day to another.
    pub window: Option<Window>,
    /// So many minutes past each hour.
    pub minutes: Vec<i8>,
    /// Once, and not again.
    pub is_single: bool,
    /// Seconds or milliseconds since 1970.
    pub epoch: Option<Timestamp>,
    /// The date at which "today" is, where two zones have two.
    pub today: Option<Date>,
}

/// An hour.
pub(super) const HOUR: Length = Length {
    months: 0,
    days: 0,
    seconds: 3_600,
};

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// At a distance: every 90 minutes, every 2 days.
    Step(Length),
    /// "Every second Monday": of each two, or of each month?
    Nth(i8),
    /// On the hour.
    Hourly,
    /// On each day.
    Daily,
    /// In each week, on days that are named besides.
    Weekly,
    /// In each month, on days that are named besides.
    Monthly,
    /// In each year, on dates that are named besides.
    Yearly,
    /// On each of the days that are named besides.
    Each,
}

/// How often in each day, week or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// As many times of day as are named.
    ADay(usize),
    /// On as many days of the week as are named.
    AWeek(usize),
    /// On as many days of the month as are named.
    AMonth(usize),
    /// Every night, at a time that is named.
    Nightly,
}

/// A day, or several.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Day {
    /// So many days after today.
    Relative(i64),
    /// Days of the week.
    Week {
        /// Which.
        days: Vec<Weekday>,
        /// In which week.
        which: Which,
    },
    /// Days of a month.
    Month {
        /// Which.
        days: Vec<MonthDay>,
        /// Of which month.
        of: Of,
    },
    /// The first or the last of a day of the week.
    Nths {
        /// Which of them.
        nths: Vec<Nth>,
        /// Which day of the week.
        weekday: Weekday,
        /// Of which month.
        of: Of,
    },
    /// Two figures of which either may be the month.
    Slashed {
        /// The first.
        first: i8,
        /// The second.
        second: i8,
        /// The year, if it was written.
        year: Option<i16>,
    },
    /// A date in figures that begin with the year, or one that was worked out.
    On(Date),
    /// So many days or months after another.
    After(Length, Box<Day>),
}

/// Which of all days with one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The first to come.
    Coming,
    /// "This Friday".
    This,
    /// "Next Friday".
    Next,
    /// "Friday after next".
    AfterNext,
    /// That of this week.
    ThisWeek,
    /// That of the next week.
    NextWeek,
    /// That of the week after it.
    WeekAfterNext,
    /// All of them: "Mondays", "Mon-Fri".
    All,
}

/// A day of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MonthDay {
    /// By its number.
    Number(i8),
    /// The first from Monday to Friday.
    FirstWorkday,
    /// The last from Monday to Friday.
    LastWorkday,
    /// The last.
    Last,
}

/// Which of the days of a month that have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nth {
    /// The first is 1, the fifth 5.
    Number(i8),
    /// The last.
    Last,
}

/// Of which month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Nothing says so.
    Unsaid,
    /// "Of the month".
    TheMonth,
    /// This one.
    This,
    /// The next one.
    Next,
    /// Each.
    Every,
    /// By their names, perhaps of one year.
    Months(Vec<i8>, Option<i16>),
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    /// What the clock shows.
    pub time: Time,
    /// How that is meant.
    pub form: Form,
}

/// The part of a day in which something happens at a distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// Where it begins.
    pub from: Clock,
    /// Where it ends.
    pub to: Clock,
    /// Whether its end belongs to it for sure.
    pub is_through: bool,
    /// Whether that was said by a word of its own, so that something must happen then.
    pub is_inclusive: bool,
}

/// How surely a time of day is one of the 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// There is no doubt.
    Sure,
    /// An hour from 1 to 12 that may be before or after noon. With minutes in figures, it is on the
    /// clock of 24 hours where that clock is in use.
    Twelve {
        /// Whether it was written as `9:30`.
        has_colon: bool,
        /// It stands beside a time of day that has `am` or `pm`.
        is_beside: bool,
    },
    /// One end of the day or the other.
    Midnight,
    /// `12am`: the beginning of a date in figures, and midnight beside any other day.
    TwelveAm,
    /// `24:00`.
    DayEnd,
}

/// A part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Until noon.
    Morning,
    /// From noon.
    Afternoon,
    /// Before the night.
    Evening,
    /// Before midnight and after it.
    Night,
}

/// Where a time is meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// At an offset from UTC.
    At(Offset),
    /// In a zone.
    In(Zone),
    /// By an abbreviation, which is an offset for a part of the year in a zone.
    Short(Offset, Zone),
    /// By an abbreviation that several zones have.
    Several(Vec<Zone>),
}

/// A length of time: months of the calendar, then days of it, then elapsed seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
    /// Months and years.
    pub months: i64,
    /// Days and weeks.
    pub days: i64,
    /// Hours, minutes and seconds.
    pub seconds: i64,
}

impl Clock {
    /// A time of day that leaves no doubt.
    pub(super) fn sure(time: Time) -> Clock {
        let form = Form::Sure;
        Clock { time, form }
    }

    /// A whole hour that leaves no doubt.
    pub(super) fn hour(hour: i8) -> Clock {
        Clock::sure(Time::new(hour, 0, 0, 0).unwrap_or_default())
    }
}

impl Part {
    /// The hour that is meant where none is said.
    pub(super) fn usual_hour(self) -> i8 {
        match self {
            Part::Morning => 9,
            Part::Afternoon => 15,
            Part::Evening => 18,
            Part::Night => 20,
        }
    }
}

/// The days of a cron pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Days {
    /// Each, or each of some months.
    All(Vec<i8>),
    /// Days of the week, in order, of each month or of some months.
    Week(Vec<Weekday>, Vec<i8>),
    /// Days of each month, or of some months.
    Month(Vec<MonthDay>, Vec<i8>),
    /// Some of the days of each month, or of some months, that have one name.
    Nths(Vec<Nth>, Weekday, Vec<i8>),
}

impl Said {
    /// The same phrase with a distance of days, from now on.
    pub(super) fn every_days(&self, days: i64) -> Said {
        let length = Length {
            days,
            ..Length::default()
        };
        Said {
            repeat: Some(Repeat::Step(length)),
            ..self.clone()
        }
    }
}
