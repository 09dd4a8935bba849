//! Cron patterns of days and times of day.

use jiff::civil::{Date, Time, Weekday};

use super::super::refusal::Doubt;
use super::super::said::{Day, Days, MonthDay, Nth, Of, Repeat, Said, Which};
use super::super::{Recurrence, Rule, Why, phrase};
use super::times::times;
use crate::limits;
use crate::schedule::Zone;

/// So many numbers in a row are still a list in a pattern.
const LONGEST_LIST: usize = 4;

/// The days of a phrase that repeats by the calendar.
pub(super) fn days(said: &Said) -> Result<Days, Doubt> {
    let months = |of: &Of| -> Option<Vec<i8>> {
        let is_monthly = matches!(said.repeat, Some(Repeat::Monthly | Repeat::Each));
        match (of, said.repeat) {
            (Of::Unsaid, _) if is_monthly => Some(Vec::new()),
            (Of::TheMonth, None | Some(Repeat::Monthly | Repeat::Each)) => Some(Vec::new()),
            (Of::Every, None | Some(Repeat::Monthly)) => Some(Vec::new()),
            (Of::Months(months, None), Some(Repeat::Yearly | Repeat::Each)) => {
                let mut months = months.clone();
                months.sort_unstable();
                Some(months)
            }
            _ => None,
        }
    };
    let unfit = || Doubt::from(Why::Unfit("that repetition", "that day"));
    let in_months = || said.months.clone();
    match (&said.day, said.repeat) {
        (None, Some(Repeat::Daily)) => Ok(Days::All(in_months())),
        // "Every noon".
        (None, Some(Repeat::Each)) if !said.clocks.is_empty() => {
            let daily = Said {
                repeat: Some(Repeat::Daily),
                ..said.clone()
            };
            Err(Doubt::new(Why::NoDay, vec![daily]))
        }
        (None, _) => Err(Why::NoDay.into()),
        (Some(Day::Week { days, which }), repeat) => {
            let fits = matches!(
                (repeat, which),
                (Some(Repeat::Weekly | Repeat::Each), Which::Coming)
                    | (None | Some(Repeat::Weekly | Repeat::Each), Which::All)
            ) || matches!(
                // "Every day, Monday to Friday."
                (repeat, which, days.as_slice()),
                (Some(Repeat::Daily), Which::All, [_, _, ..])
            );
            let mut days = days.clone();
            days.sort_by_key(|day| day.to_monday_zero_offset());
            days.dedup();
            match fits {
                true if days.len() == 7 => Ok(Days::All(in_months())),
                true => Ok(Days::Week(days, in_months())),
                false => Err(unfit()),
            }
        }
        (Some(Day::Month { .. } | Day::Nths { .. }), _) if !said.months.is_empty() => {
            Err(Why::Twice("month").into())
        }
        (Some(Day::Month { days, of }), _) => {
            if let (Of::Months(_, Some(_)), Some(_)) = (of, said.repeat) {
                return Err(Why::OneYear.into());
            }
            let months = months(of).ok_or_else(unfit)?;
            let mut days = days.clone();
            days.sort_unstable();
            let exists = |day: &MonthDay| match day {
                MonthDay::Number(n) => {
                    let month = |m: i8| Date::new(2024, m, *n).is_ok();
                    months.is_empty() && *n <= 31 || months.iter().any(|m| month(*m))
                }
                _ => true,
            };
            let is_odd =
                |day: &MonthDay| matches!(day, MonthDay::FirstWorkday | MonthDay::LastWorkday);
            if days.len() > 1 && days.iter().any(is_odd) {
                return Err(Why::Unfit("the first or last weekday", "other days").into());
            }
            match days.iter().all(exists) {
                true => Ok(Days::Month(days, months)),
                false => Err(Why::NoSuchDay("no month that is named is so long").into()),
            }
        }
        (Some(Day::Nths { nths, weekday, of }), _) => {
            let months = months(of).ok_or_else(unfit)?;
            let mut nths = nths.clone();
            nths.sort_unstable();
            Ok(Days::Nths(nths, *weekday, months))
        }
        (Some(Day::Slashed { .. } | Day::On(_) | Day::Relative(_) | Day::After(..)), _) => {
            Err(unfit())
        }
    }
}

/// The patterns of a phrase that names days and times of day.
pub(super) fn pattern(said: &Said, place: Option<Zone>) -> Result<Recurrence, Doubt> {
    if let (None, Some(Repeat::Weekly | Repeat::Monthly | Repeat::Yearly)) =
        (&said.day, said.repeat)
    {
        return Err(without_day(said));
    }
    at_times(&days(said)?, &times(said)?, place)
}

/// The patterns of times of day on some days.
pub(super) fn at_times(
    days: &Days,
    times: &[Time],
    place: Option<Zone>,
) -> Result<Recurrence, Doubt> {
    let words = format!("{} {}", phrase::days(days), phrase::times(times));
    let words = phrase::in_zone(words, place.as_ref());
    let rule = Rule::Cron(patterns(days, times)?);
    Ok(Recurrence::new(rule, place, words))
}

/// The patterns that have some times of day on some days.
pub(super) fn patterns(days: &Days, times: &[Time]) -> Result<Vec<String>, Doubt> {
    if times
        .iter()
        .any(|t| t.second() != 0 || t.subsec_nanosecond() != 0)
    {
        return Err(Why::Seconds.into());
    }
    let patterns = hours_with_minutes(times).into_iter();
    let patterns = patterns.map(|(hours, minutes)| {
        let [minutes, hours] = [minutes, hours].map(|numbers| numbered(&numbers));
        pattern_of(&minutes, &hours, days)
    });
    let patterns: Vec<String> = patterns.collect();
    match patterns.len() <= limits::PATTERNS {
        true => Ok(patterns),
        false => Err(Why::TooMany.into()),
    }
}

/// The pattern with these fields of minutes and hours.
pub(super) fn pattern_of(minutes: &str, hours: &str, days: &Days) -> String {
    let (day, month, weekday) = fields(days);
    format!("{minutes} {hours} {day} {month} {weekday}")
}

/// Numbers as a field. Many in a row are a range.
pub(super) fn numbered(numbers: &[i8]) -> String {
    if let [first, .., last] = numbers
        && numbers.len() > LONGEST_LIST
        && i8::try_from(numbers.len()) == Ok(last - first + 1)
    {
        return format!("{first}-{last}");
    }
    let numbers: Vec<String> = numbers.iter().map(i8::to_string).collect();
    numbers.join(",")
}

/// Times of day as hours with their minutes: those that have the same hours are one pattern.
fn hours_with_minutes(times: &[Time]) -> Vec<(Vec<i8>, Vec<i8>)> {
    let mut minutes: Vec<i8> = times.iter().map(|time| time.minute()).collect();
    minutes.sort_unstable();
    minutes.dedup();
    let mut all: Vec<(Vec<i8>, Vec<i8>)> = Vec::new();
    for minute in minutes {
        let hours = times.iter().filter(|time| time.minute() == minute);
        let hours: Vec<i8> = hours.map(|time| time.hour()).collect();
        match all.iter_mut().find(|(same, _)| *same == hours) {
            Some((_, minutes)) => minutes.push(minute),
            None => all.push((hours, vec![minute])),
        }
    }
    all
}

/// The doubt about "weekly", "monthly" and "yearly", which name no day.
fn without_day(said: &Said) -> Doubt {
    let with = |day| Said {
        repeat: Some(Repeat::Each),
        day: Some(day),
        ..said.clone()
    };
    let month = |days| Day::Month {
        days,
        of: Of::TheMonth,
    };
    let monday = Day::Week {
        days: vec![Weekday::Monday],
        which: Which::Coming,
    };
    let readings = match said.repeat {
        Some(Repeat::Weekly) => vec![said.every_days(7), with(monday)],
        Some(Repeat::Monthly) => vec![
            with(month(vec![MonthDay::Number(1)])),
            with(month(vec![MonthDay::Last])),
        ],
        _ => {
            let months = match said.months.as_slice() {
                [] => vec![1],
                months => months.to_vec(),
            };
            let first = Day::Month {
                days: vec![MonthDay::Number(1)],
                of: Of::Months(months, None),
            };
            vec![Said {
                months: Vec::new(),
                ..with(first)
            }]
        }
    };
    Doubt::new(Why::NoDay, readings)
}

/// The day-of-month, month and day-of-week fields.
fn fields(days: &Days) -> (String, String, String) {
    let star = || "*".to_owned();
    let number = |day: Weekday| day.to_sunday_zero_offset();
    let joined = |items: Vec<String>| items.join(",");
    let months_of = |months: &[i8]| match months {
        [] => star(),
        months => joined(months.iter().map(i8::to_string).collect()),
    };
    match days {
        Days::All(months) => (star(), months_of(months), star()),
        Days::Week(days, months) => {
            let mut numbers: Vec<i8> = days.iter().map(|day| number(*day)).collect();
            numbers.sort_unstable();
            let field = match numbers.as_slice() {
                [first, .., last]
                    if numbers.len() > 2 && i8::try_from(numbers.len()) == Ok(last - first + 1) =>
                {
                    format!("{first}-{last}")
                }
                numbers => joined(numbers.iter().map(i8::to_string).collect()),
            };
            (star(), months_of(months), field)
        }
        Days::Month(days, months) => {
            let each = days.iter().map(|day| match day {
                MonthDay::Number(n) => n.to_string(),
                MonthDay::FirstWorkday => "1W".to_owned(),
                MonthDay::LastWorkday => "LW".to_owned(),
                MonthDay::Last => "L".to_owned(),
            });
            (joined(each.collect()), months_of(months), star())
        }
        Days::Nths(nths, weekday, months) => {
            let day = number(*weekday);
            let each = nths.iter().map(|nth| match nth {
                Nth::Number(n) => format!("{day}#{n}"),
                Nth::Last => format!("{day}L"),
            });
            (star(), months_of(months), joined(each.collect()))
        }
    }
}
