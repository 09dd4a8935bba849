//! Finds the id of a message that can't be read completely.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The id of a message that may be cut off or invalid after it; null if none was found.
pub(in crate::mcp) fn id_in(bytes: &[u8]) -> Value {
    let mut id = Value::Null;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // The error was reported already: only what was read before it matters.
    let _ = FindId(&mut id).deserialize(&mut json);
    match id {
        Value::String(_) | Value::Number(_) => id,
        _ => Value::Null,
    }
}

/// Finds the id of an object, and skips everything else.
struct FindId<'a>(&'a mut Value);

impl<'de> DeserializeSeed<'de> for FindId<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FindId<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match key.0 {
                true => *self.0 = map.next_value()?,
                false => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key, and whether it is `id`.
struct Key(bool);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        String::deserialize(json).map(|key| Key(key == "id"))
    }
}
