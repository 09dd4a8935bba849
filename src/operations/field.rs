//! What a request may say: its fields, and how an operation takes them.

use std::ops::RangeInclusive;

use crate::error::{Example, call, fields};

/// Why something is refused in the plugin, and what to do there instead.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Why.
    pub why: &'static str,
    /// What to do instead.
    pub instead: Instead,
}

/// What to do instead of what is refused.
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

/// Something that a request may say.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its flag, where that is not its name.
    pub flag: Option<&'static str>,
    /// Its name as an argument of a tool, where that is another one.
    pub argument: Option<&'static str>,
    /// Other names that a tool understands.
    pub aliases: &'static [&'static str],
    /// Other flags, which help does not show.
    pub flag_aliases: &'static [&'static str],
    /// What kind of value it has.
    pub kind: Kind,
    /// What stands for its value in help.
    pub placeholder: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// What else is to be known of it.
    pub details: &'static str,
    /// Values that work.
    pub examples: &'static [&'static str],
    /// Why the plugin refuses it.
    pub refused_in_plugin: Option<Refused>,
    /// The field that can't be given beside it.
    pub instead_of: Option<&'static str>,
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
    /// One of some words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// The numbers that a field of this kind can be.
    pub fn numbers(self) -> RangeInclusive<i64> {
        match self {
            Kind::Number(least, most) => least..=most,
            Kind::Text | Kind::Switch | Kind::Word(_) => RangeInclusive::new(1, 0),
        }
    }

    /// The words that a field of this kind can be.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Word(words) => words,
            Kind::Text | Kind::Switch | Kind::Number(..) => &[],
        }
    }
}

/// A field as an operation takes it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The field.
    pub field: &'static Field,
    /// Whether nothing can be done without it.
    pub is_required: bool,
    /// What it means here, where that is not what it always means.
    pub meaning: Option<&'static str>,
    /// What is taken on the command line if it isn't given.
    pub default: Option<&'static str>,
    /// Where it can be given.
    pub given: Given,
}

/// Where a parameter can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Everywhere.
    Everywhere,
    /// On the command line only, which does with it what other faces don't.
    OnCommandLine,
    /// Everywhere but in tools.
    NotInTools,
    /// In a path over HTTP, and as the first word of a command.
    InPath,
}

/// A field that need not be given.
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
    /// The same where it must be given.
    pub const fn required(self) -> Self {
        Parameter {
            is_required: true,
            ..self
        }
    }

    /// The same with another meaning.
    pub const fn meaning(self, meaning: &'static str) -> Self {
        Parameter {
            meaning: Some(meaning),
            ..self
        }
    }

    /// The same with a default on the command line.
    pub const fn or(self, default: &'static str) -> Self {
        Parameter {
            default: Some(default),
            ..self
        }
    }

    /// The same where it can be given only there.
    pub const fn given(self, given: Given) -> Self {
        Parameter { given, ..self }
    }

    /// Its name as an argument of a tool.
    pub fn argument(&self) -> &'static str {
        self.field.argument.unwrap_or(self.field.name)
    }

    /// What it means, in one line.
    pub fn help(&self) -> &'static str {
        self.meaning.unwrap_or(self.field.help)
    }

    /// What it means in whole sentences, on one line, without examples.
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
            // Its words are told already.
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

    /// Whether it is an argument of tools.
    pub fn is_in_tools(&self) -> bool {
        matches!(self.given, Given::Everywhere | Given::InPath)
    }

    /// Whether it can be given over HTTP, in a body or a query.
    pub fn is_over_http(&self) -> bool {
        matches!(self.given, Given::Everywhere | Given::NotInTools)
    }
}

/// A line and what comes after it as whole sentences.
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
