//! Times of day as people say them: half past nine, ten to five, nine thirty am.

use super::super::Why;
use super::super::number;
use super::super::said::Clock;
use super::clock::Written;
use super::length::unit;
use super::{Reader, Tried};

impl Reader<'_> {
    /// "Half past nine", "quarter to 5pm", "nine o'clock", "nine thirty am", and "nine" after "at".
    pub(super) fn spoken(&mut self, is_at: bool) -> Tried<Clock> {
        let minutes = self.minutes_before_hour(is_at && !self.is_in_window);
        let is_past = match minutes {
            Some(_) if self.eat_any(&["past", "after"]) => true,
            Some(_) if self.eat_any(&["to", "before"]) => false,
            Some(_) => return Ok(None),
            None => true,
        };
        let figures = self.figures();
        let hour = match figures {
            Some(figures) => figures.parse().ok(),
            None => self.number_in_words(),
        };
        let Some(hour) = hour else {
            return Ok(None);
        };
        let is_word = figures.is_none();
        let after = match is_word && minutes.is_none() {
            true => self.minutes_in_words(),
            false => None,
        };
        let half = self.half();
        let is_clock = half.is_none() && self.eat_any(&["o'clock", "oclock"]);
        let half = half.or_else(|| self.half());
        // Figures with nothing around them are for `written`.
        let is_unit = unit(self.peek()).is_some() || number::month(self.peek()).is_some();
        let is_spoken = minutes.is_some()
            || is_clock
            || (is_word && (half.is_some() || self.is_before_part() || (is_at && !is_unit)));
        // "A quarter to 12am" may be on the day before.
        if !is_spoken || (!is_past && hour == 12 && half.is_some()) {
            return Ok(None);
        }
        if !(1..=12).contains(&hour) {
            return Err(Why::NoSuchTime(format!("{hour} o'clock")));
        }
        let minutes = minutes.or(after).unwrap_or_default();
        let hour = match (is_past, hour) {
            (true, hour) => hour,
            (false, 1) => 12,
            (false, hour) => hour - 1,
        };
        let minute = if is_past { minutes } else { 60 - minutes };
        let text = (hour.to_string(), format!("{minute:02}"));
        let written = Written {
            hour: &text.0,
            minute: &text.1,
            ..Written::default()
        };
        self.clock_of(&written, half).map(Some)
    }

    /// The minutes in "nine thirty".
    fn minutes_in_words(&mut self) -> Option<i8> {
        let before = self.at;
        let minutes = self.number_in_words().filter(|m| (10..60).contains(m));
        if minutes.is_none() {
            self.at = before;
        }
        minutes
    }

    /// The minutes in "half past nine", "twenty to five" and "10 minutes past 3".
    fn minutes_before_hour(&mut self, is_at: bool) -> Option<i8> {
        let before = self.at;
        self.eat("a");
        let found = match self.peek() {
            "half" if self.peek_at(1) == "past" => Some(30),
            "quarter" => Some(15),
            _ => None,
        };
        if found.is_some() {
            self.at += 1;
            return found;
        }
        self.at = before;
        let is_round = is_at && number::ROUND_MINUTES.contains(&self.peek());
        let minutes = match self.figures() {
            Some(figures) => figures.parse().ok(),
            None => self.number_in_words(),
        };
        let named = self.eat_any(&["minutes", "minute"]);
        let is_relative = match self.peek() {
            "past" => true,
            // "Ten to five" without "at" may also be the time between them.
            "to" => named || is_round,
            "after" | "before" => named,
            _ => false,
        };
        let fits = is_relative && minutes.is_some_and(|m| (1..60).contains(&m));
        if !fits {
            self.at = before;
        }
        minutes.filter(|_| fits)
    }
}
