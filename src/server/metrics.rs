//! What is counted.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::models::{State, Verdict};
use crate::scheduler::Outcome;
use crate::service::Backlog;

/// How late prompts were sent: seconds from milliseconds to a day.
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

/// What this process has counted since it started. Cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    lateness: Histogram,
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
            lateness: Histogram::new(LATENESS),
            outcomes: Family::default(),
            errors: Family::default(),
            backlog: Gauge::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
        };
        registry.register(
            "lateness_seconds",
            "How long after its intended instant a delivered prompt was sent",
            metrics.lateness.clone(),
        );
        registry.register(
            "settled",
            "Tries that were settled, by what they came to",
            metrics.outcomes.clone(),
        );
        registry.register(
            "letta_errors",
            "Tries that were not delivered, by the class of their error",
            metrics.errors.clone(),
        );
        registry.register(
            "backlog",
            "Schedules whose time has come and that are not claimed",
            metrics.backlog.clone(),
        );
        registry.register(
            "in_flight",
            "Prompts that are on their way or of unknown fate",
            metrics.in_flight.clone(),
        );
        registry.register(
            "lanes_waiting",
            "Agents with a prompt that waits for its next try",
            metrics.waiting.clone(),
        );
        Metrics {
            registry: Arc::new(Mutex::new(registry)),
            ..metrics
        }
    }
}

impl Metrics {
    /// Counts a settled try.
    pub fn count(&self, outcome: &Outcome) {
        let by = ByOutcome {
            outcome: outcome.state.as_str(),
        };
        self.outcomes.get_or_create(&by).inc();
        if outcome.state == State::Delivered
            && let Some(sent_at) = outcome.sent_at
        {
            self.lateness
                .observe(seconds_between(outcome.intended_at, sent_at));
        }
        let fault = match &outcome.verdict {
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

    /// Everything in the text form of OpenMetrics, with the backlog as it is now.
    pub fn encode(&self, backlog: &Backlog) -> String {
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
    use crate::models::{Fault, Turn};

    fn outcome(state: State, verdict: Verdict) -> Outcome {
        let intended_at = Timestamp::from_second(1_000).unwrap();
        Outcome {
            occurrence_id: 1,
            schedule_id: None,
            intended_at,
            sent_at: Some(Timestamp::from_second(1_002).unwrap()),
            state,
            verdict,
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
            },
        ));
        let fault = Fault::new("rate_limited", "slow down");
        metrics.count(&outcome(State::Dead, Verdict::Dead { fault }));
        let text = metrics.encode(&Backlog {
            due: 3,
            in_flight: 2,
            lanes_waiting: 1,
        });
        for line in [
            "promptyoself_settled_total{outcome=\"delivered\"} 1",
            "promptyoself_settled_total{outcome=\"dead\"} 1",
            "promptyoself_letta_errors_total{class=\"rate_limited\"} 1",
            "promptyoself_lateness_seconds_bucket{le=\"1.0\"} 0",
            "promptyoself_lateness_seconds_bucket{le=\"5.0\"} 1",
            "promptyoself_backlog 3",
            "promptyoself_in_flight 2",
            "promptyoself_lanes_waiting 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
