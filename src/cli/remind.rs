//! `remind [AGENT] WHEN TEXT`: registering in the order of a sentence.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::operations::Values;
use crate::operations::fields::{AGENT, PROMPT, WHEN};

/// The command's name.
pub(super) const NAME: &str = "remind";

/// The positional arguments.
const WORDS: &str = "words";

/// The command, without the flags that it shares with registering.
pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Schedule a prompt in words: remind [AGENT] WHEN TEXT")
        .long_about(
            "Schedule a prompt in words: remind [AGENT] WHEN TEXT\n\nIt does the same as register \
             with --when and --prompt. Without AGENT or --agent-id, it is the configured default \
             agent.\n\nExamples:\n  promptyoself remind \"tomorrow at 9am\" \"Ask Ada how the talk went\"\n  \
             promptyoself remind AGENT \"every weekday at 18:30\" \"Write the daily report\"",
        )
        .override_usage("promptyoself remind [OPTIONS] [AGENT] <WHEN> <TEXT>")
        .arg(
            Arg::new(WORDS)
                .value_names(["AGENT", "WHEN", "TEXT"])
                .help("The agent, which may be left out, when to run, and the prompt")
                .num_args(2..=3)
                .action(ArgAction::Append),
        )
}

/// The values that the positional arguments give.
///
/// # Errors
/// An agent that is given as a flag, too.
pub(super) fn read(given: &ArgMatches) -> Result<Values, clap::Error> {
    let words: Vec<&String> = given.get_many(WORDS).into_iter().flatten().collect();
    let mut values = Values::default();
    let ([when, prompt] | [_, when, prompt]) = words.as_slice() else {
        return Ok(values);
    };
    if let [agent, _, _] = words.as_slice() {
        if given.contains_id(AGENT.name) {
            let twice = "the agent is given twice: leave out the one before the time, or the flag";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, twice));
        }
        values.set(&AGENT, agent.as_str());
    }
    values.set(&WHEN, when.as_str());
    values.set(&PROMPT, prompt.as_str());
    Ok(values)
}
