//! The words that other programs use for our commands.

/// Commands by the words that other programs use for them. Ambiguous words are left out: `stop`
/// pauses or cancels, `start` serves or resumes.
pub const ALL: &[(&str, &str)] = &[
    ("add", "register"),
    ("create", "register"),
    ("new", "register"),
    ("schedule", "register"),
    ("ls", "list"),
    ("get", "show"),
    ("info", "show"),
    ("edit", "update"),
    ("change", "update"),
    ("modify", "update"),
    ("unschedule", "cancel"),
    ("suspend", "pause"),
    ("unpause", "resume"),
    ("continue", "resume"),
    ("trigger", "run"),
    ("run-now", "run"),
    ("log", "history"),
    ("logs", "history"),
    ("daemon", "serve"),
    ("server", "serve"),
    ("ping", "test"),
];

/// The command that another word stands for.
pub fn command_of(word: &str) -> Option<&'static str> {
    let mut all = ALL.iter();
    all.find(|(other, _)| *other == word)
        .map(|(_, command)| *command)
}
