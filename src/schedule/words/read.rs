//! Takes a text apart: every token belongs to one part of the phrase, or the text is refused.

mod clock;
mod date;
mod day;
mod hour;
mod length;
mod months;
mod place;
mod repeat;
mod spoken;
mod times;
mod week;
mod window;

use super::Why;
use super::said::{Clock, Day, Form, HOUR, Of, Place, Repeat, Said, Times, Which};
use super::token::{Kind, Token};

/// What a reader of one part makes of the tokens: `None` if the part is not there.
type Tried<T> = Result<Option<T>, Why>;

/// The tokens that are still to be read.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// A date in figures that begin with the year has been read: hours are those of its clock.
    has_iso_date: bool,
    /// The `T` between a date and a time of day has been read.
    is_after_t: bool,
    /// What is read is one end of a part of the day: a dash may follow.
    is_in_window: bool,
    /// How often in each day, week or month, which must be as many times or days as are named.
    times: Option<Times>,
}

/// Takes the tokens apart.
///
/// # Errors
/// [`Why::Unknown`] and [`Why::Twice`], and what is wrong with a part.
pub(super) fn read(tokens: &[Token]) -> Result<Said, Why> {
    let tokens = without_request(tokens);
    let mut reader = Reader::new(tokens);
    let mut said = Said::default();
    while reader.at < tokens.len() {
        if reader.at > 0 && reader.peek() == "," {
            reader.at += 1;
        }
        if !reader.part(&mut said)? {
            return Err(reader.unknown());
        }
    }
    reader.fit_times(&mut said)?;
    reader.fit_months(&mut said)?;
    match said == Said::default() {
        true => Err(Why::Empty),
        false => Ok(said),
    }
}

/// The tokens without "please" at either end and "remind me" at the beginning.
fn without_request(tokens: &[Token]) -> &[Token] {
    let is = |token: &Token, word: &str| token.text == word;
    let mut tokens = tokens;
    if let [first, rest @ ..] = tokens
        && is(first, "please")
    {
        let comma = rest.first().is_some_and(|t| is(t, ","));
        tokens = rest.get(usize::from(comma)..).unwrap_or_default();
    } else if let [rest @ .., last] = tokens
        && is(last, "please")
    {
        tokens = match rest {
            [rest @ .., last] if is(last, ",") => rest,
            rest => rest,
        };
    }
    match tokens {
        [first, second, rest @ ..] if is(first, "remind") && is(second, "me") => rest,
        tokens => tokens,
    }
}

/// Whether a date comes first, whatever comes after it.
pub(super) fn begins_with_date(tokens: &[Token]) -> bool {
    let is_dated = |day: &Day| match day {
        Day::On(_) | Day::Slashed { .. } => true,
        Day::Month { of, .. } => matches!(of, Of::Months(..)),
        _ => false,
    };
    let day = Reader::new(tokens).day(None);
    day.is_ok_and(|day| day.as_ref().is_some_and(is_dated))
}

impl<'a> Reader<'a> {
    fn new(tokens: &'a [Token]) -> Self {
        Reader {
            tokens,
            at: 0,
            has_iso_date: false,
            is_after_t: false,
            is_in_window: false,
            times: None,
        }
    }

    /// Reads the next part of the phrase, and whether there was one.
    fn part(&mut self, said: &mut Said) -> Result<bool, Why> {
        if let Some(minutes) = self.past_each_hour()? {
            add_repeat(said, Repeat::Hourly)?;
            said.minutes = minutes;
            return Ok(true);
        }
        let is_elapsed = |repeat: Repeat| match repeat {
            Repeat::Step(length) => length.seconds != 0,
            _ => repeat == Repeat::Hourly,
        };
        if (said.within.is_some() || said.repeat.is_some_and(is_elapsed))
            && let Some(window) = self.window()?
        {
            put(&mut said.window, window, "part of the day")?;
            return Ok(true);
        }
        if let Some(months) = self.in_months(said.repeat)? {
            if !said.months.is_empty() {
                return Err(Why::Twice("month"));
            }
            said.months = months;
            said.has_months_last = !said.clocks.is_empty() || said.part.is_some();
            return Ok(true);
        }
        if said.repeat.is_some() && self.eat_start() {
            let rest = self.tokens.get(self.at..).unwrap_or_default();
            let from = read(rest)?;
            if from.from.is_some() {
                return Err(Why::Twice("beginning"));
            }
            self.at = self.tokens.len();
            put(&mut said.from, Box::new(from), "beginning")?;
            return Ok(true);
        }
        if let Some(days) = self.other_days(said) {
            said.day = Some(days);
            return Ok(true);
        }
        if let Some(at) = self.epoch() {
            put(&mut said.epoch, at, "point in time")?;
            return Ok(true);
        }
        if let Some(times) = self.times()? {
            put(&mut self.times, times, "repetition")?;
            return Ok(true);
        }
        if let Some((repeat, part)) = self.repeat(said.day.is_some() || said.repeat.is_some())? {
            add_repeat(said, repeat)?;
            if let Some(part) = part {
                put(&mut said.part, part, "part of the day")?;
            }
            return Ok(true);
        }
        if self.eat_single() {
            if std::mem::replace(&mut said.is_single, true) {
                return Err(Why::Twice("once"));
            }
            return Ok(true);
        }
        if let Some(day) = self.day_after()? {
            add_day(said, day)?;
            return Ok(true);
        }
        if let Some(length) = self.after()? {
            put(&mut said.after, length, "length of time")?;
            return Ok(true);
        }
        if let Some((part, is_today)) = self.part_of_day(said) {
            put(&mut said.part, part, "part of the day")?;
            if is_today {
                add_day(said, Day::Relative(0))?;
            }
            return Ok(true);
        }
        if let Some(clocks) = self.clocks()? {
            if !said.clocks.is_empty() {
                return Err(Why::Twice("time of day"));
            }
            said.clocks = clocks;
            return Ok(true);
        }
        if let Some(day) = self.day(said.repeat)? {
            add_day(said, day)?;
            return Ok(true);
        }
        if let Some(length) = self.length()? {
            put(&mut said.lone, length, "length of time")?;
            return Ok(true);
        }
        if let Some(year) = self.late_year(said) {
            said.day = Some(year);
            return Ok(true);
        }
        if let Some(place) = self.place(!said.clocks.is_empty())? {
            said.place = Some(match (said.place.take(), place) {
                (None, place) => place,
                // "+01:00 Europe/Berlin", which must agree.
                (Some(Place::At(offset)), Place::In(zone)) => Place::Short(offset, zone),
                (Some(_), _) => return Err(Why::Twice("place")),
            });
            return Ok(true);
        }
        Ok(false)
    }

    /// The words that say when an interval begins.
    fn eat_start(&mut self) -> bool {
        if self.is_range_from() {
            return false;
        }
        let first = self.eat_any(&["starting", "beginning", "from"]);
        if first && !self.eat_any(&["at", "on", "@"]) {
            self.eat("from");
        }
        first
    }

    /// "Once" and no more.
    fn eat_single(&mut self) -> bool {
        let before = self.at;
        self.eat_any(&["just", "only"]);
        let found = self.eat("once") || self.eat_all(&["one", "time"]);
        if !found {
            self.at = before;
        }
        found
    }

    /// The text of the next token, or nothing.
    fn peek(&self) -> &'a str {
        self.peek_at(0)
    }

    /// The text of a token after the next.
    fn peek_at(&self, ahead: usize) -> &'a str {
        let token = self.tokens.get(self.at + ahead);
        token.map_or("", |token| token.text.as_str())
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    /// Whether the next token follows the last one without a space.
    fn is_joined(&self) -> bool {
        let token = self.tokens.get(self.at);
        self.at > 0 && token.is_some_and(|token| token.is_joined)
    }

    /// Whether the next token is `sign`, with figures on both sides of it and no spaces.
    fn is_joined_by(&self, sign: &str) -> bool {
        let after = self.tokens.get(self.at + 1);
        self.is_joined()
            && self.peek() == sign
            && after.is_some_and(|t| t.kind == Kind::Figures && t.is_joined)
    }

    /// Whether figures go on as a date or a time of day.
    fn goes_on(&self) -> bool {
        (self.is_joined() && matches!(self.peek(), ":" | "h" | "." | "-" | "/"))
            || matches!(self.peek(), "am" | "pm")
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.peek() == word && self.at < self.tokens.len();
        self.at += usize::from(found);
        found
    }

    fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    /// Several words, all of them or none.
    fn eat_all(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(i, w)| self.peek_at(i) == *w);
        self.at += if found { words.len() } else { 0 };
        found
    }

    /// The dot after a word that was cut short.
    fn eat_dot(&mut self) {
        if self.is_joined() && self.peek() == "." {
            self.at += 1;
        }
    }

    fn figures(&mut self) -> Option<&'a str> {
        let text = self.peek();
        let found = self.kind() == Some(Kind::Figures);
        self.at += usize::from(found);
        found.then_some(text)
    }

    /// What `read` finds; if it finds nothing, no token is taken.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Tried<T>) -> Tried<T> {
        let before = (self.at, self.has_iso_date, self.is_after_t);
        let found = read(self)?;
        if found.is_none() {
            (self.at, self.has_iso_date, self.is_after_t) = before;
        }
        Ok(found)
    }

    fn unknown(&self) -> Why {
        match self.peek() {
            "ago" | "yesterday" => Why::Ago,
            word @ ("at" | "@" | "on" | "in" | "the") => match self.peek_at(1) {
                "" => Why::Unfinished(word.to_owned()),
                next => Why::Unknown(format!("{word} {next}")),
            },
            "" => Why::Unfinished(
                self.tokens
                    .last()
                    .map_or_else(String::new, |t| t.text.clone()),
            ),
            word => Why::Unknown(word.to_owned()),
        }
    }
}

/// Fills a part of the phrase.
fn put<T>(slot: &mut Option<T>, found: T, what: &'static str) -> Result<(), Why> {
    match slot.replace(found) {
        None => Ok(()),
        Some(_) => Err(Why::Twice(what)),
    }
}

/// Adds how often: "every 15 minutes" may stand beside "every weekday".
fn add_repeat(said: &mut Said, found: Repeat) -> Result<(), Why> {
    let elapsed = |repeat: Repeat| match repeat {
        Repeat::Step(length) => Some(length).filter(|length| length.seconds != 0),
        Repeat::Hourly => Some(HOUR),
        _ => None,
    };
    let Some(before) = said.repeat else {
        said.repeat = Some(found);
        return Ok(());
    };
    let (within, days) = match (elapsed(before), elapsed(found)) {
        (Some(length), None) => (length, found),
        (None, Some(length)) => (length, before),
        _ => return Err(Why::Twice("repetition")),
    };
    if matches!(days, Repeat::Step(_) | Repeat::Nth(_)) {
        return Err(Why::Twice("repetition"));
    }
    if [before, found].contains(&Repeat::Hourly) && said.minutes.is_empty() {
        said.minutes = vec![0];
    }
    said.repeat = Some(days);
    put(&mut said.within, within, "repetition")
}

/// Adds a day: a day of the week may stand beside a date.
fn add_day(said: &mut Said, found: Day) -> Result<(), Why> {
    let single = |day: &Day| match day {
        Day::Week { days, which } if *which == Which::Coming => match days.as_slice() {
            [only] => Some(*only),
            _ => None,
        },
        _ => None,
    };
    let (date, weekday) = match said.day.take() {
        None => {
            said.day = Some(found);
            return Ok(());
        }
        Some(before) => match (single(&before), single(&found)) {
            (Some(weekday), None) => (found, weekday),
            (None, Some(weekday)) => (before, weekday),
            _ => return Err(Why::Twice("day")),
        },
    };
    if matches!(date, Day::Week { .. } | Day::Nths { .. }) {
        return Err(Why::Twice("day"));
    }
    said.day = Some(date);
    put(&mut said.weekday, weekday, "day of the week")
}

/// Whether some times of day have one that is only on the clock of 24 hours.
fn shows_24_hours(clocks: &[Clock]) -> bool {
    let late = |clock: &Clock| clock.form == Form::Sure && clock.time.hour() > 12;
    clocks.iter().any(late)
}
