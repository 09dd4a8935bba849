//! Makes text from others safe to show. A prompt, a name or an answer may contain characters that
//! move a terminal's cursor, hide the text next to them or start a new line in a log.

use unicode_width::UnicodeWidthChar;

/// How many marks a letter keeps. No script needs as many; a pile of them covers the lines above.
const MOST_MARKS: usize = 8;

/// Text on one line, with every invisible character written as an escape.
pub fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same, but keeping line breaks: for text whose lines are our own.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

/// JSON text for a terminal: the same data, with every invisible character written as a JSON
/// escape.
pub fn printable_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    let mut marks = 0;
    for c in json.chars() {
        match c == '\n' || is_seen(c) && !piles_up(c, &mut marks) {
            true => shown.push(c),
            // Outside of strings, JSON contains none of these.
            false => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    shown
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        match is_kept(c) || is_seen(c) && !piles_up(c, &mut marks) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    shown
}

/// Whether a mark is one too many on its letter. `marks` counts those on it so far.
fn piles_up(c: char, marks: &mut usize) -> bool {
    *marks = match c.width() {
        Some(0) => *marks + 1,
        _ => 0,
    };
    *marks > MOST_MARKS
}

/// Whether a character is visible: not a control character, not one that only orders, joins or
/// hides others, and not an unassigned one.
pub fn is_seen(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Spaces of other scripts.
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            true
        }
        // Unicode's Default_Ignorable_Code_Point, as far as the standard library would show them;
        // the selector that turns a sign into an emoji stays.
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2065}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0e}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        _ => is_shown_by_debug(c),
    }
}

/// The standard library knows what is printable and shows it by escaping the rest. It would escape
/// a combining mark at the beginning of a text, so a letter is put first.
fn is_shown_by_debug(c: char) -> bool {
    let mut bytes = [0; 8];
    let text = c.encode_utf8(&mut bytes[1..]).len();
    bytes[0] = b'a';
    let text = std::str::from_utf8(&bytes[..=text]).unwrap_or_default();
    text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_begins_a_line_or_hides_others_is_written_as_its_escape() {
        for (text, shown) in [
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31m\u{7f}\u{9b}31m", "\\u{1b}[31m\\u{7f}\\u{9b}31m"),
            ("\u{202e}a\u{2066}\u{61c}", "\\u{202e}a\\u{2066}\\u{61c}"),
            (
                "\u{200b}\u{200d}\u{feff}\u{ad}",
                "\\u{200b}\\u{200d}\\u{feff}\\u{ad}",
            ),
            ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
            (
                "\u{e0041}\u{e0100}\u{115f}\u{3164}",
                "\\u{e0041}\\u{e0100}\\u{115f}\\u{3164}",
            ),
            ("\u{e000}\u{10ffff}", "\\u{e000}\\u{10ffff}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "He said \"it's\" C:\\path ~",
            "ünïcödé e\u{301} 日本\u{3000}語 Ελληνικά",
            "हिन्दी ไทย עברית العربية",
            "\u{301}leading mark",
            "👋🏽 ❤\u{fe0f} 🇩🇪",
        ] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn marks_do_not_pile_up_over_other_lines() {
        let pile = |n: usize| format!("a{}b\u{301}", "\u{30d}".repeat(n));
        assert_eq!(printable(&pile(8)), pile(8));
        assert_eq!(
            printable(&pile(10)),
            format!("a{}\\u{{30d}}\\u{{30d}}b\u{301}", "\u{30d}".repeat(8))
        );
        let json = format!("\"{}\"", pile(9));
        let read: String = serde_json::from_str(&printable_json(&json)).unwrap();
        assert_eq!(read, pile(9));
        assert_eq!(printable_json(&json).matches("\\u030d").count(), 1);
    }

    #[test]
    fn json_on_a_terminal_holds_the_same_data() {
        let value = serde_json::json!({ "a\u{202e}": "\u{1b}\u{9b}\n\u{e0041}é" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = printable_json(&text);
        assert!(shown.chars().all(|c| c == '\n' || is_seen(c)), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, value);
    }
}
