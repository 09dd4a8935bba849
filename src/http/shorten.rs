//! Cuts long texts in JSON while it arrives, before they are held in memory.
//!
//! An answer may contain a text of any length in any place, and most of it is not needed: of a
//! reply only the beginning is kept, of a tool's output nothing. So what arrives, in chunks of any
//! size, is copied without the ends of long texts. The copy has the shape of the original and is
//! valid JSON if that is; a cut text keeps its beginning, cut between two characters.

use super::limits::{Bound, VALUES};

/// The longest text that is kept once half of the memory is used: as long as any id or date.
const SHORT: usize = 64;

/// A copy in progress.
#[derive(Debug)]
pub(crate) struct Shortened {
    held: Vec<u8>,
    most: usize,
    longest: Option<usize>,
    values: usize,
    place: Place,
    /// How many more bytes of the current text are kept.
    room: usize,
    /// The escape being read.
    escape: Vec<u8>,
    /// Whether the last thing kept of the text is the first half of a surrogate pair.
    half: bool,
    /// Whether the rest of the text is left out.
    is_cut: bool,
    too_much: bool,
}

/// The position in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside any text.
    Between,
    /// In a text.
    Text,
    /// In an escape in a text.
    Escape,
}

impl Shortened {
    pub(crate) fn new(bound: &Bound) -> Self {
        Shortened {
            held: Vec::new(),
            most: bound.held,
            longest: bound.text,
            values: 0,
            place: Place::Between,
            room: 0,
            escape: Vec::new(),
            half: false,
            is_cut: false,
            too_much: false,
        }
    }

    /// Adds the next chunk.
    pub(crate) fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() && !self.too_much {
            let taken = match self.place {
                Place::Between => self.between(piece),
                Place::Text => self.in_text(piece),
                Place::Escape => self.in_escape(piece[0]),
            };
            piece = &piece[taken..];
            if self.held.len() > self.most || self.values > VALUES {
                self.too_much = true;
                self.held = Vec::new();
            }
        }
    }

    /// Whether it is too much to hold, even with its texts cut.
    pub(crate) fn is_too_much(&self) -> bool {
        self.too_much
    }

    /// The copy; `None` if it was too much.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.too_much).then_some(self.held)
    }

    fn between(&mut self, piece: &[u8]) -> usize {
        let quote = piece.iter().position(|b| *b == b'"');
        let copied = &piece[..quote.map_or(piece.len(), |at| at + 1)];
        // One byte over the limit is enough to know that it is exceeded.
        let copied = &copied[..copied.len().min(self.most - self.held.len() + 1)];
        let begun = copied.iter().filter(|b| matches!(b, b',' | b'[' | b'{'));
        self.values += begun.count();
        self.held.extend_from_slice(copied);
        if copied.last() == Some(&b'"') {
            self.place = Place::Text;
            self.half = false;
            self.is_cut = false;
            self.room = match self.longest {
                None => usize::MAX,
                Some(longest) if self.held.len() <= self.most / 2 => longest,
                Some(longest) => longest.min(SHORT),
            };
        }
        copied.len()
    }

    fn in_text(&mut self, piece: &[u8]) -> usize {
        match piece[0] {
            b'"' => {
                self.held.push(b'"');
                self.place = Place::Between;
                1
            }
            b'\\' => {
                self.escape.clear();
                self.escape.push(b'\\');
                self.place = Place::Escape;
                1
            }
            _ => {
                let end = piece.iter().position(|b| matches!(b, b'"' | b'\\'));
                let plain = &piece[..end.unwrap_or(piece.len())];
                let kept = plain
                    .len()
                    .min(self.room)
                    .min(self.most - self.held.len() + 1);
                if kept > 0 {
                    self.held.extend_from_slice(&plain[..kept]);
                    self.room -= kept;
                    self.half = false;
                }
                if self.held.len() <= self.most
                    && let Some(next) = plain.get(kept)
                {
                    self.cut(*next);
                }
                plain.len()
            }
        }
    }

    fn in_escape(&mut self, byte: u8) -> usize {
        self.escape.push(byte);
        let whole = match self.escape[1] {
            b'u' => 6,
            _ => 2,
        };
        if self.escape.len() < whole {
            return 1;
        }
        self.place = Place::Text;
        if self.escape.len() > self.room {
            self.cut(b'\\');
            return 1;
        }
        self.held.extend_from_slice(&self.escape);
        self.room -= self.escape.len();
        self.half = is_half(&self.escape);
        1
    }

    /// Keeps nothing more of the text, which would continue with `next`, and removes the start of a
    /// character whose end is left out.
    fn cut(&mut self, next: u8) {
        if std::mem::replace(&mut self.is_cut, true) {
            return;
        }
        self.room = 0;
        if self.half {
            self.held.truncate(self.held.len() - 6);
        } else if is_continuation(next) {
            let tail = self.held.iter().rev().take(3);
            let begun = tail.take_while(|b| is_continuation(**b)).count();
            let start = self.held.len() - begun;
            if start > 0 && self.held[start - 1] >= 0xC0 {
                self.held.truncate(start - 1);
            }
        }
    }
}

/// Whether a byte continues a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Whether an escape is the first half of a surrogate pair: `\ud800` to `\udbff`.
fn is_half(escape: &[u8]) -> bool {
    matches!(
        escape,
        [
            b'\\',
            b'u',
            b'd' | b'D',
            b'8' | b'9' | b'a' | b'b' | b'A' | b'B',
            _,
            _
        ]
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn bound(held: usize, text: Option<usize>) -> Bound {
        Bound {
            what: "a test",
            read: u64::MAX,
            held,
            text,
        }
    }

    fn shortened(bound: &Bound, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut copy = Shortened::new(bound);
        pieces.iter().for_each(|piece| copy.push(piece));
        copy.finish()
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a\"\\\\ü😀\n\u{1}]{0,60}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    /// As Python writes JSON: nothing but ASCII.
    fn in_ascii(value: &Value) -> String {
        let mut text = String::new();
        for c in value.to_string().chars() {
            match c.is_ascii() {
                true => text.push(c),
                false => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        text
    }

    fn is_beginning(of: &Value, copy: &Value) -> bool {
        match (of, copy) {
            (Value::String(of), Value::String(copy)) => {
                of.starts_with(copy) && (copy.len() >= 20 || of == copy)
            }
            (Value::Array(of), Value::Array(copy)) => {
                of.len() == copy.len() && of.iter().zip(copy).all(|(a, b)| is_beginning(a, b))
            }
            (Value::Object(of), Value::Object(copy)) => {
                of.len() == copy.len()
                    && of
                        .iter()
                        .all(|(k, v)| copy.get(k).is_some_and(|c| is_beginning(v, c)))
            }
            (of, copy) => of == copy,
        }
    }

    fn split(bytes: &[u8], size: usize) -> Vec<&[u8]> {
        bytes.chunks(size).collect()
    }

    proptest! {
        #[test]
        fn the_copy_has_the_same_shape_and_of_each_text_the_beginning(
            value in json(),
            ascii in any::<bool>(),
            size in 1usize..40,
        ) {
            let text = match ascii {
                true => in_ascii(&value),
                false => value.to_string(),
            };
            // A character takes up twelve bytes at most, so of 160 bytes 13 characters are left.
            let copy = shortened(&bound(1 << 20, Some(160)), &split(text.as_bytes(), size)).unwrap();
            let copy: Value = serde_json::from_slice(&copy).unwrap();
            prop_assert!(is_beginning(&value, &copy), "{} {}", value, copy);
            let whole = shortened(&bound(1 << 20, None), &split(text.as_bytes(), size)).unwrap();
            prop_assert_eq!(whole, text.into_bytes());
        }

        #[test]
        fn bytes_of_any_kind_in_any_pieces_are_held_within_the_bound(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'd')],
                0..600,
            ),
            size in 1usize..40,
            held in 0usize..300,
            text in prop::option::of(0usize..50),
        ) {
            let bound = bound(held, text);
            let at_once = shortened(&bound, &[&bytes]);
            prop_assert_eq!(&at_once, &shortened(&bound, &split(&bytes, size)));
            prop_assert!(at_once.is_none_or(|copy| copy.len() <= held));
        }
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        for (text, longest, left) in [
            (r#"["aaaa","b"]"#, 3, r#"["aaa","b"]"#),
            (r#"["aé","b"]"#, 2, r#"["a","b"]"#),
            (r#"["a😀"]"#, 4, r#"["a"]"#),
            (r#"["a\n"]"#, 2, r#"["a"]"#),
            (r#"["a\"b"]"#, 3, r#"["a\""]"#),
            (r#"["\ud83d\ude00"]"#, 11, r#"[""]"#),
            (r#"["\ud83d\ude00"]"#, 12, r#"["\ud83d\ude00"]"#),
            (r#"["\\ud83dxxxx"]"#, 7, r#"["\\ud83d"]"#),
            (r#"["\\\\\\"]"#, 3, r#"["\\"]"#),
        ] {
            let copy = shortened(&bound(100, Some(longest)), &[text.as_bytes()]).unwrap();
            assert_eq!(String::from_utf8(copy).unwrap(), left, "{text} {longest}");
        }
    }

    #[test]
    fn many_texts_are_each_cut_shorter_before_the_answer_is_given_up() {
        let parts = vec!["x".repeat(5_000); 100];
        let text = serde_json::to_string(&parts).unwrap();
        let copy = shortened(&bound(100_000, Some(10_000)), &[text.as_bytes()]).unwrap();
        let copy: Vec<String> = serde_json::from_slice(&copy).unwrap();
        assert_eq!(copy.len(), parts.len());
        assert_eq!((copy[0].len(), copy[99].len()), (5_000, SHORT));
    }

    #[test]
    fn an_answer_of_countless_values_is_too_much() {
        let text = format!("[{}1]", "1,".repeat(VALUES));
        let copy = shortened(&bound(usize::MAX - 1, None), &[text.as_bytes()]);
        assert_eq!(copy, None);
    }
}
