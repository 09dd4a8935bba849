//! What a pattern means, in plain English: `every weekday at 09:00`.

use jiff::civil::Date;

use super::field::Field;
use crate::schedule::words::MOST_TIMES;
use crate::schedule::words::number::{MONTHS, WEEKDAYS, ordinal_name, with_ending};

/// This many numbers in a row are written as a range.
const RANGE: usize = 3;

/// This many numbers at the same distance are written as a step.
const PROGRESSION: usize = 5;

/// A pattern, in pieces.
pub(super) struct Pieces {
    /// The minutes.
    pub minutes: Vec<i8>,
    /// The hours.
    pub hours: Vec<i8>,
    /// The day-of-month field, in croner's syntax.
    pub day: String,
    /// The months; all if there are none.
    pub months: Vec<i8>,
    /// The day-of-week field, in croner's syntax.
    pub weekday: String,
    /// Whether both days must match. Otherwise either will do, if both are restricted.
    pub both: bool,
}

impl Pieces {
    /// The sentence.
    pub(super) fn told(&self) -> String {
        let days = self.days();
        match self.times() {
            Times::At(times) => format!("{days} at {}", list(&times)),
            Times::Often(often) if days == "every day" => often,
            Times::Often(often) => format!("{often}, {days}"),
        }
    }

    /// The days that it names and that some of its months don't have. Whoever names all days to the
    /// end of a month misses none.
    pub(super) fn absent_days(&self) -> Vec<Absent> {
        let numbers = |item: &str| match item.parse() {
            Ok(day) => vec![day],
            Err(_) if item.contains(['L', 'W']) => Vec::new(),
            Err(_) => range_of(Field::Day, item),
        };
        let days: Vec<i8> = match self.day.as_str() {
            "*" => Vec::new(),
            days => days.split(',').flat_map(numbers).collect(),
        };
        let months: Vec<i8> = match self.months.is_empty() {
            true => (1..=12).collect(),
            false => self.months.clone(),
        };
        let mut absent = Vec::new();
        let goes_on = (28..=31).all(|day| days.contains(&day));
        for day in (29..=31).filter(|day| days.contains(day) && !goes_on) {
            let lacks = |month: &&i8| Date::new(2024, **month, day).is_err();
            let lacking: Vec<String> = months
                .iter()
                .filter(lacks)
                .map(|m| month_name(*m))
                .collect();
            if !lacking.is_empty() {
                absent.push(Absent::Day {
                    day,
                    months: lacking,
                });
            } else if day == 29 && months.contains(&2) {
                absent.push(Absent::LeapDay);
            }
        }
        let fifths = self
            .weekday
            .split(',')
            .filter_map(|item| item.strip_suffix("#5"));
        absent.extend(
            fifths
                .map(|day| Absent::Fifth(weekday_name(day.parse::<i8>().unwrap_or_default() % 7))),
        );
        absent
    }

    /// The minutes of the day at which it fires.
    pub(super) fn minutes_of_day(&self) -> Vec<i16> {
        let hours = self.hours.iter().map(|hour| i16::from(*hour));
        let each =
            hours.flat_map(|hour| self.minutes.iter().map(move |m| hour * 60 + i16::from(*m)));
        each.collect()
    }

    /// When during its days it fires.
    pub(super) fn times(&self) -> Times {
        let (minutes, hours) = (self.minutes.as_slice(), self.hours.as_slice());
        let clock = |hour: &i8, minute: &i8| format!("{hour:02}:{minute:02}");
        let all = || {
            let each = hours
                .iter()
                .flat_map(|h| minutes.iter().map(move |m| clock(h, m)));
            each.collect()
        };
        if minutes.len() * hours.len() <= MOST_TIMES {
            return Times::At(all());
        }
        let is_always = hours.len() == 24;
        if let [minute] = minutes {
            let (first, last) = (hours.first().unwrap_or(&0), hours.last().unwrap_or(&0));
            let between = format!(
                "from {} through {}",
                clock(first, minute),
                clock(last, minute)
            );
            return match (is_always, minute, distance(hours)) {
                (true, 0, _) => Times::Often("every hour on the hour".to_owned()),
                (true, minute, _) => {
                    Times::Often(format!("at {} past every hour", counted(*minute)))
                }
                (false, _, Some(1)) => Times::Often(format!("every hour {between}")),
                (false, _, Some(n)) => Times::Often(format!("every {n} hours {between}")),
                (false, _, None) => Times::At(all()),
            };
        }
        let step = distance(minutes).filter(|step| {
            minutes.first() == Some(&0)
                && 60 % step == 0
                && usize::try_from(60 / step).is_ok_and(|n| n == minutes.len())
        });
        let often = match step {
            Some(1) => "every minute".to_owned(),
            Some(step) => format!("every {step} minutes"),
            None => {
                let past = numbers(minutes, &|minute| minute.to_string());
                let of = match is_always {
                    true => "every hour".to_owned(),
                    false => format!("the hours {}", numbers(hours, &|hour| hour.to_string())),
                };
                return Times::Often(format!("at {past} minutes past {of}"));
            }
        };
        if is_always {
            return Times::Often(often);
        }
        let last = minutes.last().unwrap_or(&59);
        let runs = runs(hours);
        if runs.len() > RANGE {
            let hours = numbers(hours, &|hour| hour.to_string());
            return Times::Often(format!("{often} in the hours {hours}"));
        }
        let each: Vec<String> = runs
            .iter()
            .map(|(first, end)| format!("from {} through {}", clock(first, &0), clock(end, last)))
            .collect();
        Times::Often(format!("{often} {}", list(&each)))
    }

    /// On which days.
    pub(super) fn days(&self) -> String {
        // Where both must match, a field that matches every day says nothing.
        let is_every_day = |field, item: &str, all: usize| {
            let days = || range_of(field, item).len() == all;
            item == "*" || (self.both && item.starts_with('*') && days())
        };
        let is_any_day = is_every_day(Field::Day, &self.day, 31);
        let is_any_weekday = is_every_day(Field::Weekday, &self.weekday, 7);
        match (is_any_day, is_any_weekday) {
            (true, true) if self.months.is_empty() => "every day".to_owned(),
            (true, true) => format!("every day in {}", self.months()),
            (false, true) => format!("on {}", self.of_month()),
            (true, false) => self.of_week(),
            (false, false) if self.both => {
                let days = self.of_week_days("or");
                format!("on {} if it is {days}", self.of_month())
            }
            (false, false) => format!("on {} and also {}", self.of_month(), self.of_week()),
        }
    }

    fn months(&self) -> String {
        let each: Vec<String> = self.months.iter().map(|month| month_name(*month)).collect();
        list(&each)
    }

    /// "Every month", or some months of every year.
    fn of(&self) -> String {
        match self.months.is_empty() {
            true => "every month".to_owned(),
            false => format!("{} every year", self.months()),
        }
    }

    /// "The 1st and 15th of every month".
    fn of_month(&self) -> String {
        let mut plain: Vec<i8> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        for item in self.day.split(',') {
            match item.parse() {
                Ok(day) => plain.push(day),
                Err(_) => match item {
                    "L" => others.push("last day".to_owned()),
                    "LW" => others.push("last weekday".to_owned()),
                    "1W" => others.push("first weekday".to_owned()),
                    _ => match item.strip_suffix('W').and_then(|day| day.parse().ok()) {
                        Some(day) => {
                            others.push(format!("weekday nearest the {}", with_ending(day)))
                        }
                        None => plain.extend(range_of(Field::Day, item)),
                    },
                },
            }
        }
        plain.sort_unstable();
        plain.dedup();
        if let (Some(step), true) = (distance(&plain), plain.len() >= PROGRESSION)
            && others.is_empty()
            && step > 1
        {
            let [first, last] =
                [plain.first(), plain.last()].map(|day| with_ending(*day.unwrap_or(&1)));
            let step = with_ending(step);
            return format!(
                "every {step} day from the {first} to the {last} of {}",
                self.of()
            );
        }
        let mut days: Vec<String> = pieces(&plain, &|day| with_ending(day));
        days.extend(others);
        format!("the {} of {}", list(&days), self.of())
    }

    /// "Every Monday", "on the first Monday of every month".
    fn of_week(&self) -> String {
        let (plain, nths) = self.week();
        let each = |days: &[i8]| {
            let in_months = match self.months.is_empty() {
                true => String::new(),
                false => format!(" in {}", self.months()),
            };
            format!("every {}{in_months}", week_days(days, "and"))
        };
        let of_month = || format!("on {} of {}", list(&nths), self.of());
        match (plain.is_empty(), nths.is_empty()) {
            (false, true) => each(&plain),
            (true, _) => of_month(),
            (false, false) => format!("{} and also {}", each(&plain), of_month()),
        }
    }

    /// "A Monday or the last Friday of the month".
    fn of_week_days(&self, or: &str) -> String {
        let (plain, nths) = self.week();
        let mut parts: Vec<String> = Vec::new();
        if !plain.is_empty() {
            parts.push(format!("a {}", week_days(&plain, or)));
        }
        parts.extend(nths.iter().map(|nth| format!("{nth} of the month")));
        parts.join(&format!(" {or} "))
    }

    /// The days of the week from Monday on, and "the first Monday" and so on.
    fn week(&self) -> (Vec<i8>, Vec<String>) {
        let mut plain: Vec<i8> = Vec::new();
        let mut nths: Vec<(i8, Vec<&str>)> = Vec::new();
        let mut add = |day: &str, nth| {
            let day = day.parse::<i8>().map_or(0, |day| day % 7);
            match nths.iter_mut().find(|(of, _)| *of == day) {
                Some((_, all)) => all.push(nth),
                None => nths.push((day, vec![nth])),
            }
        };
        for item in self.weekday.split(',') {
            if let Some((day, nth)) = item.split_once('#') {
                let nth = nth.parse().unwrap_or(1);
                add(day, ordinal_name(nth));
            } else if let Some(day) = item.strip_suffix('L') {
                add(day, "last");
            } else if let Ok(day) = item.parse::<i8>() {
                plain.push(day % 7);
            } else {
                plain.extend(
                    range_of(Field::Weekday, item)
                        .into_iter()
                        .map(|day| day % 7),
                );
            }
        }
        plain.sort_unstable_by_key(|day| (day + 6) % 7);
        plain.dedup();
        let nths = nths.into_iter().map(|(day, all)| {
            let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
            format!("the {} {}", list(&all), weekday_name(day))
        });
        (plain, nths.collect())
    }
}

/// A day that a pattern names and that some of its months don't have.
pub(in crate::schedule) enum Absent {
    /// The 30th or the 31st.
    Day {
        /// Which.
        day: i8,
        /// The months without it.
        months: Vec<String>,
    },
    /// 29 February.
    LeapDay,
    /// The fifth of a day of the week.
    Fifth(String),
}

/// When during its days a pattern fires.
pub(super) enum Times {
    /// At these times of day.
    At(Vec<String>),
    /// Again and again.
    Often(String),
}

/// The numbers of `*`, `*/2` or `1-5`.
fn range_of(field: Field, item: &str) -> Vec<i8> {
    let (low, high) = match field {
        Field::Weekday => (0, 6),
        _ => (1, 31),
    };
    let (range, step) = item.split_once('/').unwrap_or((item, "1"));
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (first.parse().unwrap_or(low), last.parse().unwrap_or(high)),
        None => (low, high),
    };
    (first..=last).step_by(step.parse().unwrap_or(1)).collect()
}

/// "Weekday", "day", "Monday and Thursday".
fn week_days(days: &[i8], and: &str) -> String {
    match days {
        [1, 2, 3, 4, 5] => "weekday".to_owned(),
        [_, _, _, _, _, _, _] => "day".to_owned(),
        days => {
            let names: Vec<String> = days.iter().map(|day| weekday_name(*day)).collect();
            listed(&names, and)
        }
    }
}

/// The distance between numbers in order, if it is the same between all of them.
fn distance(numbers: &[i8]) -> Option<i8> {
    let mut distances = numbers.windows(2).map(|pair| match pair {
        [a, b] => b - a,
        _ => 0,
    });
    let first = distances.next()?;
    distances.all(|next| next == first).then_some(first)
}

/// The numbers in a row, each row by its first and its last.
fn runs(numbers: &[i8]) -> Vec<(i8, i8)> {
    let mut runs: Vec<(i8, i8)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => runs.push((*n, *n)),
        }
    }
    runs
}

/// Numbers, those in a row as a range.
fn pieces(numbers: &[i8], shown: &dyn Fn(i8) -> String) -> Vec<String> {
    let mut pieces = Vec::new();
    for (first, last) in runs(numbers) {
        match usize::try_from(last - first + 1) {
            Ok(length) if length >= RANGE => {
                pieces.push(format!("{} to {}", shown(first), shown(last)));
            }
            _ => pieces.extend((first..=last).map(shown)),
        }
    }
    pieces
}

fn numbers(numbers: &[i8], shown: &dyn Fn(i8) -> String) -> String {
    list(&pieces(numbers, shown))
}

fn counted(minutes: i8) -> String {
    match minutes {
        1 => "1 minute".to_owned(),
        n => format!("{n} minutes"),
    }
}

pub(super) fn list(items: &[String]) -> String {
    listed(items, "and")
}

fn listed(items: &[String], and: &str) -> String {
    match items {
        [rest @ .., last] if !rest.is_empty() => format!("{} {and} {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

fn month_name(month: i8) -> String {
    let at = usize::try_from(month - 1).unwrap_or_default();
    capitalized(MONTHS.get(at).copied().unwrap_or_default())
}

fn weekday_name(day: i8) -> String {
    let at = usize::try_from(day).unwrap_or_default();
    capitalized(WEEKDAYS.get(at).copied().unwrap_or_default())
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
