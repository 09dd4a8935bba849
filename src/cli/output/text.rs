//! An answer for people, kept in parts until the screen is known that it is shown on.

use super::screen::{Screen, Tone};
use super::span::Span;
use super::table::{Table, fields};
use super::width::wrapped;

/// An answer for people. Text from others that is put into a line stays on that line, and none of it
/// is an order to a terminal.
#[derive(Clone, Debug, Default)]
pub struct Text(Vec<Block>);

#[derive(Clone, Debug)]
enum Block {
    Line(Span),
    /// Text that goes on below itself, indented, where the screen ends.
    Paragraph(Span, usize),
    Table(Table),
    Fields(Vec<(String, Span)>),
}

impl Text {
    /// Text whose line breaks are our own.
    pub fn of_lines(lines: &str) -> Text {
        lines.lines().fold(Text::default(), Text::line)
    }

    /// Adds a line.
    pub fn line(self, line: &str) -> Text {
        self.toned(line, Tone::Plain)
    }

    /// Adds a line that stands out.
    pub fn toned(mut self, line: &str, tone: Tone) -> Text {
        self.0.push(Block::Line(Span::of_line(line, tone)));
        self
    }

    /// Adds a line that goes on `indent` columns to the right where the screen ends.
    pub(super) fn paragraph(mut self, line: &str, indent: usize, tone: Tone) -> Text {
        let span = Span::of_line(line, tone);
        self.0.push(Block::Paragraph(span, indent));
        self
    }

    /// Adds a table.
    pub(super) fn table(mut self, table: Table) -> Text {
        self.0.push(Block::Table(table));
        self
    }

    /// Adds lines of `title  value`.
    pub(super) fn fields(mut self, fields: Vec<(String, Span)>) -> Text {
        self.0.push(Block::Fields(fields));
        self
    }

    /// Adds another text below this one.
    pub fn then(mut self, text: Text) -> Text {
        self.0.extend(text.0);
        self
    }

    /// The text as a screen shows it.
    pub fn render(&self, screen: Screen) -> String {
        let lines = self.0.iter().flat_map(|block| block.render(screen));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Block {
    fn render(&self, screen: Screen) -> Vec<String> {
        match self {
            Block::Line(span) => vec![screen.tinted(&span.text, span.tone)],
            Block::Paragraph(span, indent) => {
                let lines = match screen.width {
                    Some(width) => wrapped(&span.text, width, *indent),
                    None => vec![span.text.clone()],
                };
                let tinted = lines.iter().map(|line| screen.tinted(line, span.tone));
                tinted.collect()
            }
            Block::Table(table) => table.render(screen),
            Block::Fields(all) => {
                let all = all.iter().map(|(title, span)| (title.as_str(), span));
                fields(all, screen)
            }
        }
    }
}

impl From<&str> for Text {
    fn from(line: &str) -> Text {
        Text::default().line(line)
    }
}

impl From<&String> for Text {
    fn from(line: &String) -> Text {
        Text::from(line.as_str())
    }
}

impl From<String> for Text {
    fn from(line: String) -> Text {
        Text::from(line.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_answer_stays_one_line_whatever_it_holds() {
        let text = Text::from("a\nb\u{1b}".to_owned()).line("c\nd");
        assert_eq!(text.render(Screen::default()), "a\\nb\\u{1b}\nc\\nd");
    }
}
