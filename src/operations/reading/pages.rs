//! The size and position of pages.

use super::ids::agent;
use super::numbers::number;
use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::operations::Values;
use crate::operations::field::Field;
use crate::operations::fields::*;
use crate::operations::text::whole;
use crate::schedule::corrected_count;
use crate::service::ListQuery;

/// How many runs a preview shows by default.
const USUAL_COUNT: usize = 10;

/// How many runs a preview shows.
///
/// # Errors
/// [`Code::Usage`].
pub fn count(values: &Values) -> Result<usize> {
    let corrected = |text: &str| corrected_count(text, &["runs", "times"]);
    let given = number(values, &COUNT, Code::Usage, "", corrected)?;
    Ok(given
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(USUAL_COUNT))
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}

/// The requested part of a list. It may be larger than the field allows, for faces that fetch
/// several pages; the others [refuse](refuse_large) that.
///
/// # Errors
/// [`Code::Usage`].
pub fn page(values: &Values) -> Result<Page> {
    let number = |asked: &Field, usual: u32| {
        let Some(text) = values.given(asked) else {
            return Ok(usual);
        };
        let least = *asked.kind.numbers().start();
        let number = whole(&text).filter(|n| *n >= least);
        // More than that is stored nowhere.
        let number = number.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        number.ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field(asked.name),
                    " ",
                    quoted(&text),
                    " is not a whole number of at least {least}"
                ],
            )
            .example_if(
                corrected_count(&text, &["schedules", "deliveries"])
                    .filter(|n| *n >= least)
                    .map(|n| fields([(asked.name, n)])),
            )
        })
    };
    Ok(Page {
        limit: number(&LIMIT, 1000)?,
        offset: number(&OFFSET, 0)?,
    })
}

/// Refuses a page that is larger than a caller may get.
///
/// # Errors
/// [`Code::Usage`].
pub fn refuse_large(values: &Values) -> Result<()> {
    let allowed = LIMIT.kind.numbers();
    let limit = values.text(&LIMIT).and_then(|text| whole(text.trim()));
    match limit {
        None => Ok(()),
        Some(limit) if allowed.contains(&limit) => Ok(()),
        Some(limit) => {
            let (least, most) = (allowed.start(), allowed.end());
            Err(Error::new(
                Code::Usage,
                message![
                    field(LIMIT.name),
                    " must be from {least} to {most}, not {limit}; use ",
                    field(OFFSET.name),
                    " for later pages"
                ],
            )
            .example(fields([(LIMIT.name, *most)])))
        }
    }
}

/// Which schedules to list.
///
/// # Errors
/// [`Code::Usage`], and those of an [`agent`].
pub fn list(values: &Values) -> Result<ListQuery> {
    let page = page(values)?;
    Ok(ListQuery {
        agent: agent(values)?,
        all: values.is_set(&ALL),
        full: values.is_set(&FULL),
        limit: page.limit,
        offset: page.offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_page_has_sensible_numbers() {
        let given = |limit: &str, offset: &str| {
            page(&Values::default().with(&LIMIT, limit).with(&OFFSET, offset))
        };
        let (limit, offset) = (1000, 0);
        assert_eq!(page(&Values::default()).unwrap(), Page { limit, offset });
        let (limit, offset) = (5, 2);
        assert_eq!(given("5.0", "2").unwrap(), Page { limit, offset });
        assert_eq!(code(given("0", "0")), Code::Usage);
        assert_eq!(code(given("5", "-1")), Code::Usage);
    }

    #[test]
    fn a_preview_shows_as_many_runs_as_its_field_allows() {
        let count = |text: &str| count(&Values::default().with(&COUNT, text));
        for (text, wanted) in [("", 10), ("1", 1), (" 7.0 ", 7), ("1000", 1000)] {
            assert_eq!(count(text).unwrap(), wanted, "{text:?}");
        }
        for bad in ["0", "1001", "-1", "many"] {
            let error = count(bad).unwrap_err();
            assert_eq!(error.code(), Code::Usage);
            let wanted = format!("--count {bad:?} is not a whole number from 1 to 1000");
            assert_eq!(error.to_string(), wanted);
        }
        let error = count("5 runs").unwrap_err();
        assert_eq!(error.corrected().as_deref(), Some("--count 5"));
    }
}
