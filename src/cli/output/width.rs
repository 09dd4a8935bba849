//! Text measured in columns of a terminal, where some signs take two and some none.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What stands for the part of a text that is left out.
const CUT: &str = "…";

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text that takes at most `most` columns: its beginning, and a sign if that isn't all.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(columns(CUT));
    let mut kept = String::new();
    for sign in text.graphemes(true) {
        if columns(&kept) + columns(sign) > room {
            break;
        }
        kept.push_str(sign);
    }
    match most {
        0 => String::new(),
        _ => kept.trim_end().to_owned() + CUT,
    }
}

/// A text followed by spaces up to `width` columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    text.to_owned() + &" ".repeat(missing)
}

/// A text in lines of at most `width` columns, of which all but the first are indented.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    // Something is shown however narrow it is.
    let room = width.saturating_sub(indent).max(10);
    let options = Options::new(room)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(text, options);
    let mut lines = lines.into_iter().map(String::from);
    let first = lines.next();
    let rest = lines.map(|line| " ".repeat(indent) + &line);
    first.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_signs_and_by_the_columns_they_take() {
        for (text, most, wanted) in [
            ("hello", 5, "hello"),
            ("hello", 4, "hel…"),
            ("hi there", 4, "hi…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("👋🏽👋🏽", 3, "👋🏽…"),
            ("🇩🇪🇩🇪", 3, "🇩🇪…"),
            ("🇩🇪🇩🇪", 2, "…"),
            ("hello", 1, "…"),
            ("hello", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(cut(text, most), wanted, "{text} in {most}");
            assert!(columns(&cut(text, most)) <= most);
        }
    }

    #[test]
    fn a_text_is_filled_up_by_the_columns_it_takes() {
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("abc", 2), "abc");
    }

    #[test]
    fn lines_after_the_first_are_indented_and_none_is_too_long() {
        assert_eq!(
            wrapped("one two three four", 12, 2),
            ["one two", "  three four"]
        );
        assert_eq!(wrapped("日本語日本語", 12, 2), ["日本語日本", "  語"]);
        assert_eq!(wrapped("a\nb", 20, 2), ["a", "  b"]);
    }
}
