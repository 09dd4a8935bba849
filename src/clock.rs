//! The only place that reads the time.
//!
//! Everything else is given a [`Clock`]: the program runs on [`Clock::system`], tests and the
//! simulation on [`Clock::manual`], which only moves when told to.

mod doubt;
mod kernel;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use doubt::{
    ClockDoubt, KnownTimes, Reading, ReferenceClocks, SAME, STEADY, TargetTime, Why, assess_clock,
    is_possible, needs_reference_clock,
};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock in UTC, cut to whole microseconds: what the database can hold.
    pub now: Timestamp,
    /// Time since some fixed point in the past. It includes time spent suspended and never jumps,
    /// so a wall clock that moves differently was adjusted.
    pub uptime: SignedDuration,
}

/// A source of time that can also be waited on.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Manual>>),
}

/// What a manual clock shows, and what the machine it stands for would report.
#[derive(Debug)]
struct Manual {
    moment: Moment,
    boot: u32,
    synchronised: Option<bool>,
}

/// The longest single wait on the system clock. Waiting in short steps notices a wall clock that
/// was adjusted, or a machine that slept, in the meantime.
const LONGEST_NAP: Duration = Duration::from_secs(1);

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Clock(Source::System)
    }

    /// A clock that stays at `start` until [`Clock::set`] or [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        let moment = Moment {
            now: cut(start),
            uptime: SignedDuration::ZERO,
        };
        Clock(Source::Manual(Arc::new(watch::Sender::new(Manual {
            moment,
            boot: 0,
            synchronised: Some(true),
        }))))
    }

    /// The wall clock in UTC, cut to whole microseconds.
    pub fn now(&self) -> Timestamp {
        self.moment().now
    }

    /// Both clocks at once.
    pub fn moment(&self) -> Moment {
        match &self.0 {
            Source::System => Moment {
                now: system_now(),
                uptime: kernel::uptime(),
            },
            Source::Manual(current) => current.borrow().moment,
        }
    }

    /// Both clocks at once, with the boot they belong to.
    pub fn reading(&self) -> Reading {
        Reading {
            moment: self.moment(),
            boot: self.boot(),
        }
    }

    /// An id of the machine's current boot; `None` if the system has none.
    pub fn boot(&self) -> Option<String> {
        match &self.0 {
            Source::System => kernel::boot(),
            Source::Manual(current) => Some(current.borrow().boot.to_string()),
        }
    }

    /// Whether the kernel considers the wall clock synchronised with a time server; `None` if it
    /// can't be asked. In a container, the host's kernel answers.
    pub fn is_synchronised(&self) -> Option<bool> {
        match &self.0 {
            Source::System => kernel::is_synchronised(),
            Source::Manual(current) => current.borrow().synchronised,
        }
    }

    /// Reboots the machine of a manual clock: its clocks go on, but the uptime no longer shows what
    /// happened to the wall clock before. Does nothing on the system clock.
    pub fn reboot(&self) {
        if let Source::Manual(current) = &self.0 {
            current.send_modify(|m| m.boot += 1);
        }
    }

    /// Sets what the kernel of a manual clock reports about synchronisation. Does nothing on the
    /// system clock.
    pub fn set_synchronised(&self, synchronised: Option<bool>) {
        if let Source::Manual(current) = &self.0 {
            current.send_modify(|m| m.synchronised = synchronised);
        }
    }

    /// Moves a manual clock forward by `by` and wakes everybody who waits for the new time.
    ///
    /// Does nothing on the system clock.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(current) = &self.0 {
            current.send_modify(|Manual { moment: m, .. }| {
                m.now = m.now.checked_add(by).unwrap_or(m.now);
                m.uptime = m.uptime.saturating_add(by);
            });
        }
    }

    /// Sets the wall clock of a manual clock to `to` without any time passing, as an operator or
    /// NTP would. Does nothing on the system clock.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(current) = &self.0 {
            current.send_modify(|m| m.moment.now = cut(to));
        }
    }

    /// Waits until the wall clock shows `until` or later, or is set back: then the caller has to
    /// decide again. `decided_at` is what the clock showed when `until` was chosen, so that a clock
    /// set back since then is noticed too.
    pub async fn sleep_until(&self, until: Timestamp, decided_at: Timestamp) {
        let mut last = decided_at;
        match &self.0 {
            Source::System => loop {
                let now = system_now();
                if now < last {
                    return;
                }
                last = now;
                let left = until.duration_since(now);
                match Duration::try_from(left) {
                    Ok(left) if !left.is_zero() => wait(left.min(LONGEST_NAP)).await,
                    _ => return,
                }
            },
            Source::Manual(current) => {
                // Holding the sender keeps the channel open, so this only ends when the time comes.
                let mut changes = current.subscribe();
                let over = |m: &Manual| m.moment.now >= until || m.moment.now < last;
                let _ = changes.wait_for(over).await;
            }
        }
    }

    /// Waits for a future, but no longer than `time`; `None` if that passes first.
    pub async fn within<T>(&self, time: Duration, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = what => Some(done),
            () = self.sleep(time) => None,
        }
    }

    /// Waits for `time` to pass, even if the wall clock is adjusted meanwhile.
    pub async fn sleep(&self, time: Duration) {
        match &self.0 {
            Source::System => wait(time).await,
            Source::Manual(current) => {
                let until = self
                    .moment()
                    .uptime
                    .saturating_add(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX));
                let _ = current
                    .subscribe()
                    .wait_for(|m| m.moment.uptime >= until)
                    .await;
            }
        }
    }
}

/// The wait before the next of several tries: `first`, doubled `times` times, at most `longest`.
pub fn doubled(first: SignedDuration, times: i64, longest: SignedDuration) -> SignedDuration {
    let factor = 1_i32.checked_shl(u32::try_from(times.clamp(0, 30)).unwrap_or(30));
    first
        .saturating_mul(factor.unwrap_or(i32::MAX))
        .min(longest)
}

/// The time plus `by`, or the last time that can be represented.
pub fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The earlier of two optional times.
pub fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Cuts a timestamp to whole microseconds, towards the past for times after 1970.
fn cut(t: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(t.as_microsecond()).unwrap_or(t)
}

#[allow(clippy::disallowed_methods)]
fn system_now() -> Timestamp {
    cut(Timestamp::now())
}

#[allow(clippy::disallowed_methods)]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_cut_to_microseconds() {
        let start: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        assert_eq!(
            Clock::manual(start).now().to_string(),
            "2026-01-02T03:04:05.123456Z"
        );
        assert_eq!(Clock::system().now().subsec_nanosecond() % 1_000, 0);
    }

    #[test]
    fn setting_the_wall_clock_lets_no_time_pass() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        clock.advance(SignedDuration::from_secs(5));
        clock.set("2030-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(clock.moment().uptime, SignedDuration::from_secs(5));
    }

    #[tokio::test]
    async fn a_wait_ends_when_its_time_has_come_and_not_before() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let until = Timestamp::from_second(60).unwrap();
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(until, Timestamp::UNIX_EPOCH).await;
                clock.now()
            }
        });
        clock.advance(SignedDuration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.advance(SignedDuration::from_secs(1));
        assert_eq!(waiting.await.unwrap(), until);
    }

    #[tokio::test]
    async fn a_clock_set_back_before_the_wait_began_ends_it_at_once() {
        let decided_at = Timestamp::from_second(3_600).unwrap();
        let until = Timestamp::from_second(3_660).unwrap();
        let clock = Clock::manual(decided_at);
        clock.set(Timestamp::UNIX_EPOCH);
        clock.sleep_until(until, decided_at).await;
        let ahead = Clock::system().now() + SignedDuration::from_hours(1);
        Clock::system().sleep_until(ahead, ahead).await;
    }
}
