//! A text as figures, letters and signs.

use super::{Why, number};
use crate::schedule::Zone;

/// The longest text that is looked into, in characters.
const LONGEST: usize = 200;

/// What a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits.
    Figures,
    /// A word.
    Letters,
    /// A single character that is neither.
    Sign,
    /// The name of a zone in the database of zones.
    Zone,
    /// A length of time as ISO 8601 writes it: `PT20M`.
    Iso,
}

/// A piece of the text that is read as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// It in lower case, but for a lone `M`: nobody can tell whether that is minutes or months.
    pub text: String,
    /// What it is made of.
    pub kind: Kind,
    /// Whether it follows the one before without a space.
    pub is_joined: bool,
}

/// The tokens of a text, without quotation marks around it and punctuation after it.
///
/// # Errors
/// [`Why::Empty`] and [`Why::TooLong`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Why> {
    if text.chars().nth(LONGEST).is_some() {
        return Err(Why::TooLong);
    }
    let plain: String = text.chars().map(plain).collect();
    let plain = plain.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    let shouts = !plain.contains(|c: char| c.is_ascii_lowercase())
        && plain.contains(|c: char| c.is_ascii_uppercase() && c != 'M');
    let mut tokens = Vec::new();
    for word in plain.split_whitespace() {
        let first = tokens.len();
        for chunk in word.split_inclusive(['[', ']', '(', ')', ',']) {
            split(chunk, shouts, &mut tokens);
        }
        if let Some(token) = tokens.get_mut(first) {
            token.is_joined = false;
        }
    }
    while let Some(last) = tokens.last()
        && matches!(last.text.as_str(), "." | "," | ";" | "!" | "?")
    {
        tokens.pop();
    }
    match tokens.is_empty() {
        true => Err(Why::Empty),
        false => Ok(tokens),
    }
}

/// A character as keyboards have it. Chats and word processors put in spaces, dashes and quotation
/// marks of their own, and East Asian keyboards wide figures and letters.
fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{02bc}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{200b}' | '\u{2060}' | '\u{feff}' => ' ',
        '\u{3001}' => ',',
        '\u{ff01}'..='\u{ff5e}' => u32::from(c)
            .checked_sub(0xfee0)
            .and_then(char::from_u32)
            .unwrap_or(c),
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// Adds the tokens of a word.
fn split(chunk: &str, shouts: bool, tokens: &mut Vec<Token>) {
    let mut push = |text: &str, kind: Kind| {
        let text = match text {
            "M" if !shouts => text.to_owned(),
            _ => text.to_ascii_lowercase(),
        };
        tokens.push(Token {
            text,
            kind,
            is_joined: true,
        });
    };
    let bare = chunk.trim_end_matches(['[', ']', '(', ')', ',', '.', ';', '!', '?']);
    let are_days = bare
        .split('/')
        .all(|word| number::weekday(&word.to_ascii_lowercase()).is_some());
    let is_name =
        bare.contains('/') && bare.starts_with(|c: char| c.is_ascii_alphabetic()) && !are_days;
    let mut rest = chunk;
    if is_name {
        let kind = match Zone::named(bare) {
            Some(_) => Kind::Zone,
            None => Kind::Letters,
        };
        push(bare, kind);
        rest = chunk.strip_prefix(bare).unwrap_or_default();
    } else if is_iso_length(bare) {
        push(bare, Kind::Iso);
        rest = chunk.strip_prefix(bare).unwrap_or_default();
    }
    while let Some(first) = rest.chars().next() {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '\'';
        let (kind, end) = if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            (Kind::Figures, end.unwrap_or(rest.len()))
        } else if let Some((half, used)) = half_of_day(rest) {
            push(half, Kind::Letters);
            rest = rest.get(used..).unwrap_or_default();
            continue;
        } else if is_letter(first) {
            let end = rest.find(|c: char| !is_letter(c));
            (Kind::Letters, end.unwrap_or(rest.len()))
        } else {
            (Kind::Sign, first.len_utf8())
        };
        let (text, after) = rest.split_at(end);
        // "In 3 days' time."
        let text = if kind == Kind::Letters {
            text.trim_end_matches('\'')
        } else {
            text
        };
        if !text.is_empty() {
            push(text, kind);
        }
        rest = after;
    }
}

/// `a.m.` and `p.m.`, also without the last dot, and how many bytes it takes.
fn half_of_day(text: &str) -> Option<(&'static str, usize)> {
    let start = text.get(..3)?.to_ascii_lowercase();
    let half = match start.as_str() {
        "a.m" => "am",
        "p.m" => "pm",
        _ => return None,
    };
    let after = text.get(3..)?;
    let used = if after.starts_with('.') { 4 } else { 3 };
    (!after.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some((half, used))
}

/// Whether a word is a length of time in the form of ISO 8601.
fn is_iso_length(word: &str) -> bool {
    let mut letters = word.chars();
    let begins = matches!(letters.next(), Some('P' | 'p'));
    let rest = letters.as_str();
    let goes_on = rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, 'T' | 't'));
    let has_figures = rest.contains(|c: char| c.is_ascii_digit());
    begins && goes_on && has_figures && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let tokens = tokens(text).unwrap_or_default();
        tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn a_text_is_taken_apart_whatever_keyboard_it_was_typed_on() {
        for (text, wanted) in [
            ("Tomorrow at 9am!", "tomorrow|at|9|am"),
            ("９：３０\u{3000}ＰＭ", "9|:|30|pm"),
            ("9:30\u{202f}p.m.", "9|:|30|pm"),
            ("“in 20 minutes”", "in|20|minutes"),
            ("mon\u{2013}fri", "mon|-|fri"),
            ("9 o\u{2019}clock", "9|o'clock"),
            ("2027-01-05T09:00Z", "2027|-|01|-|05|t|09|:|00|z"),
            ("9am [Europe/Berlin]", "9|am|[|europe/berlin|]"),
            ("in PT1H30M", "in|pt1h30m"),
            ("in 5M", "in|5|M"),
            ("IN 5M", "in|5|m"),
            ("5M", "5|M"),
            ("dec. 3", "dec|.|3"),
            ("Mon/Wed at 9", "mon|/|wed|at|9"),
        ] {
            assert_eq!(texts(text).join("|"), wanted, "{text}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(tokens(" \u{a0}"), Err(Why::Empty));
        assert_eq!(tokens("..."), Err(Why::Empty));
        assert_eq!(tokens(&"9".repeat(201)), Err(Why::TooLong));
    }
}
