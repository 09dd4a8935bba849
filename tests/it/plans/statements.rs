//! Records the statements that are run.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Instrument, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The span within which statements are caught. The database carries it to its threads.
const SPAN: &str = "statements of a scheduler";

/// Where the events come from that tell a statement.
const TARGET: &str = "promptyoself::db::sql";

static CAUGHT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

tokio::task_local! {
    /// Set while a test wants to know the statements.
    static CATCHING: ();
}

/// Does something, and gives every statement of the schedulers in it.
pub async fn statements_of(work: impl Future<Output = ()>) -> BTreeSet<String> {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| tracing_subscriber::registry().with(Catcher).init());
    CATCHING.scope((), work).await;
    let caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
    caught.clone()
}

/// Marks what a scheduler does. Whether it is caught is asked at the call, so that the future may
/// be given to a task of its own.
pub fn by_scheduler<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let span = match CATCHING.try_with(|()| ()) {
        Ok(()) => tracing::info_span!(SPAN),
        Err(_) => tracing::Span::none(),
    };
    work.instrument(span)
}

struct Catcher;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Catcher {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == TARGET || metadata.name() == SPAN
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let wanted = context
            .event_scope(event)
            .is_some_and(|mut scope| scope.any(|span| span.name() == SPAN));
        if !wanted {
            return;
        }
        let mut told = Told::default();
        event.record(&mut told);
        let mut caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
        caught.insert(told.statement);
    }
}

#[derive(Default)]
struct Told {
    statement: String,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            value.clone_into(&mut self.statement);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
