//! Faults of ours that break something off: told by where they are, never by what they were about,
//! since that may be a prompt, a reply or a key.

use std::io::Write;
use std::panic::PanicHookInfo;

/// From now on a panic anywhere in this process is told so.
pub fn install() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = match panic.location() {
        Some(place) => format!(" at {}:{}", place.file(), place.line()),
        None => String::new(),
    };
    // Where nobody reads it any more, it can't be told.
    let _ = writeln!(
        std::io::stderr(),
        "promptyoself: an internal fault{place}; what it broke off is told as failed or unknown"
    );
}
