//! Headers of passed-on requests: those that belong to one connection, or only to us, are removed.

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_SECURITY_POLICY, LOCATION, SET_COOKIE,
    TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode;
use reqwest::Url;

use crate::api::KEY_HEADER;
use crate::error::{Code, Error, Result, shell};

/// How our keys begin, and how many digits after that make sure that a text contains one.
const OUR_KEY: &str = "pys_";
const CERTAIN: usize = 32;

/// Base64 with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Headers that belong to one connection.
const HOPS: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers by which Letta decides who is calling.
const CREDENTIALS: [&str; 4] = ["authorization", "x-bare-password", "user_id", "x-project"];

/// The headers of a request that are passed on.
///
/// # Errors
/// [`Code::KeyInvalid`] if one of them contains a key of ours.
pub(super) fn of_request(headers: &HeaderMap) -> Result<HeaderMap> {
    let mut passed = without_hops(headers);
    let ours: Vec<HeaderName> = passed.keys().filter(|n| stays_here(n)).cloned().collect();
    for name in ours {
        passed.remove(name);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        // The two together make request smuggling possible.
        passed.remove(CONTENT_LENGTH);
    }
    match passed.values().any(|v| holds_our_key(v.as_bytes())) {
        true => Err(misplaced_key()),
        false => Ok(passed),
    }
}

/// Whether a header must not reach Letta: it belongs to the connection or to us, or names whoever
/// is in front of us, which Letta would believe from anybody.
fn stays_here(name: &HeaderName) -> bool {
    // Many programs treat an underscore as a hyphen, and so read another header than we do.
    let is_length = name.as_str() == "content_length";
    let name = name.as_str().replace('_', "-");
    const NAMES: [&str; 16] = [
        KEY_HEADER,
        "client-ip",
        "cookie",
        "cookie2",
        "expect",
        "fastly-client-ip",
        "forwarded",
        "host",
        "proxy",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-user",
    ];
    const BEGINNINGS: [&str; 4] = ["cf-", "x-forwarded", "x-original-", "x-rewrite-"];
    NAMES.contains(&name.as_str())
        || BEGINNINGS.iter().any(|b| name.starts_with(b))
        || HOPS.contains(&name.as_str())
        || is_length
}

/// Only the headers by which Letta knows who is calling.
///
/// # Errors
/// [`Code::KeyInvalid`] if one of them contains a key of ours.
pub(super) fn credentials(headers: &HeaderMap) -> Result<HeaderMap> {
    let mut all = of_request(headers)?;
    let others: Vec<HeaderName> = all
        .keys()
        .filter(|name| !CREDENTIALS.contains(&name.as_str()))
        .cloned()
        .collect();
    for name in others {
        all.remove(name);
    }
    Ok(all)
}

/// The headers of an answer that are passed on; redirects to Letta are rewritten to us, relative to
/// `asked`.
pub(super) fn of_answer(headers: &HeaderMap, asked: &Url, base: &Url) -> HeaderMap {
    let mut passed = without_hops(headers);
    passed.remove(SET_COOKIE);
    passed.remove("set-cookie2");
    // Content from others must never be taken for a page of ours, with its privileges.
    passed.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    passed.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    for name in [LOCATION, CONTENT_LOCATION] {
        let rewritten = passed
            .get(&name)
            .and_then(|to| to.to_str().ok())
            .and_then(|to| rewritten(to, asked, base))
            .and_then(|to| HeaderValue::from_str(&to).ok());
        if let Some(to) = rewritten {
            passed.insert(name, to);
        }
    }
    passed
}

/// Whether text contains a key of ours, plain or encoded as in URLs and `Basic` credentials.
pub(super) fn holds_our_key(text: &[u8]) -> bool {
    let decoded: Vec<u8> = percent_decode(text).collect();
    let basic = text
        .split_at_checked(6)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "))
        .and_then(|(_, pair)| LENIENT.decode(pair.trim_ascii()).ok());
    holds_plain_key(text) || holds_plain_key(&decoded) || basic.is_some_and(|b| holds_plain_key(&b))
}

fn holds_plain_key(text: &[u8]) -> bool {
    let begins = |at: &[u8]| {
        at.starts_with(OUR_KEY.as_bytes())
            && at[OUR_KEY.len()..]
                .iter()
                .take_while(|b| b.is_ascii_hexdigit())
                .count()
                >= CERTAIN
    };
    (0..text.len()).any(|n| begins(&text[n..]))
}

/// The refusal of a request that would have sent a key of ours to Letta.
pub(super) fn misplaced_key() -> Error {
    Error::new(
        Code::KeyInvalid,
        "one of our keys was sent where it would be passed on to Letta: under /v1, Authorization is \
         for Letta's password; send our key as X-Promptyoself-Key",
    )
    .example(shell("X-Promptyoself-Key: pys_…"))
}

/// All headers except hop-by-hop ones, including those named by `Connection`.
fn without_hops(headers: &HeaderMap) -> HeaderMap {
    let mut rest = headers.clone();
    let named = headers.get_all(CONNECTION).iter();
    let named = named
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse::<HeaderName>().ok());
    for name in named {
        rest.remove(name);
    }
    for name in HOPS {
        rest.remove(name);
    }
    rest
}

/// A redirect's target as our clients should see it; `None` if it leads to another server.
fn rewritten(to: &str, asked: &Url, base: &Url) -> Option<String> {
    let target = asked.join(to).ok()?;
    // Behind a proxy, Letta may believe it is served over http when it is https.
    let same = target.host_str() == base.host_str()
        && (target.port() == base.port()
            || target.port_or_known_default() == base.port_or_known_default());
    if !same || !matches!(target.scheme(), "http" | "https") {
        return None;
    }
    let prefix = base.path().trim_end_matches('/');
    let path = target.path();
    let path = match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
    let mut ours = path.to_owned();
    if let Some(query) = target.query() {
        ours.push('?');
        ours.push_str(query);
    }
    if let Some(fragment) = target.fragment() {
        ours.push('#');
        ours.push_str(fragment);
    }
    // A path beginning with two slashes would name another host.
    (!ours.starts_with("//")).then_some(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_within_letta_leads_to_us_and_any_other_stays() {
        let base = url("http://letta:8283/deep");
        let asked = url("http://letta:8283/deep/v1/agents?limit=1");
        for (to, ours) in [
            (
                "http://letta:8283/deep/v1/agents/?limit=1",
                Some("/v1/agents/?limit=1"),
            ),
            ("https://letta:8283/deep/v1/agents/", Some("/v1/agents/")),
            ("/deep/v1/x#y", Some("/v1/x#y")),
            ("agents/", Some("/v1/agents/")),
            ("/elsewhere", Some("/elsewhere")),
            ("/deeper/x", Some("/deeper/x")),
            ("http://letta:8284/deep/v1/", None),
            ("http://other/deep/v1/", None),
            ("//evil.example/deep", None),
            ("ftp://letta:8283/deep", None),
            ("http://letta:8283/deep//evil.example/", None),
        ] {
            assert_eq!(rewritten(to, &asked, &base).as_deref(), ours, "{to}");
        }
        let base = url("https://api.letta.com");
        let asked = url("https://api.letta.com/v1/agents");
        let to = rewritten("http://api.letta.com/v1/agents/", &asked, &base);
        assert_eq!(to.as_deref(), Some("/v1/agents/"));
    }

    #[test]
    fn one_of_our_keys_is_known_wherever_it_stands() {
        let key = format!("pys_{}", "0af3".repeat(16));
        for text in [key.clone(), format!("Bearer {key}"), format!("a={key}&b")] {
            assert!(holds_our_key(text.as_bytes()), "{text}");
        }
        let digits = "0af3".repeat(16);
        let basic = format!("basic {}", LENIENT.encode(format!("u:{key}")));
        let bare = basic.trim_end_matches('=').to_owned();
        for text in [
            format!("/v1/x?k=pys%5F{digits}"),
            format!("%70ys_{digits}"),
            basic,
            bare,
        ] {
            assert!(holds_our_key(text.as_bytes()), "{text}");
        }
        for text in ["", "pys_", "Bearer pys_short", "a pys_ b", "letta-password"] {
            assert!(!holds_our_key(text.as_bytes()), "{text}");
        }
    }
}
