//! The metrics.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::models::{Backlog, Gauges, State, Verdict};
use crate::scheduler::DeliveryReport;

/// The buckets of lateness: seconds from milliseconds to a day.
const LATENESS: [f64; 12] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByClass {
    class: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByTarget {
    target: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByLifecycle {
    lifecycle: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByKind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByChannel {
    channel: String,
}

type Seconds = Gauge<f64, AtomicU64>;

/// What is read from the database for each request.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// How much is waiting.
    pub backlog: Backlog,
    /// Figures about the database.
    pub gauges: Gauges,
    /// The targets of this process.
    pub targets: Vec<String>,
    /// Verdicts that could not be recorded since the process started.
    pub settle_failures: u64,
    /// The time.
    pub now: Timestamp,
}

/// What this process has counted since it started. Cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    lateness: Family<ByTarget, Histogram, fn() -> Histogram>,
    settle_failures: Counter,
    oldest_due: Seconds,
    held: Family<ByTarget, Seconds>,
    halted: Family<ByTarget, Seconds>,
    schedules: Family<ByLifecycle, Gauge>,
    incidents: Family<ByKind, Gauge>,
    outbox: Family<ByChannel, Gauge>,
    size: Gauge,
    log_size: Gauge,
    outcomes: Family<ByOutcome, Counter>,
    errors: Family<ByClass, Counter>,
    backlog: Gauge,
    in_flight: Gauge,
    waiting: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("promptyoself");
        let metrics = Metrics {
            registry: Arc::default(),
            lateness: Family::new_with_constructor(|| Histogram::new(LATENESS)),
            settle_failures: Counter::default(),
            oldest_due: Gauge::default(),
            held: Family::default(),
            halted: Family::default(),
            schedules: Family::default(),
            incidents: Family::default(),
            outbox: Family::default(),
            size: Gauge::default(),
            log_size: Gauge::default(),
            outcomes: Family::default(),
            errors: Family::default(),
            backlog: Gauge::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
        };
        registry.register(
            "lateness_seconds",
            "Delay between a prompt's intended instant and its sending",
            metrics.lateness.clone(),
        );
        registry.register(
            "settled",
            "Settled attempts, by outcome",
            metrics.outcomes.clone(),
        );
        registry.register(
            "letta_errors",
            "Failed attempts, by error class",
            metrics.errors.clone(),
        );
        registry.register(
            "backlog",
            "Schedules that are due but not claimed",
            metrics.backlog.clone(),
        );
        registry.register(
            "in_flight",
            "Prompts being sent or of unknown outcome",
            metrics.in_flight.clone(),
        );
        registry.register(
            "lanes_waiting",
            "Agents with a prompt waiting for a retry",
            metrics.waiting.clone(),
        );
        registry.register(
            "settle_failures",
            "Failed attempts to record an outcome; each is retried",
            metrics.settle_failures.clone(),
        );
        registry.register(
            "oldest_due_seconds",
            "Age of the oldest due prompt that is neither delivered nor being sent; 0 if there is none",
            metrics.oldest_due.clone(),
        );
        registry.register(
            "target_held_seconds",
            "How long a target has been held because it does not answer; 0 if it is not held",
            metrics.held.clone(),
        );
        registry.register(
            "target_halted_seconds",
            "How long the operator has halted delivery to a target by its name; 0 if it is not halted",
            metrics.halted.clone(),
        );
        registry.register(
            "schedules",
            "Schedules by lifecycle; new are rows of other programs that have not been taken up yet",
            metrics.schedules.clone(),
        );
        registry.register(
            "open_incidents",
            "Open incidents, by kind",
            metrics.incidents.clone(),
        );
        registry.register(
            "outbox",
            "Notices and pings that are still to be sent, by channel",
            metrics.outbox.clone(),
        );
        registry.register(
            "database_size_bytes",
            "The size of the database: its file and its write-ahead log",
            metrics.size.clone(),
        );
        registry.register(
            "database_wal_size_bytes",
            "The size of the write-ahead log alone",
            metrics.log_size.clone(),
        );
        Metrics {
            registry: Arc::new(Mutex::new(registry)),
            ..metrics
        }
    }
}

impl Metrics {
    /// Counts a settled attempt.
    pub fn count(&self, report: &DeliveryReport) {
        let by = ByOutcome {
            outcome: report.state.as_str(),
        };
        self.outcomes.get_or_create(&by).inc();
        if report.state == State::Delivered
            && let Some(sent_at) = report.sent_at
        {
            let by = ByTarget {
                target: report.target.clone(),
            };
            self.lateness
                .get_or_create(&by)
                .observe(seconds_between(report.intended_at, sent_at));
        }
        let fault = match &report.verdict {
            Verdict::Delivered { .. } => return,
            Verdict::Waiting { fault, .. }
            | Verdict::Unknown { fault, .. }
            | Verdict::Dead { fault } => fault,
        };
        let by = ByClass {
            class: fault.code.clone(),
        };
        self.errors.get_or_create(&by).inc();
    }

    /// All metrics in the text format of OpenMetrics, including those just read from the database.
    pub fn encode(&self, reading: &Reading) -> String {
        let Reading {
            backlog, gauges, ..
        } = reading;
        let written = self.settle_failures.get();
        let more = reading.settle_failures.saturating_sub(written);
        self.settle_failures.inc_by(more);
        let now = reading.now;
        let since = |since: Timestamp| seconds_between(since, now);
        self.oldest_due.set(gauges.oldest_due.map_or(0.0, since));
        // Series of what no longer exists must not stay.
        self.held.clear();
        self.halted.clear();
        for target in &reading.targets {
            let own = ByTarget {
                target: target.clone(),
            };
            self.held.get_or_create(&own).set(0.0);
            self.halted.get_or_create(&own).set(0.0);
            drop(self.lateness.get_or_create(&own));
        }
        for held in &gauges.held {
            let by = ByTarget {
                target: held.target.clone(),
            };
            // A held target never shows 0.
            let seconds = since(held.held_since).max(0.001);
            self.held.get_or_create(&by).set(seconds);
        }
        for halt in &gauges.halted {
            let target = halt.target.as_ref().map(ToString::to_string);
            let by = ByTarget {
                target: target.unwrap_or_default(),
            };
            self.halted
                .get_or_create(&by)
                .set(since(halt.since).max(0.001));
        }
        self.incidents.clear();
        for (lifecycle, count) in gauges.schedules.clone() {
            self.schedules
                .get_or_create(&ByLifecycle { lifecycle })
                .set(count);
        }
        for (kind, count) in gauges.incidents.clone() {
            self.incidents.get_or_create(&ByKind { kind }).set(count);
        }
        for (channel, count) in gauges.outbox.clone() {
            self.outbox.get_or_create(&ByChannel { channel }).set(count);
        }
        let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.size.set(bytes(gauges.file_bytes + gauges.log_bytes));
        self.log_size.set(bytes(gauges.log_bytes));
        self.backlog.set(backlog.due);
        self.in_flight.set(backlog.in_flight);
        self.waiting.set(backlog.lanes_waiting);
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Fault, Halt, HeldTarget, TargetName, Turn};

    fn outcome(state: State, verdict: Verdict) -> DeliveryReport {
        let intended_at = Timestamp::from_second(1_000).unwrap();
        DeliveryReport {
            occurrence_id: 1,
            schedule_id: None,
            intended_at,
            sent_at: Some(Timestamp::from_second(1_002).unwrap()),
            target: "letta".to_owned(),
            state,
            verdict,
        }
    }

    fn reading() -> Reading {
        Reading {
            backlog: Backlog {
                due: 3,
                in_flight: 2,
                lanes_waiting: 1,
            },
            gauges: Gauges::default(),
            targets: vec!["letta".to_owned(), "work".to_owned()],
            settle_failures: 0,
            now: Timestamp::from_second(1_000).unwrap(),
        }
    }

    #[test]
    fn deliveries_and_errors_are_counted_by_what_they_came_to() {
        let metrics = Metrics::default();
        metrics.count(&outcome(
            State::Delivered,
            Verdict::Delivered {
                run_id: None,
                stop_reason: None,
                turn: Turn::Ok,
                tokens: None,
                reply: None,
                error: None,
            },
        ));
        let fault = Fault::new("rate_limited", "slow down");
        metrics.count(&outcome(State::Dead, Verdict::Dead { fault }));
        let text = metrics.encode(&reading());
        for line in [
            "promptyoself_settled_total{outcome=\"delivered\"} 1",
            "promptyoself_settled_total{outcome=\"dead\"} 1",
            "promptyoself_letta_errors_total{class=\"rate_limited\"} 1",
            "promptyoself_lateness_seconds_bucket{le=\"1.0\",target=\"letta\"} 0",
            "promptyoself_lateness_seconds_bucket{le=\"5.0\",target=\"letta\"} 1",
            "promptyoself_backlog 3",
            "promptyoself_in_flight 2",
            "promptyoself_lanes_waiting 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_somebody_is_paged_for_goes_back_to_nothing_when_it_is_over() {
        let metrics = Metrics::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut reading = reading();
        reading.gauges.oldest_due = Some(at(940));
        reading.gauges.halted = vec![Halt {
            target: Some(TargetName::new("work")),
            since: at(980),
            note: None,
        }];
        reading.gauges.held = vec![HeldTarget {
            target: "letta".to_owned(),
            held_since: at(990),
            code: String::new(),
            reason: String::new(),
            by_lanes: false,
        }];
        reading.gauges.incidents = [("dead".to_owned(), 2)].into();
        reading.gauges.outbox = [("ping".to_owned(), 7)].into();
        reading.gauges.schedules = [("active".to_owned(), 5)].into();
        (reading.gauges.file_bytes, reading.gauges.log_bytes) = (4096, 1024);
        reading.settle_failures = 3;
        let holds = |text: &str, lines: &[&str]| {
            for line in lines {
                let line = format!("promptyoself_{line}");
                assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
            }
        };
        holds(
            &metrics.encode(&reading),
            &[
                "oldest_due_seconds 60.0",
                "target_held_seconds{target=\"letta\"} 10.0",
                "target_held_seconds{target=\"work\"} 0.0",
                "target_halted_seconds{target=\"letta\"} 0.0",
                "target_halted_seconds{target=\"work\"} 20.0",
                "open_incidents{kind=\"dead\"} 2",
                "outbox{channel=\"ping\"} 7",
                "schedules{lifecycle=\"active\"} 5",
                "database_size_bytes 5120",
                "database_wal_size_bytes 1024",
                "settle_failures_total 3",
                "lateness_seconds_count{target=\"letta\"} 0",
                "lateness_seconds_count{target=\"work\"} 0",
            ],
        );
        reading.gauges = Gauges::default();
        let text = metrics.encode(&reading);
        holds(
            &text,
            &[
                "oldest_due_seconds 0.0",
                "target_held_seconds{target=\"letta\"} 0.0",
                "settle_failures_total 3",
            ],
        );
        assert!(!text.contains("open_incidents{"), "{text}");
    }
}
