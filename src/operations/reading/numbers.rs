//! Whole numbers, within the bounds of their fields.

use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::text::whole;

/// A whole number within the bounds of a field, if given. In the error, `hint` follows the bounds,
/// and `corrected` finds the number that another text stands for.
///
/// # Errors
/// `code`.
pub(super) fn number(
    values: &Values,
    asked: &Field,
    code: Code,
    hint: &str,
    corrected: impl FnOnce(&str) -> Option<i64>,
) -> Result<Option<i64>> {
    let Some(text) = values.given(asked) else {
        return Ok(None);
    };
    let bounds = asked.kind.numbers();
    whole(&text)
        .filter(|n| bounds.contains(n))
        .map(Some)
        .ok_or_else(|| {
            let within = match (bounds.start(), bounds.end()) {
                (least, &i64::MAX) => format!("of at least {least}"),
                (least, most) => format!("from {least} to {most}"),
            };
            let corrected = corrected(&text).filter(|n| bounds.contains(n));
            Error::new(
                code,
                message![
                    field(asked.name),
                    " ",
                    quoted(&text),
                    " is not a whole number {within}{hint}"
                ],
            )
            .example_if(corrected.map(|n| fields([(asked.name, n)])))
        })
}
