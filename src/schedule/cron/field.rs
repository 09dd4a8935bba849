//! One field of a cron pattern: parsed, checked, and rewritten for croner.
//!
//! croner is strict, and its errors don't name the field. The Python original stored whatever
//! croniter accepted, which is more: ranges that wrap (`22-2`), a start with a step (`10/15`),
//! `L5`.

use crate::schedule::words::number::{MONTHS, WEEKDAYS};

/// The five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// A parsed field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The field in croner's syntax.
    pub croner: String,
    /// It begins with a star, which is what vixie-cron's `DOM_STAR` and `DOW_STAR` check.
    pub star: bool,
    /// It has a star or a step anywhere: it repeats rather than naming times.
    pub repeats: bool,
    /// A step longer than the field, so that it never comes a second time.
    pub idle_step: Option<u16>,
}

impl Field {
    pub(super) const ALL: [Field; 5] = [
        Field::Minute,
        Field::Hour,
        Field::Day,
        Field::Month,
        Field::Weekday,
    ];

    /// The field's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::Day => "day-of-month",
            Field::Month => "month",
            Field::Weekday => "day-of-week",
        }
    }

    /// The lowest and highest number that may be written.
    fn bounds(self) -> (u16, u16) {
        match self {
            Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::Day => (1, 31),
            Field::Month => (1, 12),
            Field::Weekday => (0, 7),
        }
    }

    /// The lowest and highest number of its cycle, in which Sunday counts once.
    fn cycle(self) -> (u16, u16) {
        match self {
            Field::Weekday => (0, 6),
            other => other.bounds(),
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Field::Minute => "minutes go from 0 to 59",
            Field::Hour => "hours go from 0 to 23",
            Field::Day => "days go from 1 to 31, and L, LW and 15W are allowed",
            Field::Month => "months go from 1 to 12 or JAN to DEC",
            Field::Weekday => {
                "days of the week go from 0 to 7 (0 and 7 are Sunday) or SUN to SAT, and 5L and \
                 1#2 are allowed"
            }
        }
    }

    /// Parses the field, in lower case, or says what is wrong with it.
    pub(super) fn read(self, text: &str) -> Result<Read, String> {
        let star = text.starts_with('*') || text == "?";
        let mut read = Read {
            croner: String::new(),
            star,
            repeats: star || text.contains(['*', '/']),
            idle_step: None,
        };
        let items: Vec<&str> = text.split(',').collect();
        if self == Field::Day && items.contains(&"l") && items.contains(&"lw") {
            return Err("L and LW can't be combined".to_owned());
        }
        let alone = items.len() == 1;
        let mut parts = Vec::new();
        for item in items {
            let part =
                self.item(item, alone, &mut read.idle_step)
                    .map_err(|wrong| match alone {
                        true => wrong,
                        false => format!("in '{}', {wrong}", item.escape_debug()),
                    })?;
            parts.push(part);
        }
        // A star includes everything else. If it is not the first in the list, vixie-cron sets no
        // star flag, so it is written as the range it stands for.
        read.croner = if star && parts.iter().any(|p| p == "*") {
            "*".to_owned()
        } else {
            let (low, high) = self.cycle();
            let parts: Vec<String> = parts
                .into_iter()
                .map(|p| match p.as_str() {
                    "*" => format!("{low}-{high}"),
                    _ => p,
                })
                .collect();
            parts.join(",")
        };
        Ok(read)
    }

    /// One item of the list, in croner's syntax.
    fn item(self, item: &str, alone: bool, idle_step: &mut Option<u16>) -> Result<String, String> {
        if item.is_empty() {
            return Err("there is nothing next to the comma".to_owned());
        }
        if item == "?" && matches!(self, Field::Day | Field::Weekday) {
            return Ok("*".to_owned());
        }
        if let Some(special) = self.special(item)? {
            return Ok(special);
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step, idle_step)?)),
            None => (item, None),
        };
        let (lowest, highest) = self.cycle();
        let (from, to) = if range == "*" {
            match step {
                None => return Ok("*".to_owned()),
                // croner describes a step as "every n", which is only true of a lone one that
                // divides the field evenly.
                Some(step)
                    if alone
                        && idle_step.is_none()
                        && (highest - lowest + 1).is_multiple_of(step) =>
                {
                    return Ok(format!("*/{step}"));
                }
                Some(_) => (lowest, highest),
            }
        } else if let Some((from, to)) = range.split_once('-') {
            let from = self.value(from)?;
            // croniter writes "to the last day" as `10-l`.
            let to = match (self, to) {
                (Field::Day, "l") => highest,
                _ => self.value(to)?,
            };
            (from, to)
        } else {
            let from = self.value(range)?;
            match step {
                None => return Ok(from.to_string()),
                // `10/15`, as in croniter and cronie: from 10 to the end.
                Some(_) => (from, highest),
            }
        };
        Ok(self.range(from, to, step))
    }

    /// A range in croner's syntax; one that wraps around the end of the field continues at its
    /// start.
    fn range(self, from: u16, to: u16, step: Option<u16>) -> String {
        let (lowest, highest) = self.cycle();
        // Sunday is 7 only at the end of a range.
        let (from, to) = match (from > highest, to > highest) {
            (true, true) => (lowest, lowest),
            (true, false) => (lowest, to),
            _ => (from, to),
        };
        match step {
            None if from <= to => format!("{from}-{to}"),
            None => format!("{from}-{highest},{lowest}-{to}"),
            Some(step) => {
                let size = highest - lowest + 1;
                let end = if from <= to { to } else { to + size };
                let values: Vec<String> = (from..=end)
                    .step_by(usize::from(step))
                    .map(|v| if v > highest { v - size } else { v })
                    .map(|v| v.to_string())
                    .collect();
                values.join(",")
            }
        }
    }

    /// `L`, `LW`, `15W`, `W15` for days; `5L`, `L5`, `1#2`, `1-5#2` for days of the week.
    fn special(self, item: &str) -> Result<Option<String>, String> {
        match self {
            Field::Day => {
                if item == "l" || item == "lw" {
                    return Ok(Some(item.to_uppercase()));
                }
                let day = item.strip_suffix('w').or_else(|| item.strip_prefix('w'));
                match day {
                    Some(day) => Ok(Some(format!("{}W", self.value(day)?))),
                    None => Ok(None),
                }
            }
            Field::Weekday => {
                if let Some((days, nth)) = item.split_once('#') {
                    return self.nth(days, nth).map(Some);
                }
                if item == "l" {
                    return Err("L needs a day of the week: 5L is the last Friday".to_owned());
                }
                // No name begins or ends with an l.
                let day = item.strip_suffix('l').or_else(|| item.strip_prefix('l'));
                match day {
                    Some(day) => Ok(Some(format!("{}L", self.value(day)?))),
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// The nth weekday of a month, for one weekday or a range of them.
    fn nth(self, days: &str, nth: &str) -> Result<String, String> {
        if !matches!(nth, "1" | "2" | "3" | "4" | "5") {
            return Err(format!(
                "'{}' after # must be 1 to 5: 1#2 is the second Monday",
                nth.escape_debug()
            ));
        }
        let Some((from, to)) = days.split_once('-') else {
            return Ok(format!("{}#{nth}", self.value(days)?));
        };
        let days = self.range(self.value(from)?, self.value(to)?, Some(1));
        let each: Vec<String> = days.split(',').map(|day| format!("{day}#{nth}")).collect();
        Ok(each.join(","))
    }

    /// The number after a slash.
    fn step(self, text: &str, idle: &mut Option<u16>) -> Result<u16, String> {
        let step = number(text).ok_or_else(|| {
            format!(
                "'{}' after the slash must be a whole number of at least 1",
                text.escape_debug()
            )
        })?;
        if step == 0 {
            return Err("a step must be at least 1".to_owned());
        }
        let (lowest, highest) = self.cycle();
        if step > highest - lowest {
            *idle = Some(step);
        }
        Ok(step)
    }

    /// A number, or a name of a month or a day of the week.
    fn value(self, text: &str) -> Result<u16, String> {
        let (lowest, highest) = self.bounds();
        let names: &[&str] = match self {
            Field::Month => &MONTHS,
            Field::Weekday => &WEEKDAYS,
            _ => &[],
        };
        let named = names
            .iter()
            .position(|name| *name == text || (text.len() == 3 && name.starts_with(text)))
            .and_then(|i| u16::try_from(i).ok())
            .map(|i| i + lowest);
        match named.or_else(|| number(text)) {
            Some(value) if (lowest..=highest).contains(&value) => Ok(value),
            Some(_) => Err(format!("'{text}' is out of range: {}", self.allowed())),
            None => Err(format!(
                "'{}' is not understood: {}",
                text.escape_debug(),
                self.allowed()
            )),
        }
    }
}

/// A whole number in plain digits. One too large to represent is too large for every field.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn croner(field: Field, text: &str) -> String {
        field.read(text).unwrap().croner
    }

    #[test]
    fn what_croner_lacks_is_rewritten_into_what_it_has() {
        for (field, text, wanted) in [
            (Field::Hour, "22-2", "22-23,0-2"),
            (Field::Hour, "22-4/3", "22,1,4"),
            (Field::Minute, "10/15", "10,25,40,55"),
            (Field::Minute, "*/15", "*/15"),
            (Field::Minute, "*/15,7", "0,15,30,45,7"),
            (Field::Minute, "0-30/10", "0,10,20,30"),
            (Field::Minute, "*,5", "*"),
            (Field::Minute, "5,*", "5,0-59"),
            (Field::Day, "10-l", "10-31"),
            (Field::Day, "w15", "15W"),
            (Field::Day, "?", "*"),
            (Field::Month, "nov-feb", "11-12,1-2"),
            (Field::Month, "january", "1"),
            (Field::Weekday, "fri-mon", "5-6,0-1"),
            (Field::Weekday, "sat-sun", "6-6,0-0"),
            (Field::Weekday, "5-7", "5-7"),
            (Field::Weekday, "7-2", "0-2"),
            (Field::Weekday, "7-7", "0-0"),
            (Field::Weekday, "5/2", "5"),
            (Field::Weekday, "1-7/2", "1,3,5,0"),
            (Field::Weekday, "l5", "5L"),
            (Field::Weekday, "fril", "5L"),
            (Field::Weekday, "mon-wed#2", "1#2,2#2,3#2"),
            (Field::Weekday, "monday", "1"),
        ] {
            assert_eq!(croner(field, text), wanted, "{text}");
        }
    }

    #[test]
    fn a_step_that_never_comes_twice_is_noticed() {
        assert_eq!(Field::Minute.read("*/90").unwrap().idle_step, Some(90));
        assert_eq!(Field::Minute.read("*/59").unwrap().idle_step, None);
        assert_eq!(Field::Hour.read("*/24").unwrap().idle_step, Some(24));
        assert_eq!(croner(Field::Hour, "*/24"), "0");
    }
}
