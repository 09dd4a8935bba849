//! Lengths of time: `45m`, an hour and a half, `PT20M`.

use super::super::Why;
use super::super::number;
use super::super::said::{Day, Length, Which};
use super::super::token::Kind;
use super::{Reader, Tried};

/// Longer lengths are a slip of the keyboard.
const MOST: i64 = 1_000_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// The unit of a word.
pub(super) fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "wk" | "wks" | "week" | "weeks" => Unit::Week,
        "month" | "months" | "mo" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        _ => return None,
    })
}

impl Length {
    /// Adds thousandths of a unit, if that is a whole number of seconds or of days.
    fn add(&mut self, thousandths: i64, unit: Unit) -> Option<()> {
        let (sum, worth) = match unit {
            Unit::Second => (&mut self.seconds, 1),
            Unit::Minute => (&mut self.seconds, 60),
            Unit::Hour => (&mut self.seconds, 3_600),
            Unit::Day => (&mut self.days, 1),
            Unit::Week => (&mut self.days, 7),
            Unit::Month => (&mut self.months, 1),
            Unit::Year => (&mut self.months, 12),
        };
        let is_elapsed = matches!(unit, Unit::Second | Unit::Minute | Unit::Hour);
        let whole = thousandths.checked_mul(worth)?;
        if whole % 1_000 != 0 || (!is_elapsed && thousandths % 1_000 != 0) {
            return None;
        }
        *sum = sum.checked_add(whole / 1_000).filter(|sum| *sum <= MOST)?;
        Some(())
    }
}

impl Reader<'_> {
    /// So long from now: `in 20 minutes`, `+10m`, `an hour from now`, `PT20M`.
    pub(super) fn after(&mut self) -> Tried<Length> {
        self.attempt(|r| {
            let is_now = r.eat("now");
            let before = match is_now {
                true => r.eat("+"),
                false => r.eat_any(&["in", "after"]) || (r.peek() == "+" && r.eat("+")),
            };
            if is_now && !before {
                return Ok(None);
            }
            if before {
                r.eat_any(&["exactly", "precisely"]);
            }
            let is_iso = r.kind() == Some(Kind::Iso);
            let Some(length) = r.length()? else {
                return Ok(None);
            };
            let may_be_later = !before && !is_iso;
            let after =
                r.eat_all(&["from", "now"]) || (may_be_later && r.eat_any(&["later", "hence"]));
            if before && !after {
                r.eat("time");
            }
            Ok((before || after || is_iso).then_some(length))
        })
    }

    /// So many days or months after another day, or before it: "a week from Friday", "the day before
    /// 25 December".
    pub(super) fn day_after(&mut self) -> Tried<Day> {
        self.attempt(|r| {
            let is_day = r.eat_all(&["the", "day"]);
            r.eat("in");
            let one_day = Length {
                days: 1,
                ..Length::default()
            };
            let length = match is_day {
                true => Some(one_day),
                false => r.length()?,
            };
            let Some(length) = length.filter(|length| length.seconds == 0) else {
                return Ok(None);
            };
            let length = match (r.peek(), is_day) {
                ("after", _) | ("from", false) => length,
                ("before", _) => Length {
                    months: -length.months,
                    days: -length.days,
                    ..length
                },
                _ => return Ok(None),
            };
            r.at += 1;
            let day = r.day(None)?.filter(|day| match day {
                Day::Relative(_) | Day::On(_) | Day::Month { .. } => true,
                Day::Week { days, which } => {
                    days.len() == 1 && matches!(which, Which::Coming | Which::NextWeek)
                }
                Day::Nths { .. } | Day::Slashed { .. } | Day::After(..) => false,
            });
            Ok(day.map(|day| Day::After(length, Box::new(day))))
        })
    }

    /// A length of time alone.
    pub(super) fn length(&mut self) -> Tried<Length> {
        if self.kind() == Some(Kind::Iso) {
            let length = iso(self.peek()).ok_or_else(|| self.unknown())?;
            self.at += 1;
            return Ok(Some(length));
        }
        let mut sum = Length::default();
        let mut seen: Vec<Unit> = Vec::new();
        loop {
            let before = self.at;
            if !seen.is_empty() {
                self.eat(",");
                self.eat("and");
            }
            let found = self.attempt(Self::amount_of_unit)?;
            let Some((thousandths, unit)) = found else {
                self.at = before;
                break;
            };
            if seen.contains(&unit) {
                return Err(Why::Twice("unit of time"));
            }
            seen.push(unit);
            sum.add(thousandths, unit).ok_or(Why::Uneven)?;
            self.trailing_minutes(&mut seen, &mut sum)?;
        }
        Ok((!seen.is_empty()).then_some(sum))
    }

    /// `1h30` goes on with minutes.
    fn trailing_minutes(&mut self, seen: &mut Vec<Unit>, sum: &mut Length) -> Result<(), Why> {
        let figures = self.peek();
        let is_hour = seen.last() == Some(&Unit::Hour);
        let next = self.tokens.get(self.at + 1);
        let is_last = next.is_none_or(|t| !t.is_joined && unit(&t.text).is_none());
        let fits = is_hour
            && self.is_joined()
            && self.kind() == Some(Kind::Figures)
            && figures.len() == 2
            && is_last;
        if fits {
            let minutes: i64 = figures.parse().unwrap_or_default();
            if minutes > 59 {
                return Err(Why::Unknown(figures.to_owned()));
            }
            self.at += 1;
            seen.push(Unit::Minute);
            sum.add(minutes * 1_000, Unit::Minute).ok_or(Why::Uneven)?;
        }
        Ok(())
    }

    /// How many of which unit, in thousandths.
    fn amount_of_unit(&mut self) -> Tried<(i64, Unit)> {
        let Some(mut thousandths) = self.amount()? else {
            return Ok(None);
        };
        if self.eat("fortnight") || self.eat("fortnights") {
            return Ok(Some((thousandths * 2, Unit::Week)));
        }
        let Some(unit) = unit(self.peek()) else {
            return Ok(None);
        };
        self.at += 1;
        self.eat_dot();
        if self.eat_all(&["and", "a", "half"]) {
            thousandths += 500;
        }
        Ok(Some((thousandths, unit)))
    }

    /// How many, in thousandths, if a unit may follow.
    fn amount(&mut self) -> Tried<i64> {
        for (words, thousandths) in [
            (&["half", "an"] as &[&str], 500),
            (&["half", "a"], 500),
            (&["a", "quarter", "of", "an"], 250),
            (&["quarter", "of", "an"], 250),
            (&["three", "quarters", "of", "an"], 750),
            (&["a", "quarter"], 250),
            (&["quarter"], 250),
            (&["a", "couple", "of"], 2_000),
            (&["couple", "of"], 2_000),
            (&["a", "half"], 500),
            (&["half"], 500),
            (&["an"], 1_000),
            (&["a"], 1_000),
        ] {
            if self.eat_all(words) {
                return Ok(Some(thousandths));
            }
        }
        let Some(mut thousandths) = self.number()? else {
            return Ok(None);
        };
        if self.eat_all(&["and", "a", "half"]) {
            thousandths += 500;
        }
        Ok(Some(thousandths))
    }

    /// A number in figures, also with a point, or in words.
    fn number(&mut self) -> Tried<i64> {
        if let Some(figures) = self.figures() {
            let whole: i64 = figures.parse().unwrap_or(i64::MAX);
            let Some(whole) = whole.checked_mul(1_000).filter(|n| *n <= MOST * 1_000) else {
                return Err(Why::TooFar);
            };
            if !self.is_joined_by(".") {
                return Ok(Some(whole));
            }
            self.at += 1;
            let digits = self.figures().unwrap_or_default();
            if digits.len() > 3 {
                return Err(Why::Uneven);
            }
            let part: i64 = format!("{digits:0<3}").parse().unwrap_or_default();
            return Ok(Some(whole + part));
        }
        Ok(self.number_in_words().map(|n| i64::from(n) * 1_000))
    }

    /// A number from zero to ninety-nine in words.
    pub(super) fn number_in_words(&mut self) -> Option<i8> {
        let word = self.peek();
        if let Some(n) = number::small(word) {
            self.at += 1;
            return Some(n);
        }
        let tens = number::tens(word)?;
        self.at += 1;
        let dash = usize::from(self.is_joined() && self.peek() == "-");
        let ones = number::small(self.peek_at(dash)).filter(|n| (1..10).contains(n));
        match ones {
            Some(ones) => {
                self.at += dash + 1;
                Some(tens + ones)
            }
            None => Some(tens),
        }
    }
}

/// `pt1h30m`, `p1d`. The letters come in order, each with a number before it.
fn iso(text: &str) -> Option<Length> {
    let mut length = Length::default();
    let rest = text.strip_prefix('p')?;
    let (date, time) = match rest.split_once('t') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    for (part, units) in [
        (
            date,
            &[
                ('y', Unit::Year),
                ('m', Unit::Month),
                ('w', Unit::Week),
                ('d', Unit::Day),
            ] as &[(char, Unit)],
        ),
        (
            time,
            &[('h', Unit::Hour), ('m', Unit::Minute), ('s', Unit::Second)],
        ),
    ] {
        let (mut rest, mut units) = (part, units.iter());
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (number, after) = rest.split_at(end);
            let letter = after.chars().next()?;
            let (_, unit) = units.find(|(name, _)| *name == letter)?;
            let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
            if whole.is_empty() || part.is_empty() || part.len() > 3 || whole.len() > 9 {
                return None;
            }
            let whole: i64 = whole.parse().ok()?;
            let part: i64 = format!("{part:0<3}").parse().ok()?;
            length.add(whole * 1_000 + part, *unit)?;
            rest = after.get(1..)?;
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iso_length_is_read_in_its_order() {
        let length = |months, days, seconds| Length {
            months,
            days,
            seconds,
        };
        for (text, wanted) in [
            ("pt20m", Some(length(0, 0, 1_200))),
            ("p1m", Some(length(1, 0, 0))),
            ("p1y2m3w4dt5h6m7s", Some(length(14, 25, 18_367))),
            ("pt1.5h", Some(length(0, 0, 5_400))),
            ("pt", None),
            ("p1dt", None),
            ("pt5m1h", None),
            ("p1h", None),
            ("p1.5d", None),
            ("pt1m2m", None),
        ] {
            assert_eq!(iso(text), wanted, "{text}");
        }
    }
}
