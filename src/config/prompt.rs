//! How large a prompt may be.

use super::Environment;
use super::value::invalid;
use crate::error::Result;
use crate::limits;

/// The largest prompt in bytes, from the environment or the file.
pub(super) fn largest(env: &Environment, from_file: Option<u64>) -> Result<usize> {
    const VARIABLE: &str = "PROMPTYOSELF_LARGEST_PROMPT";
    let (source, text) = match (env.get(VARIABLE), from_file) {
        (Some(text), _) => (VARIABLE, text.to_owned()),
        (None, Some(bytes)) => ("largest_prompt in the settings file", bytes.to_string()),
        (None, None) => return Ok(limits::PROMPT),
    };
    let most = limits::LARGEST_PROMPT;
    let read = text.trim().parse().ok();
    read.filter(|n| (1..=most).contains(n)).ok_or_else(|| {
        let problem = format!("{text:?} is not a whole number of bytes from 1 to {most}");
        invalid(source, problem, &format!("{VARIABLE}={}", limits::PROMPT))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_prompt_is_a_number_of_bytes_that_a_request_can_hold() {
        let read = |env: &[(&str, &str)], file| largest(&env.iter().copied().collect(), file);
        let variable = "PROMPTYOSELF_LARGEST_PROMPT";
        assert_eq!(read(&[], None).unwrap(), limits::PROMPT);
        assert_eq!(read(&[], Some(10)).unwrap(), 10);
        assert_eq!(read(&[(variable, "7000000")], Some(10)).unwrap(), 7_000_000);
        for wrong in ["0", "-1", "5 MB", "8000001"] {
            let error = read(&[(variable, wrong)], None).unwrap_err();
            assert!(error.to_string().contains(variable), "{error}");
        }
        let error = read(&[], Some(0)).unwrap_err();
        assert!(error.to_string().contains("largest_prompt"), "{error}");
    }
}
