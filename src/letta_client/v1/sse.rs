//! Parses server-sent events as they arrive, in linear time and constant memory.
//!
//! The rules are those of the HTML standard. Existing libraries hold an event of any length, and
//! hide comments, which many servers use as keep-alives.

use crate::http::limits::EVENT;
use crate::http::shorten::Shortened;

/// The longest name of a field or an event that matters to us.
const LONGEST_NAME: usize = 64;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An item of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StreamItem {
    /// An event with data.
    Event(Event),
    /// A comment, or an event without data: a keep-alive.
    Nothing,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its data, with long texts cut; `None` if it was too large even so.
    pub data: Option<Vec<u8>>,
}

/// A stream being parsed.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Line,
    /// Whether the last byte was a CR that ended a line, so that an LF after it is skipped.
    after_cr: bool,
    /// How much of a byte order mark before the first line was seen; `None` once that is over.
    mark: Option<usize>,
    is_begun: bool,
    name: Vec<u8>,
    data: Option<Shortened>,
}

/// The line being parsed.
#[derive(Debug)]
enum Line {
    /// Its field's name, up to the colon.
    Field(Vec<u8>),
    /// The value of a field, and whether any of it was read.
    Value { of: Field, begun: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Comment,
    Other,
}

impl Default for Line {
    fn default() -> Self {
        Line::Field(Vec::new())
    }
}

impl Events {
    /// Parses until there is an item, removing what was read from `bytes`. `None` when they are all
    /// read.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<StreamItem> {
        while let Some((first, rest)) = bytes.split_first() {
            if !self.is_begun && self.is_mark(*first) {
                *bytes = rest;
                continue;
            }
            let after_cr = std::mem::take(&mut self.after_cr);
            match first {
                b'\n' if after_cr => *bytes = rest,
                b'\n' | b'\r' => {
                    *bytes = rest;
                    self.after_cr = *first == b'\r';
                    if let Some(said) = self.end_line() {
                        return Some(said);
                    }
                }
                _ => {
                    let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
                    let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    *bytes = rest;
                    self.read(part);
                }
            }
        }
        None
    }

    /// Whether a byte belongs to a byte order mark at the very beginning.
    fn is_mark(&mut self, byte: u8) -> bool {
        let seen = self.mark.unwrap_or_default();
        if BYTE_ORDER_MARK.get(seen) == Some(&byte) {
            self.mark = Some(seen + 1);
            return true;
        }
        self.is_begun = true;
        // What only looked like a mark is the beginning of a line.
        if (1..BYTE_ORDER_MARK.len()).contains(&seen) {
            self.read(&BYTE_ORDER_MARK[..seen]);
        }
        false
    }

    /// Parses part of a line.
    fn read(&mut self, mut part: &[u8]) {
        if let Line::Field(name) = &mut self.line {
            let colon = part.iter().position(|b| *b == b':');
            let named = &part[..colon.unwrap_or(part.len())];
            // One byte over the limit is enough to make it another name.
            let room = (LONGEST_NAME + 1).saturating_sub(name.len());
            name.extend_from_slice(&named[..named.len().min(room)]);
            let Some(colon) = colon else { return };
            let of = field(name);
            self.begin_value(of);
            part = &part[colon + 1..];
        }
        let Line::Value { of, begun } = &mut self.line else {
            return;
        };
        if !*begun && !part.is_empty() {
            *begun = true;
            part = part.strip_prefix(b" ").unwrap_or(part);
        }
        match of {
            Field::Data => {
                if let Some(data) = &mut self.data {
                    data.push(part);
                }
            }
            Field::Event => {
                let room = LONGEST_NAME.saturating_sub(self.name.len());
                self.name.extend_from_slice(&part[..part.len().min(room)]);
            }
            Field::Comment | Field::Other => {}
        }
    }

    fn begin_value(&mut self, of: Field) {
        match of {
            Field::Data => match &mut self.data {
                Some(data) => data.push(b"\n"),
                None => self.data = Some(Shortened::new(&EVENT)),
            },
            Field::Event => self.name.clear(),
            Field::Comment | Field::Other => {}
        }
        self.line = Line::Value { of, begun: false };
    }

    fn end_line(&mut self) -> Option<StreamItem> {
        self.is_begun = true;
        match std::mem::take(&mut self.line) {
            Line::Field(name) if name.is_empty() => Some(self.end_event()),
            // A field without a colon has an empty value.
            Line::Field(name) => {
                self.begin_value(field(&name));
                self.line = Line::default();
                None
            }
            Line::Value { of, .. } => (of == Field::Comment).then_some(StreamItem::Nothing),
        }
    }

    fn end_event(&mut self) -> StreamItem {
        let name = std::mem::take(&mut self.name);
        match self.data.take() {
            None => StreamItem::Nothing,
            Some(data) => StreamItem::Event(Event {
                name: String::from_utf8_lossy(&name).into_owned(),
                data: data.finish(),
            }),
        }
    }
}

fn field(name: &[u8]) -> Field {
    match name {
        b"data" => Field::Data,
        b"event" => Field::Event,
        b"" => Field::Comment,
        _ => Field::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(pieces: &[&[u8]]) -> Vec<StreamItem> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(said) = events.next(&mut rest) {
                all.push(said);
            }
        }
        all
    }

    fn event(name: &str, data: &str) -> StreamItem {
        StreamItem::Event(Event {
            name: name.into(),
            data: Some(data.as_bytes().to_vec()),
        })
    }

    #[test]
    fn events_are_read_by_the_rules_of_the_standard() {
        for (stream, events) in [
            ("data: a\n\n", vec![event("", "a")]),
            ("data:a\n\n", vec![event("", "a")]),
            ("data:  a \n\n", vec![event("", " a ")]),
            ("data: a\ndata: b\n\n", vec![event("", "a\nb")]),
            ("data\ndata\n\n", vec![event("", "\n")]),
            (
                "event: x\ndata: a\n\ndata: b\n\n",
                vec![event("x", "a"), event("", "b")],
            ),
            ("event: x\nevent: y\ndata: a\n\n", vec![event("y", "a")]),
            ("id: 7\nretry: 9\nodd\ndata: a\n\n", vec![event("", "a")]),
            ("dat: a\ndataa: b\n\n", vec![StreamItem::Nothing]),
            (
                ": c\ndata: a\n\n",
                vec![StreamItem::Nothing, event("", "a")],
            ),
            (":\n", vec![StreamItem::Nothing]),
            (
                "event: x\n\ndata: a\n\n",
                vec![StreamItem::Nothing, event("", "a")],
            ),
            ("data: a", vec![]),
            ("data: a\n", vec![]),
            ("data: é😀\n\n", vec![event("", "é😀")]),
            ("\u{feff}data: a\n\n", vec![event("", "a")]),
            ("\u{feff}\u{feff}data: a\n\n", vec![StreamItem::Nothing]),
            ("data: \u{feff}a\n\n", vec![event("", "\u{feff}a")]),
        ] {
            for end in ["\n", "\r", "\r\n"] {
                let stream = stream.replace('\n', end);
                assert_eq!(said(&[stream.as_bytes()]), events, "{stream:?}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_part_of_the_line() {
        assert_eq!(said(&[b"\xEF\xBBdata: a\n\n"]), [StreamItem::Nothing]);
        assert_eq!(
            said(&[b"\xEF\n\ndata: a\n\n"]),
            [StreamItem::Nothing, event("", "a")]
        );
    }

    #[test]
    fn an_event_of_any_length_is_read_and_held_within_the_bound() {
        let mut events = Events::default();
        let mut next = |mut piece: &[u8]| {
            let said = events.next(&mut piece);
            assert!(piece.is_empty());
            said
        };
        let (text, numbers) = ("x".repeat(1 << 16), "1,".repeat(1 << 15));
        next(b"data: {\"content\":\"");
        for _ in 0..320 {
            assert_eq!(next(text.as_bytes()), None);
        }
        next(b"\",\"message_type\":\"assistant_message\"}\n");
        let Some(StreamItem::Event(Event {
            data: Some(data), ..
        })) = next(b"\n")
        else {
            panic!()
        };
        assert!(data.len() < 200_000, "{}", data.len());
        let read: serde_json::Value = serde_json::from_slice(&data).unwrap();
        assert_eq!(read["message_type"], "assistant_message");
        next(b"data: [");
        for _ in 0..320 {
            assert_eq!(next(numbers.as_bytes()), None);
        }
        let nothing = Event {
            name: String::new(),
            data: None,
        };
        assert_eq!(next(b"1]\n"), None);
        assert_eq!(next(b"\n"), Some(StreamItem::Event(nothing)));
        next(b"data: a\n");
        assert_eq!(next(b"\n"), Some(event("", "a")));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_say_the_same(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    &b"data: "[..], b"data", b"event:", b":", b"\n", b"\r", b"\r\n", b"\n\n", b" ",
                    b"\xEF\xBB\xBF", b"\xEF", b"{\"a\":\"\xC3\xA9\"}", b"\0", b"\xFF\xFE",
                    b"[DONE]", b"\\\"",
                ]),
                0..40,
            ),
            size in 1usize..20,
        ) {
            let stream = parts.concat();
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            prop_assert_eq!(said(&pieces), said(&[&stream]));
        }
    }
}
