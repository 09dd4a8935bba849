//! Finds a zone by the name that somebody wrote.

use super::advice::advise;
use super::{Zone, other_names};
use crate::error::{Code, Error, Result, fields};

impl Zone {
    /// Finds a zone by its IANA name in upper or lower case, by its Windows name (`Eastern Standard
    /// Time`) or by whole hours from UTC (`UTC+8`). The zone has the proper IANA name.
    ///
    /// # Errors
    /// [`Code::TimezoneUnknown`] for anything else, with a correction if it is clear which zone was
    /// meant. Other offsets and POSIX rules are errors too, because neither follows a government's
    /// decisions.
    pub fn parse(name: &str) -> Result<Zone> {
        let wanted = name.trim();
        Zone::named(wanted)
            .or_else(|| Zone::named(&other_names::understood(wanted)?))
            .ok_or_else(|| unknown(wanted))
    }
}

/// The error for a name that is not a zone's.
fn unknown(name: &str) -> Error {
    let advice = advise(name);
    let example = advice.zone.map(|zone| fields([("timezone", zone)]));
    Error::new(Code::TimezoneUnknown, advice.text).example_if(example)
}
