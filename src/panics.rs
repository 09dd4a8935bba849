//! Reports panics by their place in the code, never by their message, which may contain a prompt, a
//! reply or a key.

use std::io::Write;
use std::panic::PanicHookInfo;

/// From now on, reports every panic in this process like this.
pub fn install() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = match panic.location() {
        Some(place) => format!(" at {}:{}", place.file(), place.line()),
        None => String::new(),
    };
    // If nobody reads stderr any more, there is nowhere to report it.
    let _ = writeln!(
        std::io::stderr(),
        "promptyoself: internal error{place}; whatever it stopped is reported as failed or unknown"
    );
}
