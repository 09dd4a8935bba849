//! Guards against a wrong wall clock, by which everything up to that time would be sent or given up
//! at once.

use jiff::{SignedDuration, Timestamp};

use crate::clock::{
    ClockDoubt, KnownTimes, Moment, Reading, ReferenceClocks, SAME, STEADY, Why, assess_clock,
    is_possible,
};

/// How far the wall clock may run ahead of the boot clock between two readings.
const JUMP: SignedDuration = SAME;

/// How far it may run ahead without having been adjusted.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

/// An adjustment of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Ahead, by this much.
    Ahead(SignedDuration),
    /// Back, by this much.
    Back(SignedDuration),
}

/// What a scheduler knows about the clock when it starts.
#[derive(Clone, Debug)]
pub struct ClockAtStart {
    /// The clocks, when they were read.
    pub reading: Reading,
    /// What the database knew about the time.
    pub known: KnownTimes,
    /// Why the clock may be wrong, as far as is known at once.
    pub doubt: Option<ClockDoubt>,
    /// Whether the target is being asked for the time.
    pub asks: bool,
}

impl ClockAtStart {
    /// A start with a trusted clock.
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
    /// When the wall clock was last set ahead, even slightly.
    moved_at: Option<SignedDuration>,
    held: Option<Held>,
    /// Since when it has never been in doubt.
    sure_since: Option<SignedDuration>,
    /// What is known about the time, while the clock is in doubt at startup.
    known: Option<KnownTimes>,
}

/// A clock that first has to be steady.
#[derive(Debug)]
struct Held {
    until: SignedDuration,
    why: String,
}

impl ClockGuard {
    /// Takes what is known at startup, before the first reading.
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

    /// Takes the judgement about the clock at startup, now that the target was asked.
    pub fn conclude(&mut self, doubt: Option<ClockDoubt>) {
        match (doubt, &mut self.held) {
            // It was adjusted since, or has been steady long enough.
            _ if self.known.is_none() => {}
            (Some(doubt), Some(held)) => held.why = doubt.to_string(),
            (_, _) => self.release(),
        }
    }

    /// Takes a reading. Returns how far the wall clock has just jumped, if it has.
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

    /// Why the clock may be wrong after it was adjusted.
    fn doubt_after_jump(&self, before: Moment, back: bool) -> Option<String> {
        let now = self.last?;
        if let Some(known) = &self.known {
            // It was in doubt before, so this adjustment may have corrected it.
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

    /// How long ago the wall clock was last set ahead; [`SignedDuration::MAX`] if it never was.
    pub fn steady_for(&self) -> SignedDuration {
        match (self.last, self.moved_at) {
            (Some(last), Some(moved_at)) => last.uptime.saturating_sub(moved_at),
            _ => SignedDuration::MAX,
        }
    }

    /// How long it has been watched without being in doubt.
    pub fn sure_for(&self) -> SignedDuration {
        match (self.last, self.sure_since) {
            (Some(last), Some(since)) => last.uptime.saturating_sub(since),
            _ => SignedDuration::ZERO,
        }
    }

    /// When delivery may continue, by the wall clock; `None` if it may now.
    pub fn held_until(&self) -> Option<Timestamp> {
        let moment = self.last?;
        let left = self.held.as_ref()?.until.saturating_sub(moment.uptime);
        Some(moment.now.checked_add(left).unwrap_or(Timestamp::MAX))
    }

    /// Why delivery is held, and until when; `None` if it isn't.
    pub fn holding(&self) -> Option<String> {
        let (held, until) = (self.held.as_ref()?, self.held_until()?);
        let why = &held.why;
        Some(format!(
            "{why}; delivery continues at {until} if it is steady until then"
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
