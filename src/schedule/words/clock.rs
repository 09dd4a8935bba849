//! Which of the 24 hours a time of day is.

use jiff::civil::Time;

use super::Why;
use super::refusal::Doubt;
use super::said::{Clock, Day, Form, Part, Place, Said};

/// A time of day that may be meant, and how many days after the one that was named.
pub(super) type Choice = (Time, i64);

/// The times of day that `clock` may mean. Where there is one, there is no doubt.
///
/// - An hour with `am` or `pm`, from 13 on, with a zero before it or with seconds leaves none, and
///   neither does one in UTC, at an offset, or with minutes beside a date in figures.
/// - A part of the day tells which half it is in.
/// - Otherwise an hour from 8 to 11 is in the morning where a day or a repetition is named, and any
///   other may be in either half.
pub(super) fn choices(said: &Said, clock: Clock) -> Result<Vec<Choice>, Doubt> {
    let (time, part) = (clock.time, said.part);
    match clock.form {
        Form::Sure => in_part(time, part),
        Form::TwelveAm if matches!(said.day, Some(Day::On(_))) => in_part(time, part),
        Form::DayEnd if part.is_none() => Ok(vec![(Time::midnight(), 1)]),
        Form::Midnight | Form::TwelveAm if matches!(part, None | Some(Part::Night)) => {
            Ok(vec![(Time::midnight(), 0), (Time::midnight(), 1)])
        }
        Form::DayEnd | Form::Midnight | Form::TwelveAm => {
            Err(Why::Unfit("midnight", "that part of the day").into())
        }
        Form::Twelve {
            has_colon,
            is_beside,
        } => {
            let (before_noon, after_noon) = halves(time);
            let by_part = |part: Part| match (part, time.hour()) {
                (Part::Morning, 1..=11) => Some(vec![(before_noon, 0)]),
                (Part::Afternoon, 12 | 1..=6) => Some(vec![(after_noon, 0)]),
                (Part::Evening, 4..=11) | (Part::Night, 6..=11) => Some(vec![(after_noon, 0)]),
                (Part::Night, 12 | 1..=5) => Some(vec![(before_noon, 0), (before_noon, 1)]),
                _ => None,
            };
            if let Some(part) = part {
                let why = Why::Unfit("that hour", "that part of the day");
                return by_part(part).ok_or_else(|| why.into());
            }
            if is_of_24_hours(said, has_colon) {
                return Ok(vec![(time, 0)]);
            }
            Ok(match is_morning(said, clock) && !is_beside {
                true => vec![(before_noon, 0)],
                false => vec![(before_noon, 0), (after_noon, 0)],
            })
        }
    }
}

/// Whether an hour without am or pm is one of the 24 all the same.
fn is_of_24_hours(said: &Said, has_colon: bool) -> bool {
    (has_colon && matches!(said.day, Some(Day::On(_)))) || is_technical(said.place.as_ref())
}

/// Whether an hour that may be in either half of the day is taken for one of the morning.
pub(super) fn is_morning(said: &Said, clock: Clock) -> bool {
    let has_day = said.day.is_some() || said.repeat.is_some() || said.after.is_some();
    let Form::Twelve { has_colon, .. } = clock.form else {
        return false;
    };
    let is_open = said.part.is_none() && !is_of_24_hours(said, has_colon);
    is_open && has_day && (8..=11).contains(&clock.time.hour())
}

/// An hour from 1 to 12 before noon and after it.
pub(super) fn halves(time: Time) -> (Time, Time) {
    let at = |hour| Time::new(hour, time.minute(), time.second(), 0).unwrap_or(time);
    let hour = time.hour() % 12;
    (at(hour), at(hour + 12))
}

/// A time of day that must lie in a part of the day. The hours after midnight belong to the night
/// before, or to that of the day's own beginning.
fn in_part(time: Time, part: Option<Part>) -> Result<Vec<Choice>, Doubt> {
    let fits = match (part, time.hour()) {
        (None, _) => true,
        (Some(Part::Night), 0..=5) => return Ok(vec![(time, 0), (time, 1)]),
        (Some(Part::Morning), 0..=11)
        | (Some(Part::Afternoon), 12..=17)
        | (Some(Part::Evening), 16..=23)
        | (Some(Part::Night), 18..=23) => true,
        _ => false,
    };
    match fits {
        true => Ok(vec![(time, 0)]),
        false => Err(Why::Unfit("that time", "that part of the day").into()),
    }
}

/// Whether a place is written as only those do who use the clock of 24 hours.
fn is_technical(place: Option<&Place>) -> bool {
    match place {
        Some(Place::At(_)) => true,
        Some(Place::In(zone)) => zone.name() == "UTC",
        _ => false,
    }
}

/// The times of day that may be meant where none was said, beside a day.
pub(super) fn suggestions(part: Option<Part>) -> Vec<Clock> {
    let hours: &[i8] = match part {
        None => &[9, 12, 18],
        Some(Part::Morning) => &[8, 9],
        Some(Part::Afternoon) => &[14, 15],
        Some(Part::Evening) => &[18, 19],
        Some(Part::Night) => &[20, 22],
    };
    hours.iter().map(|hour| Clock::hour(*hour)).collect()
}
