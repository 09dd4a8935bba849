//! The guard against a wall clock that is wrong: everything up to the false time would be sent, or
//! given up, at once.

use jiff::{SignedDuration, Timestamp};

use crate::clock::{
    ClockDoubt, KnownTimes, Moment, Reading, ReferenceClocks, SAME, STEADY, Why, assess_clock,
    is_possible,
};

/// How far the wall clock may run ahead of the boot clock between two readings.
const JUMP: SignedDuration = SAME;

/// How far it may run ahead without having been set.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

/// A wall clock that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Ahead, by so much.
    Ahead(SignedDuration),
    /// Back, by so much.
    Back(SignedDuration),
}

/// What a scheduler starts with.
#[derive(Clone, Debug)]
pub struct ClockAtStart {
    /// The clocks, as they were looked at.
    pub reading: Reading,
    /// What the database knew of the time.
    pub known: KnownTimes,
    /// Why the clock may be wrong, as far as that can be told at once.
    pub doubt: Option<ClockDoubt>,
    /// Whether the target is being asked what time it is.
    pub asks: bool,
}

impl ClockAtStart {
    /// A start at which the clock is trusted.
    pub fn trusted(reading: Reading) -> Self {
        ClockAtStart {
            reading,
            known: KnownTimes::default(),
            doubt: None,
            asks: false,
        }
    }
}

/// Watches both clocks.
#[derive(Debug, Default)]
pub struct ClockGuard {
    last: Option<Moment>,
    /// When the wall clock was last set ahead, be it ever so little.
    moved_at: Option<SignedDuration>,
    held: Option<Held>,
    /// Since when it was never in doubt.
    sure_since: Option<SignedDuration>,
    /// What is known of the time, while the clock at the start is in doubt.
    known: Option<KnownTimes>,
}

/// A clock that has to be steady first.
#[derive(Debug)]
struct Held {
    until: SignedDuration,
    why: String,
}

impl ClockGuard {
    /// Takes in what was found at the start, before the first reading.
    pub fn begin(&mut self, start: ClockAtStart) {
        self.observe(start.reading.moment);
        let why = match (&start.doubt, start.asks) {
            (Some(doubt), _) => doubt.to_string(),
            (None, true) => "the clock is being compared with Letta's".to_owned(),
            (None, false) => return,
        };
        self.hold(why);
        self.known = Some(start.known);
    }

    /// Takes in what is thought of the clock at the start now that the target was asked.
    pub fn conclude(&mut self, doubt: Option<ClockDoubt>) {
        match (doubt, &mut self.held) {
            // It was set since, or has been steady for long enough.
            _ if self.known.is_none() => {}
            (Some(doubt), Some(held)) => held.why = doubt.to_string(),
            (_, _) => self.release(),
        }
    }

    /// Takes a reading. Returns how far the wall clock has jumped, if it has just now.
    pub fn observe(&mut self, moment: Moment) -> Option<Jump> {
        let Some(last) = self.last.replace(moment) else {
            self.sure_since = Some(moment.uptime);
            return None;
        };
        let wall = moment.now.duration_since(last.now);
        let passed = moment.uptime.saturating_sub(last.uptime);
        let ahead = wall.saturating_sub(passed);
        if ahead > DRIFT {
            self.moved_at = Some(moment.uptime);
        }
        if ahead.abs() > JUMP {
            let back = ahead.is_negative();
            match self.doubt_after_jump(last, back) {
                Some(why) => self.hold(why),
                None => self.release(),
            }
            return Some(match back {
                true => Jump::Back(-ahead),
                false => Jump::Ahead(ahead),
            });
        }
        if self.held.as_ref().is_some_and(|h| moment.uptime >= h.until) {
            self.release();
        }
        None
    }

    /// Why the clock may be wrong that was just set.
    fn doubt_after_jump(&self, before: Moment, back: bool) -> Option<String> {
        let now = self.last?;
        if let Some(known) = &self.known {
            // It was in doubt before, so this may be what puts it right.
            let reading = Reading {
                moment: now,
                boot: None,
            };
            return assess_clock(&reading, known, &ReferenceClocks::default())
                .map(|doubt| doubt.to_string());
        }
        let doubt = ClockDoubt {
            shows: now.now,
            why: Why::Behind { newest: before.now },
        };
        match back {
            true if is_possible(now.now) || !is_possible(before.now) => None,
            true => Some(doubt.to_string()),
            false => Some("the clock jumped ahead".to_owned()),
        }
    }

    fn hold(&mut self, why: String) {
        if let Some(last) = self.last {
            let until = last.uptime.saturating_add(STEADY);
            self.held = Some(Held { until, why });
            self.sure_since = None;
        }
    }

    fn release(&mut self) {
        self.held = None;
        self.known = None;
        self.sure_since = self.last.map(|last| last.uptime);
    }

    /// How long the wall clock has not been set ahead; [`SignedDuration::MAX`] if it never was.
    pub fn steady_for(&self) -> SignedDuration {
        match (self.last, self.moved_at) {
            (Some(last), Some(moved_at)) => last.uptime.saturating_sub(moved_at),
            _ => SignedDuration::MAX,
        }
    }

    /// For how long it was watched and never in doubt.
    pub fn sure_for(&self) -> SignedDuration {
        match (self.last, self.sure_since) {
            (Some(last), Some(since)) => last.uptime.saturating_sub(since),
            _ => SignedDuration::ZERO,
        }
    }

    /// When deliveries may go on, by the wall clock as it stands; `None` if they may.
    pub fn held_until(&self) -> Option<Timestamp> {
        let moment = self.last?;
        let left = self.held.as_ref()?.until.saturating_sub(moment.uptime);
        Some(moment.now.checked_add(left).unwrap_or(Timestamp::MAX))
    }

    /// Why deliveries are held, and until when; `None` if they aren't.
    pub fn holding(&self) -> Option<String> {
        let (held, until) = (self.held.as_ref()?, self.held_until()?);
        let why = &held.why;
        Some(format!(
            "{why}; deliveries go on at {until} if it is steady until then"
        ))
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
