//! Keys of HTTP callers.

use jiff::Timestamp;

use super::changes::{About, note_change};
use crate::db::Db;
use crate::db::statements::keys;
use crate::error::Result;
use crate::models::{AgentAt, Operation, StoredKey};

impl Db {
    /// Stores a key by its hash. Returns its id.
    pub async fn add_key(
        &self,
        name: &str,
        agent: Option<&AgentAt>,
        hash: &str,
        now: Timestamp,
    ) -> Result<i64> {
        let (name, agent, hash) = (name.to_owned(), agent.cloned(), hash.to_owned());
        let db = self.clone();
        self.write("store the key", move |tx| {
            let id = keys::insert(tx, &name, agent.as_ref(), &hash, now)?;
            let what = match &agent {
                Some(agent) => format!("key {id}, {name}, for {}", tx.targets().show(agent)),
                None => format!("key {id}, {name}"),
            };
            let (none, what) = (About::none(), Some(what.as_str()));
            note_change(tx, &db.by, Operation::CreateKey, none, what, now)?;
            Ok(id)
        })
        .await
    }

    /// Every key, oldest first, including revoked ones.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        self.read("list the keys", |tx| Ok(keys::list(tx)?)).await
    }

    /// Revokes a key; `false` if there is no valid key with this id.
    pub async fn revoke_key(&self, id: i64, now: Timestamp) -> Result<bool> {
        let db = self.clone();
        self.write("revoke the key", move |tx| {
            let Some(name) = keys::revoke(tx, id, now)? else {
                return Ok(false);
            };
            let what = format!("key {id}, {name}");
            let (none, what) = (About::none(), Some(what.as_str()));
            note_change(tx, &db.by, Operation::RevokeKey, none, what, now)?;
            Ok(true)
        })
        .await
    }
}
