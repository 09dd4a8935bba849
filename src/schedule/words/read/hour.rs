//! Minutes past each hour: "every hour at :15", "at 15 and 45 minutes past every hour".

use super::super::Why;
use super::{Reader, Tried};

impl Reader<'_> {
    /// How many minutes past each hour, with the words for "every hour" before or after them.
    pub(super) fn past_each_hour(&mut self) -> Tried<Vec<i8>> {
        if let Some(minutes) = self.attempt(Self::hour_then_minutes)? {
            return Ok(Some(minutes));
        }
        self.attempt(|r| {
            let Some(minutes) = r.minutes_past()? else {
                return Ok(None);
            };
            let is_each = r.eat_any(&["every", "each"]) && r.eat("hour");
            Ok(is_each.then_some(minutes))
        })
    }

    fn hour_then_minutes(&mut self) -> Tried<Vec<i8>> {
        let is_each = self.eat("hourly") || (self.eat_any(&["every", "each"]) && self.eat("hour"));
        if !is_each {
            return Ok(None);
        }
        self.eat(",");
        if let Some(minutes) = self.attempt(|r| r.minutes_alone())? {
            return Ok(Some(minutes));
        }
        let Some(minutes) = self.minutes_past()? else {
            return Ok(None);
        };
        self.eat_all(&["the", "hour"]);
        Ok(Some(minutes))
    }

    /// "At :15 and :45", "at minute 30", "on the half hour".
    fn minutes_alone(&mut self) -> Tried<Vec<i8>> {
        if self.eat_all(&["on", "the", "hour"]) {
            return Ok(Some(vec![0]));
        }
        if self.eat_all(&["on", "the", "half", "hour"]) {
            return Ok(Some(vec![30]));
        }
        self.eat_any(&["at", "on"]);
        let is_named = self.eat_any(&["minute", "minutes"]);
        let minutes = self.list_of_minutes(|r| match is_named || r.eat(":") {
            true => r.figures(),
            false => None,
        });
        match minutes {
            Some(Err(figures)) => Err(Why::NoSuchTime(format!("minute {figures}"))),
            Some(Ok(minutes)) => Ok(Some(minutes)),
            None => Ok(None),
        }
    }

    /// "At 15 and 45 minutes past", "at half past", "at the top of".
    fn minutes_past(&mut self) -> Tried<Vec<i8>> {
        if self.eat_all(&["on", "the", "hour"]) {
            return Ok(Some(vec![0]));
        }
        self.eat("at");
        if self.eat_all(&["the", "top", "of"]) {
            return Ok(Some(vec![0]));
        }
        if self.eat_all(&["half", "past"]) {
            return Ok(Some(vec![30]));
        }
        self.eat("a");
        if self.eat_all(&["quarter", "past"]) {
            return Ok(Some(vec![15]));
        }
        let Some(Ok(minutes)) = self.list_of_minutes(Self::figures) else {
            return Ok(None);
        };
        self.eat_any(&["minutes", "minute", "mins", "min"]);
        Ok(self.eat_any(&["past", "after"]).then_some(minutes))
    }

    /// Several minutes, in order, or figures that are none.
    fn list_of_minutes<'a>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Option<&'a str>,
    ) -> Option<Result<Vec<i8>, &'a str>> {
        let mut all: Vec<i8> = Vec::new();
        while let Some(figures) = match all.is_empty() {
            true => read(self),
            false => self.next_of_list(&mut read),
        } {
            let minute = figures.parse().ok().filter(|m| (0..60).contains(m));
            match minute.filter(|minute| !all.contains(minute)) {
                Some(minute) => all.push(minute),
                None => return Some(Err(figures)),
            }
        }
        all.sort_unstable();
        (!all.is_empty() && !self.goes_on()).then_some(Ok(all))
    }
}
