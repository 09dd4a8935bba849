//! When the database is looked at again, and how far.

use jiff::{SignedDuration, Timestamp};

use super::{Core, Mode, earliest, later};

/// How long a look may wait that nothing hangs on.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// How many candidates are taken, if there are so many, before the next part of what other programs
/// have changed is put in order.
const CLAIMS_BETWEEN: u32 = 16;

impl Core {
    /// Goes on where the last look has stopped, once nothing that it showed can be taken; where
    /// other programs have left much to be put in order, also in between.
    pub(super) fn look_for_more(&mut self) {
        let claiming = self.ours.is_claiming();
        if self.more && (!claiming || self.taken_since_look >= CLAIMS_BETWEEN) {
            self.more = false;
            self.want_look();
        }
        let has_place = self.may_claim() && self.ours.has_room();
        if self.more_due && has_place && !claiming && !self.looking {
            self.more_due = false;
            // Since nothing was taken, all that is known waits for something else.
            self.look_further = self.taken_since_look == 0;
            self.want_look();
        }
    }

    pub(super) fn want_look(&mut self) {
        self.look_again = true;
    }

    /// With nothing left that can be taken, the database may hold more.
    pub(super) fn want_look_if_idle(&mut self, now: Timestamp) {
        if self.ours.is_empty() && self.mode == Mode::Forever && !self.can_take(now) {
            self.want_look();
        }
    }

    /// Looks at once if there is nothing else to do, else a moment later: a look for each of many
    /// costs more than they do.
    pub(super) fn want_look_soon(&mut self, now: Timestamp) {
        match self.can_take(now) {
            true => self.next_look = earliest(self.next_look, Some(later(now, SOON))),
            false => self.want_look(),
        }
    }

    /// Whether something that we know of can be taken now.
    pub(super) fn can_take(&self, now: Timestamp) -> bool {
        self.next_claim().is_some_and(|t| t <= now)
    }
}
