//! The answers that all faces give, with the same keys: the command line and the plugin print them,
//! MCP and HTTP send them, and a client on another machine reads them back. The keys of the Python
//! original keep their names.

mod occurrences;
mod schedules;
mod status;
mod success;

pub use occurrences::*;
pub use schedules::*;
pub use status::*;
pub use success::Success;
