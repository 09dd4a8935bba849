//! What the server of `/api/v1` and our client for it have in common: paths and header names.

pub mod problem;

/// The path that all routes begin with.
pub const BASE: &str = "/api/v1";

/// The header that makes repeating a request safe.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header for our key when `Authorization` is already used for something else.
pub const KEY_HEADER: &str = "x-promptyoself-key";

/// The header in which Letta names the calling agent.
pub const AGENT_HEADER: &str = "x-agent-id";

/// The header in which a client names the conversation that the calling agent is in.
pub const CONVERSATION_HEADER: &str = "x-conversation-id";

/// The header by which a face says that an agent commands it, although it holds the operator's key:
/// the budget of agents then applies.
pub const ON_BEHALF_HEADER: &str = "x-promptyoself-on-behalf";

/// The header by which our own client asks for errors in the words of the command line, together
/// with the parts they are made of.
pub const WORDING_HEADER: &str = "x-promptyoself-wording";

/// The value of that header.
pub const FLAGS: &str = "flags";
