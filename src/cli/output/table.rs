//! Rows in columns, laid out for the width of a screen.

use serde_json::Value;

use super::screen::{Screen, Tone};
use super::span::Span;
use super::width::{columns, cut, padded, wrapped};
use crate::printable::printable;

/// What stands between two columns.
const GAP: &str = "  ";

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its key in each row.
    key: String,
    /// Its heading.
    title: String,
    /// The fewest columns of the screen it may be cut to; `None` if it is never cut.
    least: Option<usize>,
    /// It is left out of a narrow screen before those of a lower rank; 0 stays.
    rank: u8,
    /// Whether its words stand out by their meaning.
    is_toned: bool,
    /// Whether it is left out where it says the same in each row.
    only_differing: bool,
}

impl Column {
    /// A column that is shown whole or not at all.
    pub(super) fn whole(key: &str, title: &str) -> Column {
        Column {
            key: key.to_owned(),
            title: title.to_owned(),
            least: None,
            rank: 0,
            is_toned: false,
            only_differing: false,
        }
    }

    /// A column whose text may be cut.
    pub(super) fn cut(key: &str, title: &str, least: usize) -> Column {
        Column {
            least: Some(least),
            ..Column::whole(key, title)
        }
    }

    /// The same, left out of a narrow screen: before others of a lower rank.
    pub(super) fn rank(self, rank: u8) -> Column {
        Column { rank, ..self }
    }

    /// The same, left out where it says the same in each row.
    pub(super) fn only_differing(self) -> Column {
        Column {
            only_differing: true,
            ..self
        }
    }

    /// The same, whose words stand out by their meaning.
    pub(super) fn toned(self) -> Column {
        Column {
            is_toned: true,
            ..self
        }
    }
}

/// Rows in columns.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Span>>,
}

impl Table {
    /// Rows of JSON, without columns that are empty in each of them.
    pub(super) fn new(columns: &[Column], rows: &[Value]) -> Table {
        let cell = |row: &Value, column: &Column| {
            let text = printable(&one_line(&plain(&row[column.key.as_str()])));
            let tone = match column.is_toned {
                true => Tone::of_word(&text),
                false => Tone::Plain,
            };
            Span { text, tone }
        };
        let tells = |column: &&Column| {
            let mut texts = rows.iter().map(|row| cell(row, column).text);
            match (column.only_differing, texts.next()) {
                (true, Some(first)) => texts.any(|text| text != first),
                (false, Some(first)) => !first.is_empty() || texts.any(|text| !text.is_empty()),
                (_, None) => false,
            }
        };
        let used: Vec<Column> = (columns.iter()).filter(tells).cloned().collect();
        let cells = |row: &Value| used.iter().map(|column| cell(row, column)).collect();
        Table {
            rows: rows.iter().map(cells).collect(),
            columns: (used.into_iter())
                .map(|column| Column {
                    title: printable(&column.title),
                    ..column
                })
                .collect(),
        }
    }

    /// Its lines.
    pub(super) fn render(&self, screen: Screen) -> Vec<String> {
        let natural: Vec<usize> = (self.columns.iter().enumerate())
            .map(|(at, column)| {
                let cells = self.rows.iter().map(|row| columns(&row[at].text));
                cells.max().unwrap_or(0).max(columns(&column.title))
            })
            .collect();
        match self.widths(screen.width, &natural) {
            Some(widths) => self.in_columns(screen, &widths),
            None => self.in_blocks(screen),
        }
    }

    /// The columns that are shown, each with its width; `None` if not even those that always are
    /// fit beside each other.
    fn widths(&self, most: Option<usize>, natural: &[usize]) -> Option<Vec<(usize, usize)>> {
        let Some(most) = most else {
            return Some(natural.iter().copied().enumerate().collect());
        };
        let capped = natural.iter().map(|width| *width.min(&(most + 1)));
        let mut shown: Vec<(usize, usize)> = capped.enumerate().collect();
        let least = |at: usize| match self.columns[at].least {
            Some(least) => least.max(columns(&self.columns[at].title)).min(natural[at]),
            None => natural[at],
        };
        let gaps = |shown: &[(usize, usize)]| GAP.len() * shown.len().saturating_sub(1);
        while shown.iter().map(|(at, _)| least(*at)).sum::<usize>() + gaps(&shown) > most {
            let last = (shown.iter().enumerate())
                .filter(|(_, (at, _))| self.columns[*at].rank > 0)
                .max_by_key(|(_, (at, _))| self.columns[*at].rank)?;
            shown.remove(last.0);
        }
        // The widest gives first, so that short texts stay whole.
        let room = most - gaps(&shown);
        while shown.iter().map(|(_, width)| width).sum::<usize>() > room {
            let widest = (shown.iter_mut())
                .filter(|(at, width)| *width > least(*at))
                .max_by_key(|(_, width)| *width)?;
            widest.1 -= 1;
        }
        Some(shown)
    }

    fn in_columns(&self, screen: Screen, widths: &[(usize, usize)]) -> Vec<String> {
        let line = |cell: &dyn Fn(usize) -> Span| {
            let mut line = String::new();
            let mut missing = 0;
            for (at, width) in widths {
                // Spaces only before another text, so that no line ends with any.
                let Span { text, tone } = cell(*at);
                let text = cut(&text, *width);
                if !text.is_empty() {
                    line.push_str(&" ".repeat(missing));
                    line.push_str(&screen.tinted(&text, tone));
                    missing = 0;
                }
                missing += width - columns(&text) + GAP.len();
            }
            line
        };
        let heading = line(&|at| Span {
            text: self.columns[at].title.clone(),
            tone: Tone::Heading,
        });
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let whole = widths.iter().map(|(_, width)| width).sum::<usize>() + gaps;
        let rule = screen.tinted(&"─".repeat(whole), Tone::Quiet);
        let rows = (self.rows.iter()).map(|row| line(&|at| row[at].clone()));
        [heading, rule].into_iter().chain(rows).collect()
    }

    /// Each row as lines of `title  value`, which need the least width.
    fn in_blocks(&self, screen: Screen) -> Vec<String> {
        let mut lines = Vec::new();
        for (n, row) in self.rows.iter().enumerate() {
            if n > 0 {
                lines.push(String::new());
            }
            let titles = self.columns.iter().map(|column| column.title.as_str());
            lines.extend(fields(titles.zip(row), screen));
        }
        lines
    }
}

/// Values as lines of `title  value`; those without a text are left out.
pub(super) fn fields<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Span)>,
    screen: Screen,
) -> Vec<String> {
    let fields: Vec<(&str, &Span)> = fields.filter(|(_, span)| !span.text.is_empty()).collect();
    let titles = fields.iter().map(|(title, _)| columns(title));
    let indent = titles.max().unwrap_or(0) + GAP.len();
    let mut lines = Vec::new();
    for (title, span) in fields {
        // Lines after the first are indented, so that no text can look like another field.
        let shown = match screen.width {
            Some(width) => wrapped(&span.text, width, indent),
            None => {
                let indented = span.text.replace('\n', &format!("\n{:indent$}", ""));
                vec![indented]
            }
        };
        for (n, line) in shown.iter().enumerate() {
            let shown = screen.tinted(line, span.tone);
            lines.push(match n {
                0 => padded(title, indent) + &shown,
                _ => shown,
            });
        }
    }
    lines
}

/// A text on one line, with single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value unchanged, to be shortened before it is shown.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_same_in_each_row_is_only_told_where_it_can_differ() {
        let columns = [
            Column::whole("id", "id"),
            Column::whole("target", "target").only_differing(),
        ];
        let lines = |rows: &[Value]| Table::new(&columns, rows).render(Screen::default());
        let home = json!({"id": 1, "target": "home"});
        let usual = json!({"id": 2});
        assert_eq!(lines(&[home.clone(), home.clone()])[0], "id");
        assert_eq!(lines(std::slice::from_ref(&usual))[0], "id");
        assert_eq!(
            lines(&[home, usual]),
            ["id  target", "──────────", "1   home", "2"]
        );
    }
}
