//! Points in time and repetitions in plain English: "tomorrow at 9am", "every weekday at 18:30".
//!
//! **The whole text is understood, or it is refused.** Every word belongs to one part of the phrase;
//! a word that has no place there refuses it, and so does a phrase that people use for different
//! times. A refusal gives the readings, each a phrase that is understood as it stands.
//!
//! A phrase is taken apart (`token`, then `read`) into what was `said`, in any order;
//! `once` and `recurrence` decide what that means. Where it may mean several things, each of them
//! is a phrase of its own (`refusal::Doubt`), understood in the same way to become a reading.
//!
//! # What words stand for
//! | words | meaning |
//! |---|---|
//! | morning, afternoon, evening, night (tonight) | 09:00, 15:00, 18:00, 20:00 |
//! | noon, midnight | 12:00; the next 00:00, while "Friday at midnight" is refused |
//! | end of month, last day of the month | that day at 09:00 |
//! | Friday | the first to come; on a Friday today's and the next are both meant |
//! | this Friday | the first to come, on a Friday today |
//! | next Friday | the first after today; the day before it is refused |
//! | Friday next week | that of the week after this one |
//! | in 2 days, in a month | calendar days and months, at the same time of day |
//! | at 8, 8:30 with a day | the morning, from 8 to 11; other hours need am, pm, a zero or a part of the day |
//! | every 2 days at 8 | days of the calendar, the first at the next 8:00 |
//! | hourly, every hour | on the hour; 60 minutes from the beginning |
//! | every monday at 9 and friday at 16:30 | each day at its own time, every week |
//! | in January | that of every year |
//! | every hour at :15 | each hour, so many minutes past it |
//! | every 15 minutes from 9am through 5pm | at 17:00, too; "to" and "until" leave that open |
//!
//! # Daylight saving
//! The rule is that of [`Zone::instant_of`]: a time that is skipped is the first instant after the
//! gap, and one that happens twice is the first of the two. The answer says so.

mod clauses;
mod clock;
mod days;
mod doubts;
mod here;
mod notes;
pub(super) mod number;
mod once;
mod once_or_again;
mod phrase;
mod read;
mod recurrence;
mod refusal;
mod said;
mod token;
mod understood;

use jiff::Timestamp;

pub(super) use self::phrase::{MOST_TIMES, at_a_distance, clauses};
use self::refusal::Doubt;
pub use self::refusal::{NotUnderstood, Why};
use self::said::{Repeat, Said};
use self::token::{Kind, Token};
pub use self::understood::{Meaning, Once, Recurrence, Rule};
use super::Zone;

/// How many readings a refusal gives at most.
const MOST_READINGS: usize = 6;

/// Readings of readings are looked at so deep: "next week" may be Monday, at nine or at noon.
const DEPTH: u8 = 4;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Time,
    Recurrence,
    Either,
}

/// The point in time that `text` means at `now`; a time without a place is meant in `zone`.
///
/// # Errors
/// [`NotUnderstood`], with its readings.
pub fn understand_time(text: &str, now: Timestamp, zone: &Zone) -> Result<Once, NotUnderstood> {
    match Asked::new(now, zone, Wants::Time).answer(text, DEPTH)? {
        Meaning::Once(once) => Ok(once),
        Meaning::Recurring(found) => Err(NotUnderstood {
            why: Why::Repeats(found.phrase),
            readings: Vec::new(),
        }),
    }
}

/// The repetition that `text` means at `now`; one without a place is meant in `zone`.
///
/// # Errors
/// [`NotUnderstood`], with its readings.
pub fn understand_recurrence(
    text: &str,
    now: Timestamp,
    zone: &Zone,
) -> Result<Recurrence, NotUnderstood> {
    match Asked::new(now, zone, Wants::Recurrence).answer(text, DEPTH)? {
        Meaning::Recurring(recurrence) => Ok(recurrence),
        Meaning::Once(found) => Err(NotUnderstood {
            why: Why::IsOnce(found.phrase),
            readings: Vec::new(),
        }),
    }
}

/// What `text` means at `now`, once or again and again.
///
/// # Errors
/// [`NotUnderstood`], with its readings.
pub fn understand(text: &str, now: Timestamp, zone: &Zone) -> Result<Meaning, NotUnderstood> {
    Asked::new(now, zone, Wants::Either).answer(text, DEPTH)
}

/// Whether a text begins with a date: "june 1 to august 31".
pub(super) fn begins_with_date(text: &str) -> bool {
    token::tokens(text).is_ok_and(|tokens| read::begins_with_date(&tokens))
}

/// The phrase of a point in time: `2027-01-05 09:00 Europe/Berlin`.
pub(super) fn phrase_of_time(at: Timestamp, zone: &Zone) -> String {
    here::shown(at, &here::Here::Zone(zone.clone()))
}

/// A phrase with the zone in which it is meant.
pub(super) fn phrase_in_zone(phrase: String, zone: &Zone) -> String {
    phrase::in_zone(phrase, Some(zone))
}

/// When and where somebody asks, and for what.
struct Asked<'a> {
    now: Timestamp,
    zone: &'a Zone,
    wants: Wants,
}

impl<'a> Asked<'a> {
    fn new(now: Timestamp, zone: &'a Zone, wants: Wants) -> Self {
        Asked { now, zone, wants }
    }

    fn answer(&self, text: &str, depth: u8) -> Result<Meaning, NotUnderstood> {
        let refuse = |why| NotUnderstood {
            why,
            readings: Vec::new(),
        };
        let tokens = token::tokens(text).map_err(refuse)?;
        let why = match read::read(&tokens) {
            Ok(said) => return self.settle(&self.as_asked(said, &tokens), depth),
            Err(why) => why,
        };
        let clauses = clauses::divide(&tokens);
        if let Some(answer) = clauses.and_then(|clauses| self.settle_all(clauses, depth)) {
            return answer;
        }
        let readings = |texts: Vec<String>| -> Vec<String> {
            let texts = texts.iter().filter(|_| depth > 0);
            texts
                .flat_map(|text| phrases(self.answer(text, depth - 1)))
                .collect()
        };
        if let Some(texts) = doubts::vague(&tokens) {
            let found = readings(texts);
            let why = if found.is_empty() { why } else { Why::Vague };
            return Err(limited(why, found));
        }
        let texts = match &why {
            Why::Unknown(word) => doubts::misspelt(&tokens, word),
            _ => Vec::new(),
        };
        Err(limited(why, readings(texts)))
    }

    /// A phrase as what is asked for: `PT15M` is a length, waited once or again and again.
    fn as_asked(&self, said: Said, tokens: &[Token]) -> Said {
        match (self.wants, tokens, said.after) {
            (Wants::Recurrence, [only], Some(length)) if only.kind == Kind::Iso => Said {
                repeat: Some(Repeat::Step(length)),
                ..Said::default()
            },
            _ => said,
        }
    }

    /// What a phrase means, or each thing that it may mean.
    fn settle(&self, said: &Said, depth: u8) -> Result<Meaning, NotUnderstood> {
        let doubt = match self.resolve(said) {
            Ok(meaning) => {
                let repeats = matches!(meaning, Meaning::Recurring(_));
                return Ok(meaning.with_notes(notes::notes(said, repeats)));
            }
            Err(doubt) => doubt,
        };
        // A schedule for each time of day is no reading of one schedule.
        let is_in_parts_too = matches!(doubt.why, Why::OneEach(_));
        let readings = match depth {
            0 => Vec::new(),
            _ => doubt
                .readings
                .iter()
                .map(|said| self.settle(said, depth - 1))
                .filter(|answer| !is_in_parts(answer) || is_in_parts_too)
                .flat_map(phrases)
                .collect(),
        };
        Err(limited(doubt.why, readings))
    }

    /// What several clauses mean together, or each thing that they may mean. `None` if they are not
    /// repetitions at all.
    fn settle_all(
        &self,
        mut clauses: Vec<Said>,
        depth: u8,
    ) -> Option<Result<Meaning, NotUnderstood>> {
        if let Err(why) = clauses::share_place(&mut clauses) {
            return Some(Err(limited(why, Vec::new())));
        }
        clauses::share_every(&mut clauses);
        let repeats = clauses.iter().any(|said| self.repeats(said));
        if !repeats && self.wants == Wants::Time {
            return None;
        }
        let asked = Asked {
            wants: Wants::Recurrence,
            ..*self
        };
        let each = clauses.iter().map(|said| asked.pattern(said, depth));
        let each: Vec<_> = each.collect();
        let refused = each.iter().find_map(|one| one.as_ref().err());
        let Some(refused) = refused else {
            let found = clauses::together(each.into_iter().flatten().collect());
            return Some(match self.wants {
                Wants::Time => Err(limited(Why::Repeats(found.phrase), Vec::new())),
                Wants::Recurrence | Wants::Either => Ok(Meaning::Recurring(found)),
            });
        };
        let why = match &refused.why {
            Why::IsOnce(_) => Why::Ambiguous("whether it is once or again and again"),
            why => why.clone(),
        };
        let readings: Vec<String> = match depth {
            0 => Vec::new(),
            _ => clauses::texts(&each, MOST_READINGS)
                .iter()
                .flat_map(|text| phrases(asked.answer(text, depth - 1)))
                .collect(),
        };
        (repeats || !readings.is_empty()).then(|| Err(limited(why, readings)))
    }

    /// The patterns of a clause.
    fn pattern(&self, said: &Said, depth: u8) -> Result<Recurrence, NotUnderstood> {
        match self.settle(said, depth)? {
            Meaning::Recurring(
                found @ Recurrence {
                    rule: Rule::Cron(_),
                    ..
                },
            ) => Ok(found),
            _ => {
                let why = Why::Unfit("an interval", "other days and times");
                Err(limited(why, Vec::new()))
            }
        }
    }

    fn resolve(&self, said: &Said) -> Result<Meaning, Doubt> {
        if let Some(length) = said.lone {
            return self.lone(said, length);
        }
        if let Some(doubt) = self.several_days(said) {
            return Err(doubt);
        }
        if !said.months.is_empty() && !self.repeats(said) {
            return Err(self.in_months_once(said));
        }
        match self.repeats(said) {
            true => {
                let found = recurrence::resolve(said, self.now, self.zone)?;
                match self.wants {
                    Wants::Time => Err(Why::Repeats(found.phrase).into()),
                    _ => Ok(Meaning::Recurring(found)),
                }
            }
            false => match self.wants {
                Wants::Recurrence => Err(self.not_once(said)),
                _ => once::resolve(said, self.now, self.zone).map(Meaning::Once),
            },
        }
    }
}

/// The phrase of what was understood, or the readings of what was not.
fn phrases(answer: Result<Meaning, NotUnderstood>) -> Vec<String> {
    match answer {
        Ok(meaning) => vec![meaning.phrase().to_owned()],
        // What has passed is not meant, and what may be meant instead is another wish.
        Err(refusal) if matches!(refusal.why, Why::Past(_)) => Vec::new(),
        Err(refusal) => refusal.readings,
    }
}

/// Whether what was asked for needs several schedules.
fn is_in_parts(answer: &Result<Meaning, NotUnderstood>) -> bool {
    matches!(
        answer,
        Err(NotUnderstood {
            why: Why::OneEach(_),
            ..
        })
    )
}

/// A refusal with each reading once.
fn limited(why: Why, all: Vec<String>) -> NotUnderstood {
    let mut readings: Vec<String> = Vec::new();
    for reading in all {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings.truncate(MOST_READINGS);
    NotUnderstood { why, readings }
}
