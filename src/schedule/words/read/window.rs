//! The part of a day in which something happens at a distance: "between 9am and 5pm".

use super::super::said::Window;
use super::{Reader, Tried};

impl Reader<'_> {
    /// From one time of day to another.
    pub(super) fn window(&mut self) -> Tried<Window> {
        self.attempt(|r| {
            let first = r.at;
            let is_between = r.eat("between");
            if !is_between {
                r.eat("from");
            }
            // `2060` in `2060-01-31` is no time of day.
            if r.peek().len() == 4 && [1, 3].iter().all(|at| r.peek_at(*at) == "-") {
                return Ok(None);
            }
            let Some(from) = r.end_of_window()? else {
                return Ok(None);
            };
            let is_through = !is_between && r.eat_any(&["through", "thru"]);
            let goes_on = match is_between {
                true => r.eat_any(&["and", "&"]),
                false => is_through || r.eat_any(&["to", "until", "till", "-"]),
            };
            if !goes_on {
                return Ok(None);
            }
            let to = r.end_of_window()?;
            // `2030-01-31` is no part of a day.
            let Some(to) = to.filter(|_| !r.goes_on()) else {
                return Ok(None);
            };
            let is_inclusive = !is_through && r.eat("inclusive");
            let mut ends = [from, to];
            r.agree(&mut ends, first);
            let [from, to] = ends;
            Ok(Some(Window {
                from,
                to,
                is_through: is_through || is_inclusive,
                is_inclusive,
            }))
        })
    }

    fn end_of_window(&mut self) -> Tried<super::Clock> {
        self.is_in_window = true;
        let found = self.clock(true);
        self.is_in_window = false;
        found
    }
}
