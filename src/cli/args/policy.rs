//! How a schedule is delivered: the flags of `register` and `update`.

use clap::Args;

use super::NUMBER;

/// How a schedule is delivered when something is out of the ordinary.
#[derive(Clone, Debug, Default, Args)]
pub struct PolicyArgs {
    /// What becomes of runs that could not be sent in time
    ///
    /// latest sends the newest, which stands for the others (the default); all sends each, the
    /// oldest first; skip gives up those older than grace.
    #[arg(long, value_name = "latest|all|skip", allow_hyphen_values = true)]
    pub catch_up: Option<String>,

    /// With catch_up skip: how late a run may still be sent
    ///
    /// 10 minutes unless it is given. Examples: 30s, 10m, 1h
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub grace: Option<String>,

    /// Pause the schedule after so many prompts in a row that had to be given up
    ///
    /// 5 unless it is given; 0 never pauses it. Example: 3
    #[arg(long, value_name = NUMBER, allow_hyphen_values = true)]
    pub pause_on_failure: Option<String>,

    /// What the agent is told before the prompt
    ///
    /// auto adds one line only when a run is late, stands for several or was tried before (the
    /// default); full always adds it, with the name, the number of the run, the times and how to
    /// stop it; none never adds it.
    #[arg(long, value_name = "none|auto|full", allow_hyphen_values = true)]
    pub envelope: Option<String>,

    /// How long a prompt that can't be delivered is tried again
    ///
    /// 24 hours unless the settings say otherwise. Examples: 30m, 6h, 2d
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub max_age: Option<String>,

    /// Tell a dead-man service such as healthchecks.io of every run; none to stop
    ///
    /// Requested is URL/start when a prompt is about to be sent, URL when it was delivered, and
    /// URL/fail when it was given up. Example: `https://hc-ping.com/5f2b8d1c`
    #[arg(long, value_name = "URL|none", allow_hyphen_values = true)]
    pub ping_url: Option<String>,
}
