//! The policy of a schedule: how it is delivered when something is out of the ordinary.

use jiff::SignedDuration;

use super::words;

/// How old an instant may be that `skip` still sends, by default.
pub const DEFAULT_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// After how many failed prompts in a row a schedule is paused, by default.
pub const DEFAULT_PAUSE_ON_FAILURE: i64 = 5;

words! {
    /// What to do with instants that passed unsent.
    CatchUp {
        /// Send only the newest.
        Latest => "latest",
        /// Send all, oldest first.
        All => "all",
        /// Those older than the grace are missed; the newest of the rest is sent.
        Skip => "skip",
    }
}

words! {
    /// What the line before a prompt says.
    EnvelopeStyle {
        /// Nothing: there is no line.
        None => "none",
        /// Only what is out of the ordinary; otherwise there is no line.
        Auto => "auto",
        /// Always everything.
        Full => "full",
    }
}

/// The policy of a schedule; `None` is the default of each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What to do with instants that passed unsent.
    pub catch_up: Option<CatchUp>,
    /// How old an instant may be that `skip` still sends.
    pub grace: Option<SignedDuration>,
    /// After how many failed prompts in a row the schedule is paused; 0 for never.
    pub pause_on_failure: Option<i64>,
    /// The line before the prompt.
    pub envelope: Option<EnvelopeStyle>,
    /// How long an occurrence is retried, from its first attempt; `None` for the setting `max_age`.
    pub max_age: Option<SignedDuration>,
}

impl Policy {
    /// What to do with instants that passed unsent.
    pub fn catch_up(&self) -> CatchUp {
        self.catch_up.unwrap_or(CatchUp::Latest)
    }

    /// How old an instant may be that `skip` still sends.
    pub fn grace(&self) -> SignedDuration {
        self.grace.unwrap_or(DEFAULT_GRACE)
    }

    /// After how many failed prompts in a row the schedule is paused; `None` for never.
    pub fn pause_on_failure(&self) -> Option<i64> {
        Some(self.pause_on_failure.unwrap_or(DEFAULT_PAUSE_ON_FAILURE)).filter(|n| *n > 0)
    }

    /// The line before the prompt.
    pub fn envelope(&self) -> EnvelopeStyle {
        self.envelope.unwrap_or(EnvelopeStyle::Auto)
    }

    /// The names of the parts that are set.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        // Destructured, so that no part can be forgotten.
        let Policy {
            catch_up,
            grace,
            pause_on_failure,
            envelope,
            max_age,
        } = self;
        let all = [
            ("catch_up", catch_up.is_some()),
            ("grace", grace.is_some()),
            ("pause_on_failure", pause_on_failure.is_some()),
            ("envelope", envelope.is_some()),
            ("max_age", max_age.is_some()),
        ];
        let given = all.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name)
    }

    /// Whether both mean the same, with defaults filled in. `envelope` is the schedule's default
    /// envelope.
    pub fn means_the_same_as(&self, other: &Policy, envelope: EnvelopeStyle) -> bool {
        self.filled_in(envelope) == other.filled_in(envelope)
    }

    /// The policy with defaults filled in, and without parts that have no effect.
    fn filled_in(&self, envelope: EnvelopeStyle) -> Policy {
        Policy {
            catch_up: Some(self.catch_up()),
            grace: (self.catch_up() == CatchUp::Skip).then(|| self.grace()),
            pause_on_failure: Some(self.pause_on_failure().unwrap_or(0)),
            envelope: Some(self.envelope.unwrap_or(envelope)),
            max_age: self.max_age,
        }
    }

    /// This policy with the parts that `other` sets replaced. A grace belongs to the `skip` it was
    /// given for.
    pub fn changed_by(&self, other: &Policy) -> Policy {
        let catch_up = other.catch_up.or(self.catch_up);
        let kept = self.grace.filter(|_| catch_up == Some(CatchUp::Skip));
        Policy {
            catch_up,
            grace: other.grace.or(kept),
            pause_on_failure: other.pause_on_failure.or(self.pause_on_failure),
            envelope: other.envelope.or(self.envelope),
            max_age: other.max_age.or(self.max_age),
        }
    }
}
