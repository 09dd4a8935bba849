//! What was understood, in the words that are understood again as the same.

use jiff::civil::{DateTime, Time, Weekday};

use super::number::{month_name, ordinal_name, weekday_name, with_ending};
use super::said::{Days, MonthDay, Nth};
use crate::schedule::Zone;

/// At most so many times of day are said one by one.
pub(in crate::schedule) const MOST_TIMES: usize = 8;

/// A wall time: `2027-01-05 09:00`.
pub(super) fn wall(wall: DateTime) -> String {
    format!("{} {}", wall.date(), time(wall.time()))
}

/// The name of a zone. One without an area may also be an abbreviation, as `CET` is: in brackets, as
/// RFC 9557 has it, it is the zone.
pub(super) fn zone(zone: &Zone) -> String {
    let name = zone.name();
    match name.contains('/') || name == "UTC" {
        true => name.to_owned(),
        false => format!("[{name}]"),
    }
}

/// A phrase with the zone that was said.
pub(super) fn in_zone(phrase: String, said: Option<&Zone>) -> String {
    match said {
        Some(said) => format!("{phrase} {}", zone(said)),
        None => phrase,
    }
}

/// A time of day, to the minute unless it is finer.
fn time(time: Time) -> String {
    if time.subsec_nanosecond() != 0 {
        return time.strftime("%H:%M:%S%.f").to_string();
    }
    match time.second() {
        0 => time.strftime("%H:%M").to_string(),
        _ => time.strftime("%H:%M:%S").to_string(),
    }
}

/// Several things: one, two and three.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Several days and times, each with its own: "every monday at 09:00 and every friday at 16:30". What
/// has commas of its own stands between semicolons, and so does what has an "and" where commas would
/// divide: "at 09:00 and 09:30, every saturday" could be read in two ways.
pub(in crate::schedule) fn clauses(each: &[String]) -> String {
    let any_has = |sign: &str| each.iter().any(|clause| clause.contains(sign));
    match any_has(",") || (each.len() > 2 && any_has(" and ")) {
        true => each.join("; "),
        false => list(each),
    }
}

/// "At 09:00 and 17:30".
pub(super) fn times(times: &[Time]) -> String {
    let each: Vec<String> = times.iter().map(|t| time(*t)).collect();
    format!("at {}", list(&each))
}

/// "Every weekday", "on the first Monday of every month".
pub(super) fn days(days: &Days) -> String {
    match days {
        Days::All(months) => format!("every day{}", in_months(months)),
        Days::Week(days, months) => week(days) + &in_months(months),
        Days::Month(days, months) => {
            let each: Vec<String> = days.iter().map(|day| month_day(*day)).collect();
            format!("on the {} of {}", list(&each), of(months))
        }
        Days::Nths(nths, weekday, months) => {
            let each: Vec<String> = nths
                .iter()
                .map(|nth| match nth {
                    Nth::Number(n) => ordinal_name(*n).to_owned(),
                    Nth::Last => "last".to_owned(),
                })
                .collect();
            let day = weekday_name(*weekday);
            format!("on the {} {day} of {}", list(&each), of(months))
        }
    }
}

fn week(days: &[Weekday]) -> String {
    let workdays = days.len() == 5
        && !days
            .iter()
            .any(|d| matches!(d, Weekday::Saturday | Weekday::Sunday));
    if workdays {
        return "every weekday".to_owned();
    }
    let each: Vec<String> = days
        .iter()
        .map(|day| weekday_name(*day).to_owned())
        .collect();
    format!("every {}", list(&each))
}

fn month_day(day: MonthDay) -> String {
    match day {
        MonthDay::Number(n) => with_ending(n),
        MonthDay::FirstWorkday => "first weekday".to_owned(),
        MonthDay::LastWorkday => "last weekday".to_owned(),
        MonthDay::Last => "last day".to_owned(),
    }
}

/// "Every month", or some months of every year.
fn of(months: &[i8]) -> String {
    match months {
        [] => "every month".to_owned(),
        months => format!("{} every year", names(months)),
    }
}

/// In some months, or nothing where it is all of them.
fn in_months(months: &[i8]) -> String {
    match months {
        [] => String::new(),
        months => format!(" in {}", names(months)),
    }
}

/// "January, March and May".
pub(super) fn names(months: &[i8]) -> String {
    let each: Vec<String> = months.iter().map(|m| month_name(*m).to_owned()).collect();
    list(&each)
}

/// "Hourly", "at 15 and 45 minutes past every hour, every weekday".
pub(super) fn past_each_hour(minutes: &[i8], of: &Days) -> String {
    let often = match minutes {
        [] | [0] => "hourly".to_owned(),
        [1] => "at 1 minute past every hour".to_owned(),
        minutes => {
            let each: Vec<String> = minutes.iter().map(i8::to_string).collect();
            format!("at {} minutes past every hour", list(&each))
        }
    };
    often + &on(of)
}

/// "Every 15 minutes from 09:00 through 17:00, every weekday".
pub(super) fn within(minutes: i64, ends: [Time; 2], of: &Days) -> String {
    at_a_distance(minutes, ends) + &on(of)
}

/// "Every 15 minutes from 09:00 through 17:00".
pub(in crate::schedule) fn at_a_distance(minutes: i64, [first, last]: [Time; 2]) -> String {
    let every = match (minutes / 60, minutes % 60) {
        (0, 1) => "every minute".to_owned(),
        (1, 0) => "every hour".to_owned(),
        (hours, 0) => format!("every {hours} hours"),
        _ => format!("every {minutes} minutes"),
    };
    format!("{every} from {} through {}", time(first), time(last))
}

/// The days after what happens often on them. Each day goes without saying.
fn on(of: &Days) -> String {
    match of {
        Days::All(months) if months.is_empty() => String::new(),
        of => format!(", {}", days(of)),
    }
}

/// "90 minutes", "2 days".
pub(super) fn interval(amount: i64, unit: &str) -> String {
    match amount {
        1 => format!("every 1 {unit}"),
        _ => format!("every {amount} {unit}s"),
    }
}
