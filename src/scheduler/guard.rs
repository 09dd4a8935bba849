//! The guard against a wall clock that was set ahead: everything up to the false time would be
//! sent at once.

use jiff::{SignedDuration, Timestamp};

use crate::clock::Moment;

/// How far the wall clock may run ahead of the boot clock between two readings.
const JUMP: SignedDuration = SignedDuration::from_mins(5);

/// How far it may run ahead without having been set.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

/// How long it must be steady after a jump.
const STEADY: SignedDuration = SignedDuration::from_mins(1);

/// A wall clock that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Ahead, by so much.
    Ahead(SignedDuration),
    /// Back, by so much.
    Back(SignedDuration),
}

/// Watches both clocks.
#[derive(Debug, Default)]
pub struct ClockGuard {
    last: Option<Moment>,
    /// When the wall clock was last set ahead, be it ever so little.
    moved_at: Option<SignedDuration>,
    held_until: Option<SignedDuration>,
}

impl ClockGuard {
    /// Takes a reading. Returns how far the wall clock has jumped, if it has just now.
    pub fn observe(&mut self, moment: Moment) -> Option<Jump> {
        let last = self.last.replace(moment)?;
        let wall = moment.now.duration_since(last.now);
        let passed = moment.uptime.saturating_sub(last.uptime);
        let ahead = wall.saturating_sub(passed);
        if ahead > DRIFT {
            self.moved_at = Some(moment.uptime);
        }
        if ahead > JUMP {
            self.held_until = Some(moment.uptime.saturating_add(STEADY));
            return Some(Jump::Ahead(ahead));
        }
        if ahead < -JUMP {
            // If it had jumped ahead before, that was a mistake, and it is mended.
            self.held_until = None;
            return Some(Jump::Back(-ahead));
        }
        if self.held_until.is_some_and(|until| moment.uptime >= until) {
            self.held_until = None;
        }
        None
    }

    /// How long the wall clock has not been set ahead; [`SignedDuration::MAX`] if it never was.
    pub fn steady_for(&self) -> SignedDuration {
        match (self.last, self.moved_at) {
            (Some(last), Some(moved_at)) => last.uptime.saturating_sub(moved_at),
            _ => SignedDuration::MAX,
        }
    }

    /// When deliveries may go on, by the wall clock as it stands; `None` if they may.
    pub fn held_until(&self) -> Option<Timestamp> {
        let moment = self.last?;
        let left = self.held_until?.saturating_sub(moment.uptime);
        Some(moment.now.checked_add(left).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_clock_set_ahead_holds_deliveries_until_it_was_steady_for_a_minute() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let mut guard = ClockGuard::default();
        assert_eq!(guard.observe(clock.moment()), None);
        clock.set(Timestamp::from_second(3_600).unwrap());
        assert_eq!(
            guard.observe(clock.moment()),
            Some(Jump::Ahead(SignedDuration::from_hours(1)))
        );
        clock.advance(SignedDuration::from_secs(59));
        assert_eq!(guard.observe(clock.moment()), None);
        assert_eq!(
            guard.held_until(),
            Some(Timestamp::from_second(3_660).unwrap())
        );
        clock.advance(SignedDuration::from_secs(1));
        guard.observe(clock.moment());
        assert_eq!(guard.held_until(), None);
    }

    #[test]
    fn time_that_really_passed_holds_nothing() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let mut guard = ClockGuard::default();
        guard.observe(clock.moment());
        clock.advance(SignedDuration::from_hours(3));
        assert_eq!(guard.observe(clock.moment()), None);
        assert_eq!(guard.held_until(), None);
    }
}
