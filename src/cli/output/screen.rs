//! What is known of the terminal that an answer is shown on: its width, and whether it gets colours.

use std::os::fd::AsFd;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use terminal_size::{Height, Width, terminal_size_of};

/// The width of a terminal that doesn't tell it.
const USUAL_WIDTH: usize = 80;

/// What text is shown on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Its width in columns; `None` if lines may have any length, as in a file.
    pub width: Option<usize>,
    /// Its height in lines, if it tells it.
    pub height: Option<usize>,
    /// Whether it shows colours.
    pub has_colours: bool,
}

impl Screen {
    /// The screen behind standard output.
    pub fn of_stdout(colours: ColorChoice) -> Screen {
        Screen::of(&std::io::stdout(), colours)
    }

    /// The screen behind standard error.
    pub fn of_stderr(colours: ColorChoice) -> Screen {
        Screen::of(&std::io::stderr(), colours)
    }

    fn of(stream: &(impl RawStream + AsFd), colours: ColorChoice) -> Self {
        // `NO_COLOR` and its kin count unless the command line says something.
        let colours = match colours {
            ColorChoice::Auto => AutoStream::choice(stream),
            said => said,
        };
        let size = terminal_size_of(stream);
        let width = size.map_or(USUAL_WIDTH, |(Width(columns), _)| usize::from(columns));
        Screen {
            width: stream.is_terminal().then_some(width),
            height: size.map(|(_, Height(lines))| usize::from(lines)),
            has_colours: colours != ColorChoice::Never,
        }
    }

    /// A text in its tone. Nothing in the text may be an order to the terminal.
    pub(super) fn tinted(self, text: &str, tone: Tone) -> String {
        let style = tone.style();
        match self.has_colours && !text.is_empty() && style != Style::new() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// How a text stands out. It only repeats what the words say already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Like any other text.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// Somebody should have a look.
    Notable,
    /// Something is wrong.
    Bad,
    /// Over, or beside the point.
    Quiet,
}

impl Tone {
    /// Only colours that can be read on dark and on light: yellow, the usual colour of a warning,
    /// can't be read on white, and bright black vanishes on some dark backgrounds.
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Heading => Style::new().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Notable => AnsiColor::Magenta.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Quiet => Style::new().dimmed(),
        }
    }

    /// The tone of a word for a state, an outcome or a severity.
    pub(super) fn of_word(word: &str) -> Tone {
        match word {
            "active" | "delivered" | "ok" => Tone::Good,
            "paused" | "waiting" | "sending" | "unknown" | "approval" | "interrupted"
            | "warning" => Tone::Notable,
            "broken" | "dead" | "missed" | "error" => Tone::Bad,
            "finished" | "cancelled" | "skipped" | "coalesced" => Tone::Quiet,
            _ => Tone::Plain,
        }
    }
}
