//! Secrets in the settings file.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret in the file.
#[derive(Debug)]
pub(super) struct Key(pub SecretString);

impl Key {
    /// The secret; a blank one counts as not given.
    pub(super) fn filled(self) -> Option<SecretString> {
        (!self.0.expose_secret().trim().is_empty()).then_some(self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        // serde's own message would repeat the value.
        String::deserialize(d)
            .map(|key| Key(SecretString::from(key)))
            .map_err(|_| serde::de::Error::custom("api_key must be text in quotes"))
    }
}
