//! Which dates a day may be.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::Why;
use super::number::weekday_name;
use super::refusal::Doubt;
use super::said::{Day, Length, MonthDay, Nth, Of, Said, Which};

/// A date without a year that passed so many days ago is taken for a slip, not for next year's.
const JUST_PASSED: i32 = 31;

/// The dates that the day of a phrase may be, seen from `today`. Where there are two, the first is
/// today, and holds if its time is still to come.
pub(super) fn dates(said: &Said, today: Date) -> Result<Vec<Date>, Doubt> {
    let found = match (&said.day, &said.after) {
        (Some(day), Some(length)) => return Err(weeks_on_day(said, day, length, today)),
        (Some(day), None) => of_day(said, day, today)?,
        (None, Some(length)) => vec![later(said, today, length)?],
        (None, None) => return Err(Why::NoDay.into()),
    };
    let Some(weekday) = said.weekday else {
        return Ok(found);
    };
    let (fits, others): (Vec<Date>, Vec<Date>) =
        found.into_iter().partition(|d| d.weekday() == weekday);
    match others.first() {
        Some(date) if fits.is_empty() => {
            let why = Why::WrongWeekday {
                date: date.to_string(),
                is: weekday_name(date.weekday()),
                said: weekday_name(weekday),
            };
            let mut readings = vec![on(said, *date)];
            readings.extend(next_such(said, *date, weekday));
            Err(Doubt::new(why, readings))
        }
        _ => Ok(fits),
    }
}

/// "In two weeks on Friday": that of the week two weeks from now, or two weeks after Friday?
fn weeks_on_day(said: &Said, day: &Day, length: &Length, today: Date) -> Doubt {
    let weekday = match day {
        Day::Week {
            days,
            which: Which::Coming,
        } if length.months == 0 && length.days % 7 == 0 => match days.as_slice() {
            [weekday] => *weekday,
            _ => return Why::Twice("day").into(),
        },
        _ => return Why::Twice("day").into(),
    };
    let mut readings = match in_week(said, weekday, today, length.days / 7) {
        Ok(dates) => dates.into_iter().map(|date| on(said, date)).collect(),
        Err(doubt) => doubt.readings,
    };
    readings.push(Said {
        after: None,
        ..with(said, Day::After(*length, Box::new(day.clone())))
    });
    let why = Why::Ambiguous("whether the weeks are counted from now or from that day");
    Doubt::new(why, readings)
}

/// "Friday the 13th": the next one after `date`.
fn next_such(said: &Said, date: Date, weekday: Weekday) -> Option<Said> {
    let Some(Day::Month {
        days,
        of: Of::Unsaid,
    }) = &said.day
    else {
        return None;
    };
    let [day] = days.as_slice() else {
        return None;
    };
    let months = std::iter::successors(Some((date.year(), date.month())), |m| Some(after(*m)));
    // The calendar has each such day within four years.
    let mut dates = months
        .take(48)
        .filter_map(|(year, month)| month_day(*day, year, month));
    let found = dates.find(|date| date.weekday() == weekday)?;
    Some(on(said, found))
}

/// The same phrase with a date in the place of its day.
pub(super) fn on(said: &Said, date: Date) -> Said {
    Said {
        day: Some(Day::On(date)),
        weekday: None,
        after: None,
        today: None,
        ..said.clone()
    }
}

/// The same phrase with another day.
fn with(said: &Said, day: Day) -> Said {
    Said {
        day: Some(day),
        ..said.clone()
    }
}

fn too_far<E>(_: E) -> Doubt {
    Why::TooFar.into()
}

/// So many months and days after a date.
pub(super) fn later(said: &Said, date: Date, length: &Length) -> Result<Date, Doubt> {
    let span = jiff::Span::new();
    let months = span.try_months(length.months).map_err(too_far)?;
    let days = span.try_days(length.days).map_err(too_far)?;
    let month = date.checked_add(months).map_err(too_far)?;
    if month.day() != date.day() {
        // A month from 31 January: the end of February, or a day of March?
        let after = month.tomorrow().map_err(too_far)?;
        let add = |d: Date| d.checked_add(days).map_err(too_far);
        let readings = vec![on(said, add(month)?), on(said, add(after)?)];
        let why = Why::Ambiguous("on which day: the month then is shorter");
        return Err(Doubt::new(why, readings));
    }
    month.checked_add(days).map_err(too_far)
}

fn of_day(said: &Said, day: &Day, today: Date) -> Result<Vec<Date>, Doubt> {
    match day {
        Day::On(date) => Ok(vec![*date]),
        Day::After(length, day) => {
            let each = of_day(&with(said, (**day).clone()), day, today).map_err(|doubt| {
                let after = |mut said: Said| {
                    said.day = said.day.map(|day| Day::After(*length, Box::new(day)));
                    said
                };
                Doubt::new(doubt.why, doubt.readings.into_iter().map(after).collect())
            })?;
            each.into_iter()
                .map(|date| later(said, date, length))
                .collect()
        }
        Day::Relative(days) => Ok(vec![today.checked_add(days.days()).map_err(too_far)?]),
        Day::Slashed {
            first,
            second,
            year,
        } => match slashed(said, *first, *second, *year).as_slice() {
            [] => Err(Why::NoSuchDate(format!("{first}/{second}")).into()),
            [only] => dates(only, today),
            both => {
                let why = Why::Ambiguous("which figure is the month");
                Err(Doubt::new(why, both.to_vec()))
            }
        },
        Day::Week { days, which } => match days.as_slice() {
            [day] if *which != Which::All => of_week(said, *day, *which, today),
            _ => Err(Why::Ambiguous("which of several days").into()),
        },
        Day::Month { days, of } => match days.as_slice() {
            [day] => of_month(said, of, today, &|year, month| month_day(*day, year, month)),
            days => {
                let each = days.iter().map(|day| {
                    let (days, of) = (vec![*day], of.clone());
                    with(said, Day::Month { days, of })
                });
                Err(Doubt::new(
                    Why::Ambiguous("which of several days"),
                    each.collect(),
                ))
            }
        },
        Day::Nths { nths, weekday, of } => match nths.as_slice() {
            // "The last Friday" has passed, and "the first Monday" of what?
            [_] if *of == Of::Unsaid => {
                let (nths, weekday) = (nths.clone(), *weekday);
                let each = [Of::This, Of::Next].map(|of| {
                    let nths = nths.clone();
                    with(said, Day::Nths { nths, weekday, of })
                });
                Err(Doubt::new(Why::Ambiguous("of which month"), each.to_vec()))
            }
            [nth] => of_month(said, of, today, &|year, month| {
                nth_weekday(*nth, *weekday, year, month)
            }),
            _ => Err(Why::Ambiguous("which of several days").into()),
        },
    }
}

/// The first such day of the week from `today` on.
fn coming(weekday: Weekday, today: Date) -> Result<Date, Doubt> {
    let ahead = i64::from(weekday.since(today.weekday()));
    today.checked_add(ahead.days()).map_err(too_far)
}

fn of_week(said: &Said, day: Weekday, which: Which, today: Date) -> Result<Vec<Date>, Doubt> {
    let week = |date: Date| date.checked_add(7.days()).map_err(too_far);
    let coming = coming(day, today)?;
    match which {
        // On a Friday, "Friday" may be today or in a week.
        Which::Coming | Which::All if coming == today => Ok(vec![today, week(today)?]),
        Which::Coming | Which::All => Ok(vec![coming]),
        Which::This => Ok(vec![coming]),
        Which::Next if coming == today => Ok(vec![week(today)?]),
        // The day before, it would be called tomorrow.
        Which::Next if coming == today.tomorrow().map_err(too_far)? => {
            let readings = vec![on(said, coming), on(said, week(coming)?)];
            let why = Why::Ambiguous("whether it is tomorrow or a week later");
            Err(Doubt::new(why, readings))
        }
        Which::Next => Ok(vec![coming]),
        Which::AfterNext => {
            let next = if coming == today {
                week(today)?
            } else {
                coming
            };
            let readings = vec![on(said, week(next)?), on(said, week(week(next)?)?)];
            let why = Why::Ambiguous("which of them is the next one");
            Err(Doubt::new(why, readings))
        }
        Which::ThisWeek => in_week(said, day, today, 0),
        Which::NextWeek => in_week(said, day, today, 1),
        Which::WeekAfterNext => in_week(said, day, today, 2),
    }
}

/// The day of the week that is so many weeks after this one.
fn in_week(said: &Said, day: Weekday, today: Date, ahead: i64) -> Result<Vec<Date>, Doubt> {
    let later = |date: Date, days: i64| {
        let days = jiff::Span::new().try_days(days).map_err(too_far)?;
        date.checked_add(days).map_err(too_far)
    };
    let since_monday = i64::from(today.weekday().since(Weekday::Monday));
    let date = later(
        today,
        i64::from(day.since(Weekday::Monday)) - since_monday + 7 * ahead,
    )?;
    // Weeks begin on Sunday for some, and on Monday for others.
    let other = match (today.weekday(), day) {
        (Weekday::Sunday, Weekday::Sunday) => return Ok(vec![date]),
        (Weekday::Sunday, _) => later(date, 7)?,
        (_, Weekday::Sunday) => later(date, -7)?,
        _ => return Ok(vec![date]),
    };
    let mut both = vec![date, other];
    both.retain(|date| *date >= today);
    both.sort();
    match both.as_slice() {
        [_, _] => {
            let readings = both.into_iter().map(|date| on(said, date)).collect();
            let why = Why::Ambiguous("whether a week begins on Sunday or on Monday");
            Err(Doubt::new(why, readings))
        }
        [only] => Ok(vec![*only]),
        _ => Ok(vec![date]),
    }
}

/// `01/02/2027`: day and month, and month and day, where there is such a month.
fn slashed(said: &Said, first: i8, second: i8, year: Option<i16>) -> Vec<Said> {
    let mut both = vec![(first, second), (second, first)];
    both.dedup();
    both.retain(|(day, month)| (1..=31).contains(day) && (1..=12).contains(month));
    let each = both.into_iter().map(|(day, month)| {
        let days = vec![MonthDay::Number(day)];
        let of = Of::Months(vec![month], year);
        with(said, Day::Month { days, of })
    });
    each.collect()
}

/// The date of a day in a month; `None` if the month has none.
fn month_day(day: MonthDay, year: i16, month: i8) -> Option<Date> {
    let first = Date::new(year, month, 1).ok()?;
    let is_workday = |date: &Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    match day {
        MonthDay::Number(day) => Date::new(year, month, day).ok(),
        MonthDay::Last => Some(first.last_of_month()),
        MonthDay::FirstWorkday => {
            std::iter::successors(Some(first), |d| d.tomorrow().ok()).find(is_workday)
        }
        MonthDay::LastWorkday => {
            let last = first.last_of_month();
            std::iter::successors(Some(last), |d| d.yesterday().ok()).find(is_workday)
        }
    }
}

fn nth_weekday(nth: Nth, weekday: Weekday, year: i16, month: i8) -> Option<Date> {
    let first = Date::new(year, month, 1).ok()?;
    let nth = match nth {
        Nth::Number(n) => n,
        Nth::Last => -1,
    };
    first.nth_weekday_of_month(nth, weekday).ok()
}

/// The dates that a rule for each month may mean.
fn of_month(
    said: &Said,
    of: &Of,
    today: Date,
    rule: &dyn Fn(i16, i8) -> Option<Date>,
) -> Result<Vec<Date>, Doubt> {
    let this = (today.year(), today.month());
    let found = |(year, month): (i16, i8)| rule(year, month).ok_or((year, month));
    match of {
        Of::This => Ok(vec![found(this).map_err(|m| missing(said, m, rule))?]),
        Of::Next => Ok(vec![
            found(after(this)).map_err(|m| missing(said, m, rule))?,
        ]),
        Of::Every => Err(Why::Ambiguous("which of several days").into()),
        Of::Unsaid | Of::TheMonth => {
            let date = found(this).map_err(|m| missing(said, m, rule))?;
            if date > today || is_last_day(said) {
                return Ok(vec![date]);
            }
            let next = found(after(this)).map_err(|m| missing(said, m, rule));
            match date == today {
                true => Ok(vec![today, next?]),
                false => Ok(vec![next?]),
            }
        }
        Of::Months(months, year) => {
            let [month] = months.as_slice() else {
                return Err(Why::Ambiguous("which of several months").into());
            };
            if let Some(year) = year {
                let date = found((*year, *month)).map_err(|m| missing(said, m, rule))?;
                return Ok(vec![date]);
            }
            let this = (today.year(), *month);
            let next = (today.year() + 1, *month);
            let is_over = *month < today.month();
            let date = match found(this) {
                Ok(date) => date,
                Err(month) => {
                    let next = if is_over { found(next) } else { Err(month) };
                    return next
                        .map(|date| vec![date])
                        .map_err(|m| missing(said, m, rule));
                }
            };
            let next = match date >= today {
                true => date,
                false => found(next).map_err(|m| missing(said, m, rule))?,
            };
            let last = match date >= today {
                true => rule(today.year() - 1, *month),
                false => Some(date),
            };
            let passed = last.and_then(|last| last.until(today).ok());
            let is_new = passed.is_some_and(|passed| passed.get_days() <= JUST_PASSED);
            if is_new && next != today {
                let why = Why::Ambiguous("of which year: the date has just passed");
                return Err(Doubt::new(why, vec![on(said, next)]));
            }
            Ok(vec![next])
        }
    }
}

/// Whether the last day of a month is said, which is that of this month until it is over.
fn is_last_day(said: &Said) -> bool {
    matches!(&said.day, Some(Day::Month { days, .. }) if *days == [MonthDay::Last])
}

/// The month after a month.
fn after((year, month): (i16, i8)) -> (i16, i8) {
    match month {
        12 => (year + 1, 1),
        month => (year, month + 1),
    }
}

/// The doubt about a date that a month does not have: its last day, or the date in the first month
/// that has it?
fn missing(said: &Said, month: (i16, i8), rule: &dyn Fn(i16, i8) -> Option<Date>) -> Doubt {
    let (year, number) = month;
    let named = match (&said.day, (1..=12).contains(&number)) {
        (Some(Day::Month { days, .. }), true) => match days.as_slice() {
            [MonthDay::Number(day)] => format!("{year}-{number:02}-{day:02}"),
            _ => format!("{year}-{number:02}"),
        },
        _ => return Why::NoSuchDay("the month has no fifth of them").into(),
    };
    let is_named = matches!(
        &said.day,
        Some(Day::Month {
            of: Of::Months(..),
            ..
        })
    );
    let mut readings: Vec<Said> = Vec::new();
    if let Some(last) = month_day(MonthDay::Last, year, number) {
        readings.push(on(said, last));
    }
    // The 29th of February comes again in the leap year after this one.
    let mut next = month;
    for _ in 0..=96 {
        next = after(next);
        let fits = !is_named || next.1 == number;
        if let Some(date) = rule(next.0, next.1).filter(|_| fits) {
            readings.push(on(said, date));
            break;
        }
    }
    Doubt::new(Why::NoSuchDate(named), readings)
}
