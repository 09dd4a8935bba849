//! The address of a server, as people write it.

use reqwest::Url;

use crate::error::{Code, Error, shell};

/// Reads a base URL as people write it.
pub(super) fn read(text: &str) -> Result<Url, Error> {
    let bad = |what: &str| {
        Error::new(
            Code::ConfigInvalid,
            format!(
                "Letta's address {what}: give the server's own address, with http:// or https://, \
                 without user, password or query"
            ),
        )
        .example(shell("LETTA_BASE_URL=http://localhost:8283"))
    };
    let url = Url::parse(text.trim()).map_err(|_| bad("can't be read as a URL"))?;
    // From here on, the text may only be shown once it is known to contain no password.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            "contains a user or a password; put the password into LETTA_API_KEY",
        ));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad(&format!("is {:?}", text.trim())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("has a query or a fragment"));
    }
    let mut url = url;
    let path = url.path().trim_end_matches('/');
    let path = path
        .strip_suffix("/v1")
        .unwrap_or(path)
        .trim_end_matches('/');
    let path = path.to_owned();
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_that_cannot_be_used_is_explained_without_its_password() {
        for bad in [
            "localhost:8283",
            "",
            "ftp://host",
            "http://",
            "http://user:hunter2@host:8283",
            "http://host/?key=hunter2",
            "http://host:99999",
            "http:hunter2@",
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{bad}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
            assert!(error.corrected().is_some());
        }
    }
}
