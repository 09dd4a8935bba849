//! The months in which something happens again and again: "every Monday in January", "weekdays from
//! June through August".

use super::super::Why;
use super::super::said::{Day, Of, Repeat, Said};
use super::{Reader, Tried};

impl Reader<'_> {
    /// Months of each year.
    pub(super) fn in_months(&mut self, repeat: Option<Repeat>) -> Tried<Vec<i8>> {
        self.attempt(|r| {
            let (is_range, signs): (bool, &[&str]) = match r.peek() {
                "in" | "during" | "of" => (false, &["to", "through", "thru", "-"]),
                "from" => (true, &["to", "through", "thru"]),
                "between" => (true, &["and"]),
                _ => return Ok(None),
            };
            r.at += 1;
            r.eat_any(&["every", "each"]);
            let Some(first) = r.month() else {
                return Ok(None);
            };
            let mut months = vec![first];
            if let Some(last) = r.attempt(|r| Ok(r.eat_any(signs).then(|| r.month()).flatten()))? {
                months = from_to(first, last);
            } else if is_range {
                return Ok(None);
            } else {
                while let Some(next) = r.next_of_list(Self::month) {
                    if months.contains(&next) {
                        return Err(Why::Twice("month"));
                    }
                    months.push(next);
                }
            }
            months.sort_unstable();
            // "In January 5" is a date, and "in January 2027" is of one year.
            let before = r.at;
            let is_date = r.ordinal().is_some() || r.day_number().is_some();
            r.at = before;
            if is_date || r.year(repeat)?.is_some() {
                return Ok(None);
            }
            let _ = r.eat_all(&["of", "every", "year"])
                || r.eat_all(&["every", "year"])
                || r.eat_all(&["each", "year"]);
            Ok(Some(months))
        })
    }

    /// Makes a date of a day of the month and its month: "the 3rd in January".
    ///
    /// # Errors
    /// [`Why::Twice`] if the day names months, too.
    pub(super) fn fit_months(&self, said: &mut Said) -> Result<(), Why> {
        if said.months.is_empty() {
            return Ok(());
        }
        match &mut said.day {
            Some(Day::Month { of, .. } | Day::Nths { of, .. }) => {
                if !matches!(of, Of::Unsaid | Of::TheMonth) {
                    return Err(Why::Twice("month"));
                }
                *of = Of::Months(std::mem::take(&mut said.months), None);
                said.has_months_last = false;
                Ok(())
            }
            None | Some(Day::Week { .. }) => Ok(()),
            Some(_) => Err(Why::Twice("month")),
        }
    }
}

/// The months from one to another, which may be of the year after.
fn from_to(first: i8, last: i8) -> Vec<i8> {
    let mut months = vec![first];
    let mut month = first;
    while month != last {
        month = month % 12 + 1;
        months.push(month);
    }
    months
}
