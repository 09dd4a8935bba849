//! Days: tomorrow, the 3rd, the first Monday of the month.

use super::super::Why;
use super::super::number;
use super::super::said::{Day, MonthDay, Nth, Of, Repeat};
use super::week::WORKDAY;
use super::{Reader, Tried};

impl Reader<'_> {
    /// A day or several. `repeat` is what has been said of how often.
    pub(super) fn day(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        self.attempt(|r| {
            // "At 2027-01-05 9am".
            let is_at = r.eat_any(&["at", "@"]);
            if !is_at {
                r.eat("on");
            }
            if let Some(date) = r.date_in_figures()? {
                return Ok(Some(date));
            }
            if let Some(date) = r.dashed_date()? {
                return Ok(Some(date));
            }
            if let Some(end) = r.attempt(|r| r.end_of_month(repeat))? {
                return Ok(Some(end));
            }
            if let Some(start) = r.attempt(|r| r.start_of_month(repeat))? {
                return Ok(Some(start));
            }
            if is_at {
                return Ok(None);
            }
            if let Some(relative) = r.relative() {
                return Ok(Some(relative));
            }
            if let Some(week) = r.attempt(|r| r.days_of_week(repeat))? {
                return Ok(Some(week));
            }
            r.days_of_month(repeat)
        })
    }

    fn relative(&mut self) -> Option<Day> {
        for (words, days) in [
            (&["today"] as &[&str], 0),
            (&["tomorrow"], 1),
            (&["tmrw"], 1),
            (&["tmr"], 1),
            (&["the", "day", "after", "tomorrow"], 2),
            (&["day", "after", "tomorrow"], 2),
        ] {
            if self.eat_all(words) {
                return Some(Day::Relative(days));
            }
        }
        None
    }

    /// "End of month", "the end of January".
    fn end_of_month(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        let days = vec![MonthDay::Last];
        if self.eat("eom") || self.eat_all(&["end", "of", "month"]) {
            let of = Of::This;
            return Ok(Some(Day::Month { days, of }));
        }
        self.eat("the");
        if !self.eat_all(&["end", "of"]) {
            return Ok(None);
        }
        Ok(self.month_of(repeat)?.map(|of| match of {
            Of::TheMonth => Day::Month { days, of: Of::This },
            of => Day::Month { days, of },
        }))
    }

    /// "The start of every month", "the beginning of January".
    fn start_of_month(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        let days = vec![MonthDay::Number(1)];
        self.eat("the");
        if !self.eat_any(&["start", "beginning"]) || !self.eat("of") {
            return Ok(None);
        }
        Ok(self.month_of(repeat)?.map(|of| match of {
            Of::TheMonth => Day::Month { days, of: Of::This },
            of => Day::Month { days, of },
        }))
    }

    /// Days of a month, by their numbers, with its name, or as the first or last of some kind.
    fn days_of_month(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        if let Some(date) = self.month_and_day()? {
            return Ok(Some(date));
        }
        if let Some(next) = self.attempt(Self::day_next_month)? {
            return Ok(Some(next));
        }
        let has_the = self.eat("the");
        if let Some(nths) = self.attempt(|r| r.nths(repeat))? {
            return Ok(Some(nths));
        }
        let Some(first) = self.month_day() else {
            return Ok(None);
        };
        let mut days = vec![first];
        while let Some(day) = self.next_of_list(|r| {
            r.eat("the");
            r.month_day()
        }) {
            if days.contains(&day) {
                return Err(Why::Twice("day"));
            }
            days.push(day);
        }
        let of = match self.of(repeat)? {
            Some(of) => of,
            // "3rd January".
            None => match self.month() {
                Some(month) => Of::Months(vec![month], self.year(repeat)?),
                None => Of::Unsaid,
            },
        };
        // "Second", without a month and without "the", is a word like any other.
        let is_word = number::ordinal(
            self.tokens
                .get(self.at.saturating_sub(1))
                .map_or("", |t| &t.text),
        )
        .is_some();
        if is_word && !has_the && of == Of::Unsaid {
            return Ok(None);
        }
        Ok(Some(Day::Month { days, of }))
    }

    /// "Next month on the 3rd".
    fn day_next_month(&mut self) -> Tried<Day> {
        if !self.eat_all(&["next", "month"]) {
            return Ok(None);
        }
        self.eat("on");
        self.eat("the");
        let day = self.month_day();
        let of = Of::Next;
        Ok(day.map(|day| Day::Month {
            days: vec![day],
            of,
        }))
    }

    /// The 3rd, the last day, the first weekday.
    fn month_day(&mut self) -> Option<MonthDay> {
        let before = self.at;
        let is_last = self.eat("last");
        let workday = |r: &mut Self| WORKDAY.iter().any(|(single, _)| r.eat_all(single));
        if is_last {
            if workday(self) {
                return Some(MonthDay::LastWorkday);
            }
            if self.eat("day") {
                return Some(MonthDay::Last);
            }
            self.at = before;
            return None;
        }
        if let Some(number) = self.day_by_number() {
            return Some(MonthDay::Number(number));
        }
        let number = self.ordinal()?;
        if number == 1 && workday(self) {
            return Some(MonthDay::FirstWorkday);
        }
        if number == 1 || self.peek_at(1) == "of" {
            self.eat("day");
        }
        let is_other = number::weekday(self.peek()).is_some();
        if is_other {
            self.at = before;
        }
        (!is_other).then_some(MonthDay::Number(number))
    }

    /// "Day 15".
    fn day_by_number(&mut self) -> Option<i8> {
        let before = self.at;
        let figures = match self.eat("day") {
            true => self.figures(),
            false => None,
        };
        let number = figures.and_then(|figures| figures.parse().ok());
        let number = number.filter(|n| (1..=31).contains(n) && !self.goes_on());
        if number.is_none() {
            self.at = before;
        }
        number
    }

    /// "First and third Monday of the month".
    fn nths(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        let nth = |r: &mut Self| match r.eat("last") {
            true => Some(Nth::Last),
            false => r.ordinal().map(Nth::Number),
        };
        let Some(first) = nth(self) else {
            return Ok(None);
        };
        let mut nths = vec![first];
        while let Some(next) = self.next_of_list(|r| {
            r.eat("the");
            nth(r)
        }) {
            if nths.contains(&next) {
                return Err(Why::Twice("day"));
            }
            nths.push(next);
        }
        let Some((weekday, false)) = self.weekday() else {
            return Ok(None);
        };
        if nths
            .iter()
            .any(|nth| matches!(nth, Nth::Number(n) if *n > 5))
        {
            return Err(Why::NoSuchDay(
                "a month has at most five of each day of the week",
            ));
        }
        let of = self.of(repeat)?.unwrap_or(Of::Unsaid);
        Ok(Some(Day::Nths { nths, weekday, of }))
    }

    /// `3rd`, `third`, `twenty-first`.
    pub(super) fn ordinal(&mut self) -> Option<i8> {
        let before = self.at;
        if let Some(figures) = self.figures() {
            let ends = self.is_joined() && self.eat_any(&["st", "nd", "rd", "th"]);
            let number = figures
                .parse()
                .ok()
                .filter(|n| ends && (1..=31).contains(n));
            if number.is_none() {
                self.at = before;
            }
            return number;
        }
        if let Some(number) = number::ordinal(self.peek()) {
            self.at += 1;
            return Some(number);
        }
        let tens = number::tens(self.peek()).filter(|tens| *tens <= 30)?;
        let dash = usize::from(self.peek_at(1) == "-");
        let ones = number::ordinal(self.peek_at(1 + dash)).filter(|ones| *ones < 10)?;
        self.at += 2 + dash;
        Some(tens + ones).filter(|number| *number <= 31)
    }
}
