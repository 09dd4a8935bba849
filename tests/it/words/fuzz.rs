//! No text is a fault, a canonical phrase means what it was made of, and no word is ever dropped.
//!
//! Bounded by count: 20,000 phrases, and with `PROMPTYOSELF_LONG=1` a million. `PROMPTYOSELF_SEED`
//! repeats the phrases of a failure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use promptyoself::schedule::Zone;
use promptyoself::schedule::words::{
    Meaning, NotUnderstood, Rule, understand, understand_recurrence, understand_time,
};

const TABLE: &str = include_str!("phrases.txt");

/// Words that only lead to the one after them, or say again what is clear.
const FILLERS: &[&str] = &[
    "at", "@", "on", "the", "of", "in", "and", "&", ",", ";", "please", "this", "coming",
    "upcoming", "o'clock", "time", "once", "just", "from", "a", "an", "now", "after", "sharp",
    "exactly", "during", "",
];

/// Words of one kind: where one says again what another word says, another of its kind is refused.
const KINDS: &[&[&str]] = &[
    &[
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mon",
        "thu",
        "fri",
        "tues",
    ],
    &[
        "mondays", "sundays", "weekdays", "weekends", "weekday", "weekend",
    ],
    &["business", "working", "workday", "monday"],
    &["january", "february", "july", "december", "dec", "jan"],
    &["five", "ten", "twenty"],
    &["past", "to"],
    &["am", "pm"],
    &["morning", "afternoon", "evening", "night", "tonight"],
    &["mornings", "afternoons", "evenings", "nights"],
    &["twice", "thrice"],
    &["through", "to", "until"],
    MINUTES,
    CLOCKS,
    OFFSETS,
    &["today", "tomorrow"],
    PLACES,
    &[
        "every",
        "each",
        "daily",
        "weekly",
        "monthly",
        "yearly",
        "hourly",
        "annually",
        "fortnightly",
        "everyday",
        "nightly",
    ],
    &[
        "second", "seconds", "minute", "minutes", "hour", "hours", "hrs", "mins", "min", "min.",
        "hr", "secs", "day", "days", "week", "weeks", "month", "months", "year", "m", "h",
    ],
    &[
        "1", "2", "3", "5", "8", "9", "12", "15", "17", "20", "one", "two", "nine", "twelve", "1.5",
    ],
    &[
        "1st", "2nd", "3rd", "15th", "31st", "first", "third", "last", "other",
    ],
    &["2026", "2027", "2028"],
    &["standard", "daylight"],
    &["starting", "until"],
    &["+", "-"],
    &[
        "2027-01-05",
        "2026-12-24",
        "13/02/2027",
        "01/02/2027",
        "2027-03-28",
    ],
];

/// Times of day.
const CLOCKS: &[&str] = &[
    "noon", "midnight", "midday", "9am", "5pm", "15:30", "9:30", "07:00", "24:00", "12am", "21h",
];

/// Minutes past the hour.
const MINUTES: &[&str] = &[":00", ":15", ":45"];

/// Places.
const PLACES: &[&str] = &[
    "utc",
    "gmt",
    "z",
    "europe/berlin",
    "asia/tokyo",
    "america/new_york",
    "pst",
    "est",
    "jst",
    "cst",
    "cet",
    "et",
    "pt",
    "eastern",
    "pacific",
    "gmt+2",
    "utc+2",
    "utc-5",
    "[cet]",
];

/// Offsets from UTC.
const OFFSETS: &[&str] = &["+01:00", "-08:00", "+0530"];

/// Words that belong to no kind.
const OTHERS: &[&str] = &[
    "next",
    "day",
    "after",
    "half",
    "quarter",
    "past",
    "to",
    "a",
    "an",
    "now",
    "+10m",
    "45m",
    "pt20m",
    "1800000000",
    "end",
    "starting",
    "business",
    "in",
    "during",
    "between",
    "ten",
    "week",
    "at",
    "every",
    "on",
    "the",
    "and",
    "of",
    ",",
    "or",
    "until",
    "not",
    "(",
    ")",
    "-",
    "between",
    "through",
    "inclusive",
    "minutes",
    "top",
    "later",
    "times",
    "nightly",
    "9-17",
    "new",
    "york",
    "couple",
    "1h30",
    "h",
    "m",
];

fn contexts() -> Vec<(Timestamp, Zone)> {
    let zone = |name| Zone::parse(name).unwrap();
    let mut all: Vec<(Timestamp, Zone)> = (16..=22)
        .map(|day| {
            let now = format!("2026-11-{day}T10:00:00.5Z");
            (now.parse().unwrap(), zone("Europe/Berlin"))
        })
        .collect();
    all.push((
        "2026-10-20T02:00:00Z".parse().unwrap(),
        zone("Europe/Berlin"),
    ));
    all.push((
        "2027-01-31T23:30:00Z".parse().unwrap(),
        zone("America/New_York"),
    ));
    all.push((
        "2028-02-28T17:00:00Z".parse().unwrap(),
        zone("Asia/Kolkata"),
    ));
    all
}

/// What a text means, without the words for it.
#[derive(Clone, Debug, PartialEq)]
enum Spec {
    Once(Timestamp),
    Recurring(Rule, Option<String>),
    Refused,
}

fn spec(answer: &Result<Meaning, NotUnderstood>) -> Spec {
    match answer {
        Ok(Meaning::Once(once)) => Spec::Once(once.at),
        Ok(Meaning::Recurring(found)) => {
            let zone = found.zone.as_ref().map(|zone| zone.name().to_owned());
            let mut rule = found.rule.clone();
            // The phrase says what followed from the time of day.
            if let Rule::Interval { is_first_said, .. } = &mut rule {
                *is_first_said = true;
            }
            Spec::Recurring(rule, zone)
        }
        Err(_) => Spec::Refused,
    }
}

/// A word without what is around it, as keyboards have it.
fn plain(word: &str) -> String {
    let wide = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap(),
        '’' => '\'',
        c => c,
    };
    let word: String = word.to_lowercase().chars().map(wide).collect();
    let word = word.replace("a.m.", "am").replace("p.m.", "pm");
    let word = word.trim_matches([',', '.', '!', '“', '”', '@']);
    let inner = [('(', ')'), ('[', ']')]
        .into_iter()
        .find_map(|(open, close)| word.strip_prefix(open)?.strip_suffix(close));
    inner.unwrap_or(word).to_owned()
}

/// Words of the same kind.
fn others_like(word: &str) -> Vec<&'static str> {
    let is_figure = |c: char| c.is_ascii_digit();
    let begins = word.starts_with(is_figure);
    // `1500`, but not `2027`.
    let is_military =
        word.len() == 4 && word.starts_with(['0', '1']) && word.chars().all(is_figure);
    let is_clock = begins && (is_military || word.contains(':') || word.ends_with(['m', 'h']));
    let is_offset = word.starts_with(['+', '-']) && word.ends_with(is_figure);
    let is_minute = word.starts_with(':');
    let is_place = word.contains('/') && !begins;
    let kinds = KINDS.iter().filter(|kind| {
        kind.contains(&word)
            || (is_clock && **kind == CLOCKS)
            || (is_offset && **kind == OFFSETS)
            || (is_minute && **kind == MINUTES)
            || (is_place && **kind == PLACES)
    });
    let words = kinds.flat_map(|kind| kind.iter()).copied();
    words.filter(|other| *other != word).collect()
}

struct Fuzz {
    contexts: Vec<(Timestamp, Zone)>,
    rng: fastrand::Rng,
    vocabulary: Vec<&'static str>,
    phrases: Vec<Vec<&'static str>>,
    understood: usize,
    seen: BTreeMap<String, ()>,
}

impl Fuzz {
    fn new(seed: u64) -> Fuzz {
        let mut vocabulary: Vec<&str> =
            KINDS.iter().flat_map(|kind| kind.iter()).copied().collect();
        vocabulary.extend(FILLERS);
        vocabulary.extend(OTHERS);
        let phrases = TABLE
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter(|(kind, _)| matches!(*kind, "once" | "cron" | "every"))
            .map(|(_, row)| row.split('\t').next().unwrap().split(' ').collect())
            .collect();
        Fuzz {
            contexts: contexts(),
            rng: fastrand::Rng::with_seed(seed),
            vocabulary,
            phrases,
            understood: 0,
            seen: BTreeMap::new(),
        }
    }

    fn word(&mut self) -> &'static str {
        self.vocabulary[self.rng.usize(..self.vocabulary.len())]
    }

    /// Words in random order, or a phrase of the table with some of them put in, taken out,
    /// exchanged or replaced.
    fn phrase(&mut self) -> Vec<&'static str> {
        if self.rng.u8(..3) == 0 {
            return (0..self.rng.usize(1..7)).map(|_| self.word()).collect();
        }
        let mut words = self.phrases[self.rng.usize(..self.phrases.len())].clone();
        for _ in 0..self.rng.usize(1..4) {
            let at = self.rng.usize(..=words.len());
            let other = self.rng.usize(..words.len().max(1));
            match self.rng.u8(..5) {
                0 | 1 => {
                    let word = self.word();
                    words.insert(at, word);
                }
                2 if at < words.len() => words[at] = self.word(),
                3 if at < words.len() && words.len() > 1 => {
                    words.remove(at);
                }
                4 if at < words.len() && other < words.len() => words.swap(at, other),
                _ => {}
            }
        }
        words
    }

    /// What a phrase means, said at several times.
    fn specs(&self, words: &[&str]) -> Vec<Spec> {
        let text = words.join(" ");
        let each = self.contexts.iter();
        each.map(|(now, zone)| spec(&understand(&text, *now, zone)))
            .collect()
    }

    fn check(&mut self, words: &[&'static str]) -> Result<(), String> {
        let text = words.join(" ");
        let context = self.rng.usize(..self.contexts.len());
        let (now, zone) = self.contexts[context].clone();
        let answer = understand(&text, now, &zone);
        self.the_three_agree(&text, now, &zone, &answer)?;
        let readings = match &answer {
            Ok(meaning) => vec![meaning.phrase().to_owned()],
            Err(refusal) => refusal.readings.clone(),
        };
        for reading in &readings {
            let again = understand(reading, now, &zone);
            let is_fixed = again.as_ref().is_ok_and(|again| again.phrase() == reading);
            let is_same = answer.is_err() || spec(&again) == spec(&answer);
            if !is_fixed || !is_same {
                return Err(format!(
                    "{text:?}: {reading:?} is no fixed point: {again:?}"
                ));
            }
        }
        if answer.is_err() || self.seen.insert(text.clone(), ()).is_some() {
            return Ok(());
        }
        self.understood += 1;
        for at in 0..=words.len() {
            let mut more = words.to_vec();
            more.insert(at, "flurb");
            let joined = more.join(" ");
            if let Ok(meaning) = understand(&joined, now, &zone) {
                return Err(format!("{joined:?} is understood: {meaning:?}"));
            }
        }
        let specs = self.specs(words);
        for (at, word) in words.iter().enumerate() {
            if !FILLERS.contains(&plain(word).as_str()) && !self.is_heeded(words, at, &specs) {
                return Err(format!(
                    "{text:?} means the same without {word:?}: {:?}",
                    answer.map(|m| m.phrase().to_owned())
                ));
            }
        }
        Ok(())
    }

    /// Whether a word counts: without it, or with another of its kind, the phrase means something
    /// else or nothing.
    fn is_heeded(&self, words: &[&str], at: usize, specs: &[Spec]) -> bool {
        let mut fewer = words.to_vec();
        let word = plain(fewer.remove(at));
        if self.specs(&fewer) != specs {
            return true;
        }
        others_like(&word).into_iter().any(|other| {
            let mut changed = words.to_vec();
            changed[at] = other;
            self.specs(&changed) != specs
        })
    }

    /// A time and a repetition are what they are, whatever is asked for.
    fn the_three_agree(
        &self,
        text: &str,
        now: Timestamp,
        zone: &Zone,
        either: &Result<Meaning, NotUnderstood>,
    ) -> Result<(), String> {
        let time = understand_time(text, now, zone);
        let recurrence = understand_recurrence(text, now, zone);
        let agrees = match either {
            // `PT20M` may be an interval.
            Ok(Meaning::Once(once)) => {
                let is_iso = text.trim_start().starts_with(['P', 'p']);
                time.as_ref() == Ok(once) && (recurrence.is_err() || is_iso)
            }
            // "The last day of the month" may be a time.
            Ok(Meaning::Recurring(found)) => recurrence.as_ref() == Ok(found),
            Err(_) => true,
        };
        match agrees {
            true => Ok(()),
            false => Err(format!(
                "{text:?}: {either:?}, but {time:?} and {recurrence:?}"
            )),
        }
    }
}

#[test]
fn no_word_is_dropped_and_every_phrase_is_a_fixed_point() {
    let is_long = std::env::var_os("PROMPTYOSELF_LONG").is_some_and(|v| v == "1");
    let count = if is_long { 1_000_000 } else { 20_000 };
    let seed = std::env::var("PROMPTYOSELF_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(7);
    let mut fuzz = Fuzz::new(seed);
    let mut faults = Vec::new();
    for _ in 0..count {
        let words = fuzz.phrase();
        if let Err(fault) = fuzz.check(&words) {
            faults.push(fault);
        }
        if faults.len() >= 40 {
            break;
        }
    }
    assert!(faults.is_empty(), "seed {seed}:\n{}", faults.join("\n"));
    // A fuzz that nothing comes through proves nothing.
    assert!(
        fuzz.understood * 20 > count / 2 || is_long,
        "{}",
        fuzz.understood
    );
    println!(
        "{} of {count} phrases were understood and tried",
        fuzz.understood
    );
}

#[test]
fn every_phrase_of_the_table_heeds_each_of_its_words() {
    let mut fuzz = Fuzz::new(7);
    let phrases = fuzz.phrases.clone();
    let faults: Vec<String> = phrases
        .iter()
        .filter_map(|words| fuzz.check(words).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_fault(
        text in "\\PC*",
        near in "[-0-9a-zA-Z:+/.,@()'\\[\\] ]{0,40}",
        after in "[0-9a-z:. ]{0,16}",
        years in 0..20_000_i64,
    ) {
        for (now, zone) in contexts() {
            let _ = understand(&text, now, &zone);
            let _ = understand(&near, now, &zone);
            let _ = understand(&format!("every {near}"), now, &zone);
            let _ = understand(&format!("tomorrow at {after}"), now, &zone);
            let _ = understand(&format!("in {years} years and {years} days at {after}"), now, &zone);
            let _ = understand(&format!("every {years} days from {near}"), now, &zone);
        }
    }

    #[test]
    fn no_moment_is_a_fault(micros in -377_705_023_201_000_000_i64..=253_402_207_200_999_999) {
        let now = Timestamp::from_microsecond(micros).unwrap();
        for zone in ["UTC", "Pacific/Apia", "America/New_York"] {
            let zone = Zone::parse(zone).unwrap();
            for text in ["tomorrow at 9am", "in a year", "9am", "every other monday at 9", "end of month",
                "feb 29 at 9am", "on the 31st at noon", "sunday next week at 9am", "in 3 hours"] {
                let _ = understand(text, now, &zone);
            }
        }
    }
}
