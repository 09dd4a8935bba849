//! Helpers for the text of one value.

/// A text without surrounding blanks. Blank counts as not given, because language models fill in
/// every field they see.
pub fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A whole number as people and JSON write it: `5`, `5.0`.
pub fn whole(text: &str) -> Option<i64> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    digits.parse().ok()
}
