//! Corrects texts that can't be parsed, where it is clear what was meant.
//!
//! An error's example is copied word for word, above all by language models. So it must be what the
//! caller wanted, in a valid form, or there is none: a text that could mean two things, or contains
//! an unknown word, gets no correction.

mod clock;
pub(super) mod cron;
pub(super) mod interval;
mod place;
pub(super) mod recurrence_rule;
pub(super) mod time;

use super::words::number;

/// The longest text that is considered, in characters.
const LONGEST: usize = 120;

/// A text in plain characters with single spaces, without quotes around it. Chats, word processors
/// and browsers insert dashes, spaces and stars of their own.
fn plain(text: &str) -> Option<String> {
    if text.chars().nth(LONGEST).is_some() {
        return None;
    }
    let text: String = text
        .chars()
        .map(|c| match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => '-',
            '\u{2217}' | '\u{ff0a}' => '*',
            '\u{ff1a}' => ':',
            '\u{201c}' | '\u{201d}' => '"',
            '\u{2018}' | '\u{2019}' => '\'',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect();
    let mut rest = text.trim();
    for quote in ['"', '\'', '`', '"', '\''] {
        let inner = rest.strip_prefix(quote).and_then(|r| r.strip_suffix(quote));
        rest = inner.map_or(rest, str::trim);
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A whole number in digits or as a word, from zero to ninety-nine.
pub(super) fn number(word: &str) -> Option<i64> {
    if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let small = |word: &str| number::small(word).map(i64::from);
    let tens = |word: &str| number::tens(word).map(i64::from);
    match word.split_once('-') {
        Some((first, second)) => {
            Some(tens(first)? + small(second).filter(|n| (1..10).contains(n))?)
        }
        None => small(word).or_else(|| tens(word)),
    }
}

/// A count: a number, optionally followed by `times`, `x` or the name of what is counted.
pub(crate) fn count(text: &str, counted: &[&str]) -> Option<i64> {
    let text = plain(text)?.to_ascii_lowercase();
    let text = text.strip_prefix('#').unwrap_or(&text).trim();
    let mut words: Vec<&str> = text.split(' ').collect();
    words.retain(|word| !counted.contains(word));
    match words.as_slice() {
        [one] => number(one.strip_suffix('x').unwrap_or(one)),
        _ => None,
    }
}

/// The word that was meant: in another case, or misspelt.
pub(crate) fn word<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    let text = plain(text)?.to_ascii_lowercase();
    nearest(&text, words.iter().copied())
}

/// How many typing errors a text may have: one in short texts, two in long ones.
pub(super) fn most_slips(text: &str) -> usize {
    match text.chars().count() {
        0..3 => 0,
        3..8 => 1,
        _ => 2,
    }
}

/// The name of which `text` is a misspelling. `None` if there are several.
pub(crate) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.chars().nth(LONGEST).is_some() {
        return None;
    }
    let most = most_slips(text);
    let length = text.chars().count();
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        // Texts whose lengths differ by more are farther apart than that, and not worth comparing.
        .filter(|name| name.chars().count().abs_diff(length) <= most)
        .map(|name| (strsim::osa_distance(&name.to_ascii_lowercase(), text), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    match near.as_slice() {
        [(_, only)] => Some(only),
        [(first, name), (second, _), ..] if first < second => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_in_digits_and_words() {
        for (text, wanted) in [
            ("ten", Some(10)),
            ("10 times", Some(10)),
            ("3x", Some(3)),
            ("\"5\"", Some(5)),
            ("#5", Some(5)),
            ("twenty-four", Some(24)),
            ("-1", None),
            ("forever", None),
            ("2.5", None),
            ("ten or twenty", None),
            ("", None),
        ] {
            assert_eq!(count(text, &["times"]), wanted, "{text}");
        }
    }

    #[test]
    fn a_word_is_meant_only_if_no_other_is_as_near() {
        let words = ["latest", "all", "skip"];
        for (text, wanted) in [
            ("Latest", Some("latest")),
            ("lastest", Some("latest")),
            ("skipp", Some("skip")),
            ("newest", None),
            ("al", None),
        ] {
            assert_eq!(word(text, &words), wanted, "{text}");
        }
        assert_eq!(nearest("abd", ["abc", "abe"]), None);
    }
}
