//! The trace of a simulation, line by line, and the law that was broken.

use std::fmt;

/// True time: microseconds since the simulation began. The wall clock may say something else.
pub type At = i64;

/// One second of true time.
pub const SECOND: At = 1_000_000;

/// One minute of true time.
pub const MINUTE: At = 60 * SECOND;

/// One hour of true time.
pub const HOUR: At = 60 * MINUTE;

/// A law of delivery that did not hold.
#[derive(Debug)]
pub struct Broken(pub String);

/// Whether the laws hold so far.
pub type Law<T = ()> = Result<T, Broken>;

/// Breaks off with the law that is broken.
macro_rules! broken {
    ($($text:tt)*) => {
        Err($crate::simulation::trace::Broken(format!($($text)*)))
    };
}
pub(super) use broken;

/// Everything that happened.
#[derive(Default)]
pub struct Trace {
    lines: Vec<String>,
    /// Whether lines are printed as they come.
    pub loud: bool,
}

impl Trace {
    /// Notes what happened at a time.
    pub fn note(&mut self, at: At, text: impl fmt::Display) {
        let (seconds, rest) = (at / SECOND, at % SECOND);
        let line = format!("{seconds:>7}.{rest:06} {text}");
        if self.loud {
            println!("{line}");
        }
        self.lines.push(line);
    }

    /// Every line.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The last lines.
    pub fn tail(&self, n: usize) -> String {
        let from = self.lines.len().saturating_sub(n);
        self.lines[from..].join("\n")
    }
}
