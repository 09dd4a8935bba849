//! What goes over the wire of `/api/v1`, in both directions: the server reads it, and a client of a
//! server on another machine writes it.

pub mod problem;

/// Where the routes begin.
pub const BASE: &str = "/api/v1";

/// The header under which a request may come again.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header for our key where `Authorization` is somebody else's.
pub const KEY_HEADER: &str = "x-promptyoself-key";

/// The header by which Letta tells which agent is calling.
pub const AGENT_HEADER: &str = "x-agent-id";

/// The header by which a face that an agent commands says so, when it holds the operator's key: the
/// budget of agents then binds it.
pub const ON_BEHALF_HEADER: &str = "x-promptyoself-on-behalf";

/// The header by which a client of ours asks for errors in the words of the command line, with the
/// parts they are made of beside them.
pub const WORDING_HEADER: &str = "x-promptyoself-wording";

/// What that header says.
pub const FLAGS: &str = "flags";
