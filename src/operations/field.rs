//! The fields of requests, and how operations take them.

use std::ops::RangeInclusive;

use crate::error::{Example, call, fields};

/// Why the plugin refuses something, and what to do instead.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Why.
    pub why: &'static str,
    /// What to do instead.
    pub instead: Instead,
}

/// What to do instead of something refused.
#[derive(Clone, Copy, Debug)]
pub enum Instead {
    /// Another command.
    Call(&'static str),
    /// This value of another field.
    Give(&'static str, &'static str),
}

impl From<Instead> for Example {
    fn from(instead: Instead) -> Self {
        match instead {
            Instead::Call(name) => call(name).into(),
            Instead::Give(name, value) => fields([(name, value)]),
        }
    }
}

/// A field of a request.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its JSON name.
    pub name: &'static str,
    /// Its flag, if that isn't its name.
    pub flag: Option<&'static str>,
    /// Its name as a tool's argument, if that is another one.
    pub argument: Option<&'static str>,
    /// Other names that a tool understands.
    pub aliases: &'static [&'static str],
    /// Other flags, which help does not show.
    pub flag_aliases: &'static [&'static str],
    /// What kind of value it has.
    pub kind: Kind,
    /// What joins its values if several are given, as repeated flags or a list in JSON; `None` if
    /// it takes one.
    pub joined_by: Option<&'static str>,
    /// Whether the word `none` clears it, so that a tool's `none` is not nothing.
    pub clears_by_none: bool,
    /// The placeholder of its value in help.
    pub placeholder: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// Further details.
    pub details: &'static str,
    /// Values that work.
    pub examples: &'static [&'static str],
    /// Why the plugin refuses it.
    pub refused_in_plugin: Option<Refused>,
    /// A field that excludes this one.
    pub instead_of: Option<&'static str>,
}

impl Field {
    /// Whether it takes several values.
    pub fn takes_several(&self) -> bool {
        self.joined_by.is_some()
    }

    /// The value of several, to which this one is added.
    pub fn joined(&self, before: Option<String>, value: &str) -> String {
        match before {
            Some(before) => before + self.joined_by.unwrap_or_default() + value,
            None => value.to_owned(),
        }
    }
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from the least to the greatest.
    Number(i64, i64),
    /// Yes or no.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// The allowed numbers of this kind.
    pub fn numbers(self) -> RangeInclusive<i64> {
        match self {
            Kind::Number(least, most) => least..=most,
            Kind::Text | Kind::Switch | Kind::Word(_) => RangeInclusive::new(1, 0),
        }
    }

    /// The allowed words of this kind.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Word(words) => words,
            Kind::Text | Kind::Switch | Kind::Number(..) => &[],
        }
    }
}

/// A field as a parameter of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The field.
    pub field: &'static Field,
    /// Whether it is required.
    pub is_required: bool,
    /// Its meaning in this operation, if that differs from its usual one.
    pub meaning: Option<&'static str>,
    /// Its default on the command line.
    pub default: Option<&'static str>,
    /// Where it can be given.
    pub given: Given,
}

/// Where a parameter can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Everywhere.
    Everywhere,
    /// Only on the command line, which acts on it alone.
    OnCommandLine,
    /// Everywhere except in tools.
    NotInTools,
    /// In the path over HTTP, and as the first word of a command.
    InPath,
}

/// An optional parameter.
pub const fn takes(field: &'static Field) -> Parameter {
    Parameter {
        field,
        is_required: false,
        meaning: None,
        default: None,
        given: Given::Everywhere,
    }
}

impl Parameter {
    /// Makes it required.
    pub const fn required(self) -> Self {
        Parameter {
            is_required: true,
            ..self
        }
    }

    /// Gives it another meaning.
    pub const fn meaning(self, meaning: &'static str) -> Self {
        Parameter {
            meaning: Some(meaning),
            ..self
        }
    }

    /// Gives it a default on the command line.
    pub const fn or(self, default: &'static str) -> Self {
        Parameter {
            default: Some(default),
            ..self
        }
    }

    /// Limits where it can be given.
    pub const fn given(self, given: Given) -> Self {
        Parameter { given, ..self }
    }

    /// Its name as a tool's argument.
    pub fn argument(&self) -> &'static str {
        self.field.argument.unwrap_or(self.field.name)
    }

    /// Its meaning in one line.
    pub fn help(&self) -> &'static str {
        self.meaning.unwrap_or(self.field.help)
    }

    /// Its meaning in whole sentences on one line, without examples.
    pub fn sentences(&self) -> String {
        let details = match self.meaning {
            Some(_) => "",
            None => self.field.details,
        };
        sentences(self.help(), details)
    }

    /// The same with examples.
    pub fn described(&self) -> String {
        let told = self.sentences();
        let examples = match self.field.kind {
            // The words are already listed.
            Kind::Word(_) | Kind::Switch => return told,
            Kind::Number(..) => self.field.examples.join(", "),
            Kind::Text => {
                let quoted: Vec<String> = (self.field.examples.iter())
                    .map(|e| format!("{e:?}"))
                    .collect();
                quoted.join(", ")
            }
        };
        match self.field.examples.len() {
            0 => told,
            1 => format!("{told} Example: {examples}"),
            _ => format!("{told} Examples: {examples}"),
        }
    }

    /// Whether tools have it.
    pub fn is_in_tools(&self) -> bool {
        matches!(self.given, Given::Everywhere | Given::InPath)
    }

    /// Whether it can be given over HTTP, in a body or a query.
    pub fn is_over_http(&self) -> bool {
        matches!(self.given, Given::Everywhere | Given::NotInTools)
    }
}

/// A line and its details as whole sentences.
pub(super) fn sentences(line: &str, details: &str) -> String {
    let stop = match line.ends_with(['.', '?', '!']) {
        true => "",
        false => ".",
    };
    match details.is_empty() {
        true => format!("{line}{stop}"),
        false => format!("{line}{stop} {details}"),
    }
}
