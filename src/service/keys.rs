//! Who is calling over HTTP: keys, and what each of them opens.

use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::{Service, bounds};
use crate::error::{Code, Error, Result, message, shell};
use crate::models::{AgentId, Caller, StoredKey, hash_key, new_key};

/// What a caller over HTTP says of itself.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The key it shows.
    pub key: Option<SecretString>,
    /// The agent it says it is. That narrows what it may see, and never widens it.
    pub agent_id: Option<AgentId>,
}

impl Service {
    /// Makes a key: an agent's, or the operator's. Returns its number and the key, which is shown
    /// this once.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn create_key(
        &self,
        name: &str,
        agent_id: Option<&AgentId>,
    ) -> Result<(i64, SecretString)> {
        self.refuse_scoped("making keys")?;
        bounds::name(Some(name))?;
        let key = new_key();
        let id = self
            .db
            .add_key(name, agent_id, &hash_key(&key), self.now())
            .await?;
        Ok((id, key))
    }

    /// Every key, without the keys themselves.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        self.refuse_scoped("listing keys")?;
        self.db.list_keys().await
    }

    /// Revokes a key, so that it opens nothing from then on.
    ///
    /// # Errors
    /// [`Code::KeyInvalid`] if there is none of this number that opens anything,
    /// [`Code::NotPermitted`], and those of the database.
    pub async fn revoke_key(&self, id: i64) -> Result<()> {
        self.refuse_scoped("revoking keys")?;
        if self.db.revoke_key(id, self.now()).await? {
            return Ok(());
        }
        Err(Error::new(
            Code::KeyInvalid,
            format!("there is no key {id} that is not revoked already: key list shows them"),
        )
        .example(shell("promptyoself key list")))
    }

    /// Every key, for whoever tells callers by them.
    pub async fn stored_keys(&self) -> Result<Vec<StoredKey>> {
        self.db.list_keys().await
    }

    /// Whether no key was ever made, so that whoever can reach us is the operator.
    pub async fn is_open_to_all(&self) -> Result<bool> {
        Ok(self.db.list_keys().await?.is_empty())
    }

    /// Whether there is a key that opens anything.
    pub async fn has_keys(&self) -> Result<bool> {
        let keys = self.db.list_keys().await?;
        Ok(keys.iter().any(|k| k.revoked_at.is_none()))
    }

    /// Who is calling. Until a key is made, whoever can reach us is the operator. After that every
    /// caller must show one, even if all are revoked.
    ///
    /// # Errors
    /// [`Code::KeyInvalid`]; [`Code::NotPermitted`] if an agent's key comes with another agent's
    /// id; and those of the database.
    pub async fn identify(&self, credentials: &Credentials) -> Result<Caller> {
        self.recognize(credentials).await.map(|(caller, _)| caller)
    }

    /// Who is calling, and what the key is called that was shown.
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
        let caller = match (
            opened.and_then(|k| k.agent_id.clone()),
            &credentials.agent_id,
        ) {
            (None, None) => Ok(Caller::Operator),
            (None, Some(agent)) => Ok(Caller::Agent(agent.clone())),
            (Some(own), said) => self
                .for_caller(Caller::Agent(own.clone()))
                .own(said.clone().unwrap_or_else(|| own.clone()))
                .map(Caller::Agent),
        };
        Ok((caller?, name))
    }
}

/// The key that was shown. Every one is compared, and each in the same time, so that how long it
/// takes tells nothing.
fn find<'a>(keys: &'a [StoredKey], shown: &SecretString) -> Option<&'a StoredKey> {
    let hash = hash_key(shown);
    keys.iter().fold(None, |found, key| {
        match bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())) {
            true => Some(key),
            false => found,
        }
    })
}

/// The answer to no key, a wrong one and a revoked one alike.
pub(crate) fn refused() -> Error {
    Error::new(
        Code::KeyInvalid,
        message![
            "no key that opens anything was shown, and this server asks for one: send it as \
             \"Authorization: Bearer pys_…\" or as \"X-Promptyoself-Key\"; the operator makes one with ",
            shell("promptyoself key create")
        ],
    )
    .example(shell("promptyoself key create --name laptop"))
}
