//! Keys of HTTP callers.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::AgentAt;

/// The prefix of every key, by which it is recognised anywhere.
const PREFIX: &str = "pys_";

/// A key as stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The agent it acts for; `None` for the operator's.
    pub agent: Option<AgentAt>,
    /// The SHA-256 of the key, in hexadecimal digits.
    pub hash: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A new key, of 244 random bits.
pub fn new_key() -> SecretString {
    let (a, b) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
    SecretString::from(format!("{PREFIX}{a}{b}"))
}

/// The stored form of a key. Its bits are random, so a plain hash can't be reversed by guessing.
pub fn hash_key(key: &SecretString) -> String {
    let digest = Sha256::digest(key.expose_secret().as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_alike_and_a_hash_does_not_show_its_key() {
        let (a, b) = (new_key(), new_key());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(a.expose_secret().starts_with("pys_") && a.expose_secret().len() == 68);
        assert_eq!(hash_key(&a), hash_key(&a));
        assert_ne!(hash_key(&a), hash_key(&b));
        assert!(!hash_key(&a).contains(&a.expose_secret()[4..20]));
    }
}
