//! The measurements, and their table.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::program::Program;

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// What does no more than it must, for comparison.
    Bare,
    /// A build, by its place in the arguments.
    Program(usize),
}

/// A figure.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    value: f64,
    /// It would have been larger had there been more time.
    at_least: bool,
}

impl From<f64> for Figure {
    fn from(value: f64) -> Figure {
        Figure {
            value,
            at_least: false,
        }
    }
}

impl Figure {
    /// A figure that is at least this much.
    pub fn at_least(value: f64) -> Figure {
        Figure {
            value,
            at_least: true,
        }
    }
}

struct Row {
    part: char,
    measure: String,
    unit: &'static str,
    bare: Vec<Figure>,
    programs: Vec<Vec<Figure>>,
}

/// Every figure, in the order in which measures came first.
pub struct Results {
    programs: usize,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Results {
    /// Nothing yet, of so many programs.
    pub fn new(programs: usize) -> Results {
        Results {
            programs,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds the figure of one run.
    pub fn add(
        &mut self,
        part: char,
        measure: &str,
        unit: &'static str,
        who: Who,
        figure: impl Into<Figure>,
    ) {
        let place = self
            .rows
            .iter()
            .position(|r| (r.part, &*r.measure) == (part, measure));
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row {
                part,
                measure: measure.to_owned(),
                unit,
                bare: Vec::new(),
                programs: vec![Vec::new(); self.programs],
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        match who {
            Who::Bare => row.bare.push(figure.into()),
            Who::Program(n) => row.programs[n].push(figure.into()),
        }
    }

    /// Adds a remark that stands below the table, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The table, in Markdown, and the remarks.
    pub fn print(&self, programs: &[Program]) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let mut header = vec![
            "".to_owned(),
            "measure".into(),
            "unit".into(),
            "bare".into(),
        ];
        header.extend(programs.iter().map(|p| p.name.clone()));
        header.extend(programs.iter().map(|p| format!("{} / bare", p.name)));
        let (first, later) = programs.split_first().expect("a program");
        header.extend(later.iter().map(|p| format!("{} / {}", p.name, first.name)));
        table.set_header(header);
        for row in &self.rows {
            let mut cells = vec![
                row.part.to_string(),
                row.measure.clone(),
                row.unit.to_owned(),
            ];
            cells.push(median_and_range(&row.bare));
            cells.extend(row.programs.iter().map(|figures| median_and_range(figures)));
            cells.extend(row.programs.iter().map(|figures| ratio(figures, &row.bare)));
            let later = row.programs.iter().skip(1);
            cells.extend(later.map(|figures| ratio(figures, &row.programs[0])));
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = table.to_string();
        for note in &self.notes {
            let _ = write!(text, "\n- {note}");
        }
        text
    }
}

/// The median, and from where to where the figures reach if there are several.
fn median_and_range(figures: &[Figure]) -> String {
    let values: Vec<f64> = figures.iter().map(|f| f.value).collect();
    let Some(middle) = median(&values) else {
        return "–".to_owned();
    };
    let sign = if figures.iter().any(|f| f.at_least) {
        "≥ "
    } else {
        ""
    };
    let mut text = format!("{sign}{}", short(middle));
    if let [_, _, ..] = values[..] {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let _ = write!(text, " ({}–{})", short(least), short(most));
    }
    text
}

/// The median of the ratios within each run.
fn ratio(figures: &[Figure], others: &[Figure]) -> String {
    let pairs = figures.iter().zip(others);
    let ratios: Vec<f64> = pairs.map(|(a, b)| a.value / b.value).collect();
    match median(&ratios) {
        Some(ratio) if ratio.is_finite() => short(ratio),
        _ => "–".to_owned(),
    }
}

/// The median; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some((values[last / 2] + values[last.div_ceil(2)]) / 2.0)
}

/// Three digits that count.
fn short(value: f64) -> String {
    let whole = value.abs().log10().floor();
    let digits = if value == 0.0 {
        0.0
    } else {
        (2.0 - whole).clamp(0.0, 4.0)
    };
    format!("{value:.*}", digits as usize)
}
