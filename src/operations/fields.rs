//! Every field of a request, declared once.

#![expect(missing_docs, reason = "each field says in its help what it is")]

mod base;
mod control;
mod lists;
mod policy;
mod recipient;
mod schedule;
mod times;
mod tools;

pub use control::*;
pub use lists::*;
pub use policy::*;
pub use recipient::*;
pub use schedule::*;
pub use times::*;
pub use tools::*;

#[cfg(test)]
mod tests {
    use crate::error::{CommandLine, Words};
    use crate::operations;
    use crate::operations::field::Field;

    fn all() -> impl Iterator<Item = &'static Field> {
        let operations = operations::ALL.iter();
        operations.flat_map(|o| o.parameters()).map(|p| p.field)
    }

    #[test]
    fn errors_name_the_flag_that_a_field_has() {
        let mut others = 0;
        for field in all() {
            let flag = field.flag.unwrap_or(field.name).replace('_', "-");
            assert_eq!(CommandLine.field(field.name), format!("--{flag}"));
            others += usize::from(field.flag.is_some());
        }
        assert!(others > 0);
    }

    #[test]
    fn help_explains_every_word_of_a_field() {
        let mut seen = 0;
        for field in all() {
            let told: Vec<&str> = field.details.split(|c: char| !c.is_alphabetic()).collect();
            for word in field.kind.words() {
                assert!(told.contains(word), "{} {word}", field.name);
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
