//! Tells people that long work goes on: one line on standard error, gone when it is done.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use super::output::Output;
use crate::clock::Clock;

/// How often it is told. Work that takes no longer is not told of at all.
const TICK: Duration = Duration::from_secs(1);

/// To the beginning of the line, which is cleared.
const CLEAR: &str = "\r\u{1b}[K";

/// Does some work. While it takes long, a line says for how long, and `what` at that moment. It is
/// only shown to people: they read the answer on one terminal, and errors too.
pub(super) async fn shown<T, W: Display>(
    output: Output,
    clock: &Clock,
    what: impl Fn() -> W,
    work: impl Future<Output = T>,
) -> T {
    if output.is_json() || !std::io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    for seconds in 1_u64.. {
        tokio::select! {
            done = &mut work => {
                if seconds > 1 {
                    say(CLEAR);
                }
                return done;
            }
            () = clock.sleep(TICK) => say(&format!("{CLEAR}{}: {seconds} s", what())),
        }
    }
    work.await
}

/// It is no failure if nobody reads it.
fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
