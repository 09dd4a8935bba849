//! The laws of the client, against the fake Letta.
