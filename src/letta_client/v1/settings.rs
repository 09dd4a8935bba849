//! How to reach a server.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;

use crate::config::url_setting;
use crate::models::TargetName;

/// How to reach a server.
#[derive(Clone)]
pub struct RestSettings {
    /// The name under which it is stored and shown.
    pub target: String,
    /// Its address, such as `http://localhost:8283`; a trailing `/` or `/v1` does no harm.
    pub base_url: String,
    /// The password of a self-hosted server, or the API key of Letta Cloud.
    pub api_key: Option<SecretString>,
    /// How long a turn may be silent. Letta sends a keep-alive every 20 seconds if it can;
    /// otherwise the silence lasts as long as the model thinks.
    pub idle_timeout: Duration,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}

impl RestSettings {
    /// The name of the server.
    pub(in crate::letta_client) fn target(&self) -> TargetName {
        TargetName::new(&self.target)
    }

    /// The setting that holds its address.
    pub(in crate::letta_client) fn url_setting(&self) -> String {
        url_setting(&self.target())
    }
}

impl fmt::Debug for RestSettings {
    /// Without the address, which may contain a password until it has been checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestSettings")
            .field("target", &self.target)
            .field("idle_timeout", &self.idle_timeout)
            .field("orphan_age", &self.orphan_age)
            .finish_non_exhaustive()
    }
}
