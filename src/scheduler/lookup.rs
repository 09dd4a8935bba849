//! The search for a prompt whose outcome is unknown.

use jiff::Timestamp;

use super::Settings;
use crate::letta_client::Lookup;
use crate::models::OpenOccurrence;

/// What is known about a prompt, to search for it now.
pub fn lookup_of(open: &OpenOccurrence, settings: &Settings, now: Timestamp) -> Lookup {
    // The first sending, unless the clock was set back since.
    let sent_at = [open.first_sent_at, open.sent_at].into_iter().flatten();
    Lookup {
        recipient: open.recipient(),
        otids: open.otids.clone(),
        run_id: open.run_id.clone(),
        sent_at: sent_at.min().unwrap_or(open.intended_at),
        heard_at: open.doubted_at,
        now,
        orphan_age: settings.orphaned_run_age,
    }
}
