//! Finding a zone by the name that somebody wrote.

use super::{Zone, meant};
use crate::error::{Code, Error, Result, fields};

impl Zone {
    /// Finds a zone by its IANA name, in upper or lower case, and also by a name that Windows has
    /// for it (`Eastern Standard Time`) or as whole hours from UTC (`UTC+8`). The zone has the
    /// proper IANA name.
    ///
    /// # Errors
    /// [`Code::TimezoneUnknown`] for anything else, with the zone that is meant where there is no
    /// doubt: for other offsets and POSIX rules too, since neither follows what a government
    /// decides.
    pub fn parse(name: &str) -> Result<Zone> {
        let wanted = name.trim();
        Zone::named(wanted)
            .or_else(|| Zone::named(&meant::understood(wanted)?))
            .ok_or_else(|| unknown(wanted))
    }
}

/// The error for a name that is no zone's.
fn unknown(name: &str) -> Error {
    let advice = meant::advise(name);
    let example = advice.zone.map(|zone| fields([("timezone", zone)]));
    Error::new(Code::TimezoneUnknown, advice.text).example_if(example)
}
