//! The types of values that a statement takes.

use rusqlite::types::Value;

use crate::db::time::DbTime;

/// A type that can be bound to a statement.
pub(in crate::db) trait Bind {
    /// The value.
    fn into_value(self) -> Value;
}

macro_rules! bind {
    ($($type:ty: $this:ident => $value:expr;)+) => {
        $(impl Bind for $type {
            fn into_value(self) -> Value {
                let $this = self;
                $value
            }
        })+
    };
}

bind! {
    i64: n => Value::Integer(n);
    &i64: n => Value::Integer(*n);
    i32: n => Value::Integer(n.into());
    u32: n => Value::Integer(n.into());
    u16: n => Value::Integer(n.into());
    bool: truth => Value::Integer(truth.into());
    f64: n => Value::Real(n);
    &str: text => Value::Text(text.to_owned());
    String: text => Value::Text(text);
    &String: text => Value::Text(text.clone());
    Vec<u8>: bytes => Value::Blob(bytes);
    &[u8]: bytes => Value::Blob(bytes.to_vec());
    &Vec<u8>: bytes => Value::Blob(bytes.clone());
    DbTime: time => Value::Text(time.to_text());
}

impl<T: Bind> Bind for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, Bind::into_value)
    }
}

impl<T: Clone + Bind> Bind for &Option<T> {
    fn into_value(self) -> Value {
        self.clone().into_value()
    }
}
