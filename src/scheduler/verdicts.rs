//! The state table: what follows from an answer, or from what was found of a prompt.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Settings;
use crate::clock::{doubled, later};
use crate::models::{
    Answer, Delivery, Doubt, ErrorClass, Evidence, Fault, Job, OpenOccurrence, Refusal,
    RefusalKind, Verdict,
};

/// How much of an agent's reply is kept, in characters.
const REPLY_EXCERPT: usize = 2_000;

/// How long after it was sent a prompt of which the server shows no trace may still turn up: a
/// request that the server has read but not begun to act on.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// How long a trouble that only one agent meets must last before a person is told of it.
const LASTING: SignedDuration = SignedDuration::from_mins(1);

/// How soon an unknown fate is looked into.
const FIRST_SEARCH: SignedDuration = SignedDuration::from_secs(1);

/// What is known of an occurrence when something is decided about it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The otid it was sent under last.
    pub otid: Uuid,
    /// When it was sent last.
    pub sent_at: Timestamp,
    /// How many tries counted before this one.
    pub failures: i64,
    /// When retries end.
    pub expires_at: Timestamp,
    /// Whether it may grow too old now: not while the target is held or the clock is in doubt.
    pub ages: bool,
    /// When looking for it ends, if its fate is unknown.
    pub reconcile_until: Option<Timestamp>,
    /// Letta's run, if it is known.
    pub run_id: Option<String>,
    /// How long before the question about it was asked it was surely sent. The answer may have come
    /// much later, but tells of that time.
    pub age_when_asked: SignedDuration,
}

impl Facts {
    /// What is known of a prompt that was just answered.
    pub fn of_job(job: &Job) -> Self {
        Facts {
            otid: job.otid,
            // How long a busy agent has been busy for it.
            sent_at: job.first_sent_at,
            failures: job.failures,
            expires_at: job.expires_at,
            ages: true,
            reconcile_until: None,
            run_id: None,
            age_when_asked: SignedDuration::ZERO,
        }
    }

    /// What is known of a prompt whose fate is unknown.
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

/// Decides what follows from a refusal for which the whole target is held: nothing is anybody's
/// fault.
pub fn decide_while_held(refusal: Refusal, now: Timestamp) -> Verdict {
    Verdict::Waiting {
        not_before: now,
        fault: Fault::new(refusal.class.as_str(), &refusal.text),
        counts: false,
        fresh_otid: refusal.otid_spent,
    }
}

/// Decides what follows from what was found of a prompt whose fate is unknown.
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
            // A turn that goes on is no lack of proof: the time to give up starts when it ends.
            reconcile_until: later(now, s.reconcile_deadline),
            fault: Fault::new("running", "the agent's turn goes on"),
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
        // The target is well: it is this lane that something keeps from it.
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

/// The server shows no trace of it and no run goes on.
fn decide_after_absence(facts: &Facts, now: Timestamp, s: &Settings) -> Verdict {
    if facts.age_when_asked < QUIET {
        let fault = Fault::new("unclear", "no trace of it yet");
        return still_unknown(facts, later(now, FIRST_SEARCH), fault, now, s);
    }
    let fault = Fault::new(
        "not_received",
        "the agent's history does not hold it: it is sent again",
    );
    let wait = backoff(facts.failures, facts.otid, s);
    // The same otid stays the safest: should the first copy still turn up, a server that knows
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
            "given up, since it is too old by now; the last error: {}",
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

/// No proof either way yet: search again, or give up at the deadline without ever sending again.
fn search_again_or_give_up(facts: &Facts, fault: Fault, now: Timestamp, s: &Settings) -> Verdict {
    if facts.ages && facts.reconcile_until.is_some_and(|until| now >= until) {
        let text = format!(
            "it may or may not have arrived, and is not sent again: no proof could be had ({})",
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
            // Until then it may turn out to hit every agent, which is told once and not for each.
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

/// How long to wait for something that takes as long as it takes: a tenth of the time it has
/// taken already, within 1 and 30 seconds.
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
