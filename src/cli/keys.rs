//! The keys of HTTP callers.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Context;
use super::args::KeyVerb;
use super::input::{given, named_agent};
use super::output::{Reply, Text, keys_table};
use crate::error::{Code, Error, Result, message, quoted};
use crate::models::StoredKey;
use crate::operations::fields::ID;
use crate::operations::text::whole;

pub(super) async fn key(ctx: &Context, verb: &KeyVerb) -> Result<Reply> {
    match verb {
        KeyVerb::Create { name, agent_id } => {
            create(ctx, name.as_deref(), agent_id.as_deref()).await
        }
        KeyVerb::List => list(ctx).await,
        KeyVerb::Revoke(args) => {
            let id = key_id(args.id.as_deref().or(args.position.as_deref()))?;
            ctx.service().await?.revoke_key(id).await?;
            let message = format!("Key {id} is revoked");
            let json = json!({ "status": "success", "revoked_id": id, "message": message });
            Reply::new(&json, message)
        }
    }
}

/// The id of a key.
///
/// # Errors
/// [`Code::IdInvalid`].
fn key_id(text: Option<&str>) -> Result<i64> {
    let text = given(text).unwrap_or_default();
    let id = whole(text).filter(|id| ID.kind.numbers().contains(id));
    id.ok_or_else(|| {
        let problem = match text.is_empty() {
            true => "no key id was given".into(),
            false => message![quoted(text), " is not the id of a key"],
        };
        let advice = ": give its number, as promptyoself key list shows it";
        Error::new(Code::IdInvalid, message![problem, advice])
    })
}

async fn create(ctx: &Context, name: Option<&str>, agent_id: Option<&str>) -> Result<Reply> {
    let agent = named_agent(agent_id)?;
    let service = ctx.service().await?;
    let agent = agent.map(|named| service.one_agent(named)).transpose()?;
    let usual = match &agent {
        Some(agent) => service.show_agent(agent),
        None => "operator".to_owned(),
    };
    let name = given(name).unwrap_or(&usual);
    let (id, key) = service.create_key(name, agent.as_ref()).await?;
    let json = json!({
        "status": "success",
        "id": id,
        "name": name,
        "agent_id": agent.as_ref().map(|agent| &agent.id),
        "target": agent.as_ref().map(|agent| &agent.target),
        "key": key.expose_secret(),
    });
    let text = Text::from(format!("Key {id} ({name}). It is shown only once:"));
    Reply::new(&json, text.line(key.expose_secret()))
}

async fn list(ctx: &Context) -> Result<Reply> {
    let keys = ctx.service().await?.list_keys().await?;
    let rows: Vec<Value> = keys.iter().map(show).collect();
    let text = keys_table(&rows);
    let json = json!({ "status": "success", "count": rows.len(), "keys": rows });
    Reply::new(&json, text)
}

fn show(key: &StoredKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "agent_id": key.agent.as_ref().map(|agent| &agent.id),
        "target": key.agent.as_ref().map(|agent| &agent.target),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    })
}
