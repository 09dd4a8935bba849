//! The words of the domain as types: schedules, occurrences, attempts, agents, lanes.

mod account;
mod agent;
mod agent_at;
mod answer;
mod budget;
mod caller;
mod change;
mod control;
mod delivery;
mod filter;
mod incident;
mod key;
mod maintenance;
mod occurrence;
mod outbox;
mod payload;
mod ping;
mod policy;
mod recipient;
mod request;
mod rows;
mod schedule;
mod status;
mod update;
mod verdict;

pub(crate) use account::name_some;
pub use account::{Account, Sums};
pub use agent::AgentId;
pub use agent_at::{AgentAt, KnownTargets, LETTA, NamedAgent};
pub use answer::{Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind};
pub use budget::{AllAgents, Allowance, Budget};
pub use caller::Caller;
pub use change::{By, Change, ChangeQuery, Face, Operation};
pub use control::{Cancellation, ManualRun, Pausing, Resumption};
pub use delivery::{
    Claim, ClaimTerms, DueSchedule, Halt, Job, LongestWaits, OpenOccurrence, Settlement,
    UnreadableOccurrence,
};
pub use filter::{HistoryFilter, ScheduleFilter};
pub use incident::{Channel, Incident, IncidentKind, Notice, NoticeEvent, OutboxStatus};
pub use key::{StoredKey, hash_key, new_key};
pub use maintenance::{
    ClockRepair, PruneReport, PurgeReport, PurgeScope, RestoreReport, UpgradeReport,
};
pub use occurrence::{Attempt, Identity, Occurrence, PastOccurrence, State, Trigger, Turn};
pub(crate) use outbox::LONGEST_MESSAGE_WAIT;
pub use outbox::{NextMessage, OutboxCleanup, OutboxMessage};
pub use payload::Payload;
pub(crate) use payload::{LARGEST_REQUEST, hash_of, shown};
pub use ping::{Ping, PingUrl};
pub use policy::{CatchUp, DEFAULT_GRACE, DEFAULT_PAUSE_ON_FAILURE, EnvelopeStyle, Policy};
pub use recipient::{Conversation, Lane, Recipient, TargetName};
pub use request::{RequestKey, RequestStatus, StoredAnswer};
pub use rows::{Adoption, RowColumns};
pub use schedule::{Lifecycle, NamedSchedule, NewSchedule, Plan, PromptSchedule, ScheduleType};
pub use status::{Backlog, Gauges, HeldTarget, OverduePrompt, RunningScheduler, StalledPrompt};
pub use update::ScheduleUpdate;
pub use verdict::{Fault, NOT_RECEIVED, Verdict};

/// Defines a closed set of words: an enum stored and shown as fixed lower-case text.
macro_rules! words {
    (@choice $first:literal $($rest:literal)*) => { concat!($first $(, "|", $rest)*) };
    ($(#[doc = $doc:literal])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// The words of all of them.
            pub const WORDS: &[&str] = &[$($text,)+];

            /// The words as help offers them: `this|that`.
            pub const CHOICE: &str = $crate::models::words!(@choice $($text)+);

            /// The word as stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }

            /// Parses a stored word; `None` if it is unknown.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        // The derive can't see a literal that comes from a macro.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!($($doc),*).trim()))
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;
