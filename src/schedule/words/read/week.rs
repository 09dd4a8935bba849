//! Days of the week: Friday, weekdays, Monday to Thursday, Sunday next week.

use jiff::civil::Weekday;

use super::super::Why;
use super::super::number;
use super::super::said::{Day, Part, Repeat, Said, Which};
use super::{Reader, Tried};

const WORKDAYS: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

/// Words that stand for Monday to Friday, in singular and plural.
pub(super) const WORKDAY: [(&[&str], &[&str]); 4] = [
    (&["weekday"], &["weekdays"]),
    (&["workday"], &["workdays"]),
    (&["business", "day"], &["business", "days"]),
    (&["working", "day"], &["working", "days"]),
];

impl Reader<'_> {
    /// Days of the week, by name or as weekdays and weekends.
    pub(super) fn days_of_week(&mut self, repeat: Option<Repeat>) -> Tried<Day> {
        if let Some(day) = self.day_next_week()? {
            return Ok(Some(day));
        }
        let is_each = repeat == Some(Repeat::Each);
        for (single, several) in WORKDAY {
            let is_all = is_each || part_of_many_days(self.peek_at(single.len())).is_some();
            if self.eat_all(several) || (is_all && self.eat_all(single)) {
                let (days, which) = (WORKDAYS.to_vec(), Which::All);
                return Ok(Some(Day::Week { days, which }));
            }
        }
        let is_all = is_each || part_of_many_days(self.peek_at(1)).is_some();
        if self.eat("weekends") || (is_all && self.eat("weekend")) {
            let (days, which) = (vec![Weekday::Saturday, Weekday::Sunday], Which::All);
            return Ok(Some(Day::Week { days, which }));
        }
        if let Some(range) = self.attempt(|r| Ok(r.range_from()))? {
            return Ok(Some(range));
        }
        let before = self.at;
        let is_after_next = [self.peek_at(2), self.peek_at(3)] == ["after", "next"];
        if matches!(self.peek_at(1), "next" | "coming" | "upcoming") || is_after_next {
            self.eat("the");
        }
        let which = match self.peek() {
            "next" => Which::Next,
            "this" => Which::This,
            _ => Which::Coming,
        };
        if which != Which::Coming {
            self.at += 1;
        }
        if which != Which::Next {
            self.eat_any(&["coming", "upcoming"]);
        }
        let is_plain = self.at == before || is_after_next;
        let Some((first, mut is_many)) = self.weekday() else {
            return Ok(None);
        };
        if !is_plain && is_many {
            return Ok(None);
        }
        if is_plain && let Some(days) = self.rest_of_range(first) {
            let which = Which::All;
            return Ok(Some(Day::Week { days, which }));
        }
        let mut days = vec![first];
        while is_plain && let Some((day, of_many)) = self.next_of_list(Self::weekday) {
            if days.contains(&day) {
                return Err(Why::Twice("day of the week"));
            }
            days.push(day);
            is_many |= of_many;
        }
        let is_single = is_plain && days.len() == 1 && !is_many;
        if is_single && let Some(which) = self.which_week() {
            return Ok(Some(Day::Week { days, which }));
        }
        is_many |= is_plain && part_of_many_days(self.peek()).is_some();
        let which = if is_many { Which::All } else { which };
        Ok(Some(Day::Week { days, which }))
    }

    /// What is left of all days, or of those that were named, without some days of the week: "every day
    /// except Sunday".
    pub(super) fn other_days(&mut self, said: &Said) -> Option<Day> {
        let before = self.at;
        let days = self.left(said);
        if days.is_none() {
            self.at = before;
        }
        let (days, which) = (days?, Which::All);
        Some(Day::Week { days, which })
    }

    fn left(&mut self, said: &Said) -> Option<Vec<Weekday>> {
        // "But on Sunday" would go on with another time.
        let is_without = self.eat_all(&["except", "for"])
            || self.eat_all(&["except", "on"])
            || self.eat_any(&["except", "excluding", "but"]);
        if !is_without {
            return None;
        }
        let mut without = self.weekend_or_weekday()?;
        while let Some(more) = self.next_of_list(Self::weekend_or_weekday) {
            without.extend(more);
        }
        let all: Vec<Weekday> = match &said.day {
            None if said.repeat == Some(Repeat::Daily) => {
                Weekday::Monday.cycle_forward().take(7).collect()
            }
            Some(Day::Week {
                days,
                which: Which::All,
            }) => days.clone(),
            _ => return None,
        };
        let is_all = without.iter().all(|day| all.contains(day));
        let left: Vec<Weekday> = all
            .into_iter()
            .filter(|day| !without.contains(day))
            .collect();
        (is_all && left.len() > 1).then_some(left)
    }

    fn weekend_or_weekday(&mut self) -> Option<Vec<Weekday>> {
        if self.eat_any(&["weekends", "weekend"]) || self.eat_all(&["the", "weekend"]) {
            return Some(vec![Weekday::Saturday, Weekday::Sunday]);
        }
        self.weekday().map(|(day, _)| vec![day])
    }

    /// In which week a day is that was just named.
    fn which_week(&mut self) -> Option<Which> {
        if self.eat_all(&["after", "next"]) {
            return Some(Which::AfterNext);
        }
        let before = self.at;
        self.eat_any(&["of", "in"]);
        let week = self.week();
        if week.is_none() {
            self.at = before;
        }
        week
    }

    /// "This week", "next week" or "the week after next".
    fn week(&mut self) -> Option<Which> {
        if self.eat_all(&["next", "week"]) {
            return Some(Which::NextWeek);
        }
        if self.eat_all(&["this", "week"]) {
            return Some(Which::ThisWeek);
        }
        let is_later = self.eat_all(&["the", "week", "after", "next"])
            || self.eat_all(&["week", "after", "next"]);
        is_later.then_some(Which::WeekAfterNext)
    }

    /// "Next week on Friday".
    fn day_next_week(&mut self) -> Tried<Day> {
        self.attempt(|r| {
            let Some(which) = r.week() else {
                return Ok(None);
            };
            r.eat("on");
            Ok(r.weekday().filter(|(_, is_many)| !is_many).map(|(day, _)| {
                let days = vec![day];
                Day::Week { days, which }
            }))
        })
    }

    /// A day of the week, and whether all of that name are meant.
    pub(super) fn weekday(&mut self) -> Option<(Weekday, bool)> {
        let found = number::weekday(self.peek())?;
        self.at += 1;
        self.eat_dot();
        Some(found)
    }

    /// "From Monday to Friday".
    fn range_from(&mut self) -> Option<Day> {
        if !self.eat("from") {
            return None;
        }
        let (first, _) = self.weekday()?;
        let days = self.rest_of_range(first)?;
        let which = Which::All;
        Some(Day::Week { days, which })
    }

    /// Whether "from Monday to Friday" comes next, which are days and no beginning.
    pub(super) fn is_range_from(&mut self) -> bool {
        let before = self.at;
        let found = self.range_from().is_some();
        self.at = before;
        found
    }

    /// The days from `first` to the one after a dash or "to".
    fn rest_of_range(&mut self, first: Weekday) -> Option<Vec<Weekday>> {
        let before = self.at;
        let last = match self.eat_any(&["-", "to", "through", "thru"]) {
            true => self.weekday().map(|(day, _)| day),
            false => None,
        };
        let Some(last) = last.filter(|last| *last != first) else {
            self.at = before;
            return None;
        };
        let mut days = vec![first];
        let mut day = first;
        while day != last {
            day = day.next();
            days.push(day);
        }
        Some(days)
    }

    /// What comes after a comma, a stroke or "and" in a list.
    pub(super) fn next_of_list<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let before = self.at;
        let comma = self.eat(",") || (self.is_joined() && self.eat("/"));
        let and = self.eat_any(&["and", "&"]);
        let found = if comma || and { read(self) } else { None };
        if found.is_none() {
            self.at = before;
        }
        found
    }
}

/// The part of the day of "Monday mornings".
pub(super) fn part_of_many_days(word: &str) -> Option<Part> {
    Some(match word {
        "mornings" => Part::Morning,
        "afternoons" => Part::Afternoon,
        "evenings" => Part::Evening,
        "nights" => Part::Night,
        _ => return None,
    })
}
