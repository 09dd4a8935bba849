//! The stable codes of errors.

use std::fmt;

/// The stable code of an error. Programs branch on it, and it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The command line is wrong: an unknown flag, a flag without a value.
    Usage,
    /// None of time, cron and interval was given.
    SpecMissing,
    /// More than one of time, cron and interval was given.
    SpecConflict,
    /// The prompt is missing, empty or only white space.
    PromptMissing,
    /// No agent was given, and no default applies.
    AgentMissing,
    /// The agent id contains characters that no agent id has.
    AgentInvalid,
    /// Letta has no such agent.
    AgentUnknown,
    /// There is no such target in the settings.
    TargetUnknown,
    /// The id of a conversation has characters that no such id has.
    ConversationInvalid,
    /// The agent has no such conversation.
    ConversationUnknown,
    /// A point in time could not be read.
    TimeInvalid,
    /// A point in time that must be in the future is not.
    TimePast,
    /// The cron pattern could not be read.
    CronInvalid,
    /// The cron pattern matches no date at all.
    CronNever,
    /// The interval could not be read, is zero, negative or too long.
    IntervalInvalid,
    /// The dates to leave out could not be read.
    ExceptInvalid,
    /// The schedule would end before it ever runs.
    EndBeforeFirst,
    /// `max_repetitions` is not a whole number of at least 1.
    RepetitionsInvalid,
    /// A part of the policy could not be read, or does not fit the rest.
    PolicyInvalid,
    /// An agent may not have this many schedules, or one that runs this often.
    BudgetExceeded,
    /// There is no such IANA time zone.
    TimezoneUnknown,
    /// A live schedule of this agent has the same name and is different.
    NameTaken,
    /// Several agents have a schedule of this name.
    NameAmbiguous,
    /// A schedule id that is not a number.
    IdInvalid,
    /// There is no such schedule.
    ScheduleNotFound,
    /// The schedule has already finished or been cancelled.
    ScheduleNotActive,
    /// The schedule is live, so its prompt will still be sent.
    ScheduleLive,
    /// A stored schedule can't be read.
    ScheduleBroken,
    /// There is no source code to upload.
    SourceMissing,
    /// Uploading tools is turned off.
    UploadDisabled,
    /// A file named on the command line can't be read or written.
    FileUnusable,
    /// A setting has a value that can't be used.
    ConfigInvalid,
    /// The key is missing, unknown or revoked.
    KeyInvalid,
    /// The caller may not do this, or not for this agent.
    NotPermitted,
    /// An HTTP request is wrong in itself (route, method, type, size, JSON or parameters), or asks
    /// for something that is not supported.
    RequestInvalid,
    /// An idempotency key was used again with another request.
    IdempotencyConflict,
    /// Something is larger or longer than the limit.
    TooLarge,
    /// There are already as many of something as may exist at a time.
    TooMany,
    /// Agents choose the plugin's arguments, and may not choose this one.
    RefusedInPlugin,
    /// The database can't be opened or written.
    DatabaseUnavailable,
    /// The disk, or the database's own limit, is full.
    DatabaseFull,
    /// The file is not a database, is damaged, or belongs to another program.
    DatabaseInvalid,
    /// The database was written by a newer version.
    DatabaseNewer,
    /// This machine's clock may be wrong, and the request depends on it.
    ClockInDoubt,
    /// Nothing answers at Letta's address.
    LettaUnreachable,
    /// Letta refused our credentials.
    LettaUnauthorized,
    /// Something answers at Letta's address, but it isn't a Letta server.
    LettaWrongServer,
    /// Letta answered with an error.
    LettaError,
    /// Nothing answers at the address of the server with the schedules.
    ServerUnreachable,
    /// What answers there is not promptyoself, or an incompatible version.
    ServerWrong,
    /// The command needs the database file, which is on another machine.
    LocalOnly,
    /// An internal error.
    Internal,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: &[Code] = &[
        Code::Usage,
        Code::SpecMissing,
        Code::SpecConflict,
        Code::PromptMissing,
        Code::AgentMissing,
        Code::AgentInvalid,
        Code::AgentUnknown,
        Code::TargetUnknown,
        Code::ConversationInvalid,
        Code::ConversationUnknown,
        Code::TimeInvalid,
        Code::TimePast,
        Code::CronInvalid,
        Code::CronNever,
        Code::IntervalInvalid,
        Code::ExceptInvalid,
        Code::EndBeforeFirst,
        Code::RepetitionsInvalid,
        Code::PolicyInvalid,
        Code::BudgetExceeded,
        Code::TimezoneUnknown,
        Code::NameTaken,
        Code::NameAmbiguous,
        Code::IdInvalid,
        Code::ScheduleNotFound,
        Code::ScheduleNotActive,
        Code::ScheduleLive,
        Code::ScheduleBroken,
        Code::SourceMissing,
        Code::UploadDisabled,
        Code::FileUnusable,
        Code::ConfigInvalid,
        Code::KeyInvalid,
        Code::NotPermitted,
        Code::RequestInvalid,
        Code::IdempotencyConflict,
        Code::TooLarge,
        Code::TooMany,
        Code::RefusedInPlugin,
        Code::DatabaseUnavailable,
        Code::DatabaseFull,
        Code::DatabaseInvalid,
        Code::DatabaseNewer,
        Code::ClockInDoubt,
        Code::LettaUnreachable,
        Code::LettaUnauthorized,
        Code::LettaWrongServer,
        Code::LettaError,
        Code::ServerUnreachable,
        Code::ServerWrong,
        Code::LocalOnly,
        Code::Internal,
    ];

    /// The code as programs see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Usage => "usage",
            Code::SpecMissing => "spec_missing",
            Code::SpecConflict => "spec_conflict",
            Code::PromptMissing => "prompt_missing",
            Code::AgentMissing => "agent_missing",
            Code::AgentInvalid => "agent_invalid",
            Code::AgentUnknown => "agent_unknown",
            Code::TargetUnknown => "target_unknown",
            Code::ConversationInvalid => "conversation_invalid",
            Code::ConversationUnknown => "conversation_unknown",
            Code::TimeInvalid => "time_invalid",
            Code::TimePast => "time_past",
            Code::CronInvalid => "cron_invalid",
            Code::CronNever => "cron_never",
            Code::IntervalInvalid => "interval_invalid",
            Code::ExceptInvalid => "except_invalid",
            Code::EndBeforeFirst => "end_before_first",
            Code::RepetitionsInvalid => "repetitions_invalid",
            Code::PolicyInvalid => "policy_invalid",
            Code::BudgetExceeded => "budget_exceeded",
            Code::TimezoneUnknown => "timezone_unknown",
            Code::NameTaken => "name_taken",
            Code::NameAmbiguous => "name_ambiguous",
            Code::IdInvalid => "id_invalid",
            Code::ScheduleNotFound => "schedule_not_found",
            Code::ScheduleNotActive => "schedule_not_active",
            Code::ScheduleLive => "schedule_live",
            Code::ScheduleBroken => "schedule_broken",
            Code::SourceMissing => "source_missing",
            Code::UploadDisabled => "upload_disabled",
            Code::FileUnusable => "file_unusable",
            Code::ConfigInvalid => "config_invalid",
            Code::KeyInvalid => "key_invalid",
            Code::NotPermitted => "not_permitted",
            Code::RequestInvalid => "request_invalid",
            Code::IdempotencyConflict => "idempotency_conflict",
            Code::TooLarge => "too_large",
            Code::TooMany => "too_many",
            Code::RefusedInPlugin => "refused_in_plugin",
            Code::DatabaseUnavailable => "database_unavailable",
            Code::DatabaseFull => "database_full",
            Code::DatabaseInvalid => "database_invalid",
            Code::DatabaseNewer => "database_newer",
            Code::ClockInDoubt => "clock_in_doubt",
            Code::LettaUnreachable => "letta_unreachable",
            Code::LettaUnauthorized => "letta_unauthorized",
            Code::LettaWrongServer => "letta_wrong_server",
            Code::LettaError => "letta_error",
            Code::ServerUnreachable => "server_unreachable",
            Code::ServerWrong => "server_wrong",
            Code::LocalOnly => "local_only",
            Code::Internal => "internal",
        }
    }

    /// Parses a code; `None` if it is unknown.
    pub fn from_word(word: &str) -> Option<Self> {
        Code::ALL.iter().find(|code| code.as_str() == word).copied()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
