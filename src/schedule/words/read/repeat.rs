//! How often: every, daily, hourly.

use super::super::number;
use super::super::said::{Length, Part, Repeat};
use super::length::{Unit, unit};
use super::week::part_of_many_days;
use super::{Reader, Tried};

impl Reader<'_> {
    /// How often something happens, perhaps with the part of the day that is in the same words:
    /// "every morning".
    /// `has_days` says that days are named already, on which "mornings" may be.
    pub(super) fn repeat(&mut self, has_days: bool) -> Tried<(Repeat, Option<Part>)> {
        self.attempt(|r| {
            let plain = |repeat| Ok(Some((repeat, None)));
            let before = r.at;
            r.eat_all(&["in", "the"]);
            if let Some(part) = part_of_many_days(r.peek()).filter(|_| !has_days) {
                r.at += 1;
                return Ok(Some((Repeat::Daily, Some(part))));
            }
            r.at = before;
            if r.eat("hourly") {
                return plain(Repeat::Hourly);
            }
            if r.eat_all(&["half", "-", "hourly"]) || r.eat_all(&["half", "hourly"]) {
                return plain(Repeat::Step(seconds(1_800)));
            }
            if r.peek() == "@" && r.peek_at(1) == "every" {
                r.at += 1;
            }
            let once = r.eat("once");
            let adverb = match r.peek() {
                "daily" | "everyday" => Some(Repeat::Daily),
                "weekly" => Some(Repeat::Weekly),
                "monthly" => Some(Repeat::Monthly),
                "yearly" | "annually" => Some(Repeat::Yearly),
                "fortnightly" => Some(Repeat::Step(days(14))),
                _ => None,
            };
            if let Some(adverb) = adverb {
                r.at += 1;
                return plain(adverb);
            }
            let every = match once {
                true => r.eat_any(&["every", "each", "a", "an", "per"]),
                false => r.eat_any(&["every", "each"]),
            };
            if !every {
                return Ok(None);
            }
            r.every()
        })
    }

    /// What comes after "every".
    fn every(&mut self) -> Tried<(Repeat, Option<Part>)> {
        let part = match self.peek() {
            "morning" => Some(Part::Morning),
            "afternoon" => Some(Part::Afternoon),
            "evening" => Some(Part::Evening),
            "night" => Some(Part::Night),
            _ => None,
        };
        if part.is_some() {
            self.at += 1;
            return Ok(Some((Repeat::Daily, part)));
        }
        for (words, length) in [
            (&["hour", "and", "a", "half"] as &[&str], 5_400),
            (&["half", "-", "hour"], 1_800),
        ] {
            if self.eat_all(words) {
                return Ok(Some((Repeat::Step(seconds(length)), None)));
            }
        }
        if self.eat_all(&["day", "of", "the", "week"]) {
            return Ok(Some((Repeat::Daily, None)));
        }
        if let Some(nth) = self.nth_of_all()? {
            return Ok(Some((nth, None)));
        }
        if let Some(unit) = unit(self.peek()).filter(|_| self.peek().len() > 2) {
            let single = match unit {
                // "Every second" may go on: day, Monday.
                Unit::Second => None,
                Unit::Minute => Some(Repeat::Step(seconds(60))),
                Unit::Hour => Some(Repeat::Step(seconds(3_600))),
                Unit::Day => Some(Repeat::Daily),
                Unit::Week => Some(Repeat::Weekly),
                Unit::Month => Some(Repeat::Monthly),
                Unit::Year => Some(Repeat::Yearly),
            };
            let is_single = !self.peek().ends_with('s');
            self.at += usize::from(is_single);
            return Ok(single.filter(|_| is_single).map(|repeat| (repeat, None)));
        }
        if self.eat("fortnight") {
            return Ok(Some((Repeat::Step(days(14)), None)));
        }
        if let Some(length) = self.length()? {
            return Ok(Some((Repeat::Step(length), None)));
        }
        Ok(Some((Repeat::Each, None)))
    }

    /// "Every other", "every third" and "every 2nd", of a unit of time or of a day of the week.
    fn nth_of_all(&mut self) -> Tried<Repeat> {
        self.attempt(|r| {
            let is_other = r.eat("other");
            let n = match is_other {
                true => 2,
                false => match r.ordinal() {
                    Some(n) if n > 1 => n,
                    _ => return Ok(None),
                },
            };
            if let Some(unit) = unit(r.peek()).filter(|_| !r.peek().ends_with('s')) {
                r.at += 1;
                let n = i64::from(n);
                return Ok(match unit {
                    Unit::Second => Some(Repeat::Step(seconds(n))),
                    Unit::Minute => Some(Repeat::Step(seconds(n * 60))),
                    Unit::Hour => Some(Repeat::Step(seconds(n * 3_600))),
                    Unit::Day => Some(Repeat::Step(days(n))),
                    Unit::Week => Some(Repeat::Step(days(n * 7))),
                    Unit::Month => Some(Repeat::Step(months(n))),
                    Unit::Year => Some(Repeat::Step(months(n * 12))),
                });
            }
            // The day of the week itself is a part of the phrase for itself.
            let is_weekday = number::weekday(r.peek()).is_some_and(|(_, is_many)| !is_many);
            let is_of_month = r.peek_at(1) == "of";
            Ok(match (is_weekday && !is_of_month, is_other) {
                (false, _) => None,
                (true, true) => Some(Repeat::Step(days(14))),
                (true, false) => Some(Repeat::Nth(n)),
            })
        })
    }
}

fn months(months: i64) -> Length {
    Length {
        months,
        ..Length::default()
    }
}

fn days(days: i64) -> Length {
    Length {
        days,
        ..Length::default()
    }
}

fn seconds(seconds: i64) -> Length {
    Length {
        seconds,
        ..Length::default()
    }
}
