//! A terminal that is drawn on again and again, and is afterwards as it was before.

use std::io::{self, Write};

use super::screen::Screen;
use super::text::Text;
use crate::error::{Code, Error, Result};

/// The second screen, on which nothing scrolls, without a cursor and without wrapped lines.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";

/// The first screen, as it was.
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// To the upper left corner.
const HOME: &str = "\u{1b}[H";

/// Clears the rest of the line, and all that is below.
const REST_OF_LINE: &str = "\u{1b}[K";
const REST: &str = "\u{1b}[J";

/// A terminal that is drawn on. Dropping it restores the terminal.
pub(in crate::cli) struct Canvas {
    drawn: String,
}

impl Canvas {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// [`Code::Internal`] if it can't be written to.
    pub(in crate::cli) fn open() -> Result<Canvas> {
        write(ENTER)?;
        Ok(Canvas {
            drawn: String::new(),
        })
    }

    /// Shows a text, as much of it as fits, if it is another one than before.
    ///
    /// # Errors
    /// [`Code::Internal`] if it can't be written.
    pub(in crate::cli) fn draw(&mut self, text: &Text, screen: Screen) -> Result<()> {
        let picture = picture(text, screen);
        if picture != self.drawn {
            write(&picture)?;
            self.drawn = picture;
        }
        Ok(())
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        // There is nobody to tell if the terminal is gone.
        let _ = write(LEAVE);
    }
}

/// The orders that show a text.
fn picture(text: &Text, screen: Screen) -> String {
    let shown = text.render(screen);
    let lines: Vec<&str> = shown.lines().collect();
    let height = screen.height.unwrap_or(usize::MAX);
    let hidden = match lines.len() > height {
        true => lines.len() - height + 1,
        false => 0,
    };
    let mut picture = HOME.to_owned();
    let more = format!("… {hidden} more lines");
    let seen = lines[..lines.len() - hidden].iter().copied();
    let all = seen.chain((hidden > 0).then_some(more.as_str()));
    picture.push_str(
        &all.map(|line| line.to_owned() + REST_OF_LINE)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    picture.push_str(REST);
    picture
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| Error::new(Code::Internal, "could not write to the terminal").caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_no_higher_than_its_screen() {
        let text = Text::of_lines("a\nb\nc\nd");
        let screen = |height| Screen {
            height: Some(height),
            ..Screen::default()
        };
        let parts = |height| picture(&text, screen(height)).replace('\u{1b}', "");
        assert_eq!(parts(4), "[Ha[K\nb[K\nc[K\nd[K[J");
        assert_eq!(parts(3), "[Ha[K\nb[K\n… 2 more lines[K[J");
    }
}
