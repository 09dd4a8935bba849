//! Times of day: `3pm`, `15:30`, noon, half past nine.

use jiff::civil::Time;

use super::super::Why;
use super::super::number;
use super::super::said::{Clock, Day, Form, Part, Said, Which};
use super::super::token::{Kind, Token};
use super::length::unit;
use super::week::part_of_many_days;
use super::{Reader, Tried, shows_24_hours};

/// What was written of a time of day, before it is known whether the clock shows it.
#[derive(Default)]
pub(super) struct Written<'a> {
    pub hour: &'a str,
    pub minute: &'a str,
    pub second: &'a str,
    pub fraction: &'a str,
    pub has_colon: bool,
    /// It can only be one of the 24 hours.
    pub is_sure: bool,
}

impl<'a> Reader<'a> {
    /// One or several times of day. Figures alone are an hour only after "at".
    pub(super) fn clocks(&mut self) -> Tried<Vec<Clock>> {
        self.attempt(|r| {
            let is_at = r.eat_any(&["at", "@"]);
            r.eat_any(&["exactly", "precisely"]);
            let Some(first) = r.clock(is_at)? else {
                return Ok(None);
            };
            let mut clocks = vec![first];
            loop {
                let next = r.attempt(|r| {
                    let comma = r.eat(",");
                    let and = r.eat_any(&["and", "&"]);
                    if !comma && !and {
                        return Ok(None);
                    }
                    r.eat("at");
                    r.clock(is_at)
                })?;
                let Some(next) = next else {
                    break;
                };
                clocks.push(next);
            }
            r.eat("sharp");
            r.agree(&mut clocks, 0);
            Ok(Some(clocks))
        })
    }

    /// Times of day that stand together, from the token `first` on, are of one clock: beside 17, 9 is
    /// one of the 24 hours; beside 5pm, nobody can tell.
    pub(super) fn agree(&self, clocks: &mut [Clock], first: usize) {
        let read = self.tokens.get(first..self.at).unwrap_or_default();
        let is_half = |token: &Token| matches!(token.text.as_str(), "am" | "pm");
        let (has_halves, is_24) = (read.iter().any(is_half), shows_24_hours(clocks));
        for clock in clocks.iter_mut().filter(|_| read.len() > 1) {
            match &mut clock.form {
                Form::Twelve { is_beside, .. } if has_halves => *is_beside = true,
                Form::Twelve { .. } if is_24 => clock.form = Form::Sure,
                _ => {}
            }
        }
    }

    /// A part of the day, and whether it is today's.
    pub(super) fn part_of_day(&mut self, said: &Said) -> Option<(Part, bool)> {
        if let Some(part) = part_of_many_days(self.peek()) {
            let are_many = said.repeat.is_some()
                || matches!(
                    &said.day,
                    Some(Day::Week {
                        which: Which::All,
                        ..
                    })
                );
            self.at += usize::from(are_many);
            return are_many.then_some((part, false));
        }
        for (words, part, is_today) in [
            (&["in", "the", "morning"] as &[&str], Part::Morning, false),
            (&["in", "the", "afternoon"], Part::Afternoon, false),
            (&["in", "the", "evening"], Part::Evening, false),
            (&["at", "night"], Part::Night, false),
            (&["this", "morning"], Part::Morning, true),
            (&["this", "afternoon"], Part::Afternoon, true),
            (&["this", "evening"], Part::Evening, true),
            (&["tonight"], Part::Night, true),
            (&["morning"], Part::Morning, false),
            (&["afternoon"], Part::Afternoon, false),
            (&["evening"], Part::Evening, false),
            (&["night"], Part::Night, false),
        ] {
            let stands_alone = words.len() > 1 || is_today || self.at == 0 || said.day.is_some();
            if stands_alone && self.eat_all(words) {
                return Some((part, is_today));
            }
        }
        None
    }

    /// A time of day. `is_at` says that figures alone are an hour.
    pub(super) fn clock(&mut self, is_at: bool) -> Tried<Clock> {
        let after_t = std::mem::take(&mut self.is_after_t);
        if self.eat_all(&["12", "noon"]) || self.eat_any(&["noon", "midday"]) {
            return Ok(Some(Clock::hour(12)));
        }
        if self.eat_all(&["12", "midnight"]) || self.eat("midnight") {
            let form = Form::Midnight;
            return Ok(Some(Clock {
                time: Time::midnight(),
                form,
            }));
        }
        if let Some(spoken) = self.attempt(|r| r.spoken(is_at))? {
            return Ok(Some(spoken));
        }
        self.attempt(|r| {
            let Some(mut written) = r.written(is_at, after_t) else {
                return Ok(None);
            };
            written.is_sure |= after_t;
            let half = r.half();
            r.clock_of(&written, half).map(Some)
        })
    }

    /// A time of day in figures.
    fn written(&mut self, is_at: bool, after_t: bool) -> Option<Written<'a>> {
        let hour = self.figures()?;
        let mut written = Written {
            hour,
            ..Written::default()
        };
        if self.is_joined_by(":") && hour.len() <= 2 {
            self.at += 1;
            written.minute = self.figures()?;
            written.has_colon = true;
            if self.is_joined_by(":") {
                self.at += 1;
                written.second = self.figures()?;
                written.is_sure = true;
                if self.is_joined_by(".") {
                    self.at += 1;
                    written.fraction = self.figures()?;
                }
            }
        } else if self.is_joined_by(".") && hour.len() <= 2 && self.peek_at(1).len() == 2 {
            self.at += 1;
            written.minute = self.figures()?;
            written.has_colon = true;
            // `9.30` may be a number of anything.
            if !is_at && !self.is_half() {
                return None;
            }
        } else if is_at && self.is_joined() && self.peek() == "h" && hour.len() <= 2 {
            // 21h and 21h30, of people who use the clock of 24 hours.
            self.at += 1;
            written.is_sure = true;
            if self.is_joined() && self.kind() == Some(Kind::Figures) {
                written.minute = self.figures()?;
            }
        } else {
            self.without_colon(&mut written, is_at, after_t)?;
        }
        // `2027-01-05` and `9:30:00:00` are none.
        let goes_on = self.is_joined() && matches!(self.peek(), ":" | "/" | "." | "th" | "st");
        (!goes_on).then_some(written)
    }

    /// `9`, `930` and `0930`, where an hour is awaited or the half of the day comes after it.
    fn without_colon(
        &mut self,
        written: &mut Written<'a>,
        is_at: bool,
        after_t: bool,
    ) -> Option<()> {
        let figures = written.hour;
        let awaited = is_at
            || after_t
            || self.is_half()
            || self.is_before_part()
            || self.is_military(figures);
        if !awaited || figures.len() > 4 && !(after_t && figures.len() == 6) {
            return None;
        }
        if figures.len() > 2 {
            let (hour, rest) = figures.split_at(figures.len() - 2);
            let (hour, minute, second) = match hour.split_at_checked(2) {
                Some((hour, minute)) if figures.len() == 6 => (hour, minute, rest),
                _ => (hour, rest, ""),
            };
            (written.hour, written.minute, written.second) = (hour, minute, second);
            written.is_sure = figures.len() == 4 && self.eat_any(&["hours", "hrs"]);
        }
        // "At 5 January", "at 3rd" and "at 20 minutes" name no hour.
        let next = self.peek();
        let is_other = number::month(next).is_some()
            || (unit(next).is_some() && !next.is_empty())
            || matches!(next, "st" | "nd" | "rd" | "th" | "of")
            || (self.is_joined() && next == "-" && !after_t && !self.is_in_window);
        (!is_other).then_some(())
    }

    /// Whether figures are a time of day as in "0900 hours", and not so many of them from now.
    fn is_military(&self, figures: &str) -> bool {
        let is_shown = match figures.split_at_checked(2) {
            Some((hour, minute)) if figures.len() == 4 => hour < "24" && minute < "60",
            _ => false,
        };
        let is_length = matches!(
            self.peek_at(1),
            "from" | "after" | "before" | "later" | "hence"
        );
        is_shown && matches!(self.peek(), "hours" | "hrs") && !self.is_joined() && !is_length
    }

    /// Whether `am` or `pm` comes next.
    fn is_half(&self) -> bool {
        matches!(self.peek(), "am" | "pm")
    }

    /// Whether "in the morning" or the like comes next.
    pub(super) fn is_before_part(&self) -> bool {
        match [self.peek(), self.peek_at(1), self.peek_at(2)] {
            ["in", "the", part] => matches!(part, "morning" | "afternoon" | "evening"),
            ["at", "night", _] => true,
            _ => false,
        }
    }

    pub(super) fn half(&mut self) -> Option<Half> {
        if self.eat("am") {
            return Some(Half::Am);
        }
        self.eat("pm").then_some(Half::Pm)
    }

    /// The time of day of what was written.
    pub(super) fn clock_of(&self, written: &Written<'_>, half: Option<Half>) -> Result<Clock, Why> {
        let shown = || {
            let parts = [written.hour, written.minute, written.second];
            let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
            let half = match half {
                Some(Half::Am) => "am",
                Some(Half::Pm) => "pm",
                None => "",
            };
            parts.join(":") + half
        };
        let wrong = || Why::NoSuchTime(shown());
        let number = |text: &str| match text {
            "" => Some(0),
            text => text.parse::<i8>().ok(),
        };
        let two = |text: &str| text.is_empty() || text.len() == 2;
        if !two(written.minute) || !two(written.second) || written.fraction.len() > 9 {
            return Err(wrong());
        }
        let hour = number(written.hour).ok_or_else(wrong)?;
        let minute = number(written.minute).ok_or_else(wrong)?;
        let second = number(written.second).ok_or_else(wrong)?;
        let nanos: i32 = format!("{:0<9}", written.fraction)
            .parse()
            .unwrap_or_default();
        // The database holds microseconds.
        let nanos = nanos / 1_000 * 1_000;
        if (hour, minute, second, nanos) == (24, 0, 0, 0) && half.is_none() {
            let form = Form::DayEnd;
            return Ok(Clock {
                time: Time::midnight(),
                form,
            });
        }
        let has_minutes = !written.minute.is_empty();
        let is_padded = written.hour.len() == 2 && written.hour.starts_with('0');
        let (hour, form) = match (half, hour) {
            (Some(Half::Am), 12) => (0, Form::Sure),
            (Some(Half::Am), 1..12) => (hour, Form::Sure),
            (Some(Half::Am), 0) if has_minutes => (0, Form::Sure),
            (Some(Half::Pm), 12) => (12, Form::Sure),
            (Some(Half::Pm), 1..12) => (hour + 12, Form::Sure),
            (Some(Half::Pm), 13..24) if has_minutes => (hour, Form::Sure),
            (Some(_), _) => return Err(wrong()),
            (None, 12) if written.has_colon => (12, Form::Sure),
            (None, 1..=12) if !is_padded && !written.is_sure => {
                let form = Form::Twelve {
                    has_colon: written.has_colon,
                    is_beside: false,
                };
                (hour, form)
            }
            (None, _) => (hour, Form::Sure),
        };
        let time = Time::new(hour, minute, second, nanos).map_err(|_| wrong())?;
        let is_twelve = number(written.hour) == Some(12);
        let form = match half {
            Some(Half::Am) if is_twelve && time == Time::midnight() => Form::TwelveAm,
            _ => form,
        };
        Ok(Clock { time, form })
    }
}

/// The half of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}
