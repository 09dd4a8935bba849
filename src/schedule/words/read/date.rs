//! Dates: `2027-01-05`, 5 January 2027, and which month a day is of.

use jiff::Timestamp;
use jiff::civil::Date;

use super::super::Why;
use super::super::number;
use super::super::said::{Day, MonthDay, Of, Repeat, Said};
use super::super::token::Kind;
use super::{Reader, Tried};

impl<'a> Reader<'a> {
    /// Seconds or milliseconds since 1970, from 2001 to 2286. Seconds may have a fraction.
    pub(super) fn epoch(&mut self) -> Option<Timestamp> {
        let before = self.at;
        self.eat_any(&["at", "@"]);
        let figures = self.figures().unwrap_or_default();
        let number: i64 = figures.parse().unwrap_or_default();
        let mut fraction = "";
        if figures.len() == 10 && self.is_joined_by(".") {
            self.at += 1;
            fraction = self.figures().unwrap_or_default();
        }
        // The database holds microseconds.
        let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
        let micros = i64::from(micros.parse::<i32>().unwrap_or_default());
        let at = match figures.len() {
            10 => Timestamp::from_microsecond(number * 1_000_000 + micros).ok(),
            13 => Timestamp::from_millisecond(number).ok(),
            _ => None,
        };
        let is_whole = at.is_some() && !self.is_joined();
        if !is_whole {
            self.at = before;
        }
        at.filter(|_| is_whole)
    }

    /// The day with a year that comes after the time of day, as `date` and `ctime` write it:
    /// "Thu Dec 3 08:00:00 UTC 2026".
    pub(super) fn late_year(&mut self, said: &Said) -> Option<Day> {
        let Some(Day::Month { days, of }) = &said.day else {
            return None;
        };
        let Of::Months(months, None) = of else {
            return None;
        };
        let is_due = !said.clocks.is_empty() && said.weekday.is_some() && self.peek().len() == 4;
        let before = self.at;
        let year = if is_due { self.figures() } else { None };
        let is_last = self.at == self.tokens.len();
        let Some(year) = year.and_then(|year| year.parse().ok()).filter(|_| is_last) else {
            self.at = before;
            return None;
        };
        Some(Day::Month {
            days: days.clone(),
            of: Of::Months(months.clone(), Some(year)),
        })
    }

    /// A date in figures.
    pub(super) fn date_in_figures(&mut self) -> Tried<Day> {
        self.attempt(|r| {
            let Some(first) = r.figures() else {
                return Ok(None);
            };
            if first.len() == 8 {
                let (year, rest) = first.split_at(4);
                let (month, day) = rest.split_at(2);
                let date = date(year, month, day)?;
                // Eight figures are a date where a time of day follows as ISO 8601 has it.
                return Ok(r.eat_t().then_some(Day::On(date)));
            }
            let Some(sign) = ["-", "/", "."].into_iter().find(|s| r.is_joined_by(s)) else {
                return Ok(None);
            };
            r.at += 1;
            let second = r.figures().unwrap_or_default();
            let third = match r.is_joined_by(sign) {
                true => {
                    r.at += 1;
                    r.figures()
                }
                false => None,
            };
            if first.len() == 4
                && let Some(day) = third
            {
                r.eat_t();
                r.has_iso_date = true;
                return Ok(Some(Day::On(date(first, second, day)?)));
            }
            let short = |text: &str| text.parse::<i8>().ok().filter(|_| text.len() <= 2);
            let (Some(first), Some(second)) = (short(first), short(second)) else {
                return Ok(None);
            };
            let year = match third {
                Some(year) if year.len() == 4 => year.parse::<i16>().ok(),
                Some(_) => return Err(Why::ShortYear),
                None if sign == "/" => None,
                None => return Ok(None),
            };
            Ok(Some(Day::Slashed {
                first,
                second,
                year,
            }))
        })
    }

    /// The `T` between a date and a time of day.
    fn eat_t(&mut self) -> bool {
        let after = self.tokens.get(self.at + 1);
        let follows = after.is_some_and(|t| t.kind == Kind::Figures && t.is_joined);
        self.is_after_t = follows && self.is_joined() && self.eat("t");
        self.is_after_t
    }

    /// `January 5th, 2027` and `5 January 2027`.
    pub(super) fn month_and_day(&mut self) -> Tried<Day> {
        self.attempt(|r| {
            if let Some(month) = r.month() {
                r.eat("the");
                let number = r.ordinal().or_else(|| r.day_number());
                let Some(day) = number else {
                    return Ok(None);
                };
                let days = vec![MonthDay::Number(day)];
                let of = Of::Months(vec![month], r.year(None)?);
                return Ok(Some(Day::Month { days, of }));
            }
            let Some(day) = r.day_number() else {
                return Ok(None);
            };
            r.eat("of");
            let Some(month) = r.month() else {
                return Ok(None);
            };
            let days = vec![MonthDay::Number(day)];
            let of = Of::Months(vec![month], r.year(None)?);
            Ok(Some(Day::Month { days, of }))
        })
    }

    /// `5-Jan-2027`.
    pub(super) fn dashed_date(&mut self) -> Tried<Day> {
        self.attempt(|r| {
            let day = r.figures().filter(|figures| figures.len() <= 2);
            let Some(day) = day.and_then(|day| day.parse().ok()) else {
                return Ok(None);
            };
            let dash = |r: &mut Self| r.is_joined() && r.eat("-") && r.is_joined();
            let month = if dash(r) { r.month() } else { None };
            let Some(month) = month.filter(|_| (1..=31).contains(&day)) else {
                return Ok(None);
            };
            let year = if dash(r) { r.figures() } else { None };
            let Some(year) = year else {
                return Ok(None);
            };
            let year = year.parse().ok().filter(|_| year.len() == 4);
            let year = year.ok_or(Why::ShortYear)?;
            let days = vec![MonthDay::Number(day)];
            let of = Of::Months(vec![month], Some(year));
            Ok(Some(Day::Month { days, of }))
        })
    }

    /// One or two figures that are no time of day.
    pub(super) fn day_number(&mut self) -> Option<i8> {
        let before = self.at;
        let figures = self.figures()?;
        let number = figures.parse().ok().filter(|n| (1..=39).contains(n));
        let number = number.filter(|_| figures.len() <= 2 && !self.goes_on());
        if number.is_none() {
            self.at = before;
        }
        number
    }

    /// A month by its name.
    pub(super) fn month(&mut self) -> Option<i8> {
        let month = number::month(self.peek())?;
        self.at += 1;
        self.eat_dot();
        Some(month)
    }

    /// A year after a date, perhaps after a comma.
    pub(super) fn year(&mut self, repeat: Option<Repeat>) -> Tried<i16> {
        let before = self.at;
        self.eat(",");
        let year = self.figures().unwrap_or_default();
        let is_other = self.is_joined() && matches!(self.peek(), ":" | "-" | "/" | ".")
            || matches!(self.peek(), "am" | "pm" | "hours" | "hrs");
        let number = year.parse::<i16>().ok();
        let number = number.filter(|_| year.len() == 4 && !is_other);
        if number.is_none() {
            self.at = before;
        }
        match (number, repeat) {
            (Some(_), Some(_)) => Err(Why::OneYear),
            (number, _) => Ok(number),
        }
    }

    /// "Of the month", "of every month", "of January and July 2027".
    pub(super) fn of(&mut self, repeat: Option<Repeat>) -> Tried<Of> {
        self.attempt(|r| match r.eat("of") {
            true => r.month_of(repeat),
            false => Ok(None),
        })
    }

    /// What comes after "of".
    pub(super) fn month_of(&mut self, repeat: Option<Repeat>) -> Tried<Of> {
        for (words, of) in [
            (&["the", "month"] as &[&str], Of::TheMonth),
            (&["every", "month"], Of::Every),
            (&["each", "month"], Of::Every),
            (&["this", "month"], Of::This),
            (&["next", "month"], Of::Next),
        ] {
            if self.eat_all(words) {
                return Ok(Some(of));
            }
        }
        let Some(first) = self.month() else {
            return Ok(None);
        };
        let mut months = vec![first];
        loop {
            let before = self.at;
            let comma = self.eat(",");
            let and = self.eat_any(&["and", "&"]);
            let next = if comma || and { self.month() } else { None };
            let Some(next) = next else {
                self.at = before;
                break;
            };
            if months.contains(&next) {
                return Err(Why::Twice("month"));
            }
            months.push(next);
        }
        Ok(Some(Of::Months(months, self.year(repeat)?)))
    }
}

/// The date of three figures.
fn date(year: &str, month: &str, day: &str) -> Result<Date, Why> {
    let wrong = || Why::NoSuchDate(format!("{year}-{month}-{day}"));
    let (year, month, day) = (
        year.parse::<i16>().map_err(|_| wrong())?,
        month.parse::<i8>().map_err(|_| wrong())?,
        day.parse::<i8>().map_err(|_| wrong())?,
    );
    Date::new(year, month, day).map_err(|_| wrong())
}
