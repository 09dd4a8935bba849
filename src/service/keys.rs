//! Identifies HTTP callers by their keys.

use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::{Service, bounds};
use crate::error::{Code, Error, Result, message, shell};
use crate::models::{AgentAt, Caller, NamedAgent, StoredKey, hash_key, new_key};

/// The credentials of an HTTP caller.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The key.
    pub key: Option<SecretString>,
    /// The agent it claims to be. That narrows what it may see, and never widens it.
    pub agent: Option<NamedAgent>,
}

impl Service {
    /// Creates a key for an agent or the operator. Returns its id and the key, which is never shown
    /// again.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn create_key(
        &self,
        name: &str,
        agent: Option<&AgentAt>,
    ) -> Result<(i64, SecretString)> {
        self.refuse_scoped("creating keys")?;
        bounds::name(Some(name))?;
        let key = new_key();
        let id = self
            .db
            .add_key(name, agent, &hash_key(&key), self.now())
            .await?;
        Ok((id, key))
    }

    /// Every key, without its secret.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        self.refuse_scoped("listing keys")?;
        self.db.list_keys().await
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// [`Code::KeyInvalid`] if there is no valid key with this id,
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn revoke_key(&self, id: i64) -> Result<()> {
        self.refuse_scoped("revoking keys")?;
        if self.db.revoke_key(id, self.now()).await? {
            return Ok(());
        }
        Err(Error::new(
            Code::KeyInvalid,
            format!("there is no valid key {id}: key list shows the keys"),
        )
        .example(shell("promptyoself key list")))
    }

    /// The one agent that is meant: without a target, that of the default one.
    ///
    /// # Errors
    /// [`Code::TargetUnknown`].
    pub fn one_agent(&self, named: NamedAgent) -> Result<AgentAt> {
        let target = self.target(named.target.as_ref())?.name();
        Ok(AgentAt::new(target, named.id))
    }

    /// The stored keys, to identify callers.
    pub async fn stored_keys(&self) -> Result<Vec<StoredKey>> {
        self.db.list_keys().await
    }

    /// Whether no key was ever created, so that everybody who can reach us is the operator.
    pub async fn is_open_to_all(&self) -> Result<bool> {
        Ok(self.db.list_keys().await?.is_empty())
    }

    /// Whether there is a valid key.
    pub async fn has_keys(&self) -> Result<bool> {
        let keys = self.db.list_keys().await?;
        Ok(keys.iter().any(|k| k.revoked_at.is_none()))
    }

    /// Identifies the caller. Until a key is created, everybody who can reach us is the operator.
    /// After that every caller must send one, even if all are revoked.
    ///
    /// # Errors
    /// [`Code::KeyInvalid`]; [`Code::NotPermitted`] if an agent's key comes with another agent's
    /// id; and those of the database.
    pub async fn identify(&self, credentials: &Credentials) -> Result<Caller> {
        self.recognize(credentials).await.map(|(caller, _)| caller)
    }

    /// Identifies the caller, and names the key that was sent.
    ///
    /// # Errors
    /// Those of [`Service::identify`].
    pub async fn recognize(&self, credentials: &Credentials) -> Result<(Caller, Option<String>)> {
        let mut keys = self.db.list_keys().await?;
        let open_to_all = keys.is_empty();
        keys.retain(|k| k.revoked_at.is_none());
        let opened = match &credentials.key {
            None if open_to_all => None,
            None => return Err(refused()),
            Some(shown) => Some(find(&keys, shown).ok_or_else(refused)?),
        };
        let name = opened.map(|k| k.name.clone());
        let own = opened.and_then(|k| k.agent.clone());
        let caller = match (own, credentials.agent.clone()) {
            (None, None) => Ok(Caller::Operator),
            (None, Some(named)) => self.one_agent(named).map(Caller::Agent),
            (Some(own), None) => Ok(Caller::Agent(own)),
            (Some(own), Some(named)) => self
                .for_caller(Caller::Agent(own))
                .own(named)
                .map(Caller::Agent),
        };
        Ok((caller?, name))
    }
}

/// The key that was sent. All keys are compared, each in the same time, so that the time taken
/// reveals nothing.
fn find<'a>(keys: &'a [StoredKey], shown: &SecretString) -> Option<&'a StoredKey> {
    let hash = hash_key(shown);
    keys.iter().fold(None, |found, key| {
        match bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())) {
            true => Some(key),
            false => found,
        }
    })
}

/// The same answer for a missing, a wrong and a revoked key.
pub(crate) fn refused() -> Error {
    Error::new(
        Code::KeyInvalid,
        message![
            "this server requires a key, and no valid one was sent: send it as \"Authorization: \
             Bearer pys_…\" or as \"X-Promptyoself-Key\"; the operator creates one with ",
            shell("promptyoself key create")
        ],
    )
    .example(shell("promptyoself key create --name laptop"))
}
