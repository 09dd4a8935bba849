//! What all fields begin with.

use crate::operations::field::{Field, Kind};

/// The common base of all fields.
pub(super) const FIELD: Field = Field {
    name: "",
    flag: None,
    argument: None,
    aliases: &[],
    flag_aliases: &[],
    kind: Kind::Text,
    joined_by: None,
    clears_by_none: false,
    placeholder: "TEXT",
    help: "",
    details: "",
    examples: &[],
    refused_in_plugin: None,
    instead_of: None,
};

pub(super) const SWITCH: Field = Field {
    kind: Kind::Switch,
    placeholder: "true|false",
    ..FIELD
};

pub(super) const NUMBER: Field = Field {
    placeholder: "N",
    ..FIELD
};
