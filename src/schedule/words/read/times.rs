//! How often in each day, week or month: "twice a day at 9am and 5pm", "nightly at 11pm".

use super::super::Why;
use super::super::said::{Day, Part, Repeat, Said, Times};
use super::{Reader, Tried, put};

impl Reader<'_> {
    /// How often in each day, week or month.
    pub(super) fn times(&mut self) -> Tried<Times> {
        if self.eat("nightly") {
            return Ok(Some(Times::Nightly));
        }
        self.attempt(|r| {
            let n = match r.eat("twice") {
                true => Some(2),
                false if r.eat("thrice") => Some(3),
                false => {
                    let n = match r.figures() {
                        Some(figures) => figures.parse().ok(),
                        None => r.number_in_words(),
                    };
                    n.filter(|_| r.eat("times"))
                }
            };
            let Some(n) = n.and_then(|n| usize::try_from(n).ok()) else {
                return Ok(None);
            };
            let unit = match r.eat_any(&["a", "per", "each", "every"]) {
                true => r.peek(),
                false => match r.peek() {
                    "daily" => "day",
                    "weekly" => "week",
                    "monthly" => "month",
                    _ => "",
                },
            };
            r.at += 1;
            Ok(match unit {
                "day" => Some(Times::ADay(n)),
                "week" => Some(Times::AWeek(n)),
                "month" => Some(Times::AMonth(n)),
                _ => None,
            })
        })
    }

    /// Makes a repetition of how often something happens.
    ///
    /// # Errors
    /// [`Why::Vague`] unless times or days are named, as many of them.
    pub(super) fn fit_times(&self, said: &mut Said) -> Result<(), Why> {
        let Some(often) = self.times else {
            return Ok(());
        };
        let days = match &said.day {
            Some(Day::Week { days, .. }) => days.len(),
            Some(Day::Month { days, .. }) => days.len(),
            Some(Day::Nths { nths, .. }) => nths.len(),
            _ => 0,
        };
        let times = said.clocks.len();
        let (fits, repeat) = match often {
            Times::ADay(n) => (times == n, Repeat::Daily),
            Times::AWeek(n) => (days == n && times == 1, Repeat::Weekly),
            Times::AMonth(n) => (days == n && times == 1, Repeat::Monthly),
            Times::Nightly => (times == 1, Repeat::Daily),
        };
        if !fits {
            return Err(Why::Vague);
        }
        if often == Times::Nightly {
            put(&mut said.part, Part::Night, "part of the day")?;
        }
        put(&mut said.repeat, repeat, "repetition")
    }
}
