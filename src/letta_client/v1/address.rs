//! The address of a server, as people write it.

use reqwest::Url;

use crate::error::{Code, Error, shell};

/// Reads a base URL as people write it. The address of a WebSocket becomes the HTTP address that it
/// starts from.
pub(in crate::letta_client) fn read(text: &str) -> Result<Url, Error> {
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
    let url = Url::parse(&as_http(text)).map_err(|_| bad("can't be read as a URL"))?;
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

/// The same address for HTTP, with which a WebSocket starts.
fn as_http(url: &str) -> String {
    let url = url.trim();
    let swapped = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
        _ => return url.to_owned(),
    };
    let bare = swapped.trim_end_matches('/');
    bare.strip_suffix("/ws").unwrap_or(bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_websocket_is_that_of_its_http() {
        for (given, http) in [
            ("ws://127.0.0.1:4500", "http://127.0.0.1:4500/"),
            (" ws://127.0.0.1:4500/ws ", "http://127.0.0.1:4500/"),
            ("WSS://letta.example/ws/", "https://letta.example/"),
            ("wss://letta.example/code", "https://letta.example/code"),
            ("http://127.0.0.1:4500/ws", "http://127.0.0.1:4500/ws"),
        ] {
            assert_eq!(read(given).unwrap().as_str(), http, "{given}");
        }
    }

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
