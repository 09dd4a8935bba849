//! The state table: what follows from an answer, or from a search for a prompt.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Settings;
use crate::clock::{doubled, later};
use crate::models::{
    Answer, Delivery, Doubt, ErrorClass, Evidence, Fault, Job, NOT_RECEIVED, OpenOccurrence,
    Refusal, RefusalKind, Verdict,
};

/// How many characters of an agent's reply are kept.
const REPLY_EXCERPT: usize = 2_000;

/// How long after sending a prompt may still turn up although the server shows no trace of it: the
/// server may have read the request without having begun to process it.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// How long trouble that affects only one agent must last before a person is notified.
const LASTING: SignedDuration = SignedDuration::from_mins(1);

/// How soon the first search for a prompt of unknown outcome starts.
const FIRST_SEARCH: SignedDuration = SignedDuration::from_secs(1);

/// What is known about an occurrence when something is decided about it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The otid it was last sent under.
    pub otid: Uuid,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// How many attempts counted before this one.
    pub failures: i64,
    /// When retries end.
    pub expires_at: Timestamp,
    /// Whether it may become too old now: not while the target is held or the clock is in doubt.
    pub ages: bool,
    /// When to stop searching for it, if its outcome is unknown.
    pub reconcile_until: Option<Timestamp>,
    /// Letta's run, if it is known.
    pub run_id: Option<String>,
    /// How long before the search began it was certainly sent. The result may have come much later,
    /// but is about that time.
    pub age_when_asked: SignedDuration,
}

impl Facts {
    /// What is known about a prompt that was just answered.
    pub fn of_job(job: &Job) -> Self {
        Facts {
            otid: job.otid,
            // How long it has been waiting for a busy agent.
            sent_at: job.first_sent_at,
            failures: job.failures,
            expires_at: job.expires_at,
            ages: true,
            reconcile_until: None,
            run_id: None,
            age_when_asked: SignedDuration::ZERO,
        }
    }

    /// What is known about a prompt whose outcome is unknown.
    pub fn of_open(open: &OpenOccurrence, now: Timestamp) -> Self {
        Facts {
            otid: open.otids.last().copied().unwrap_or_default(),
            sent_at: open.sent_at.unwrap_or(now),
            failures: open.failures,
            expires_at: open.expires_at.unwrap_or(now),
            ages: true,
            reconcile_until: open.reconcile_until,
            run_id: open.run_id.clone(),
            age_when_asked: SignedDuration::ZERO,
        }
    }
}

/// Decides what follows from the answer to a prompt.
pub fn decide_after_answer(answer: Answer, facts: &Facts, now: Timestamp, s: &Settings) -> Verdict {
    match answer {
        Answer::Delivered(delivery) => delivered(delivery),
        Answer::Refused(refusal) => decide_after_refusal(refusal, facts, now, s),
        Answer::Unknown(doubt) => unknown(doubt, now, s),
    }
}

/// Decides what follows from a refusal for which the whole target is held: it is no prompt's or
/// agent's fault.
pub fn decide_while_held(refusal: Refusal, now: Timestamp) -> Verdict {
    Verdict::Waiting {
        not_before: now,
        fault: Fault::new(refusal.class.as_str(), &refusal.text),
        counts: false,
        fresh_otid: refusal.otid_spent,
    }
}

/// Decides what follows from a search for a prompt whose outcome is unknown.
pub fn decide_after_search(
    evidence: Evidence,
    facts: &Facts,
    now: Timestamp,
    s: &Settings,
) -> Verdict {
    match evidence {
        Evidence::Found(delivery) => delivered(delivery),
        Evidence::Running { run_id } => Verdict::Unknown {
            not_before: later(now, patience(facts, now)),
            // A running turn is no lack of proof: the time to give up starts when it ends.
            reconcile_until: later(now, s.reconcile_deadline),
            fault: Fault::new("running", "the agent's turn is still running"),
            run_id,
        },
        Evidence::Absent {
            failed: Some(failure),
        } => {
            let failure = Refusal {
                otid_spent: true,
                ..failure
            };
            decide_after_refusal(failure, facts, now, s)
        }
        Evidence::Absent { failed: None } => decide_after_absence(facts, now, s),
        Evidence::Refused(refusal) if refusal.class == ErrorClass::AgentUnknown => {
            dead(fault_of(&refusal, facts, now))
        }
        Evidence::Refused(refusal) => {
            search_again_or_give_up(facts, fault_of(&refusal, facts, now), now, s)
        }
        Evidence::Unclear { text } => {
            search_again_or_give_up(facts, Fault::new("unclear", text), now, s)
        }
    }
}

fn decide_after_refusal(refusal: Refusal, facts: &Facts, now: Timestamp, s: &Settings) -> Verdict {
    let fault = fault_of(&refusal, facts, now);
    let (wait, counts) = match refusal.kind {
        RefusalKind::Permanent => return dead(fault),
        RefusalKind::Busy => (patience(facts, now), false),
        RefusalKind::NeedsHuman => (s.approval_poll, false),
        // The target is well: something keeps only this lane from it.
        RefusalKind::Later | RefusalKind::TargetTrouble => {
            (backoff(facts.failures, facts.otid, s), true)
        }
    };
    let asked = refusal
        .retry_after
        .and_then(|d| SignedDuration::try_from(d).ok());
    let wait = wait.max(asked.unwrap_or(SignedDuration::ZERO));
    retry(facts, fault, wait, counts, refusal.otid_spent, now)
}

/// The server shows no trace of it, and no run is active.
fn decide_after_absence(facts: &Facts, now: Timestamp, s: &Settings) -> Verdict {
    if facts.age_when_asked < QUIET {
        let fault = Fault::new("unclear", "not found yet");
        return still_unknown(facts, later(now, FIRST_SEARCH), fault, now, s);
    }
    let fault = Fault::new(
        NOT_RECEIVED,
        "it is not in the agent's history: sending it again",
    );
    let wait = backoff(facts.failures, facts.otid, s);
    // The same otid is still the safest: if the first copy turns up after all, a server that knows
    // otids sees that it is the same prompt.
    retry(facts, fault, wait, true, false, now)
}

fn retry(
    facts: &Facts,
    fault: Fault,
    wait: SignedDuration,
    counts: bool,
    fresh_otid: bool,
    now: Timestamp,
) -> Verdict {
    if facts.ages && now >= facts.expires_at {
        let text = format!(
            "given up because of its age; the last error: {}",
            fault.text
        );
        return dead(Fault::new("expired", text));
    }
    // One last try at the very end, however long the wait would be.
    let not_before = match facts.ages {
        true => later(now, wait).min(facts.expires_at),
        false => later(now, wait),
    };
    Verdict::Waiting {
        not_before,
        fault,
        counts,
        fresh_otid,
    }
}

fn unknown(doubt: Doubt, now: Timestamp, s: &Settings) -> Verdict {
    Verdict::Unknown {
        not_before: later(now, FIRST_SEARCH),
        reconcile_until: later(now, s.reconcile_deadline),
        fault: Fault::new(doubt.class.as_str(), doubt.text),
        run_id: doubt.run_id,
    }
}

/// No proof either way yet: search again, or give up at the deadline without ever sending it again.
fn search_again_or_give_up(facts: &Facts, fault: Fault, now: Timestamp, s: &Settings) -> Verdict {
    if facts.ages && facts.reconcile_until.is_some_and(|until| now >= until) {
        let text = format!(
            "it may or may not have arrived, so it is not sent again (no proof: {})",
            fault.text
        );
        return dead(Fault::new("delivery_unknown", text));
    }
    still_unknown(facts, later(now, patience(facts, now)), fault, now, s)
}

fn still_unknown(
    facts: &Facts,
    not_before: Timestamp,
    fault: Fault,
    now: Timestamp,
    s: &Settings,
) -> Verdict {
    Verdict::Unknown {
        not_before,
        reconcile_until: facts
            .reconcile_until
            .unwrap_or_else(|| later(now, s.reconcile_deadline)),
        fault,
        run_id: facts.run_id.clone(),
    }
}

fn delivered(delivery: Delivery) -> Verdict {
    Verdict::Delivered {
        run_id: delivery.run_id,
        stop_reason: delivery.stop_reason,
        turn: delivery.turn,
        tokens: delivery.tokens,
        reply: delivery
            .reply
            .map(|r| r.chars().take(REPLY_EXCERPT).collect()),
        error: delivery.error,
    }
}

fn dead(fault: Fault) -> Verdict {
    Verdict::Dead { fault }
}

fn fault_of(refusal: &Refusal, facts: &Facts, now: Timestamp) -> Fault {
    use ErrorClass::{Blocked, PaymentRequired, Redirected, Unauthorized, WrongServer};
    let lasts = now.duration_since(facts.sent_at) >= LASTING;
    Fault {
        needs_human: match refusal.kind {
            // Until then it may turn out to affect every agent, which is reported once and not for
            // each.
            RefusalKind::NeedsHuman => lasts || refusal.class != PaymentRequired,
            RefusalKind::TargetTrouble => {
                let is_a_rule = [
                    Blocked,
                    PaymentRequired,
                    Unauthorized,
                    WrongServer,
                    Redirected,
                ];
                lasts && is_a_rule.contains(&refusal.class)
            }
            RefusalKind::Busy | RefusalKind::Later | RefusalKind::Permanent => false,
        },
        ..Fault::new(refusal.class.as_str(), &refusal.text)
    }
}

/// How long to wait for something of unknown duration: a tenth of the time it has taken so far,
/// between 1 and 30 seconds.
fn patience(facts: &Facts, now: Timestamp) -> SignedDuration {
    let so_far = now.duration_since(facts.sent_at);
    (so_far / 10).clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(30))
}

/// The doubling wait before a retry, spread by up to a fifth either way so that prompts that
/// failed together don't return together. The spread comes from the otid: it is different for
/// each try, yet the same whenever it is computed.
fn backoff(failures: i64, otid: Uuid, s: &Settings) -> SignedDuration {
    let wait = doubled(s.retry_first, failures, s.retry_longest);
    let spread = i32::from(otid.as_bytes()[15]) - 128;
    wait + wait * spread / 640
}
