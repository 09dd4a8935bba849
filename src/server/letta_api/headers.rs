//! Headers on their way through: what belongs to one connection, or to us alone, stays here.

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

/// How our keys begin, and how many of their digits make it certain that a text holds one.
const OUR_KEY: &str = "pys_";
const CERTAIN: usize = 32;

/// Base64 as it is written with and without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What belongs to one connection.
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

/// What Letta goes by when it decides who is asking.
const CREDENTIALS: [&str; 4] = ["authorization", "x-bare-password", "user_id", "x-project"];

/// Headers of a request that are passed on.
///
/// # Errors
/// [`Code::KeyInvalid`] if one of our keys stands where it would be passed on.
pub(super) fn of_request(headers: &HeaderMap) -> Result<HeaderMap> {
    let mut passed = without_hops(headers);
    let ours: Vec<HeaderName> = passed.keys().filter(|n| stays_here(n)).cloned().collect();
    for name in ours {
        passed.remove(name);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        // The two together are how requests are smuggled.
        passed.remove(CONTENT_LENGTH);
    }
    match passed.values().any(|v| holds_our_key(v.as_bytes())) {
        true => Err(misplaced_key()),
        false => Ok(passed),
    }
}

/// Whether a header of a request is none of Letta's business: it belongs to the connection or to us, or
/// tells who stands before us, for which Letta would take anybody at their word.
fn stays_here(name: &HeaderName) -> bool {
    // Many programs take an underscore for a hyphen, and so for another header than we do.
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

/// The headers by which Letta knows who is asking, and no others.
///
/// # Errors
/// [`Code::KeyInvalid`] if one of our keys is among them.
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

/// Headers of an answer that are passed on: redirects to Letta lead to us, at `asked` of it.
pub(super) fn of_answer(headers: &HeaderMap, asked: &Url, base: &Url) -> HeaderMap {
    let mut passed = without_hops(headers);
    passed.remove(SET_COOKIE);
    passed.remove("set-cookie2");
    // Whatever others put there is never a page of ours, with what a page of ours may do.
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

/// Whether text holds one of our keys, as it is or as URLs and `Basic` credentials encode it.
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

/// What to say to somebody whose key of ours would have gone to Letta.
pub(super) fn misplaced_key() -> Error {
    Error::new(
        Code::KeyInvalid,
        "a key of promptyoself stands where it would be passed on to Letta: under /v1 Authorization \
         holds Letta's own password, and our key goes into X-Promptyoself-Key",
    )
    .example(shell("X-Promptyoself-Key: pys_…"))
}

/// All but what belongs to one connection, what it names itself included.
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

/// Where a redirect leads, seen from our clients; `None` where it leads to somebody else.
fn rewritten(to: &str, asked: &Url, base: &Url) -> Option<String> {
    let target = asked.join(to).ok()?;
    // Behind a proxy Letta may take itself for http where it is https.
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
    // A path that begins with two slashes would name another host.
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
