//! The values of a request, by field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field::{Field, Kind, Parameter};
use super::text::{given, whole};

/// The given fields with their values.
///
/// A number may be given as text: errors about it come from whoever reads the field, so that every
/// face has the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// Sets a value, replacing an earlier one.
    pub fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name, value.into());
    }

    /// Adds a value.
    pub fn with(mut self, field: &Field, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }

    /// Sets a value unless there is one.
    pub fn set_default(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.entry(field.name).or_insert_with(|| value.into());
    }

    /// Removes a value.
    pub fn take(&mut self, field: &Field) -> Option<Value> {
        self.0.remove(field.name)
    }

    /// Removes the fields that were given as `null`.
    pub fn forget_nothings(&mut self) {
        self.0.retain(|_, value| !value.is_null());
    }

    /// Whether a field was given at all.
    pub fn has(&self, field: &Field) -> bool {
        self.0.contains_key(field.name)
    }

    /// A field as text, if given.
    pub fn text(&self, field: &Field) -> Option<String> {
        match self.0.get(field.name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A field as text without surrounding blanks; `None` if it is blank.
    pub fn given(&self, field: &Field) -> Option<String> {
        given(self.text(field).as_deref()).map(str::to_owned)
    }

    /// Whether a switch was set.
    pub fn is_set(&self, field: &Field) -> bool {
        self.0.get(field.name) == Some(&Value::Bool(true))
    }

    /// Whether a field has any effect: a switch that is off has none.
    pub fn is_said(&self, field: &Field) -> bool {
        (self.0.get(field.name)).is_some_and(|value| *value != Value::Bool(false))
    }

    /// Everything except what is in the path of a request, as JSON. Numbers that were given as text
    /// become numbers.
    pub fn to_json(
        &self,
        parameters: impl Iterator<Item = &'static Parameter>,
    ) -> Map<String, Value> {
        let over_http = parameters.filter(|p| p.is_over_http());
        let given = over_http.filter_map(|p| {
            let value = self.0.get(p.field.name)?.clone();
            Some((p.field.name.to_owned(), as_json(p.field, value)))
        });
        given.collect()
    }
}

/// A value in its field's JSON type.
fn as_json(field: &Field, value: Value) -> Value {
    match (field.kind, value) {
        (Kind::Number(..), Value::String(text)) => match whole(text.trim()) {
            Some(number) => number.into(),
            None => Value::String(text),
        },
        (_, value) => value,
    }
}
