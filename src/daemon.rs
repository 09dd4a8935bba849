//! How processes are put together from the settings: what is opened, who delivers, what else is
//! served, and how everything stops.

mod deliver;
mod execute;
pub(crate) mod logging;
mod mcp;
mod observe;
mod open;
mod serve;
mod signals;

pub(crate) use execute::{execute_loop, execute_once, execute_within};
pub(crate) use mcp::{speak_mcp, speak_mcp_for};
pub(crate) use observe::{COMMAND as OBSERVE, observe};
pub(crate) use open::{open_rest, open_service, open_targets};
pub(crate) use serve::serve;
pub(crate) use signals::stopped_by_signal;
